"""Comparison of two images: as numbers, as one image, and as an HTML page."""
