"""Which output is of which format."""

from pathlib import Path

import pytest

from irncli.batch.plan import Destination, output_format, plan
from irncli.errors import UsageError
from irncli.io.inputs import Input
from irncli.operations.compress import Compress
from irncli.operations.downscale import Downscale

ALL = ("png", "jpeg", "webp", "avif", "jxl")
DOWNSCALE, COMPRESS = Downscale(scale=2), Compress()


@pytest.mark.parametrize("suffix", [".avif", ".jxl", ".gif", ""])
def test_a_suffix_never_makes_lr_lossy_by_itself(suffix):
    output = Path(f"small{suffix}")
    with pytest.raises(UsageError, match=r"irn writes \.png, \.jpg and \.webp, (not \.|name its)"):
        output_format(output, None, DOWNSCALE)
    with pytest.raises(UsageError, match=r"irn writes \.png, \.jpg and \.webp"):
        plan([Input(Path("a.png"))], Destination(output=output, label=str, operation=DOWNSCALE))


def test_a_name_without_a_suffix_takes_the_format_that_is_said():
    assert output_format(Path("small"), "jpeg", DOWNSCALE) == "jpeg"
    assert output_format(Path("/dev/stdout"), "png", DOWNSCALE) == "png"


def test_a_command_may_write_more_formats():
    for suffix in ALL:
        assert output_format(Path(f"small.{suffix}"), None, COMPRESS) == suffix
    to = Destination(output=Path("small.webp"), label=str, operation=COMPRESS)
    files, left_out = plan([Input(Path("a.png"))], to)
    assert (files, left_out) == ([(Path("a.png"), Path("small.webp"), "webp", False)], 0)
    with pytest.raises(UsageError, match=r"irn writes \.png, \.jpg, \.webp, \.avif and \.jxl, not"):
        output_format(Path("small.gif"), None, COMPRESS)
    with pytest.raises(UsageError, match="webp by its suffix, but avif was requested"):
        output_format(Path("small.webp"), "avif", COMPRESS)


def test_an_output_without_a_format_takes_that_of_the_command():
    for operation, suffix in ((DOWNSCALE, ".png"), (COMPRESS, ".jpg")):
        for output in (None, Path("out/{stem}{ext}")):
            to = Destination(output=output, label=lambda path: path.stem, operation=operation)
            [planned] = plan([Input(Path("a.tif"))], to)[0]
            assert planned.output.name == f"a{suffix}"
        assert output_format(Path("-"), None, operation) == operation.default_format
