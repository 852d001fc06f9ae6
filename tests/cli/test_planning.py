"""Which output is of which format."""

from pathlib import Path

import pytest

from irncli.cli.planning import output_format, plan
from irncli.errors import UsageError

ALL = ("png", "jpeg", "webp", "avif", "jxl")


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".jxl", ".gif", ""])
def test_a_suffix_never_makes_lr_lossy_by_itself(suffix):
    output = Path(f"small{suffix}")
    with pytest.raises(UsageError, match=r"irn writes \.png and \.jpg, not (\.|no suffix)"):
        output_format(output, None)
    with pytest.raises(UsageError, match=r"irn writes \.png and \.jpg"):
        plan([Path("a.png")], output, None, None, str)


def test_a_command_may_write_more_formats():
    for suffix in ALL:
        assert output_format(Path(f"small.{suffix}"), None, ALL) == suffix
    pairs = plan([Path("a.png")], Path("small.webp"), None, None, str, ALL)
    assert pairs == [(Path("a.png"), Path("small.webp"))]
    with pytest.raises(UsageError, match=r"irn writes \.png, \.jpg, \.webp, \.avif and \.jxl, not"):
        output_format(Path("small.gif"), None, ALL)
    with pytest.raises(UsageError, match="webp by its suffix, but --format says avif"):
        output_format(Path("small.webp"), "avif", ALL)
