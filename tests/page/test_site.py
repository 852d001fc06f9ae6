"""irn page: the folder that it writes, where the runtime comes from, and what it refuses."""

import base64
import errno
import hashlib
import io
import json
import os
import re
import tarfile
from pathlib import Path

import pytest

from irncli import __version__
from irncli.config import InvertibleConfig, Level
from irncli.page import runtime
from irncli.page.site import halo_of, own_files
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import CRM, SMALL, shaken

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

NPM = """#!/bin/sh
echo "$@" > {seen}
shift 3
while [ "$1" != --pack-destination ]; do shift; done
cp {package} "$2/{archive}" || exit 1
"""


def archive(*left_out):
    """A package like that of npm, with files that nobody asked for."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as file:
        names = [f"package/dist/{name}" for name in runtime.FILES if name not in left_out]
        for name in (*names, "package/package.json", "../../evil", "package/dist/ort.js"):
            member = tarfile.TarInfo(name)
            data = f"content of {name}".encode()
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return out.getvalue()


def genuine(monkeypatch, data):
    """Make a package the one that is expected."""
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    monkeypatch.setattr(runtime, "INTEGRITY", f"sha512-{digest}")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A place to work in, with a small model, a package, an empty cache and no npm."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    data = archive()
    genuine(monkeypatch, data)
    Path("ort.tgz").write_bytes(data)
    Path("tiny.safetensors").write_bytes(
        serialise(shaken(SMALL["irn-x2"], strength=0.02), Card(name="tiny"))
    )
    return tmp_path


MODEL = ("--model", "tiny.safetensors")
RUNTIME = ("--runtime", "ort.tgz")


def content(folder):
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def test_the_folder_has_all_that_the_page_needs(irn, folder):
    outcome = irn("page", "site", *MODEL, *RUNTIME, "--json")
    assert outcome.status == 0, outcome.err
    found = content("site")
    (network,) = (name for name in found if name.startswith("models/"))
    assert re.fullmatch(r"models/tiny-[0-9a-f]{12}\.onnx", network)
    expected = {*own_files(), "models.json", "files.js", network}
    licences = {f"ort/{name}" for name in runtime.LICENCES}
    assert set(found) == expected | licences | {f"ort/{name}" for name in runtime.FILES}
    assert b"MIT License" in found["ort/LICENSE"]
    assert (
        found[f"ort/{runtime.FILES[0]}"] == f"content of package/dist/{runtime.FILES[0]}".encode()
    )
    listing = json.loads(found["models.json"])
    (entry,) = listing["models"]
    assert listing["irn_version"] == __version__
    assert {entry[key] for key in ("name", "task", "file")} == {
        "tiny",
        "rescale",
        network,
    }
    assert entry["bytes"] == len(found[network])
    assert entry["latent_channels"] == len(entry["latent_sigma"]) == 9
    assert json.loads(outcome.out) == {
        "output": "site", "status": 0, "error": None, "models": ["tiny"], "precision": "fp32",
        "files": len(found), "bytes": sum(map(len, found.values())),
        "bytes_of_models": entry["bytes"],
    }  # fmt: skip


def test_the_command_to_try_it_can_be_pasted(irn, folder):
    assert (
        "run python3 -m http.server -d 'my site'\n" in irn("page", "my site", *MODEL, *RUNTIME).err
    )


def test_the_service_worker_knows_all_files_by_their_content(irn, folder):
    assert irn("page", "site", *MODEL, *RUNTIME, "-q").err == ""
    found = content("site")
    listed = json.loads(found.pop("files.js").decode().partition(" = ")[2].rstrip(";\n"))
    assert listed == {name: hashlib.sha256(data).hexdigest()[:16] for name, data in found.items()}


def test_the_page_names_no_other_server():
    for name, data in own_files().items():
        text = data.decode()
        # Names of XML vocabularies look like addresses.
        assert not re.findall(r"https?://(?!localhost:8000|www\.w3\.org/|ns\.adobe\.com/)", text), (
            name
        )
        assert "unsafe-inline" not in text
        assert not re.search(r" style=| on\w+=\"", text), name


def test_every_module_is_there_and_every_script_is_used():
    own = own_files()
    used = {"app.js", "worker.js", "service_worker.js"}
    for name, data in own.items():
        place = Path(name).parent
        for target in re.findall(r"(?:from|import) \"(\.[^\"]+)\"", data.decode()):
            used.add(os.path.normpath(place / target))
    assert used == {name for name in own if name.endswith(".js")}


def contrast(a, b):
    """Contrast of two colours, #rrggbb. Source: WCAG 2.2."""

    def luminance(colour):
        values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out(scheme):
    style = own_files()["page.css"].decode()
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colour = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme]))
    for ink, *papers in (
        ("ink", "paper", "card", "mat"),
        ("faint", "paper", "card"),
        ("accent-ink", "accent", "accent-strong"),
        ("warm", "warm-wash", "card"),
        ("bad", "bad-wash"),
        ("good", "card"),
    ):
        for paper in papers:
            assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)


def test_the_halo_follows_from_the_network():
    assert halo_of(InvertibleConfig.irn(2)) == 16
    assert halo_of(InvertibleConfig.irn(4)) == 24
    cells = InvertibleConfig(
        levels=(Level(transform="color", factor=4, blocks=8),), low_channels=16
    )
    assert halo_of(cells) == 64


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["site", "--model", "nothing", *RUNTIME], 69, "no model 'nothing'"),
        (["site", "--model", "crm.safetensors", *RUNTIME], 2, "crm is a restoration module"),
        (["site", *MODEL, "--model", "b/tiny.safetensors", *RUNTIME], 2, "two models have the"),
        (["-", *MODEL, *RUNTIME], 2, "a page is a folder and cannot go to standard output"),
        (["no/site", *MODEL, *RUNTIME], 73, "no directory "),
        (["taken", *MODEL, *RUNTIME], 73, "taken exists already: pass --overwrite"),
        (["taken", *MODEL, *RUNTIME, "--overwrite"], 73, "taken is not a page that irn made"),
        (["words.json", *MODEL, *RUNTIME, "--overwrite"], 73, "words.json is not a page"),
        (["site", *MODEL, "--runtime", "words.json"], 65, "words.json is not onnxruntime-web@"),
        (["site", *MODEL, "--runtime", "absent.tgz"], 66, "absent.tgz: no such file"),
        (["site", *MODEL, "--runtime", "taken"], 65, "taken is not onnxruntime-web@"),
        ([".", *MODEL, *RUNTIME, "--overwrite"], 73, ". is the current directory or holds it"),
        (["..", *MODEL, *RUNTIME], 73, ".. is the current directory or holds it"),
        (["words.json", *MODEL, *RUNTIME], 73, "words.json is not a page but a file"),
        (["site", *MODEL], 69, "the page needs onnxruntime-web@1.30.0, and npm"),
    ],
)  # fmt: skip
def test_what_is_refused_leaves_nothing(irn, folder, words, status, said):
    Path("crm.safetensors").write_bytes(serialise(shaken(CRM), Card(name="crm")))
    Path("words.json").write_text("{}")
    for name in ("taken", "b"):
        Path(name).mkdir()
    Path("taken/models.json").write_text("[1]")
    Path("b/tiny.safetensors").write_bytes(Path("tiny.safetensors").read_bytes())
    before = content(folder)
    outcome = irn("page", *words)
    assert outcome.status == status, outcome.err
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert content(folder) == before


def test_a_page_is_replaced_as_a_whole(irn, folder):
    Path("site").mkdir()
    assert irn("page", "site", *MODEL, *RUNTIME).status == 0, "an empty folder is no obstacle"
    (old,) = Path("site/models").iterdir()
    half = (*MODEL, "--precision", "fp16")
    assert irn("page", "site", *half, *RUNTIME).status == 73
    assert old.exists()
    assert irn("page", "site", *half, *RUNTIME, "--overwrite").status == 0
    assert not old.exists(), "another content has another name"
    assert not list(folder.glob(".*"))
    Path("usual").mkdir()
    assert Path("site").stat().st_mode == Path("usual").stat().st_mode, "a server has to read it"


@pytest.mark.parametrize("name", ["CNAME", ".git/HEAD", "models/mine.onnx"])
def test_files_of_others_in_a_page_are_not_deleted(irn, folder, name):
    assert irn("page", "site", *MODEL, *RUNTIME).status == 0
    path = Path("site", name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("not written by irn")
    before = content(folder)
    outcome = irn("page", "site", *MODEL, *RUNTIME, "--overwrite")
    assert outcome.status == 73
    assert f"did not write, such as {name}, and they would be deleted" in outcome.err
    assert content(folder) == before


@pytest.mark.parametrize("denied", [(), (2,), (2, 3)], ids=["Ctrl-C", "second", "both"])
def test_a_replacement_that_fails_deletes_nothing(irn, folder, monkeypatch, denied):
    """The renames are that of the old page, that of the new one, and that of the old one back."""
    assert irn("page", "site", *MODEL, *RUNTIME).status == 0
    before = content("site")
    rename, calls = Path.rename, []

    def failing(path, target):
        calls.append(path)
        if len(calls) in denied:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        rename(path, target)
        if not denied and len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", failing)
    outcome = irn("page", "site", *MODEL, *RUNTIME, "--overwrite")
    assert outcome.status == (73 if denied else 130)
    (kept,) = folder.glob(".site*.old") if denied == (2, 3) else (Path("site"),)
    assert content(kept) == before


def test_a_disk_that_fills_leaves_the_page_as_it_was(irn, folder, monkeypatch):
    assert irn("page", "site", *MODEL, *RUNTIME).status == 0
    before = content(folder)
    write = Path.write_bytes

    def full(path, data):
        if path.name == "worker.js":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    for words in (["site", "--overwrite"], ["other"]):
        outcome = irn("page", *words, *MODEL, *RUNTIME)
        assert outcome.status == 74
        assert "No space left on device" in outcome.err
        assert content(folder) == before
        assert not list(folder.glob(".*"))


def npm(folder, package):
    """Install an npm that brings a file."""
    path = folder / "bin" / "npm"
    path.parent.mkdir(exist_ok=True)
    seen = folder / "seen"
    text = NPM.format(seen=seen, package=package, archive=runtime.ARCHIVE)
    path.write_text(text.replace("cp ", "/bin/cp "))
    path.chmod(0o755)
    return seen


def test_npm_fetches_the_runtime_once(irn, folder):
    seen = npm(folder, folder / "ort.tgz")
    outcome = irn("page", "site", *MODEL)
    assert outcome.status == 0, outcome.err
    assert outcome.err.startswith("fetching onnxruntime-web@1.30.0 with npm")
    assert "site: a page for tiny, " in outcome.err
    assert seen.read_text().startswith(
        "pack onnxruntime-web@1.30.0 --loglevel=error --ignore-scripts"
    )
    seen.unlink()
    assert irn("page", "again", *MODEL).status == 0
    assert not seen.exists()
    (kept,) = (folder / "cache").rglob("*.tgz")
    kept.write_bytes(b"damaged")
    assert irn("page", "third", *MODEL).status == 0
    assert seen.exists()


def test_a_cache_that_cannot_be_written_is_no_obstacle(irn, folder):
    npm(folder, folder / "ort.tgz")
    Path("cache").write_text("a file, where the directory of the cache should be")
    outcome = irn("page", "site", *MODEL)
    assert outcome.status == 0, outcome.err
    assert "not kept for the next page: cannot create the directory" in outcome.err


@pytest.mark.parametrize("brought", ["tiny.safetensors", "nothing"])
def test_npm_that_fails_or_brings_something_else_is_no_source(irn, folder, brought):
    npm(folder, folder / brought)
    outcome = irn("page", "site", *MODEL)
    assert outcome.status == 69
    assert "npm pack onnxruntime-web@1.30.0" in outcome.err
    assert "--runtime FILE" in outcome.err
    assert not Path("site").exists()
    assert not list(folder.rglob("onnxruntime-web*"))


def test_the_reason_of_npm_is_told(irn, folder):
    npm(folder, "nothing")
    script = folder / "bin" / "npm"
    script.write_text("#!/bin/sh\necho >&2; echo npm error code ENOTFOUND >&2; exit 1\n")
    outcome = irn("page", "site", *MODEL)
    assert outcome.status == 69
    assert (
        "npm could not fetch onnxruntime-web@1.30.0 (npm error code ENOTFOUND): run" in outcome.err
    )


def test_a_package_that_lacks_a_file_is_refused(irn, folder, monkeypatch):
    data = archive(runtime.FILES[-1])
    genuine(monkeypatch, data)
    Path("ort.tgz").write_bytes(data)
    outcome = irn("page", "site", *MODEL, *RUNTIME)
    assert outcome.status == 65
    assert f"lacks {runtime.FILES[-1]}" in outcome.err
