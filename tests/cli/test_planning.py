"""Which output is of which format."""

from pathlib import Path

import pytest

from irncli.batch.plan import Destination, output_format, plan
from irncli.errors import UsageError
from irncli.io.encoding import LOSSLESS_OR_JPEG
from irncli.io.inputs import Input

ALL = ("png", "jpeg", "webp", "avif", "jxl")


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".jxl", ".gif", ""])
def test_a_suffix_never_makes_lr_lossy_by_itself(suffix):
    output = Path(f"small{suffix}")
    with pytest.raises(UsageError, match=r"irn writes \.png and \.jpg, (not \.|say which)"):
        output_format(output, None, LOSSLESS_OR_JPEG)
    with pytest.raises(UsageError, match=r"irn writes \.png and \.jpg"):
        plan([Input(Path("a.png"))], Destination(output=output, label=str))


def test_a_name_without_a_suffix_takes_the_format_that_is_said():
    assert output_format(Path("small"), "jpeg", LOSSLESS_OR_JPEG) == "jpeg"
    assert output_format(Path("/dev/stdout"), "png", LOSSLESS_OR_JPEG) == "png"


def test_a_command_may_write_more_formats():
    for suffix in ALL:
        assert output_format(Path(f"small.{suffix}"), None, ALL) == suffix
    to = Destination(output=Path("small.webp"), allowed=ALL, label=str)
    files, left_out = plan([Input(Path("a.png"))], to)
    assert (files, left_out) == ([(Path("a.png"), Path("small.webp"), "webp")], 0)
    with pytest.raises(UsageError, match=r"irn writes \.png, \.jpg, \.webp, \.avif and \.jxl, not"):
        output_format(Path("small.gif"), None, ALL)
    with pytest.raises(UsageError, match="webp by its suffix, but --format says avif"):
        output_format(Path("small.webp"), "avif", ALL)
