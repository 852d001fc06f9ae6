"""Two pictures looked at: in numbers, as one picture, as a page."""
