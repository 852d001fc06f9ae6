"""`irn page`: write a web page that restores small images in a browser."""

import shlex
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from irncli.cli import options
from irncli.cli.declare import argument, option
from irncli.cli.help import candidates, groups
from irncli.errors import ExitStatus, IrnError

if TYPE_CHECKING:
    from irncli.batch.console import Console

__all__ = ["page"]

DEFAULT_MODELS = ("irn-x2", "irn-x4", "irn-jpeg-x2")


def page(
    output: Annotated[
        Path,
        argument(groups.FILES, "OUTDIR", "Folder to write.", autocompletion=candidates.directories),
    ],
    model: Annotated[
        list[str] | None,
        option(
            groups.RESULT,
            "--model M",
            "Name or path of a model that the page restores images of; repeat it for several. The "
            f"default is {', '.join(DEFAULT_MODELS[:-1])} and {DEFAULT_MODELS[-1]}.",
            autocompletion=candidates.invertible_models,
        ),
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16"],
        option(
            groups.RESULT,
            "--precision",
            "Floating-point precision of the networks; fp16 halves their files.",
        ),
    ] = "fp32",
    runtime: Annotated[
        Path | None,
        option(
            groups.FILES,
            "--runtime FILE",
            "ONNX Runtime Web, as 'npm pack onnxruntime-web@1.30.0' writes it. By default npm "
            "fetches it once, and irn keeps it.",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        option(groups.FILES, "--overwrite", "Replace an existing folder that irn page made."),
    ] = False,
    json: Annotated[
        bool, option(groups.MESSAGES, "--json", "Print a JSON record to standard output.")
    ] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Write a web page that restores small images in a browser.

    The folder has all that the page needs: put it on any web server, or run 'python3 -m
    http.server' in it. Whoever opens the page drops small images on it and saves the restored ones.
    Nothing is installed, nothing is uploaded, and after the first visit it works offline. The page
    restores images of the models that it has, as 'irn upscale --temperature 0' does.

    This needs more packages: pip install 'irncli[onnx]'; and npm, or the file for --runtime.

    Examples:
      irn page site
      irn page site --model irn-x2 --precision fp16 --overwrite
      irn page site --runtime onnxruntime-web-1.30.0.tgz
    """
    from irncli.batch.console import Console

    console = Console(quiet=quiet, json=json, debug=debug)
    models = list(dict.fromkeys(model or DEFAULT_MODELS))
    try:
        record = _page(output, models, precision, runtime, overwrite, console)
    except IrnError as error:
        if debug:
            traceback.print_exc()
        console.complain(str(error))
        record = _record(models, precision, status=int(error.status), error=str(error))
    if json:
        console.emit(record)
    elif record["error"] is None:
        console.say(_line(record))
    return int(record["status"])


def _record(models: list[str], precision: str, **values: Any) -> dict[str, Any]:
    """Return a record, which always has all keys; unknown values are null."""
    return {
        "output": None, "status": int(ExitStatus.OK), "error": None, "models": models,
        "precision": precision, **dict.fromkeys(("files", "bytes", "bytes_of_models")), **values,
    }  # fmt: skip


def _line(record: dict[str, Any]) -> str:
    models = ", ".join(record["models"])
    whole, part = (record[key] / 1e6 for key in ("bytes", "bytes_of_models"))
    return (
        f"{record['output']}: a page for {models}, {record['files']} files, {whole:.1f} MB "
        f"({part:.1f} MB of models); put it on a web server, or run "
        f"python3 -m http.server -d {shlex.quote(record['output'])}"
    )


def _page(
    output: Path,
    names: list[str],
    precision: Literal["fp32", "fp16"],
    runtime: Path | None,
    overwrite: bool,
    console: "Console",
) -> dict[str, Any]:
    """Write the page once all of its parts are there, and return its record."""
    from irncli import __version__
    from irncli.export.model_file import require
    from irncli.page.folder import refuse_folder, write_folder
    from irncli.page.runtime import cache_folder, licences, package, unpacked
    from irncli.page.site import page_files, page_model
    from irncli.zoo.registry import default_registry

    refuse_folder(output, overwrite)
    require("irn page")
    registry = default_registry()
    checkpoints = [registry.load(name) for name in names]
    parts = unpacked(package(runtime, cache_folder(), console.say))
    models = [page_model(each, precision, __version__) for each in checkpoints]
    files = page_files(models, parts, licences(), __version__)
    write_folder(output, files, overwrite=overwrite)
    return _record(
        [each.entry["name"] for each in models],
        precision,
        output=str(output),
        files=len(files),
        bytes=sum(map(len, files.values())),
        bytes_of_models=sum(len(each.data) for each in models),
    )
