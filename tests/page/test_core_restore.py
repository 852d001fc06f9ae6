"""Restoring by the page, with a simple function in place of the network, against the engine."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from irncli.engine.fallback import Fallback
from irncli.engine.latent import draw_row
from irncli.engine.rescaler import bicubic, resize_plane, to_gray
from irncli.geometry import pack
from irncli.io.image_file import ImageFile
from irncli.io.picture import Metadata
from irncli.pixels import to_bits
from tests.support.packets import OTHERS
from tests.support.page_core import PageError, drawing, noise, shaped, tagged

MODEL = {
    "name": "irn-x2", "task": "rescale", "scale": 2, "weights_sha256": "a" * 64, "cell": 1,
    "latent_channels": 3, "latent_sigma": [0.5, 1, 2], "halo": 4, "bytes": 1000,
}  # fmt: skip
X4 = MODEL | {"name": "irn-x4", "scale": 4}
COLOR = MODEL | {"name": "irn-color", "task": "color", "scale": 1, "cell": 4}

STAND_IN = """
const run = async (lr, z, h, w) => {
  const { scale, cell } = model, count = h * w, channels = lr.length / count;
  const cells = count / cell ** 2, out = new Float32Array(3 * scale * scale * count);
  if (z.length !== model.latent_channels * cells) throw new Error("another z");
  const low = LOW;
  for (let i = 0; i < out.length; i++) {
    const c = Math.floor(i / (scale * scale * count)), x = i % (scale * w);
    const y = Math.floor(i / (scale * w)) % (scale * h);
    const row = Math.floor(y / scale), column = Math.floor(x / scale);
    const noise = z[c * cells + Math.floor(row / cell) * w / cell + Math.floor(column / cell)];
    const value = low[Math.min(c, channels - 1) * count + row * w + column];
    out[i] = VALUE;
  }
  return out;
};
"""


def stand_in(value, low="lr"):
    """A function in place of the network: an expression for each value, from LR or a map of it."""
    return STAND_IN.replace("VALUE", value).replace("LOW", low)


NEAREST = stand_in("value")
BROWN = stand_in("value * (1 - c / 4)")
NOISE = stand_in("noise / 100 + 0.5")
HALF = stand_in("0.5")
SPREADING = stand_in(
    "value + noise / 20 + (x % scale) / 30",
    """(() => {
      const sums = new Float32Array(lr.length);
      for (let i = 0; i < lr.length; i++) {
        const y = Math.floor(i / w) % h, x = i % w;
        for (let v = -4; v <= 4; v += 4) {
          for (let u = -4; u <= 4; u += 4) {
            if (y + v < 0 || y + v >= h || x + u < 0 || x + u >= w) continue;
            sums[i] += lr[i + v * w + u] * (9 + u + 2 * v) / 81;
          }
        }
      }
      return sums;
    })()""",
)
"""Weighs pixels as far away as the halo, darkens the border of the window as networks do, and adds
z and a pattern."""


def restored(core, data, model=MODEL, run=NEAREST, **options):
    """The image that the page restores, and the progress that it reported."""
    return core(
        f"""
        const small = await core.readSmallImage(given[0]);
        const model = core.chooseModel(small, {json.dumps([model])});
        {run}
        const shares = [];
        const onProgress = (share) => shares.push(share);
        const options = {{ run, onProgress, ...{json.dumps(options)} }};
        return {{ image: await core.restore(small, model, options), shares }};
        """,
        data,
    )


def image_of(core, data, model=MODEL, run=NEAREST, **options):
    return shaped(restored(core, data, model, run, **options)["image"])


def repeated(pixels, scale):
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


@pytest.mark.parametrize("seed", [0, 2**63 + 5, 2**64 - 1])
@pytest.mark.parametrize("row", [0, 2**31 + 9])
def test_z_is_that_of_the_engine(core, seed, row):
    z = core(f"return core.drawRow('{seed}', {row}, 3, 5000);").reshape(3, 5000)
    expected = draw_row(seed, row, 3, 5000)
    assert np.abs(z - expected).max() < 1e-6
    assert np.mean(z != expected) < 1e-3
    part = core(
        f"return core.drawWindow({seed}n, {{top: {row}, left: 6, height: 2, width: 31}}, 3);"
    )
    assert np.array_equal(part.reshape(3, 2, 31)[:, 0], z[:, 6:37])


@given(seed=st.integers(0, 2**64 - 1), row=st.integers(0, 10**6))
def test_z_of_any_seed(core, seed, row):
    z = core(f"return core.drawRow({seed}n, {row}, 2, 21);").reshape(2, 21)
    assert np.abs(z - draw_row(seed, row, 2, 21)).max() < 1e-6


@pytest.mark.parametrize("seed", ["-1n", "18446744073709551616n", "'1.5'", "''"])
def test_other_seeds_are_refused(core, seed):
    with pytest.raises(PageError, match="expected a whole number, 0 to 18446744073709551615"):
        core(f"return core.drawRow({seed}, 0, 1, 1);")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("size", [(26, 34), (31, 44), (1, 1), (9, 17), (13, 60), (5, 7), (143, 17)])
def test_bicubic_is_that_of_the_engine(core, bits, size):
    pixels = noise(bits=bits)
    typed = f"new {'Uint8Array' if bits == 8 else 'Uint16Array'}(given[0].buffer)"
    out = core(f"return core.resize({{ pixels: {typed}, width: 17, height: 13, channels: 3, "
               f"bits: {bits} }}, [{size[1]}, {size[0]}]);", pixels.tobytes())  # fmt: skip
    found = out.reshape(*size, 3).astype(int)
    difference = np.abs(found - bicubic(pixels, *size))
    assert difference.max() <= 1
    assert np.mean(difference > 0) <= 1e-3


@pytest.mark.parametrize("gray", [False, True])
def test_enlarged(core, gray):
    pixels = noise()[:, :, :1].repeat(3, axis=2) if gray else noise()
    alpha = noise(seed=1)[:, :, 0]
    data = tagged(drawing(pixels=pixels, gray=gray, alpha=alpha), scale=2.5, hr_size=(42, 31))
    image = core("return core.enlarge(await core.readSmallImage(given[0]));", data)
    expected = bicubic(pixels, 31, 42)[:, :, : 1 if gray else 3]
    assert np.array_equal(shaped(image)[:, :, :-1], expected)
    assert np.array_equal(shaped(image)[:, :, -1], resize_plane(alpha, 31, 42))


def test_a_small_image_is_cropped_to_the_size_of_the_image(core):
    data = tagged(drawing(), hr_size=(33, 25))
    assert np.array_equal(image_of(core, data), repeated(noise(), 2)[:25, :33])


def test_a_fractional_scale_is_resized(core):
    data = tagged(drawing(), model="irn-x4", scale=2.5, hr_size=(41, 32))
    expected = bicubic(repeated(noise(), 4), 32, 41)
    assert np.array_equal(image_of(core, data, X4), expected)


@pytest.mark.parametrize(("low", "high"), [(8, 16), (16, 8), (16, 16)])
def test_16_bits(core, low, high):
    pixels, alpha = noise(bits=low), noise(bits=low, seed=1)[:, :, 0]
    data = tagged(drawing(pixels=pixels, alpha=alpha), bits=high)
    image = restored(core, data)["image"]
    assert image["bits"] == high
    values = np.rint(pixels / (2**low - 1) * (2**high - 1))
    assert np.array_equal(shaped(image)[:, :, :3], repeated(values, 2))
    assert np.array_equal(shaped(image)[:, :, 3], resize_plane(to_bits(alpha, high), 26, 34))


GRAYISH = noise()[:, :, :1].repeat(3, axis=2)


def brown(scale=2):
    values = repeated(GRAYISH, scale) / np.float32(255) * (1 - np.arange(3) / 4)
    return np.rint(values.astype(np.float32) * np.float32(255)).astype(np.uint8)


@pytest.mark.parametrize(
    ("gray", "fields", "channels"),
    [
        (True, {}, 1),
        (True, {"gray": True}, 1),
        (False, {"gray": True}, 1),
        (False, {"neutral": True}, 3),
    ],
)
def test_gray_images_stay_gray(core, gray, fields, channels):
    data = tagged(drawing(pixels=GRAYISH, gray=gray), **fields)
    expected = to_gray(brown())[:, :, :channels]
    assert np.array_equal(image_of(core, data, run=BROWN), expected)


def test_colours_are_restored(core):
    alpha = noise(seed=1)[:, :, 0]
    fields = {"task": "color", "scale": 1, "hr_size": (17, 13)}
    data = tagged(drawing(pixels=GRAYISH, gray=True, alpha=alpha), **fields)
    image = image_of(core, data, COLOR, run=BROWN)
    assert np.array_equal(image[:, :, :3], brown(1))
    assert np.array_equal(image[:, :, 3], alpha)
    with pytest.raises(
        PageError, match="found colours, expected a gray image made by 'irn decolor'"
    ):
        image_of(core, tagged(drawing(), **fields), COLOR)


@pytest.mark.parametrize(
    ("fields", "channels"), [({"task": "plain"}, 3), ({"task": "color", "gray": True}, 1)]
)
def test_the_image_itself_needs_no_network(core, fields, channels):
    data = tagged(drawing(pixels=GRAYISH), scale=1, hr_size=(17, 13), **fields)
    image = core(
        """
        const small = await core.readSmallImage(given[0]);
        return core.restore(small, core.chooseModel(small, []));
        """,
        data,
    )
    assert np.array_equal(shaped(image), GRAYISH[:, :, :channels])


TILED = {
    "rescale": (drawing(pixels=noise(75, 61)), {}, MODEL),
    "16 bits and alpha": (
        drawing(pixels=noise(75, 61, bits=16), alpha=noise(75, 61, bits=16, seed=1)[:, :, 0]),
        {"bits": 16},
        MODEL,
    ),
    "fraction and blocks": (
        drawing(pixels=noise(75, 61)),
        {"scale": 2.5, "hr_size": (152, 187), "bicubic": pack(np.eye(5, 4) > 0)},
        X4,
    ),
    "colour": (
        drawing(pixels=noise(75, 61)[:, :, :1].repeat(3, axis=2), gray=True),
        {"task": "color", "scale": 1, "hr_size": (61, 75), "bicubic": pack(np.eye(5, 4) > 0),
         "tint": (20.0, -10.0, 3.5)},
        COLOR,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TILED)
def test_tiles_do_not_show(core, kind):
    picture, fields, model = TILED[kind]
    data = tagged(picture, **{"model": model["name"], **fields})
    options = {"run": SPREADING, "temperature": 1.5, "seed": "7"}
    whole = restored(core, data, model, side=0, **options)
    tiles = restored(core, data, model, side=16, **options)
    assert np.array_equal(whole["image"]["data"], tiles["image"]["data"])
    assert len(whole["shares"]) == 2
    assert tiles["shares"] == sorted(tiles["shares"])
    assert (tiles["shares"][0], tiles["shares"][-1]) == (0, 1)
    assert len(tiles["shares"]) > 10
    other = restored(core, data, model, side=0, **options | {"seed": "8"})
    assert not np.array_equal(whole["image"]["data"], other["image"]["data"])


def test_z_is_scaled_by_its_width_and_the_temperature(core):
    data = tagged(drawing(pixels=noise(8, 9)), temperature=0.5)
    for options, width in (({}, 0.5), ({"temperature": 2}, 2), ({"temperature": 0}, 0)):
        image = image_of(core, data, run=NOISE, seed="5", **options)
        for channel, sigma in enumerate(MODEL["latent_sigma"]):
            z = draw_row(5, 3, 3, 9)[channel] * np.float32(sigma * width)
            expected = np.clip(np.rint((z / 100 + 0.5) * 255), 0, 255)
            assert np.abs(image[6, ::2, channel] - expected).max() <= 1


@pytest.mark.parametrize("task", ["rescale", "color"])
def test_marked_blocks_are_blended_as_by_the_engine(core, task):
    gray = task == "color"
    pixels = noise(75, 61)[:, :, :1].repeat(3, axis=2) if gray else noise(75, 61)
    grid = np.random.default_rng(3).integers(0, 6, (5, 4)) == 0
    tint = (20.0, -10.0, 3.5) if gray else None
    scale = 1 if gray else 4
    model = COLOR if gray else X4
    data = tagged(
        drawing(pixels=pixels, gray=gray), task=task, model=model["name"], scale=scale,
        hr_size=(61 * scale, 75 * scale), bicubic=pack(grid), tint=tint,
    )  # fmt: skip
    image = image_of(core, data, model, run=HALF, side=24)
    fallback = Fallback.for_image(pixels, grid, scale, tint)
    values = torch.full((1, 3, 75 * scale, 61 * scale), 0.5)
    blended = fallback.over(values, slice(0, 75 * scale), slice(0, 61 * scale))
    expected = torch.round(blended.clamp(0, 1) * 255)[0].permute(1, 2, 0).numpy()
    difference = np.abs(image - expected)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3
    assert 0.1 < np.mean(expected == 128) < 0.95


def test_blocks_of_an_image_that_was_resized_are_left_out(core):
    fallback = core(
        "const small = await core.readSmallImage(given[0]); small.width = 15;"
        "return core.Fallback.of(small, 2);",
        tagged(drawing(pixels=noise(40, 70)), bicubic=pack(np.eye(3, 5) > 0)),
    )
    assert fallback is None


def test_the_model_is_chosen_by_its_weights(core):
    data = tagged(drawing(), scale=1.5, hr_size=(25, 19))
    models = [
        MODEL | {"name": "copy"},
        MODEL | {"name": "irn-x4", "weights_sha256": "b" * 64},
        MODEL,
    ]

    def chosen(*models):
        script = (
            f"return core.chooseModel(await core.readSmallImage(given[0]), {json.dumps(models)});"
        )
        return core(script, data)["name"]

    assert chosen(*models) == "irn-x2"
    assert chosen(*models[:2]) == "copy"
    for given_models, part in (
        (
            models[1:2],
            "made by the model 'irn-x2' .weights aaaaaaaaaaaa., which this page does not",
        ),
        ([MODEL | {"weights_sha256": "c" * 64}], "the weights cccccccccccc"),
        ([MODEL | {"scale": 1}], "irn-x2 has scale 1, expected 1.5 or more"),
        ([COLOR], "another task"),
    ):
        with pytest.raises(PageError, match=f"ImageError: .*{part}"):
            chosen(*given_models)


def test_values_that_are_not_numbers_are_no_image(core):
    with pytest.raises(PageError, match="values that are not numbers"):
        restored(core, tagged(drawing()), run=stand_in("x === 5 && y === 3 ? NaN : value"))


def test_a_run_can_be_stopped(core):
    script = NEAREST.replace("return out", "if (++runs === 2) stop.abort(); return out")
    script = f"let runs = 0; const stop = new AbortController(); {script}"
    with pytest.raises(PageError, match=r"AbortError.*\(2 runs\)"):
        core(
            f"""
            const small = await core.readSmallImage(given[0]);
            const model = {json.dumps(MODEL)};
            {script}
            try {{
              await core.restore(small, model, {{ run, side: 4, signal: stop.signal }});
            }} catch (error) {{
              throw Object.assign(new Error(`(${{runs}} runs)`), {{ name: error.name }});
            }}
            """,
            tagged(drawing()),
        )


def test_memory_grows_with_tiles_and_images(core):
    def needed(picture, side, model=MODEL):
        script = (
            "return core.memoryNeeded(await core.readSmallImage(given[0]), "
            f"{json.dumps(model)}, {side});"
        )
        return core(script, tagged(picture))

    small, large = drawing(pixels=noise(40, 50)), drawing(pixels=noise(200, 150))
    assert needed(large, 0) > needed(large, 64) > needed(large, 16) > needed(small, 16)
    assert needed(large, 16, None) < needed(large, 16)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_written_png_holds_image_and_metadata(core, bits, channels):
    gray, alpha = channels < 3, channels % 2 == 0
    pixels = noise(40, 50, bits=bits) // 3 + np.arange(50, dtype=np.uint8)[:, None]
    pixels = pixels.astype(noise(bits=bits).dtype)
    if gray:
        pixels = pixels[:, :, :1].repeat(3, axis=2)
    profile = bytearray(300)
    profile[:4], profile[16:20] = (300).to_bytes(4, "big"), b"GRAY" if gray else b"RGB "
    metadata = Metadata(
        icc=bytes(profile), exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=OTHERS, dpi=(300, 72),
        chunks=((b"gAMA", b"\0\0\xb1\x8f"), (b"tEXt", b"Title\0a")),
    )  # fmt: skip
    plane = noise(40, 50, bits=bits, seed=1)[:, :, 0] if alpha else None
    picture = drawing(pixels=pixels, gray=gray, alpha=plane, metadata=metadata)
    data = tagged(picture, task="plain", model="plain", scale=1, bits=bits, hr_size=(50, 40))
    png = core(
        """
        const small = await core.readSmallImage(given[0]);
        return core.encodePng(await core.restore(small, null), small.metadata);
        """,
        data,
    ).tobytes()
    file = ImageFile(png)
    found = file.decode(deep=True)
    assert file.tag is None
    assert file.damage == ()
    assert np.array_equal(found.pixels, pixels)
    assert found.gray == gray
    assert (found.alpha is None) != alpha
    if alpha:
        assert np.array_equal(found.alpha, plane)
    assert found.metadata.dpi == pytest.approx((300, 72), abs=0.02)
    assert "Café &amp; sea".encode() in found.metadata.xmp
    for name in ("icc", "exif", "chunks"):
        assert getattr(found.metadata, name) == getattr(metadata, name)


def test_a_written_png_is_small(core):
    """What is written is about as small as what the command writes."""
    y, x = np.mgrid[:200, :300]
    pixels = np.stack([x / 300, y / 200, (x + y) / 500], axis=2) * 255
    pixels = np.rint(pixels + np.random.default_rng(0).normal(0, 2, pixels.shape)).clip(0, 255)
    data = tagged(
        drawing(pixels=pixels.astype(np.uint8)), task="plain", scale=1, hr_size=(300, 200)
    )
    png = core(
        "const small = await core.readSmallImage(given[0]);"
        "return core.encodePng(await core.restore(small, null), small.metadata);",
        data,
    )
    assert len(png) < 1.1 * len(data)
