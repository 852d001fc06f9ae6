"""Records for tests, as `irn eval` writes them."""

import copy

PICTURE = {
    "image": "a.png", "width": 48, "height": 32, "psnr_y": 33.1, "ssim_y": 0.9,
    "psnr_rgb": 31.0, "ssim_rgb": 0.88, "psnr_y_z0": 33.2, "ssim_y_z0": 0.901,
    "psnr_y_by_seed": [33.0, 33.2], "lr_psnr_y": 42.0, "lr_ssim_y": 0.99, "bpp": 4.0,
    "seconds_down": 0.5, "seconds_up": 0.6,
}  # fmt: skip
RECORD = {
    "set": "Set5", "model": "irn-x2", "kind": "model", "task": "rescale", "scale": 2, "images": 1,
    "psnr_y": 33.1, "ssim_y": 0.9, "psnr_rgb": 31.0, "ssim_rgb": 0.88, "psnr_y_z0": 33.2,
    "ssim_y_z0": 0.901, "psnr_y_std": 0.1414, "psnr_y_least": 33.0, "psnr_y_most": 33.2,
    "seeds": 2, "temperature": 1.0, "lr_psnr_y": 42.0, "lr_ssim_y": 0.99, "bpp": 4.0,
    "megapixels": 0.001536, "seconds_down": 0.5, "seconds_up": 0.6, "mps_down": 0.0031,
    "mps_up": 0.0026, "weights_sha256": "ab" * 32, "device": "cpu", "precision": "fp32",
    "threads": 2, "cpu": "A CPU", "torch": "2.13.0", "irn": "0.1.0", "identical": {}, "failed": [],
    "per_image": [PICTURE],
}  # fmt: skip
FILTER = {
    "model": "bicubic", "kind": "baseline", "psnr_y": 30.0, "psnr_y_z0": None, "ssim_y_z0": None,
    "psnr_y_std": None, "seeds": 1, "temperature": 0.0, "lr_psnr_y": None, "lr_ssim_y": 1.0,
    "weights_sha256": None, "identical": {"lr_psnr_y": 1},
}  # fmt: skip


def record(**changes):
    """A record of a model, changed."""
    return copy.deepcopy(RECORD) | changes


def bicubic(**changes):
    """A record of a filter, changed."""
    return record(**FILTER) | changes
