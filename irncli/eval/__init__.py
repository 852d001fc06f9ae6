"""Measuring: metrics and pictures of comparisons."""
