"""Plug-ins are loaded for the files that need them, and for no others."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from irncli.io.formats.avif_heif import is_heif
from irncli.io.libraries import heif_is_here, jxl_is_here

DECODE = """
import sys
from irncli.io.image_file import decode
decode(sys.stdin.buffer.read())
print(*sorted({"pillow_heif", "pillow_jxl"} & set(sys.modules)))
"""


def file_of(format):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, format)
    return buffer.getvalue()


@pytest.mark.skipif(not (heif_is_here() and jxl_is_here()), reason="the plug-ins are not here")
@pytest.mark.parametrize(
    ("format", "loaded"),
    [("PNG", b""), ("JPEG", b""), ("WEBP", b""), ("HEIF", b"pillow_heif"), ("JXL", b"pillow_jxl")],
)
def test_only_what_a_file_needs_is_loaded(format, loaded):
    done = subprocess.run(
        [sys.executable, "-c", DECODE], input=file_of(format), capture_output=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (loaded, b"")


def first_box(*brands):
    major, *others = brands
    return (16 + 4 * len(others)).to_bytes(4, "big") + b"ftyp" + major + bytes(4) + b"".join(others)


def test_brands():
    assert is_heif(first_box(b"heic", b"mif1"))
    assert is_heif(first_box(b"mif1", b"miaf", b"heic"))
    assert not is_heif(first_box(b"mif1", b"miaf", b"avif"))
    assert not is_heif(first_box(b"mif1") + b"heic")
    assert not is_heif(b"\0\0\0\x10free" + b"heic")
    assert not is_heif(b"")
