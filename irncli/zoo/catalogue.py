"""Models that irn can train, whether or not their weights are shipped."""

from __future__ import annotations

__all__ = ["CATALOGUE", "how_to_train"]

CATALOGUE = {
    "irn-x2": "rescaling by 2",
    "irn-x3": "rescaling by 3 (learned downsampling), grown from irn-x2",
    "irn-x4": "rescaling by 4, grown from irn-x2",
    "irn-x8": "rescaling by 8, grown from irn-x4",
    "irn-e-x4": "rescaling by 4 with all 16 blocks at the size of LR, grown from irn-x2",
    "irn-plus-x4": "IRN+: rescaling by 4 for the eye (VGG19 features, discriminator), from irn-x4",
    "irn-color": "colour to gray and back",
    "irn-x2-robust": "rescaling by 2 with an LR that tolerates noise, from irn-x2",
    "irn-jpeg-x2": "rescaling by 2 with an LR that is stored as JPEG, from irn-x2",
    "crm-q75": "restores LR after JPEG of one quality (set jpeg_least and jpeg_most for another)",
    "crm-jpeg": "restores LR of irn-jpeg-x2 after JPEG of any quality",
}
"""Purpose of each preset of `irn train`, by name."""


def how_to_train(name: str) -> str:
    """Return the commands that train a model of the catalogue and import it by its name."""
    return (
        f"irn train --preset {name} --data PHOTOS --out RUN, then "
        f"irn models import RUN/best.safetensors --name {name}"
    )
