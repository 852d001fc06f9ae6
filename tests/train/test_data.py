"""Training data: shards and folders in, crops with the LR of their place out."""

import errno
import io
import os
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from irncli.errors import DataError, InputMissingError
from irncli.model.bicubic import shrink
from irncli.train.crops import CropSampler, to_luma
from irncli.train.data import Images, centre_crop, load_images, split

CPU = torch.device("cpu")


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def shard(tmp_path, noise):
    folder = tmp_path / "data"
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as tar:
        members = {"x/one.png": png(noise(40, 50)), "two.png": png(noise(30, 30))}
        members |= {"broken.png": png(noise(9, 9))[:60], "notes.txt": b"no image"}
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return folder / "a.tar"


def test_shards_folders_and_files_are_read_and_damage_is_counted(shard, noise):
    (shard.parent / "three.png").write_bytes(png(noise(20, 24)))
    for sources in ([shard.parent], [shard, shard.parent / "three.png"]):
        pictures = load_images(sources)
        assert sorted(name.rsplit("/", 1)[-1] for name in pictures.names) == [
            "one.png",
            "three.png",
            "two.png",
        ]
        assert [name.rsplit("/", 1)[-1] for name in pictures.left_out] == ["broken.png: damaged"]
        assert all(p.dtype == torch.uint8 and p.shape[0] == 3 for p in pictures.pixels)


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz"])
def test_compressed_shards_are_read(tmp_path, noise, suffix):
    path = tmp_path / f"a.{suffix}"
    with tarfile.open(path, "w:gz") as tar:
        data = png(noise(9, 9))
        info = tarfile.TarInfo("a.png")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    assert load_images([path]).names == [f"a.{suffix}/a.png"]


def test_patterns_are_expanded_and_every_format_is_read(tmp_path, noise):
    for k, suffix in enumerate(("bmp", "gif", "jp2", "tiff", "tga", "webp", "ppm", "JPG")):
        (tmp_path / f"d{k}").mkdir()
        Image.fromarray(noise(16, 16)).save(tmp_path / f"d{k}" / f"x.{suffix}")
    found = load_images([tmp_path / "d*" / "x.*"])
    assert len(found) == 8
    assert not found.left_out
    assert len(load_images([tmp_path / "**" / "*.webp"])) == 1
    with pytest.raises(InputMissingError, match="pattern"):
        load_images([tmp_path / "*.nothing"])


def test_a_shard_that_ends_early_gives_what_it_has_and_is_named(shard):
    whole = shard.read_bytes()
    first_ends = 512 + -(-len(png_member(whole)) // 512) * 512
    shard.write_bytes(whole[: first_ends + 700])
    found = load_images([shard])
    assert found.names == ["a.tar/x/one.png"]
    assert found.left_out == [f"{shard}: damaged"]


def png_member(tar):
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return archive.extractfile("x/one.png").read()


def test_no_data_is_said(tmp_path, shard):
    with pytest.raises(InputMissingError):
        load_images([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no usable image"):
        load_images([tmp_path / "empty"])
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(DataError, match="1 left out"):
        load_images([shard])


def test_a_directory_that_cannot_be_read_is_left_out_and_named(shard, noise, monkeypatch):
    closed = shard.parent / "closed"
    closed.mkdir()
    (closed / "three.png").write_bytes(png(noise(20, 24)))
    real = os.scandir

    def scandir(path):
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = load_images([shard.parent])
    assert len(found) == 2
    assert f"{closed}: cannot be read (Permission denied)" in found.left_out


def test_the_fingerprint_is_that_of_names_and_sizes():
    one = Images(["a/x.png"], [torch.zeros(3, 4, 5, dtype=torch.uint8)])
    moved = Images(["b/x.png"], [torch.ones(3, 4, 5, dtype=torch.uint8)])
    larger = Images(["a/x.png"], [torch.zeros(3, 4, 6, dtype=torch.uint8)])
    assert one.fingerprint() == moved.fingerprint() != larger.fingerprint()


def test_the_split_depends_on_names_alone():
    names = [f"{k:04}.webp" for k in range(480)]
    pixels = [torch.zeros(3, 1, 1, dtype=torch.uint8)] * len(names)
    train, held_out = split(Images(names, pixels))
    assert len(train) + len(held_out) == 480
    assert 10 <= len(held_out) <= 30
    assert not set(train.names) & set(held_out.names)
    again = split(Images(names[::-1], pixels))[1]
    assert sorted(again.names) == sorted(held_out.names)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_with_few_images_one_is_held_out(count):
    """Their names all hash to the held-out part, or none of them does."""
    hashed = {
        name: zlib.crc32(name.encode()) % 24 == 0 for name in map("{}.png".format, range(999))
    }
    for wanted in (False, True):  # whether all of the names hash to the held-out part
        names = [name for name, out in hashed.items() if out == wanted][:count]
        pixels = [torch.full((3, 1, 1), k, dtype=torch.uint8) for k in range(count)]
        train, held_out = split(Images(names, pixels))
        assert (len(train), len(held_out)) == (count - 1, 1)
        assert sorted(train.names + held_out.names) == sorted(names)
        assert held_out.pixels[0].max() == names.index(held_out.names[0])
        assert split(Images(names[::-1], pixels[::-1]))[1].names == held_out.names


def test_a_single_picture_serves_as_both():
    one = Images(["a.png"], [torch.zeros(3, 8, 8, dtype=torch.uint8)])
    train, held_out = split(one)
    assert train.names == held_out.names == ["a.png"]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(64, 72), (40, 40), (33, 47)])
def test_a_crop_s_target_is_that_region_of_the_whole_picture_s_lr(scale, size, noise):
    height, width = (side // scale * scale for side in size)
    pixels = torch.from_numpy(noise(height, width)).permute(2, 0, 1).contiguous()
    whole = shrink(pixels[None].float() / 255, scale)
    sampler = CropSampler([pixels], scale, CPU, 1)
    turned = [
        (hr, low)
        for flip_rows in (False, True)
        for flip_columns in (False, True)
        for transpose in (False, True)
        for hr, low in [
            tuple(
                turn(image, flip_rows, flip_columns, transpose)
                for image in (pixels[None].float() / 255, whole)
            )
        ]
    ]
    side = 8 * scale
    for hr, low in (sampler.draw(step, 1, side) for step in range(12)):
        assert hr.shape == (1, 3, side, side)
        assert low.shape == (1, 3, 8, 8)
        places = [place for image, lr in turned for place in found(hr, low, image, lr, scale)]
        assert places, "the crop is nowhere in the image"
        assert min(places) < 1e-5


def turn(image, flip_rows, flip_columns, transpose):
    image = image.flip(2) if flip_rows else image
    image = image.flip(3) if flip_columns else image
    return image.transpose(2, 3) if transpose else image


def found(hr, low, image, lr, scale):
    """Differences of the target wherever the crop lies in the image."""
    side = hr.shape[2]
    for top in range(0, image.shape[2] - side + 1, scale):
        for left in range(0, image.shape[3] - side + 1, scale):
            if torch.equal(image[:, :, top : top + side, left : left + side], hr):
                rows = slice(top // scale, top // scale + 8)
                columns = slice(left // scale, left // scale + 8)
                yield float((lr[:, :, rows, columns] - low).abs().max())


def test_pictures_smaller_than_a_crop_are_mirrored():
    sampler = CropSampler([torch.full((3, 5, 7), 128, dtype=torch.uint8)], 2, CPU, 0)
    hr, low = sampler.draw(0, 2, 16)
    assert torch.allclose(hr, torch.tensor(128 / 255))
    assert torch.allclose(low, torch.tensor(128 / 255), atol=1e-5)


def test_larger_pictures_are_drawn_more_often():
    dark, light = (torch.full((3, n, n), v, dtype=torch.uint8) for n, v in ((16, 0), (48, 255)))
    sampler = CropSampler([dark, light], 2, CPU, 0)
    hr, _ = sampler.draw(0, 400, 8)
    assert hr.mean().item() == pytest.approx(0.9, abs=0.05)


@pytest.fixture
def pair(noise):
    return [torch.from_numpy(noise(*size)).permute(2, 0, 1) for size in ((40, 56), (64, 33))]


def test_a_draw_depends_on_seed_and_step_alone(pair):
    sampler = CropSampler(pair, 2, CPU, 7)
    first = sampler.draw(5, 4, 16)
    sampler.draw(6, 4, 16)
    again = CropSampler(pair, 2, CPU, 7).draw(5, 4, 16)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], sampler.draw(6, 4, 16)[0])
    assert not torch.equal(first[0], CropSampler(pair, 2, CPU, 8).draw(5, 4, 16)[0])


def test_ranks_share_the_batch_of_one_process(pair):
    whole, _ = CropSampler(pair, 2, CPU, 7).draw(5, 6, 16)
    shares = [CropSampler(pair, 2, CPU, 7, rank=r, ranks=3).draw(5, 6, 16)[0] for r in range(3)]
    for rank, share in enumerate(shares):
        assert torch.equal(share, whole[rank::3])


def test_all_eight_orientations_and_all_places_are_drawn():
    pixels = torch.arange(3 * 6 * 8, dtype=torch.uint8).view(3, 6, 8)
    hr, _ = CropSampler([pixels], 2, CPU, 0).draw(0, 600, 4)
    drawn = {tuple((crop[0] * 255).round().int().flatten().tolist()) for crop in hr}
    assert len(drawn) == 2 * 3 * 8


def test_colour_s_target_is_the_usual_gray(pair):
    hr, gray = CropSampler(pair, 1, CPU, 0).draw(0, 3, 16)
    expected = 0.299 * hr[:, 0] + 0.587 * hr[:, 1] + 0.114 * hr[:, 2]
    assert gray.shape == (3, 1, 16, 16)
    assert torch.allclose(gray[:, 0], expected, atol=1e-6)
    assert torch.equal(to_luma(hr), gray)


def test_zoomed_crops_are_those_of_the_shrunk_picture():
    ramp = torch.arange(240, dtype=torch.uint8).expand(3, 200, 240).contiguous()
    plain, _ = CropSampler([ramp], 2, CPU, 0).draw(0, 40, 16)
    sampler = CropSampler([ramp], 2, CPU, 0, zoom_least=0.5)
    steps = [sampler.draw(step, 4, 16) for step in range(40)]
    assert slope(plain).max() == pytest.approx(1, abs=1e-4)
    slopes = torch.cat([slope(hr) for hr, _ in steps])
    assert 1.9 < slopes.max() < 2.1
    assert 0.95 < slopes.min() < 1.1
    for hr, low in steps:
        middle = torch.nn.functional.avg_pool2d(hr, 2)
        assert (low - middle).abs().max() < 0.02


def slope(hr):
    """Mean step between neighbours of a ramp, in code values, along whichever axis it lies."""
    along = [(hr.diff(dim=dim) * 255).mean((1, 2, 3)).abs() for dim in (2, 3)]
    return torch.stack(along).amax(0)


def test_centre_crop_is_a_multiple_of_the_scale():
    crop = centre_crop(torch.arange(3 * 21 * 33).view(3, 21, 33).byte(), 4, 24)
    assert crop.shape == (20, 24, 3)
    assert isinstance(crop, np.ndarray)
