"""Files with a tag, from Python: what was saved is restored, as the commands do it."""

import contextlib
import io
import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

import irncli
from irncli.cli.app import run
from irncli.errors import (
    ImageError,
    InputMissingError,
    OutputError,
    TagError,
    UnavailableError,
    UsageError,
)
from irncli.io.encoding import encode
from irncli.io.image_file import ImageFile
from irncli.io.picture import Picture
from irncli.io.tag import Tag, embed, extract
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import CRM, SMALL, shaken
from tests.support.pictures import values

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
"""Made once, since it holds the time."""


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """A data directory with a rescaling model and one of colour, both small."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    from irncli.zoo.model_dirs import imported_folder

    folder = imported_folder()
    folder.mkdir(parents=True)
    for name, network in (("small", "irn-x2"), ("gray", "color-cells")):
        data = serialise(shaken(SMALL[network]), Card(name=name))
        (folder / f"{name}.safetensors").write_bytes(data)
    return folder


@pytest.fixture
def model():
    return irncli.load("small", device="cpu")


@pytest.fixture
def color():
    return irncli.load("gray", device="cpu")


def tag_of(path):
    return extract(ImageFile(path.read_bytes()).header.xmp)


def test_restoring_is_upscaling_with_what_the_file_remembers(model, noise, tmp_path):
    path = tmp_path / "a.png"
    low = model.downscale(noise(21, 31), 1.5)
    model.save(low, path, size=(31, 21), scale=1.5)
    expected = model.upscale(low, 7, size=(31, 21), scale=1.5)
    assert np.array_equal(irncli.restore(path, 7, array=True), expected)
    assert np.array_equal(np.array(irncli.restore(path, 7)), expected)
    assert not np.array_equal(irncli.restore(path, 8, array=True), expected)
    assert np.array_equal(irncli.restore(path, temperature=0, array=True),
                          irncli.restore(path, temperature=0, array=True))  # fmt: skip


def test_a_file_is_opened_and_decoded_once(model, noise, tmp_path, monkeypatch):
    model.save(model.downscale(noise(20, 30)), tmp_path / "a.png", size=(30, 20))
    opened, decoded, load = [], [], PngImageFile.load

    def counted_open(*args, open_=Image.open, **options):
        opened.append(args)
        return open_(*args, **options)

    def counted_load(image):
        decoded.extend([image] if image.tile else [])
        return load(image)

    monkeypatch.setattr(Image, "open", counted_open)
    monkeypatch.setattr(PngImageFile, "load", counted_load)
    irncli.restore(tmp_path / "a.png", 7)
    assert (len(opened), len(decoded)) == (1, 1)


def test_all_kinds_are_saved(model, noise, tmp_path):
    low = noise(8, 9)
    kinds = [low, Image.fromarray(low), torch.from_numpy(low).permute(2, 0, 1) / 255]
    for index, kind in enumerate(kinds):
        path = tmp_path / f"{index}.png"
        model.save(kind, path)
        assert np.array_equal(values(path), low)
        assert tag_of(path).hr_size == (18, 16)
    model.save(kinds[2][None], tmp_path / "batch.png")
    with pytest.raises(UsageError, match="batch of 2"):
        model.save(torch.stack([kinds[2]] * 2), tmp_path / "x.png")


def test_sixteen_bits(model, noise, tmp_path):
    path = tmp_path / "deep.png"
    low = noise(8, 9).astype(np.uint16) * 256 + 3
    model.save(low, path, bits=16)
    expected = model.upscale(low, 0, bits=16)
    assert np.array_equal(irncli.restore(path, 0, array=True), expected)
    with pytest.warns(UserWarning, match="array=True") as caught:
        assert irncli.restore(path, 0).mode == "RGB"
    assert caught[0].filename == __file__


def test_gray_alpha_and_metadata_return(model, tmp_path):
    image = Image.new("LA", (9, 8), (90, 200))
    image.info.update(icc_profile=None, dpi=(72.0, 72.0))
    path = tmp_path / "gray.png"
    model.save(model.downscale(image), path, size=image.size)
    back = irncli.restore(path, 0)
    assert (back.mode, back.size) == ("LA", (9, 8))
    assert back.info["dpi"] == pytest.approx((72, 72), abs=0.1)
    assert "xmp" not in back.info
    assert back.getpixel((4, 4))[1] == 200
    assert tag_of(path).gray


def test_colours_from_gray(color, noise, tmp_path):
    path = tmp_path / "gray.png"
    image = Image.fromarray(noise(10, 13))
    image.info["icc_profile"] = ICC
    gray = color.decolor(image)
    assert (gray.mode, gray.size) == ("L", image.size)
    color.save(gray, path)
    assert ImageFile(path.read_bytes()).header.carries == ("XMP",)
    assert not tag_of(path).gray
    back = irncli.restore(path, 0)
    assert back.mode == "RGB"
    assert back.info["icc_profile"] == ICC
    assert np.array_equal(np.array(back), np.array(color.colorize(gray, 0)))


def test_gray_arrays_and_tensors(color, noise):
    hr = noise(10, 13)
    plane = color.decolor(hr)
    assert plane.shape == (10, 13)
    assert color.colorize(plane, 0).shape == hr.shape
    tensor = torch.from_numpy(hr).permute(2, 0, 1)[None] / 255
    low = color.decolor(tensor)
    assert low.shape == (1, 1, 10, 13)
    assert np.array_equal((low[0, 0] * 255).round().byte().numpy(), plane)
    back = (color.colorize(low, 0)[0] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(back, color.colorize(plane, 0))
    deep = color.decolor(hr.astype(np.uint16) * 257, bits=16)
    assert deep.dtype == np.uint16
    for wrong in (hr, Image.fromarray(hr)):
        with pytest.raises(UsageError, match=r"expected (uint8 or uint16 \[H, W\]|a gray one)"):
            color.colorize(wrong)


def test_a_model_does_only_what_it_is_for(model, color, noise):
    hr = noise(8, 8)
    for call in (model.decolor, model.colorize):
        with pytest.raises(UsageError, match="small is a model for downscale and upscale"):
            call(hr)
    for call in (color.downscale, color.upscale):
        with pytest.raises(UsageError, match="gray is a model for decolor and colorize"):
            call(hr)


def test_streams_and_formats(model, noise, tmp_path):
    low = noise(8, 9)
    stream = io.BytesIO()
    model.save(low, stream, format="jpeg", quality=90)
    assert stream.getvalue()[:2] == b"\xff\xd8"
    stream.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert irncli.restore(stream, 0).size == (18, 16)
    with pytest.raises(UsageError, match=r"\.png, \.jpg and \.webp"):
        model.save(low, tmp_path / "a.avif")
    model.save(low, tmp_path / "a.png")
    with pytest.raises(OutputError, match="exists already"):
        model.save(low, tmp_path / "a.png")
    model.save(low, tmp_path / "a.png", overwrite=True)


def test_what_a_jpeg_cannot_hold_is_said(model, tmp_path):
    low = Image.new("RGBA", (4, 4), (1, 2, 3, 100))
    with pytest.raises(UsageError, match="no transparency"):
        model.save(low, tmp_path / "a.jpg")
    low = Image.new("RGB", (4, 4))
    low.info["xmp"] = b"no XML"
    with pytest.warns(UserWarning, match="XMP was dropped") as caught:
        model.save(low, tmp_path / "a.jpg")
    assert caught[0].filename == __file__
    assert tag_of(tmp_path / "a.jpg").model == "small"


@pytest.mark.parametrize(
    "wrong",
    [{"size": (40, 40)}, {"scale": 3}, {"bits": 12}, {"quality": 0}, {"format": "png"}],
    ids=str,
)
def test_what_contradicts_itself_is_refused_and_nothing_written(model, noise, tmp_path, wrong):
    with pytest.raises(UsageError, match=r"expected|LR is|by its suffix"):
        model.save(noise(8, 9), tmp_path / "a.jpg", **wrong)
    assert not (tmp_path / "a.jpg").exists()


def options(name):
    """A call on files, the options of its command, and the stem of what that writes."""
    return {
        "downscale": (irncli.downscale, {"scale": 2, "refine": 1}),
        "decolor": (irncli.decolor, {}),
        "compress": (irncli.compress, {"scale": 2, "codec": "webp", "quality": 70}),
    }[name]


@pytest.mark.parametrize("name", ["downscale", "decolor", "compress"])
def test_files_are_those_of_the_commands(noise, shelf, tmp_path, name):
    """The same bytes, and the same values in the result as in the record."""
    source, ours, theirs = (tmp_path / f"{stem}.png" for stem in ("photo", "ours", "theirs"))
    if name == "compress":
        ours, theirs = ours.with_suffix(".webp"), theirs.with_suffix(".webp")
    Image.fromarray(noise(20, 26)).save(source)
    call, chosen = options(name)
    model = "gray" if name == "decolor" else "small"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = call(source, ours, model=model, device="cpu", **chosen)
    words = [word for key, value in chosen.items() for word in (f"--{key}", str(value))]
    line = [name, str(source), "-o", str(theirs), "--model", model, "--json", *words]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert run([*line, "--device", "cpu"]) == 0
    record = json.loads(printed.getvalue())
    assert ours.read_bytes() == theirs.read_bytes()
    assert result.model == record["model"] == model
    assert list(result.lr_size) == record["lr_size"]
    assert list(result.warnings) == record["warnings"]
    for key in ("refined", "guarded", "report"):
        assert getattr(result, key) == record.get(key), key
    with pytest.raises(OutputError, match="exists"):
        call(source, ours, model=model, device="cpu", **chosen)


def test_warnings_about_a_file_point_at_the_call(noise, tmp_path):
    Image.fromarray(noise(8, 9)[:, :, 0]).save(tmp_path / "gray.png")
    with pytest.warns(UserWarning, match="already gray") as caught:
        irncli.decolor(tmp_path / "gray.png", tmp_path / "small.png", model="gray", device="cpu")
    assert caught[0].filename == __file__


def test_a_file_in_memory_is_made_small(noise, shelf):
    source, small = io.BytesIO(), io.BytesIO()
    Image.fromarray(noise(20, 26)).save(source, "png")
    source.seek(0)
    model = irncli.load("small", device="cpu")
    irncli.downscale(source, small, model=model, guard=False)
    small.seek(0)
    assert irncli.restore(small, 0, model=model).size == (26, 20)
    with pytest.raises(UsageError, match="missing --scale"):
        irncli.downscale(source, small)


def test_doubts_are_warned_of_or_refused(model, noise, tmp_path):
    path = tmp_path / "a.png"
    model.save(noise(8, 9), path)
    with Image.open(path) as image:
        packet = image.info["xmp"]
        changed = image.resize((5, 5))
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    changed.save(path, pnginfo=info)
    with pytest.warns(UserWarning, match=r"changed since|resized since"):
        assert irncli.restore(path, 0).size == (10, 10)
    with pytest.raises(TagError, match=r"changed since.*resized since.*\(--strict\)"):
        irncli.restore(path, strict=True)


def test_files_that_cannot_be_restored(model, noise, shelf, tmp_path):
    with pytest.raises(InputMissingError):
        irncli.restore(tmp_path / "none.png")
    Image.fromarray(noise(8, 9)).save(tmp_path / "plain.png")
    with pytest.raises(TagError, match="no irn tag"):
        irncli.restore(tmp_path / "plain.png")
    path = tmp_path / "a.png"
    model.save(noise(8, 9), path)
    with pytest.raises(ImageError, match="18x16, more than --max-pixels 200"):
        irncli.restore(path, max_pixels=200)
    other = serialise(shaken(SMALL["irn-x2"], seed=1), Card(name="small"))
    (shelf / "small.safetensors").write_bytes(other)
    with pytest.raises(UnavailableError, match="pass --model to use the installed ones"):
        irncli.restore(path)
    with pytest.warns(UserWarning, match="the installed weights are"):
        irncli.restore(path, 0, model=irncli.load("small", device="cpu"))
    assert irncli.restore(path, 0, model=model).size == (18, 16)
    (shelf / "small.safetensors").unlink()
    with pytest.raises(UnavailableError, match="which is not installed"):
        irncli.restore(path)


@pytest.mark.parametrize(("scale", "error"), [(1.0, TagError), (3.0, UnavailableError)])
def test_the_command_and_python_refuse_a_tag_alike(model, noise, tmp_path, scale, error):
    """A scale that no small image has, and one that its model has not."""

    def packet(content_sha256):
        tag = Tag(
            task="rescale", model="small", weights_sha256=model.weights_sha256, scale=scale,
            hr_size=(24, 18), bits=8, temperature=1.0, content_sha256=content_sha256,
        )  # fmt: skip
        return embed(None, tag)

    path = tmp_path / "a.png"
    path.write_bytes(encode(Picture(noise(6, 8)), image_format="png", xmp=packet))
    with pytest.raises(error):
        irncli.restore(path)
    words = ["upscale", str(path), "-o", str(tmp_path / "b.png"), "--device", "cpu"]
    assert run(words) == error.status


def test_a_model_for_something_else_is_refused(model, color, noise, tmp_path):
    model.save(noise(8, 9), tmp_path / "a.png")
    with pytest.raises(UnavailableError, match="gray is not a rescaling model"):
        irncli.restore(tmp_path / "a.png", model=color)


@pytest.mark.slow
def test_what_commands_write_is_restored_alike(photo, shelf, tmp_path, monkeypatch):
    from irncli.cli.app import run

    (shelf / "crm-jpeg.safetensors").write_bytes(serialise(shaken(CRM), Card(name="crm-jpeg")))
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo[:50, :63]).save("p.png")
    for line in (
        "downscale p.png --scale 3 -o s.png", "upscale s.png --seed 5 -o s_back.png",
        "decolor p.png -o g.png", "colorize g.png -o g_back.png",
        "compress p.png --always-irn -o c.jpg", "upscale c.jpg --seed 5 -o c_back.png",
        "compress p.png --auto -o a.jpg", "upscale a.jpg -o a_back.png",
    ):  # fmt: skip
        assert run([*line.split(), "-q"]) == 0
    assert tag_of(tmp_path / "c.jpg").restorer == "crm-jpeg"
    assert tag_of(tmp_path / "a.jpg").task == "plain"
    for name in ("s.png", "g.png", "c.jpg", "a.jpg"):
        back = irncli.restore(name, 5)
        with Image.open(f"{name[0]}_back.png") as expected:
            assert back.tobytes() == expected.tobytes()
            assert back.mode == expected.mode


def test_the_same_weights_under_another_name_restore(model, noise, shelf, tmp_path):
    path = tmp_path / "a.png"
    model.save(noise(8, 9), path)
    expected = np.asarray(irncli.restore(path, 0))
    (shelf / "small.safetensors").rename(shelf / "renamed.safetensors")
    assert np.array_equal(np.asarray(irncli.restore(path, 0)), expected)
    other = serialise(shaken(SMALL["irn-x2"], seed=1), Card(name="small"))
    (shelf / "small.safetensors").write_bytes(other)  # the name is taken, the weights are not
    assert np.array_equal(np.asarray(irncli.restore(path, 0)), expected)


def test_a_checkpoint_of_a_run_is_named_after_the_run(model, noise, shelf, tmp_path):
    run_directory = tmp_path / "portraits"
    run_directory.mkdir()
    (shelf / "small.safetensors").rename(run_directory / "best.safetensors")
    trained = irncli.load(str(run_directory / "best.safetensors"), device="cpu")
    assert trained.name == "portraits-best"
    path = tmp_path / "a.png"
    trained.save(noise(8, 9), path)
    with pytest.raises(UnavailableError, match="'portraits-best'"):
        irncli.restore(path)
    assert irncli.restore(path, 0, model=trained).size == (18, 16)
    assert run(["models", "import", str(run_directory / "best.safetensors")]) == 0
    assert irncli.restore(path, 0).size == (18, 16)


def test_sizes_and_backgrounds_are_given_as_on_the_command_line(tmp_path, noise):
    clear = np.dstack((noise(20, 30), np.full((20, 30), 90, np.uint8)))
    Image.fromarray(clear).save(tmp_path / "a.png")
    given = {"model": "small", "guard": False, "background": "white", "overwrite": True}
    sizes = {"width": (20, (20, 14)), "height": (10, (15, 10)), "max_side": (15, (15, 10))}
    for name, (value, expected) in {**sizes, "percent": (50, (15, 10))}.items():
        made = irncli.downscale(tmp_path / "a.png", tmp_path / "a.jpg", **{name: value}, **given)
        assert made.lr_size == expected
        assert irncli.restore(tmp_path / "a.jpg", 1).size == (30, 20)
    for more in ({"width": 10, "scale": 2}, {"width": 10, "percent": 50}):
        with pytest.raises(UsageError, match="exclude each other"):
            irncli.downscale(tmp_path / "a.png", tmp_path / "b.png", **more, **given)
    with pytest.raises(UsageError, match="--background"):
        irncli.decolor(tmp_path / "a.png", tmp_path / "g.png", background="blurple")
    gray = irncli.decolor(
        tmp_path / "a.png", tmp_path / "g.png", model="gray", background="#000", guard=False
    )
    assert gray.image.alpha is None
