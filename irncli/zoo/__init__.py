"""Checkpoints and the registry of models."""
