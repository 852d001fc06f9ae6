"""Scripts that use the core modules of the page, and small images to give to them."""

import base64
import io
import json
from dataclasses import replace

import numpy as np

from irncli.io.encoding import encode
from irncli.io.picture import Metadata, Picture
from irncli.io.tag import Tag, embed

MODULES = (
    *(
        "small_image",
        "restore",
        "enlarge",
        "latent",
        "png",
        "png_reader",
        "sha256",
        "bicubic",
        "tag",
    ),
    *("xmp", "fallback", "bytes"),
)
TYPES = {
    "Uint8Array": np.uint8,
    "Uint8ClampedArray": np.uint8,
    "Uint16Array": np.uint16,
    "Float32Array": np.float32,
}
AROUND = """
(async () => {
  const names = %s;
  const core = Object.assign({}, ...await Promise.all(names.map((n) => import(`/core/${n}.js`))));
  const given = %s.map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
  const pack = (value) => {
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      let text = "";
      for (const byte of bytes) text += String.fromCharCode(byte);
      return { array: value.constructor.name, data: btoa(text) };
    }
    if (Array.isArray(value)) return value.map(pack);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, pack(v)]));
  };
  try {
    return JSON.stringify({ value: pack(await (async () => { %s })()) ?? null });
  } catch (error) {
    return JSON.stringify({ error: `${error.name}: ${error.message}` });
  }
})()
"""


class PageError(Exception):
    """An exception of a script, with its name and message."""


class Core:
    """The modules in a browser."""

    def __init__(self, browser):
        self._browser = browser

    def __call__(self, script, *given):
        """Run the body of a function with `core` and the bytes `given`; return what it returns.

        Arrays come back as numpy's.
        """
        texts = [base64.b64encode(each).decode() for each in given]
        around = AROUND % (json.dumps(MODULES), json.dumps(texts), script)
        answer = json.loads(self._browser.evaluate(around), object_hook=unpacked)
        if "error" in answer:
            raise PageError(answer["error"])
        return answer["value"]

    def read(self, data):
        """The result of readSmallImage."""
        return self("return core.readSmallImage(given[0]);", data)


def unpacked(record):
    if record.keys() != {"array", "data"}:
        return record
    return np.frombuffer(base64.b64decode(record["data"]), TYPES[record["array"]])


def shaped(image):
    """The pixels of an Image of the page, [H, W, channels]."""
    return image["data"].reshape(image["height"], image["width"], image["channels"])


TAG = Tag(
    task="rescale", model="irn-x2", weights_sha256="a" * 64, scale=2, hr_size=(2, 2), bits=8,
    content_sha256="b" * 64, temperature=0,
)  # fmt: skip


def tagged(picture, image_format="png", encoder=None, **fields):
    """The file of a small image as the commands write it, with a tag of these fields."""
    width, height = picture.size
    fields = {"hr_size": (2 * width, 2 * height), **fields}

    def packet(content_sha256):
        return embed(picture.metadata.xmp, replace(TAG, content_sha256=content_sha256, **fields))

    return encode(picture, image_format=image_format, xmp=packet, **(encoder or {}))


def noise(height=13, width=17, bits=8, seed=0):
    """Random pixels [height, width, 3]."""
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(seed).integers(0, 2**bits, (height, width, 3), dtype)


def drawing(**changes):
    """A small image of noise, with the metadata of many programs."""
    return Picture(**{"pixels": noise(), "metadata": Metadata(), **changes})


def saved(image, image_format="PNG", **options):
    """A file by Pillow."""
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()
