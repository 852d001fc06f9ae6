"""The two studies of `irn eval`: rescaling (including colour), and compression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from irncli import __version__
from irncli.batch.plan import tile_side
from irncli.cli.commands.evaluation_outputs import SavedImages
from irncli.engine.device import resolve_device
from irncli.errors import UsageError
from irncli.eval.compression import QUALITIES, Compression, Rivals
from irncli.eval.contestants import Trained, choose, warm_up
from irncli.eval.perceptual import Panel, parse_names
from irncli.eval.rescaling import Rescaling
from irncli.eval.rescaling import Settings as Measuring
from irncli.eval.runner import Study
from irncli.eval.sets import ImageSet
from irncli.operations.compress import default_restorer, model_for
from irncli.operations.models import LoadedRestorer, Models

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.cli.commands.evaluation_options import Settings

__all__ = ["study_of"]

NO_RESTORER = "none"


def study_of(settings: Settings, console: Console, sets: Sequence[ImageSet]) -> Study:
    """Return the study for the given settings.

    Args:
        settings: settings of the command.
        console: console for warnings.
        sets: sets of images to be measured.

    Raises:
        UsageError: models or options are incompatible.
        UnavailableError: there is no such model or device.
        OutputError: an image to be saved already exists.
    """
    models = Models(settings.device, settings.precision, tile_side(settings.tile), console.say)
    if settings.task == "compress":
        rivals = _rivals(settings, models)
        return lambda images: [Compression(rivals)]  # noqa: ARG005
    return _rescaling(settings, models, console, sets)


def _rescaling(
    settings: Settings, models: Models, console: Console, sets: Sequence[ImageSet]
) -> Study:
    contestants = choose(
        settings.model or [],
        settings.filters(),
        settings.whole_scale(),
        models,
        guarded=settings.guard == "on",
    )
    panel = _panel(settings, console)
    saved = None
    if settings.save is not None:
        saved = SavedImages(settings.save, sets, contestants, settings.overwrite)
    how = Measuring(
        seeds=settings.seeds or 1,
        temperature=settings.temperature,
        max_pixels=settings.max_pixels,
        version=__version__,
    )
    for contestant in contestants:
        warm_up(contestant)

    def study(images: ImageSet) -> list[Rescaling]:
        return [
            Rescaling(
                contestant,
                how,
                judge=panel.sit() if panel else None,
                keep=saved.keeper(images, contestant) if saved else None,
            )
            for contestant in contestants
        ]

    return study


def _panel(settings: Settings, console: Console) -> Panel | None:
    """Return the perceptual metrics, and print one warning for all that are missing."""
    if settings.perceptual is None:
        return None
    panel = Panel(parse_names(settings.perceptual), resolve_device(settings.device))
    if panel.notes:
        reasons = "; ".join(dict.fromkeys(panel.notes.values()))
        console.say(f"irn: warning: not measured: {', '.join(panel.notes)}: {reasons}")
    return panel


def _rivals(settings: Settings, models: Models) -> Rivals:
    names = settings.model or []
    if len(names) > 1:
        raise UsageError("--task compress measures one model: give --model once")

    def trained(name: str) -> Trained:
        model = models.load(name)
        return Trained(model.name, model)

    given = trained(names[0]) if names else None
    scale = settings.whole_scale() or (given.scale if given else 2)
    return Rivals(
        jpeg=given or trained(model_for(scale, "jpeg")),
        png=trained(model_for(scale, "png")),
        restorer=_restorer(settings.restorer, models),
        scale=scale,
        qualities=settings.chosen_qualities() or QUALITIES,
        max_pixels=settings.max_pixels,
        version=__version__,
    )


def _restorer(name: str | None, models: Models) -> LoadedRestorer | None:
    if name is None:
        name = default_restorer(models.registry)
    return None if name in (None, NO_RESTORER) else models.load_restorer(name)
