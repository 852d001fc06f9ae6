"""Looking at image files without leaving them open."""

import numpy as np
from PIL import Image


def size(path):
    """Width and height."""
    with Image.open(path) as image:
        return image.size


def values(path):
    """Pixels as an array."""
    with Image.open(path) as image:
        return np.array(image)
