"""Evaluation: quality, compression and speed of models on sets of images."""
