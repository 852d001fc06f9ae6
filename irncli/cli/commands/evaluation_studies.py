"""The two studies of `irn eval`: rescaling (including colour), and compression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from irncli import __version__
from irncli.batch.plan import tile_side
from irncli.cli.commands.evaluation_options import NO_RESTORER
from irncli.cli.commands.evaluation_outputs import SavedImages
from irncli.engine.device import resolve_device
from irncli.errors import UsageError
from irncli.eval.compression import QUALITIES, Compression, CompressionMethods
from irncli.eval.methods import Trained, choose, warm_up
from irncli.eval.perceptual import PerceptualMetrics, parse_names
from irncli.eval.rescaling import MeasurementSettings, Rescaling
from irncli.eval.runner import Study
from irncli.eval.sets import ImageSet
from irncli.operations.codec_models import default_restorer, model_for
from irncli.operations.models import LoadedRestorer, Models

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.cli.commands.evaluation_options import EvalOptions

__all__ = ["study_of"]


def study_of(settings: EvalOptions, console: Console, sets: Sequence[ImageSet]) -> Study:
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
        methods = _compression_methods(settings, models)
        return lambda images: [Compression(methods)]  # noqa: ARG005
    return _rescaling(settings, models, console, sets)


def _rescaling(
    settings: EvalOptions, models: Models, console: Console, sets: Sequence[ImageSet]
) -> Study:
    methods = choose(
        settings.model or [],
        settings.filters(),
        settings.whole_scale(),
        models,
        guarded=settings.guard == "on",
    )
    perceptual = _perceptual_metrics(settings, console)
    saved = None
    if settings.save is not None:
        saved = SavedImages(settings.save, sets, methods, settings.overwrite)
    how = MeasurementSettings(
        seeds=settings.seeds or 1,
        temperature=settings.temperature,
        max_pixels=settings.max_pixels,
        version=__version__,
    )
    for method in methods:
        warm_up(method)

    def study(images: ImageSet) -> list[Rescaling]:
        return [
            Rescaling(
                method,
                how,
                metrics=perceptual.for_set() if perceptual else None,
                keep=saved.keeper(images, method) if saved else None,
            )
            for method in methods
        ]

    return study


def _perceptual_metrics(settings: EvalOptions, console: Console) -> PerceptualMetrics | None:
    """Return the perceptual metrics, and print one warning for all that are missing."""
    if settings.perceptual is None:
        return None
    perceptual = PerceptualMetrics(
        parse_names(settings.perceptual), resolve_device(settings.device)
    )
    if perceptual.notes:
        reasons = "; ".join(dict.fromkeys(perceptual.notes.values()))
        console.say(f"irn: warning: not measured: {', '.join(perceptual.notes)}: {reasons}")
    return perceptual


def _compression_methods(settings: EvalOptions, models: Models) -> CompressionMethods:
    names = settings.model or []
    if len(names) > 1:
        raise UsageError("--task compress measures one model: give --model once")

    def trained(name: str) -> Trained:
        model = models.load(name)
        return Trained(model.name, model)

    given = trained(names[0]) if names else None
    scale = settings.whole_scale() or (given.scale if given else 2)
    without = settings.effort or (scale > 2 and settings.restorer is None)
    restorer = None if without else _restorer(settings.restorer, models)
    effort = settings.effort
    if effort is None:
        effort = 0 if restorer else 1
    jpeg = given or trained(model_for(scale, "jpeg"))
    if scale > jpeg.scale:
        raise UsageError(
            f"--scale {scale}: {jpeg.name} has scale {jpeg.scale}, expected at most that"
        )
    return CompressionMethods(
        jpeg=jpeg,
        png=trained(model_for(scale, "png")),
        restorer=restorer,
        scale=scale,
        effort=effort,
        qualities=settings.chosen_qualities() or QUALITIES,
        max_pixels=settings.max_pixels,
        version=__version__,
    )


def _restorer(name: str | None, models: Models) -> LoadedRestorer | None:
    if name is None:
        name = default_restorer(models.registry)
    return None if name in (None, NO_RESTORER) else models.load_restorer(name)
