"""Training data: shards and folders in, crops with the LR of their place out."""

import io
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from irncli.errors import DataError, InputMissingError
from irncli.model.bicubic import shrink
from irncli.train.data import CropSampler, Pictures, centre_crop, load_pictures, split


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
        members |= {"broken.png": png(noise(9, 9))[:60], "notes.txt": b"no picture"}
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return folder / "a.tar"


def test_shards_folders_and_files_are_read_and_damage_is_counted(shard, noise):
    (shard.parent / "three.png").write_bytes(png(noise(20, 24)))
    for sources in ([shard.parent], [shard, shard.parent / "three.png"]):
        pictures = load_pictures(sources)
        assert sorted(name.rsplit("/", 1)[-1] for name in pictures.names) == [
            "one.png",
            "three.png",
            "two.png",
        ]
        assert [name.rsplit("/", 1)[-1] for name in pictures.damaged] == ["broken.png"]
        assert all(p.dtype == torch.uint8 and p.shape[0] == 3 for p in pictures.pixels)


def test_no_data_is_said(tmp_path, shard):
    with pytest.raises(InputMissingError):
        load_pictures([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no usable picture"):
        load_pictures([tmp_path / "empty"])
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(DataError):
        load_pictures([shard])


def test_the_split_depends_on_names_alone():
    names = [f"{k:04}.webp" for k in range(480)]
    pixels = [torch.zeros(3, 1, 1, dtype=torch.uint8)] * len(names)
    train, held_out = split(Pictures(names, pixels))
    assert len(train) + len(held_out) == 480
    assert 10 <= len(held_out) <= 30
    assert not set(train.names) & set(held_out.names)
    again = split(Pictures(names[::-1], pixels))[1]
    assert sorted(again.names) == sorted(held_out.names)


def test_a_single_picture_serves_as_both():
    one = Pictures(["a.png"], [torch.zeros(3, 8, 8, dtype=torch.uint8)])
    train, held_out = split(one)
    assert train.names == held_out.names == ["a.png"]


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(64, 72), (40, 40), (33, 47)])
def test_a_crop_s_target_is_that_region_of_the_whole_picture_s_lr(scale, size, noise):
    height, width = (side // scale * scale for side in size)
    pixels = torch.from_numpy(noise(height, width)).permute(2, 0, 1).contiguous()
    whole = shrink(pixels[None].float() / 255, scale)
    sampler = CropSampler([pixels], scale, torch.Generator().manual_seed(1))
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
    for hr, low in (sampler.draw(1, side) for _ in range(12)):
        assert hr.shape == (1, 3, side, side)
        assert low.shape == (1, 3, 8, 8)
        places = [place for image, lr in turned for place in found(hr, low, image, lr, scale)]
        assert places, "the crop is nowhere in the picture"
        assert min(places) < 1e-5


def turn(image, flip_rows, flip_columns, transpose):
    image = image.flip(2) if flip_rows else image
    image = image.flip(3) if flip_columns else image
    return image.transpose(2, 3) if transpose else image


def found(hr, low, image, lr, scale):
    """Differences of the target wherever the crop lies in the picture."""
    side = hr.shape[2]
    for top in range(0, image.shape[2] - side + 1, scale):
        for left in range(0, image.shape[3] - side + 1, scale):
            if torch.equal(image[:, :, top : top + side, left : left + side], hr):
                rows = slice(top // scale, top // scale + 8)
                columns = slice(left // scale, left // scale + 8)
                yield float((lr[:, :, rows, columns] - low).abs().max())


def test_pictures_smaller_than_a_crop_are_mirrored():
    sampler = CropSampler([torch.full((3, 5, 7), 128, dtype=torch.uint8)], 2, torch.Generator())
    hr, low = sampler.draw(2, 16)
    assert torch.allclose(hr, torch.tensor(128 / 255))
    assert torch.allclose(low, torch.tensor(128 / 255), atol=1e-5)


def test_larger_pictures_are_drawn_more_often():
    dark, light = (torch.full((3, n, n), v, dtype=torch.uint8) for n, v in ((16, 0), (48, 255)))
    sampler = CropSampler([dark, light], 2, torch.Generator().manual_seed(0))
    hr, _ = sampler.draw(400, 8)
    assert hr.mean().item() == pytest.approx(0.9, abs=0.05)


def test_centre_crop_is_a_multiple_of_the_scale():
    crop = centre_crop(torch.arange(3 * 21 * 33).view(3, 21, 33).byte(), 4, 24)
    assert crop.shape == (20, 24, 3)
    assert isinstance(crop, np.ndarray)
