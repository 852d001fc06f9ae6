"""An image through the network, a codec, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from irncli.engine.rescaler import Rescaler, to_gray
from irncli.engine.restorer import Restorer
from irncli.engine.tensors import Pixels
from irncli.io.encoding import Format, encode
from irncli.io.image_file import ImageFile
from irncli.io.picture import Picture

__all__ = ["Compressor"]

Xmp = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Compressor:
    """A rescaling network, the codec that its LR goes through, and what undoes the codec.

        file = codec(quantise(network(HR)));   HR' = inverse(restorer(decoded file), 0)

    Attributes:
        rescaler: trained with the codec in view.
        codec: of the file.
        restorer: of LR that was a JPEG; None: the inverse bears what the codec did.
        neutral: the image has three equal channels, and so has what is restored.

    Source: IRN extensions (IJCV 2022), section 3.5.
    """

    rescaler: Rescaler
    codec: Format = "jpeg"
    restorer: Restorer | None = None
    neutral: bool = False

    def code(self, low: Picture, quality: int, xmp: Xmp | None = None) -> bytes:
        """The file of an LR image: 4:4:4 where the codec has it, JPEG optimised and progressive.

        Args:
            low: the LR image.
            quality: 1 to 100; PNG has none.
            xmp: see `encode`.
        """
        return encode(low, image_format=self.codec, quality=quality, progressive=True, xmp=xmp)

    def reread(self, data: bytes) -> Pixels:
        """What the inverse is fed: LR out of its file, with what the codec did undone."""
        return self._reread(data).pixels

    def _reread(self, data: bytes) -> Picture:
        file = ImageFile(data)
        low = file.decode()
        if self.restorer is None or self.codec != "jpeg":
            return low
        return replace(low, pixels=self.restorer.restore(low.pixels, file.tables))

    def restore(self, data: bytes, hr_size: tuple[int, int], scale: float | None = None) -> Pixels:
        """The image out of its file, with z = 0.

        Args:
            data: as `code` made it.
            hr_size: width and height of the image.
            scale: HR size over LR size; None: that of the network.
        """
        low = self._reread(data)
        pixels = self.rescaler.upscale(low.pixels, hr_size, scale, temperature=0)
        return to_gray(pixels) if low.gray or self.neutral else pixels
