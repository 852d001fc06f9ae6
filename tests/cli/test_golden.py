"""What scripts rely on, as it was recorded: records, keys of --skip-existing, tags, options.

`IRN_RECORD=1 pytest tests/cli/test_golden.py` records it anew. A difference that is not meant is a
fault; one that is meant goes into the CHANGELOG. Words of messages are not recorded, nor are
figures that depend on rounding.
"""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from irncli.io.image_file import ImageFile
from irncli.io.tag import extract
from irncli.zoo.checkpoint import Card, serialise
from tests.support.commands import COMMANDS
from tests.support.networks import SMALL, shaken

GOLDEN = Path(__file__).parent / "golden"
MEASURED = {"refined", "guarded", "report", "forecast"}
"""Keys of a record whose figures are measured."""

RUNS = {
    "downscale": "downscale photo.png --model tiny.safetensors -o small.png",
    "downscale to a JPEG": "downscale photo.png --model tiny.safetensors --scale 3 --quality 80"
    " --format jpeg --guard off",
    "downscale of 16 bits": "downscale deep.png --model tiny.safetensors --scale 2.5 --bits 16"
    " -o deep_small.png",
    "downscale refined": "downscale photo.png --model tiny.safetensors --refine 1 --strip"
    " -o refined.png --precision fp32",
    "downscale of gray": "downscale gray.png --model tiny.safetensors -o gray_small.png",
    "downscale of alpha": "downscale alpha.png --model tiny.safetensors -o alpha_small.png",
    "downscale into a folder": "downscale photo.png alpha.png --model tiny.safetensors"
    " --output-dir made --guard off",
    "downscale by a template": "downscale photo.png --model tiny.safetensors --scale 4"
    " -o made/{stem}-{scale}-{index}{ext} --guard off",
    "a dry run": "downscale photo.png --model tiny.safetensors -o dry.png --dry-run",
    "done before": "downscale photo.png --model tiny.safetensors -o small.png --skip-existing",
    "done otherwise": "downscale photo.png --model tiny.safetensors -o small.png --skip-existing"
    " --refine 1",
    "decolor": "decolor photo.png --model tint.safetensors -o decolored.png",
    "decolor of gray": "decolor gray.png --model tint.safetensors -o decolored_gray.png",
    "upscale": "upscale small.png --model tiny.safetensors --seed 7 -o back.png",
    "upscale with z = 0": "upscale small.png --model tiny.safetensors --temperature 0"
    " --format webp -o back.webp",
    "upscale by a drawn seed": "upscale small.png --model tiny.safetensors -o drawn.png",
    "upscale of a JPEG": "upscale photo_x3.jpg --model tiny.safetensors --seed 7",
    "upscale of 16 bits": "upscale deep_small.png --model tiny.safetensors --seed 7"
    " -o deep_back.png",
    "upscale of a file of another machine": "upscale tagged.png --model tiny.safetensors --seed 7"
    " -o tagged_back.png",
    "upscale without a tag": "upscale photo.png --model tiny.safetensors --seed 7 -o guessed.png",
    "colorize": "colorize decolored.png --model tint.safetensors -o coloured.png",
    "colorize of a file of another machine": "colorize tagged_gray.png --model tint.safetensors"
    " -o tagged_colours.png",
    "colorize of gray": "colorize decolored_gray.png --model tint.safetensors -o again_gray.png",
    "compress": "compress photo.png --model tiny.safetensors --scale 4 --always-irn",
    "compress to WebP": "compress photo.png --model tiny.safetensors --scale 4 --codec webp"
    " --no-report --quality 70",
    "compress to a size": "compress photo.png --model tiny.safetensors --scale 4"
    " --target-size 2KB -o sized.jpg",
    "compress as is better": "compress photo.png --model tiny.safetensors --scale 4 --auto"
    " --target-bpp 4 -o auto.jpg",
    "upscale what is plain": "upscale auto.jpg --seed 7 -o plain.png",
    "info": "info tagged.png",
    "exists": "downscale photo.png --model tiny.safetensors -o small.png",
    "no such file": "downscale nowhere.png --model tiny.safetensors -o x.png",
    "no image": "downscale words.png --model tiny.safetensors -o x.png",
    "an empty file": "upscale empty.png --seed 1 -o x.png",
    "a directory without images": "downscale folder --model tiny.safetensors --output-dir x",
    "one of two": "downscale photo.png words.png --model tiny.safetensors --output-dir two",
    "no tag": "upscale photo.png -o x.png",
    "a model of another task": "upscale decolored.png -o x.png",
    "no such model": "downscale photo.png --model nothing -o x.png",
    "its model is elsewhere": "upscale small.png -o x.png",
    "in doubt": "upscale photo.png --model tiny.safetensors --strict -o x.png",
    "more scale than the model has": "downscale photo.png --model tiny.safetensors --scale 5"
    " -o x.png",
    "too few pixels allowed": "downscale photo.png --model tiny.safetensors --max-pixels 100"
    " -o x.png",
    "no scale": "downscale photo.png -o x.png",
    "two outputs": "downscale photo.png --model tiny.safetensors -o x.png --output-dir y",
    "a format that is not written": "downscale photo.png --model tiny.safetensors -o x.bmp",
    "an option out of range": "downscale photo.png --scale 100 -o x.png",
    "an unknown option": "downscale photo.png --colour blue",
    "an unknown command": "enlarge photo.png",
    "two targets": "compress photo.png --target-bpp 1 --min-psnr 30",
    "an unreachable size": "compress photo.png --model tiny.safetensors --scale 4"
    " --target-size 10B -o x.jpg",
}


def checked(name, found):
    """Compare with what was recorded, or record it."""
    path, text = GOLDEN / f"{name}.json", json.dumps(found, indent=1) + "\n"
    if os.environ.get("IRN_RECORD"):
        path.write_text(text, encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images as they were recorded, and tiny models, where commands are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for path in GOLDEN.glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "words.png").write_text("words")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for name, kind, temperature in (("tiny", "irn-x4", 1.0), ("tint", "color", 0.0)):
        card = Card(name=name, temperature=temperature)
        network = shaken(SMALL[kind], strength=0.02)
        Path(f"{name}.safetensors").write_bytes(serialise(network, card))
    return tmp_path


def test_runs_are_as_recorded(irn, folder):
    found, given = {}, set()
    for name, line in RUNS.items():
        files = {path for path in folder.rglob("*") if path.is_file()}
        outcome = irn(*line.split(), *(["--json"] * ("--colour" not in line)))
        made = {path for path in folder.rglob("*") if path.is_file()} - files
        outputs = sorted(p for p in made if folder / "state" not in p.parents)
        if any((GOLDEN / word).is_file() for word in line.split()):
            given |= {path.relative_to(folder).as_posix() for path in outputs}
        found[name] = {
            "line": line,
            "status": outcome.status,
            "records": [_settled(json.loads(text)) for text in outcome.out.splitlines()],
            "files": {path.relative_to(folder).as_posix(): _tag(path) for path in outputs},
        }
    with closing(sqlite3.connect(next((folder / "state").rglob("*.sqlite*")))) as ledger:
        rows = ledger.execute("SELECT output, key FROM made").fetchall()
    keys = {Path(os.fsdecode(output)).relative_to(folder).as_posix(): key for output, key in rows}
    # Keys hold a hash of the input: of files made here it depends on this machine's rounding.
    checked("runs", {"runs": found, "keys": {name: keys[name] for name in sorted(given)}})


def _settled(record):
    """A record without what depends on the moment or the machine."""
    kept = {}
    for key, value in record.items():
        if key in MEASURED and value is not None:
            kept[key] = sorted(value)
        elif key == "warnings":
            kept[key] = len(value)
        elif key in ("seconds", "bytes_in", "bytes_out", "error", "content_sha256"):
            kept[key] = type(value).__name__
        elif key == "seed" and value != 7:
            kept[key] = "0" if value == 0 else type(value).__name__
        else:
            kept[key] = value
    return kept


def _tag(path):
    """The tag of an output; None: it has none."""
    tag = extract(ImageFile(path.read_bytes()).header.xmp)
    if tag is None:
        return None
    fields = asdict(tag) | {"format": tag.format, "bicubic": bool(tag.bicubic)}
    fields |= {"tint": tag.tint is not None, "icc": len(tag.icc)}
    return {key: value for key, value in fields.items() if key != "content_sha256"}


def test_commands_have_the_options_that_were_recorded():
    found = {}
    for name, command, context in COMMANDS:
        found[name] = {
            "hidden": command.hidden,
            "parameters": {
                " ".join((*sorted(each.opts), *each.secondary_opts)): [
                    each.param_type_name,
                    str(getattr(each, "type_descriptor", None) and each.type_descriptor.annotation),
                    repr(None if callable(each.default) else each.default),
                    each.required,
                    getattr(each, "rich_help_panel", None),
                ]
                for each in command.get_params(context)
            },
        }
    checked("options", found)
