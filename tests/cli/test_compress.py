"""`irn compress`: network, codec, restoration, searches, reports; `irn upscale` brings it back."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image, ImageCms

from irncli.cli.commands.compress import parse_size
from irncli.compression.plain import encode_plain, plain_reaching
from irncli.config import CrmConfig
from irncli.engine.metrics import psnr
from irncli.errors import UsageError
from irncli.io.image_file import ImageFile, decode
from irncli.io.tag import extract
from irncli.model import build
from irncli.zoo.checkpoint import Card, serialise
from tests.support.places import ROOT


@pytest.fixture
def models(irn, tmp_path):
    """irn-jpeg-x2 and crm-jpeg by name: those that ship, or stand-ins that work."""
    here = irn("models", "list").out.decode()
    if not re.search(r"irn-jpeg-x2 .*shipped", here):
        path = tmp_path / "irn-jpeg-x2.safetensors"
        shutil.copy(ROOT / "weights" / "irn-x2.safetensors", path)
        assert irn("models", "import", path).status == 0
    if not re.search(r"crm-jpeg .*shipped", here):
        path = tmp_path / "crm-jpeg.safetensors"
        config = CrmConfig(blocks=1, features=16, growth=16, conditioned=True, residual=True)
        path.write_bytes(serialise(build(config), Card(name="crm-jpeg")))
        assert irn("models", "import", path).status == 0


@pytest.fixture
def photograph(tmp_path, photo):
    path = tmp_path / "photo.png"
    Image.fromarray(photo[150:223, 150:247]).save(path)
    return path


def quality_of(original, path):
    return psnr(decode(original.read_bytes()).pixels, decode(path.read_bytes()).pixels)


def test_there_and_back(irn, photograph, models):
    result = irn("compress", "--quality", 80, "--always-irn", photograph)
    assert result.status == 0
    small = photograph.with_name("photo_irn.jpg")
    with Image.open(small) as image:
        assert (image.format, image.size) == ("JPEG", (49, 37))
        assert image.info.get("progressive")
    tag = extract(ImageFile(small.read_bytes()).header.xmp)
    assert (tag.task, tag.model, tag.restorer) == ("rescale", "irn-jpeg-x2", "crm-jpeg")
    back = photograph.with_name("back.png")
    assert irn("upscale", small, "--strict", "--temperature", 0, "-o", back).lines == []
    line = result.lines[0]
    told = float(re.search(r", (\d+\.\d+) dB, SSIM", line)[1])
    assert quality_of(photograph, back) == pytest.approx(told, abs=0.006)
    assert f"{small.stat().st_size:,} bytes" in line


def test_the_record_says_it_all(irn, photograph, models):
    result = irn("compress", "--json", "--always-irn", photograph)
    record = json.loads(result.out)
    report = record["report"]
    size = photograph.with_name("photo_irn.jpg").stat().st_size
    assert record["bytes_out"] == report["bytes_after"] == size
    assert report["bytes_before"] == photograph.stat().st_size
    assert report["bits_per_pixel"] == pytest.approx(8 * size / (97 * 73), abs=1e-4)
    assert (report["codec"], report["quality"]) == ("jpeg", 70)
    assert report["psnr"] > 20
    assert 0.5 < report["ssim"] < 1
    assert report["plain_jpeg"]["bytes"] <= size


def test_a_batch_is_summed_up(irn, photograph, models):
    second = photograph.with_name("second.png")
    shutil.copy(photograph, second)
    result = irn("compress", photograph, second, "--no-report", "--output-dir", "out")
    shutil.rmtree("out")
    assert result.status == 0
    assert result.lines[-1].startswith("2 images: ")
    assert "dB" not in result.err


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{model}-{stem}{ext}", "irn-jpeg-x2-photo.jpg"),
        ("{model}-{stem}.webp", "irn-jpeg-x2-photo.webp"),
        ("{model}-{stem}.png", "irn-x2-photo.png"),
    ],
)
def test_a_template_names_codec_and_model_of_the_output(
    irn, photograph, models, template, expected
):
    out = photograph.parent / "out"
    assert irn("compress", photograph, "--no-report", "-o", out / template).status == 0
    [made] = out.iterdir()
    assert made.name == expected
    tag = extract(ImageFile(made.read_bytes()).header.xmp)
    assert expected.startswith(tag.model)


@pytest.mark.parametrize("codec", ["png", "webp", "avif"])
def test_other_codecs(irn, photograph, models, codec):
    small = photograph.with_name(f"small.{codec}")
    back = photograph.with_name("back.png")
    assert irn("compress", photograph, "--no-report", "-o", small).status == 0
    with Image.open(small) as image:
        assert image.format == codec.upper()
    tag = extract(ImageFile(small.read_bytes()).header.xmp)
    assert tag.restorer == ""
    assert tag.model == ("irn-x2" if codec == "png" else "irn-jpeg-x2")
    assert irn("upscale", small, "--strict", "--temperature", 0, "-o", back).lines == []
    assert quality_of(photograph, back) > 20


def test_a_target_size_is_kept_and_used(irn, photograph, models):
    small = photograph.with_name("photo_irn.jpg")
    for arguments, limit in (
        (["--target-size", "3KB"], 3000),
        (["--target-bpp", 2.25], 2.25 * 97 * 73 / 8),
    ):
        result = irn("compress", photograph, *arguments, "--no-report", "--json", "--overwrite")
        assert result.status == 0
        assert 0.8 * limit < small.stat().st_size <= limit


def test_an_impossible_size_says_the_smallest(irn, photograph, models):
    result = irn("compress", photograph, "--target-size", "10B")
    assert result.status == 2
    (line,) = result.lines
    smallest = int(re.search(r"the smallest file is (\d+) bytes", line)[1])
    result = irn("compress", photograph, "--target-size", f"{smallest}B", "--no-report")
    assert result.status == 0
    assert photograph.with_name("photo_irn.jpg").stat().st_size <= smallest


def test_a_least_psnr_is_reached_with_the_lowest_quality(irn, photograph, models):
    result = irn("compress", photograph, "--min-psnr", 24, "--json")
    report = json.loads(result.out)["report"]
    assert report["psnr"] >= 24
    lower = report["quality"] - 1
    if lower:
        below = irn("compress", photograph, "--quality", lower, "--json", "--overwrite")
        assert json.loads(below.out)["report"]["psnr"] < 24
    result = irn("compress", photograph, "--min-psnr", 90, "--overwrite")
    assert result.status == 2
    assert "quality 100 gives" in result.err


def test_a_better_plain_jpeg_is_written_unless_irn_is_forced(irn, photograph, models):
    arguments = ("compress", photograph, "--quality", 100, "--json", "--overwrite")
    result = irn(*arguments, "--always-irn")
    forced = json.loads(result.out)
    assert forced["report"]["codec"] == "jpeg"
    assert forced["report"]["plain_jpeg"]["psnr"] > forced["report"]["psnr"]
    assert "leave out --always-irn" in result.err
    result = irn(*arguments)
    record = json.loads(result.out)
    assert "choose a lower quality" not in result.err
    report, size = record["report"], photograph.with_name("photo_irn.jpg").stat().st_size
    assert (report["codec"], report["bytes_after"]) == ("plain jpeg", size)
    assert size <= forced["report"]["bytes_after"]
    assert report["irn"] == {
        "quality": 100,
        "bytes": forced["report"]["bytes_after"],
        "psnr": forced["report"]["psnr"],
    }
    assert report["psnr"] == report["plain_jpeg"]["psnr"] > report["irn"]["psnr"]
    line = irn(*arguments[:-2], "--overwrite").err
    assert "as a plain JPEG" in line
    assert f"irn has {report['irn']['psnr']:.2f} dB" in line
    small, back = photograph.with_name("photo_irn.jpg"), photograph.with_name("back.png")
    assert extract(ImageFile(small.read_bytes()).header.xmp).task == "plain"
    assert irn("upscale", small, "--strict", "-o", back).lines == []
    assert quality_of(photograph, back) == pytest.approx(report["psnr"], abs=1e-3)
    assert ImageFile(back.read_bytes()).header.xmp is None


def test_a_plain_jpeg_uses_the_size_that_was_allowed(irn, photograph, models):
    plenty = 12_000
    result = irn("compress", photograph, "--target-size", f"{plenty}B", "--json")
    report = json.loads(result.out)["report"]
    assert report["codec"] == "plain jpeg"
    size = photograph.with_name("photo_irn.jpg").stat().st_size
    assert report["irn"]["bytes"] < size == report["bytes_after"] <= plenty
    pixels = decode(photograph.read_bytes()).pixels
    higher = report["quality"] + 1
    if higher <= 100:
        subsampling = report["plain_jpeg"]["subsampling"]
        data = encode_plain(pixels, "jpeg", higher, subsampling=subsampling)
        assert len(data) > plenty - 2000  # the rest are metadata and tag


def test_a_psnr_that_only_a_plain_jpeg_reaches(irn, photograph, models):
    result = irn("compress", photograph, "--min-psnr", 38)
    assert result.status == 0
    assert "irn cannot meet the target" in result.err
    back = photograph.with_name("back.png")
    assert irn("upscale", photograph.with_name("photo_irn.jpg"), "-o", back).status == 0
    assert quality_of(photograph, back) >= 38
    assert irn("compress", photograph, "--min-psnr", 38, "--always-irn", "--overwrite").status == 2


def test_the_smaller_file_of_a_psnr_is_taken(irn, photograph, models):
    arguments = ("compress", photograph, "--min-psnr", 24, "--json", "--overwrite")
    forced = json.loads(irn(*arguments, "--always-irn").out)["report"]
    chosen = json.loads(irn(*arguments).out)["report"]
    pixels = decode(photograph.read_bytes()).pixels
    plain = plain_reaching(pixels, "jpeg", 24)
    assert chosen["psnr"] >= 24
    assert chosen["bytes_after"] <= forced["bytes_after"]
    assert (chosen["codec"] == "jpeg") == (len(plain.data) + 500 > forced["bytes_after"])


def test_recompressed_since_it_is_restored_with_a_warning(irn, photograph, models):
    irn("compress", photograph, "--no-report")
    small, back = photograph.with_name("photo_irn.jpg"), photograph.with_name("back.png")
    with Image.open(small) as image:
        packet = image.info["xmp"]
        image.save(small, quality=60, xmp=packet)
    result = irn("upscale", small, "--temperature", 0, "-o", back)
    assert result.status == 0
    assert "changed since" in result.err
    assert quality_of(photograph, back) > 18
    with Image.open(small) as image:
        image.save(small.with_suffix(".webp"), lossless=True, xmp=packet)
    result = irn("upscale", small.with_suffix(".webp"), "--temperature", 0, "--overwrite")
    assert "no longer a JPEG" in result.err


def test_a_restorer_that_is_not_there_is_said(irn, photograph, models, tmp_path):
    irn("compress", photograph, "--no-report")
    small = photograph.with_name("photo_irn.jpg")
    data = small.read_bytes().replace(b'restorer="crm-jpeg"', b'restorer="crm-gone"')
    small.write_bytes(
        re.sub(rb'restorer_sha256="\w+"', b'restorer_sha256="%s"' % (b"0" * 64), data)
    )
    result = irn("upscale", small)
    assert result.status == 69
    (line,) = result.lines
    assert "crm-gone" in line
    assert "irn models import" in line


def test_gray_alpha_and_tiny_pictures(irn, photograph, models):
    with Image.open(photograph) as image:
        image.convert("L").save(photograph.with_name("gray.png"))
        image.crop((0, 0, 5, 3)).save(photograph.with_name("tiny.png"))
        image.putalpha(128)
        image.save(photograph.with_name("alpha.png"))
    for name, mode, shape in (("gray", "L", (97, 73)), ("tiny", "RGB", (5, 3))):
        assert irn("compress", photograph.with_name(f"{name}.png")).status == 0
        back = photograph.with_name(f"{name}_back.png")
        low = photograph.with_name(f"{name}_irn.jpg")
        assert irn("upscale", low, "--seed", 0, "-o", back).status == 0
        with Image.open(back) as image:
            assert (image.mode, image.size) == (mode, shape)
    result = irn("compress", photograph.with_name("alpha.png"))
    assert result.status == 2
    assert "transparency" in result.err
    webp = photograph.with_name("alpha.webp")
    assert irn("compress", photograph.with_name("alpha.png"), "-o", webp).status == 0
    back = photograph.with_name("alpha_back.png")
    assert irn("upscale", webp, "--seed", 0, "-o", back).status == 0
    assert np.abs(decode(back.read_bytes()).alpha.astype(int) - 128).max() <= 2


def test_refinement_gains(irn, photograph, models):
    result = irn("compress", photograph, "--quality", 60, "--refine", 3, "--json", "--always-irn")
    refined = json.loads(result.out)["refined"]
    assert refined["after"] >= refined["before"]


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["--scale", 5], 2, "at most 4"),
        (["--scale", 1], 2, "more than 1"),
        (["--target-size", "big"], 2, "200KB"),
        (["--target-size", "1KB", "--min-psnr", 30], 2, "exclude each other"),
        (["--target-bpp", 0], 2, "more than 0"),
        (["--min-psnr", -3], 2, "dB"),
        (["--codec", "png", "--target-size", "1KB"], 2, "no quality"),
        (["--codec", "png", "--auto"], 2, "--auto"),
        (["--auto", "--no-report"], 2, "--auto"),
        (["--min-psnr", 99], 2, "out of reach"),
        (["-o", "x.tif"], 2, ".jpg"),
        (["--codec", "avif", "-o", "x.jpg"], 2, "avif"),
    ],
)
def test_bad_options_are_said(irn, photograph, models, arguments, status, part):
    result = irn("compress", photograph, *arguments)
    assert result.status == status
    (line,) = result.lines
    assert part in line


def test_without_its_model_it_says_how_to_train_it(irn, photograph):
    if re.search(r"irn-jpeg-x2 .*shipped", irn("models", "list").out.decode()):
        pytest.skip("irn-jpeg-x2 ships")
    result = irn("compress", photograph)
    assert result.status == 69
    assert "irn train --preset irn-jpeg-x2" in result.err


def test_sizes():
    sizes = {"200KB": 200_000, "1.5MB": 1_500_000, "64KiB": 65_536, "10B": 10, "77": 77}
    for text, value in sizes.items():
        assert parse_size(text) == value
    for text in ("", "KB", "1.5XB", "-3KB"):
        with pytest.raises(UsageError, match="200KB"):
            parse_size(text)


def test_a_stream(spawn, irn, photograph):
    small = spawn("compress", "-", "--model", "irn-x2", stdin=photograph.read_bytes())
    assert small.out[:2] == b"\xff\xd8"
    back = spawn("upscale", "-", "--seed", 0, stdin=small.out)
    assert decode(back.out).size == (97, 73)


def test_a_profile_for_gray_waits_in_the_tag_of_a_file_in_colours(irn, tmp_path, photo):
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    icc[16:20] = b"GRAY"
    source, low, back = (tmp_path / name for name in ("a.png", "a.webp", "b.png"))
    Image.fromarray(photo[100:140, 100:150]).convert("L").save(source, icc_profile=bytes(icc))
    outcome = irn("compress", source, "-o", low, "--no-report")
    assert (outcome.status, "warning" in outcome.err) == (0, False)
    assert irn("upscale", low, "--temperature", 0, "-o", back).status == 0
    with Image.open(back) as image:
        assert (image.mode, image.info["icc_profile"]) == ("L", bytes(icc))


@pytest.fixture
def tight(tmp_path, photo):
    """A JPEG that is smaller than what irn makes of it at a high quality."""
    path = tmp_path / "tight.jpg"
    exif = Image.Exif()
    exif[315] = "An Artist"
    Image.fromarray(photo[150:247, 150:271]).save(path, quality=10, optimize=True, exif=exif)
    return path


def test_a_jpeg_that_all_else_would_exceed_is_kept(irn, tight, models):
    words = ("compress", tight, "--quality", 100, "--overwrite")
    forced = json.loads(irn(*words, "--always-irn", "--json").out)["report"]
    result, kept = irn(*words), tight.with_name("tight_irn.jpg")
    assert "121x97, the original, " in result.err
    assert f"; irn has {forced['psnr']:.2f} dB in {forced['bytes_after']:,} bytes" in result.err
    before, after = tight.read_bytes(), kept.read_bytes()
    assert len(before) < len(after) < forced["bytes_after"]
    tagged, plain = ImageFile(after), ImageFile(before)
    assert tagged.tag.task == "plain"
    assert tagged.content_sha256 == plain.content_sha256
    assert len(after.replace(tagged.header.xmp, b"")) == len(before) + 33  # marker, size and name
    assert tagged.decode().metadata.exif == plain.decode().metadata.exif
    report = json.loads(irn(*words, "--json").out)["report"]
    assert (report["codec"], report["quality"]) == ("original", None)
    assert report["bytes_after"] == len(after)
    assert report["irn"]["bytes"] == forced["bytes_after"]
    back = tight.with_name("back.png")
    assert irn("upscale", kept, "--strict", "-o", back).lines == []
    assert quality_of(tight, back) > 90
    # The result can be compressed again, and its tag is replaced.
    again = tight.with_name("again.jpg")
    irn("compress", kept, "--quality", 100, "-o", again)
    assert again.read_bytes() == after


def test_the_original_meets_targets_that_nothing_else_meets(irn, tight, models):
    result = irn("compress", tight, "--min-psnr", 70)
    assert "the original" in result.err
    assert result.err.rstrip().endswith("irn cannot meet the target")
    smaller = irn("compress", tight, "--target-size", "1500B", "--json", "--overwrite")
    assert json.loads(smaller.out)["report"]["codec"] != "original"


@pytest.mark.parametrize("why", ["--strip", "--always-irn", "--codec", "png", "small", "comment"])
def test_the_original_is_not_always_kept(irn, tight, models, why):
    source, more = tight, [why] * why.startswith("--")
    if why == "--codec":
        more += ["webp"]
    if why == "png":
        source = tight.with_name("tight.png")
        Image.open(tight).save(source)
    if why == "small":
        source = tight.with_name("small.jpg")
        irn("downscale", tight, "--scale", 2, "-o", source)
    if why == "comment":
        Image.open(tight).save(source, quality="keep", comment="would be left out")
    result = irn("compress", source, "--quality", 100, "--json", *more)
    assert result.status == 0
    assert json.loads(result.out)["report"]["codec"] != "original"


class TestEffort:
    """`--effort`: tables and levels that are chosen for the restored image."""

    def test_it_gains_at_the_same_size(self, irn, photograph, models, tmp_path):
        found = []
        for effort in (0, 1, 2):
            small, back = tmp_path / f"{effort}.jpg", tmp_path / f"{effort}.png"
            assert not irn(
                "compress", "--effort", effort, "--target-size", 1900, "--always-irn",
                "--model", "irn-jpeg-x2", photograph, "-o", small,
            ).status  # fmt: skip
            assert not irn("upscale", small, "--temperature", 0, "-o", back).status
            assert 1500 < small.stat().st_size <= 1900
            with Image.open(small) as image:
                assert (image.format, image.mode) == ("JPEG", "RGB")
                assert image.info.get("progressive")
            found.append(quality_of(photograph, back))
        assert found[0] < found[1] < found[2]

    def test_one_is_the_default(self, irn, photograph, models, tmp_path):
        files = []
        for given in ([], ["--effort", 1]):
            small = tmp_path / f"{len(given)}.jpg"
            arguments = ["--always-irn", "--model", "irn-jpeg-x2", photograph, "-o", small]
            assert not irn("compress", *given, *arguments).status
            files.append(small.read_bytes())
        assert files[0] == files[1]

    def test_the_plain_jpeg_is_chosen_too(self, irn, photograph, models, tmp_path):
        levels = []
        for effort in (0, 1):
            result = irn(
                "compress", "--json", "--effort", effort, "--target-size", 6000, photograph,
                "-o", tmp_path / f"{effort}.jpg",
            )  # fmt: skip
            report = json.loads(result.out)["report"]
            plain = report["plain_jpeg"]
            assert report["codec"] == "plain jpeg"
            assert plain["bytes"] == report["bytes_after"] <= 6000
            assert quality_of(photograph, tmp_path / f"{effort}.jpg") == pytest.approx(
                plain["psnr"], abs=6e-4
            )
            levels.append(plain["psnr"])
        assert levels[1] > levels[0] + 0.5

    def test_gray_stays_gray(self, irn, photograph, models, tmp_path):
        gray, small, back = (tmp_path / name for name in ("gray.png", "small.jpg", "back.png"))
        with Image.open(photograph) as image:
            image.convert("L").save(gray)
        assert not irn(
            "compress", "--always-irn", "--effort", 2, gray, "-o", small, "--quality", 40
        ).status
        assert not irn("upscale", small, "-o", back).status
        for path in (small, back):
            with Image.open(path) as image:
                assert image.mode == "L"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--effort", 3, "--codec", "webp"], "--effort with WEBP: it is for JPEG only"),
            (["--effort", 3, "--refine", 5], "--refine with --effort: both optimise the file"),
            (["--effort", 10], "10 should be less than or equal to 9"),
        ],
    )
    def test_what_does_not_go_together(self, irn, photograph, arguments, said):
        result = irn("compress", *arguments, photograph)
        assert result.status == 2
        assert said in " ".join(result.err.split())


class TestOtherCodecs:
    """The better of irn and a plain file of the codec is written."""

    @pytest.mark.parametrize("codec", ["webp", "avif"])
    @pytest.mark.parametrize(("quality", "plain"), [(20, False), (95, True)])
    def test_the_better_is_written(
        self, irn, photograph, models, tmp_path, codec, quality, plain
    ):  # fmt: skip
        small, back = tmp_path / f"small.{codec}", tmp_path / "back.png"
        result = irn("compress", "--quality", quality, photograph, "-o", small, "--json")
        report = json.loads(result.out)["report"]
        assert report["codec"] == (f"plain {codec}" if plain else codec)
        assert report["bytes_after"] == small.stat().st_size
        assert extract(ImageFile(small.read_bytes()).header.xmp).task == (
            "plain" if plain else "rescale"
        )
        assert not irn("upscale", small, "--temperature", 0, "-o", back).status
        assert quality_of(photograph, back) == pytest.approx(report["psnr"], abs=0.002)
        if plain:
            assert report["plain"]["psnr"] == report["psnr"] > report["irn"]["psnr"]
            assert report["bytes_after"] <= report["irn"]["bytes"]
        else:
            assert report["plain"] is None or report["plain"]["psnr"] < report["psnr"]

    def test_the_line_names_the_codec(self, irn, photograph, models, tmp_path):
        result = irn("compress", "--quality", 95, photograph, "-o", tmp_path / "a.webp")
        assert "97x73 as a plain WebP" in result.lines[0]
        assert "irn has" in result.lines[0]

    def test_gray_is_left_to_the_network(self, irn, photograph, models, tmp_path):
        gray = tmp_path / "gray.png"
        with Image.open(photograph) as image:
            image.convert("L").save(gray)
        result = irn("compress", "--quality", 95, gray, "-o", tmp_path / "a.webp", "--json")
        assert json.loads(result.out)["report"]["codec"] == "webp"
