"""The compression pipeline: network, codec, restorer and inverse network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from irncli.compression.jpeg_coder import JpegCoder
from irncli.engine.rescaler import Rescaler, to_gray
from irncli.engine.restorer import Restorer
from irncli.engine.tensors import Pixels
from irncli.io.encoding import Coefficients, Format, encode
from irncli.io.image_file import ImageFile
from irncli.io.picture import Picture

__all__ = ["Compressor"]

Xmp = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Compressor:
    """A rescaling network, the codec of its LR, and a restorer that undoes the codec.

        file = codec(quantise(network(HR)));   HR' = inverse(restorer(decoded file), 0)

    Attributes:
        rescaler: rescaler of a network that was trained for the codec.
        codec: format of the file.
        restorer: network that restores LR from a JPEG; None: the inverse network gets the decoded
            LR as it is.
        neutral: True if the image has three equal channels; the restored image then has them, too.

    Source: IRN extensions (IJCV 2022), section 3.5.
    """

    rescaler: Rescaler
    codec: Format = "jpeg"
    restorer: Restorer | None = None
    neutral: bool = False

    def code(
        self,
        low: Picture,
        quality: int,
        xmp: Xmp | None = None,
        coefficients: Coefficients | None = None,
    ) -> bytes:
        """Return the file of an LR image.

        Chroma is 4:4:4 if the codec supports it; a JPEG is optimised and progressive.

        Args:
            low: the LR image.
            quality: quality of the codec, 1 to 100; PNG ignores it.
            xmp: see `encode`.
            coefficients: what a JPEG holds, chosen by `coder`; None: those of the pixels.
        """
        return encode(
            low, image_format=self.codec, quality=quality, progressive=True,
            coefficients=coefficients, xmp=xmp,
        )  # fmt: skip

    def coder(self, hr: Pixels, low: Picture, scale: float) -> JpegCoder:
        """Return the coder that chooses the coefficients of a JPEG for the restored image.

        The JPEG is restored without the restorer.

        Args:
            hr: HR image, uint8 [H, W, 3].
            low: LR of it.
            scale: HR size over LR size.
        """
        return JpegCoder(self.rescaler, hr, low.pixels, scale, gray=low.gray, neutral=self.neutral)

    def reread(self, data: bytes) -> Pixels:
        """Return the input of the inverse network: LR from its file, after the restorer."""
        return self._reread(data).pixels

    def _reread(self, data: bytes) -> Picture:
        file = ImageFile(data)
        low = file.decode()
        if self.restorer is None or self.codec != "jpeg":
            return low
        return replace(low, pixels=self.restorer.restore(low.pixels, file.tables))

    def restore(self, data: bytes, hr_size: tuple[int, int], scale: float | None = None) -> Pixels:
        """Restore the image from its file, with z = 0.

        Args:
            data: file made by `code`.
            hr_size: width and height of the image in pixels.
            scale: HR size over LR size; None: the scale of the network.
        """
        low = self._reread(data)
        pixels = self.rescaler.upscale(low.pixels, hr_size, scale, temperature=0)
        return to_gray(pixels) if low.gray or self.neutral else pixels
