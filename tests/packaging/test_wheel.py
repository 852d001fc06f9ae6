"""The wheel holds all that is needed, and works in an empty environment away from the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distributions, requires

import pytest

from irncli.page.site import own_files
from tests.support.pictures import size
from tests.support.places import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with wheel and sdist, built from a copy of the tracked files' tree."""
    source = tmp_path_factory.mktemp("source") / "irn"
    kept = ("irncli", "weights", "tests", "docs", "benchmarks", "man")
    for name in kept:
        if (ROOT / name).exists():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    for build in ("build_wheel", "build_sdist"):
        code = f"import sys; from hatchling.build import {build}; {build}(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, str(out)], cwd=source, check=True)
    return out


def test_the_wheel_holds_code_weights_photograph_and_licence(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "irncli/weights/irn-x2.safetensors",
        "irncli/weights/irn-x4.safetensors",
        "irncli/demo/photo.png",
        "irncli/py.typed",
        "irncli/__main__.py",
        *(f"irncli/comparison/page.{kind}" for kind in ("html", "css", "js")),
        *(f"irncli/page/site/{name}" for name in own_files()),
    } <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    manual = {name.rpartition("/data/share/man/man1/")[2] for name in names if "/man1/" in name}
    assert manual == {path.name for path in (ROOT / "man").iterdir()}
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]


def test_the_sdist_can_be_built_from(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "weights/irn-x2.safetensors", "tests/conftest.py"} <= names


@pytest.mark.slow
def test_installed_elsewhere_it_works(built, tmp_path, photo):
    (wheel,) = built.glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*install, "--target", site, wheel], check=True)
    from PIL import Image

    Image.fromarray(photo[:40, :50]).save(tmp_path / "p.png")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(site),
        "XDG_DATA_HOME": str(tmp_path / "xdg"),
    }
    code = (
        "import irncli, sys; print(irncli.__file__, file=sys.stderr); "
        "from irncli.__main__ import main; main()"
    )
    for arguments in (["downscale", "p.png", "--scale", "4"], ["upscale", "p_x4.png", "-q"]):
        result = subprocess.run(
            [sys.executable, "-P", "-c", code, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert str(site) in result.stderr
    assert size(tmp_path / "p_x4_restored.png") == (50, 40)


def test_without_a_gpu_no_cuda_package_came_along():
    if shutil.which("nvidia-smi"):
        pytest.skip("an NVIDIA GPU is here: CUDA packages may be")
    names = {(d.metadata["Name"] or "").lower() for d in distributions()}
    assert not [name for name in names if name.startswith("nvidia")]


def test_runtime_dependencies_are_the_chosen_ones():
    always = [line for line in requires("irncli") or [] if "extra ==" not in line]
    names = {line.split(">")[0].split(";")[0].strip() for line in always}
    assert names == {
        "torch", "typer", "rich", "pillow", "imageio", "safetensors", "platformdirs", "numpy",
        "defusedxml", "filelock", "opencv-python-headless", "mozjpeg-lossless-optimization",
    }  # fmt: skip
