"""The architecture: imports point one way, and help starts without torch."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import irncli

PACKAGE = Path(irncli.__file__).parent
BELOW_EVAL = {
    *("operations", "pixels", "geometry", "wording", "compression", "engine", "zoo"),
    *("kernels", "model", "io", "config", "limits", "errors"),
}
ALLOWED = {
    "errors": set(),
    "limits": set(),
    "pixels": set(),
    "geometry": set(),
    "wording": set(),
    "config": {"limits", "errors"},
    "model": {"config", "errors"},
    "io": {"wording", "pixels", "geometry", "limits", "errors"},
    "zoo": {"wording", "model", "io", "config", "errors"},
    "export": {"zoo", "model", "config", "errors"},
    "page": {"export", "zoo", "model", "io", "config", "errors"},
    "kernels": {"model", "errors"},
    "engine": {"pixels", "geometry", "kernels", "model", "config", "errors"},
    "operations": {
        *("pixels", "geometry", "wording", "compression", "engine", "zoo", "model", "io", "config"),
        *("limits", "errors"),
    },
    "compression": {"pixels", "geometry", "engine", "zoo", "model", "io", "config", "errors"},
    "eval": BELOW_EVAL,
    "comparison": {"pixels", "geometry", "eval", "engine", "io", "limits", "errors"},
    "train": {"eval", *BELOW_EVAL},
    "api": {
        *("operations", "pixels", "geometry", "engine", "zoo", "model", "io", "limits", "errors"),
    },
}
ALLOWED["batch"] = {
    *("__version__", "operations", "pixels", "geometry", "wording", "engine", "zoo", "io"),
    *("limits", "errors"),
}
ALLOWED["cli"] = {"__version__", *ALLOWED}
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def imported_rooms(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("irncli.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in ALLOWED:
        assert imported_rooms(path) <= ALLOWED[room] | {room}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_first(path, known):
    """Modules of irncli that are imported when this one is: packages run before their modules."""
    found, own = set(), module_name(path)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("irncli"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                parts = name.split(".")
                found |= {".".join(parts[:count]) for count in range(2, len(parts) + 1)}
    return {name for name in found & known if not f"{own}.".startswith(f"{name}.")}


def test_any_module_can_be_imported_first():
    names = {module_name(path) for path in MODULES}
    graph = {module_name(path): imported_first(path, names) for path in MODULES}
    assert len(graph) > 100
    assert len(graph["irncli.io.image_file"]) > 3
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_only_io_knows_the_image_libraries():
    for path in MODULES:
        if "io" not in path.parts:
            assert not {"PIL", "imageio"} & {name.split(".")[0] for name in re_imports(path)}, path


WITH_TRITON = {"language", "convolution", "weight_gradient", "dense", "latent", "affine"}
"""Modules of the kernels that import Triton."""


def test_only_the_kernels_know_triton():
    for path in MODULES:
        if path.parent.name == "kernels" and path.stem in WITH_TRITON:
            continue
        assert "triton" not in {name.split(".")[0] for name in re_imports(path)}, path
        first = imported_first(path, {f"irncli.kernels.{name}" for name in WITH_TRITON})
        assert not first, f"{path} imports {first} before it is known whether Triton is installed"


def re_imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400


def test_only_the_console_and_the_command_line_print():
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] not in ("batch", "cli"):
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


COMMANDS = [["--help"], ["--version"]] + [
    [name, "--help"]
    for name in (
        "downscale",
        "upscale",
        "decolor",
        "colorize",
        "compare",
        "info",
        "models",
        "train",
        "export",
        "page",
        "eval",
        "demo",
    )
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_help_does_not_import_torch(arguments):
    code = (
        "import sys; from irncli.cli.app import run; "
        f"status = run({arguments!r}); "
        "heavy = {'torch', 'numpy', 'PIL', 'rich.console'} & set(sys.modules); "
        "sys.exit(status or bool(heavy) and str(heavy))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_importing_the_package_is_light_and_names_are_public():
    code = "import irncli, sys; assert 'torch' not in sys.modules; assert irncli.load"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert sorted(irncli.__all__) == irncli.__all__
    assert set(irncli.__all__) <= set(dir(irncli))
