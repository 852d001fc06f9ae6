"""Measuring: metrics and images of comparisons."""
