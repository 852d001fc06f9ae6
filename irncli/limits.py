"""Limits and defaults for all layers. This module imports nothing, so that help stays fast."""

DEFAULT_MAX_PIXELS = 500_000_000
"""Largest number of pixels of an image that is read, unless the user says otherwise."""
MAX_SCALE = 64
"""Largest HR size over LR size that is accepted."""
