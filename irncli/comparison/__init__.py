"""Two images looked at: in numbers, as one image, as a page."""
