"""Checkpoints and where they lie."""
