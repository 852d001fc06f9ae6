"""The operation of `irn compress`, which encodes a small image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from irncli.compression.jpeg_coder import GROWTH, MAX_EFFORT, round_cost, rounds_of
from irncli.compression.pipeline import Compressor
from irncli.compression.plain import Plain, plain_jpeg
from irncli.compression.search import MAX_PROBES
from irncli.compression.target import Target
from irncli.engine.alpha import bleed
from irncli.engine.metrics import ssim
from irncli.engine.refine import STEP_COST
from irncli.engine.ticks import Tick
from irncli.errors import UsageError
from irncli.geometry import lr_size
from irncli.io.encoding import CODECS, Format, fitted, holds_profile, spoken_name
from irncli.io.image_file import decode
from irncli.operations.codec_models import default_restorer, model_for
from irncli.operations.coded import Coded, MissedTargetError, sizes
from irncli.operations.forward import tag_of
from irncli.operations.models import LoadedModel, LoadedRestorer, Models
from irncli.operations.network_files import NetworkFiles, Trial, best_trial
from irncli.operations.plain_files import PlainFiles, described, rejected, tagged_original
from irncli.operations.result import (
    Encoded,
    Operation,
    Plan,
    Result,
    Source,
    check_scale,
    with_tag,
)

__all__ = ["AUTO_SCALES", "Compress", "Target"]

AUTO_SCALES: Final = (2, 4)
"""Scales that `--scale auto` chooses from."""

Network = tuple[float, LoadedModel]
"""A scale, and the model for it."""


@dataclass(frozen=True, kw_only=True)
class Compress(Operation):
    """The operation that makes an image small and encodes the result.

    Attributes:
        scale: HR size over LR size; `auto`: the one of AUTO_SCALES that meets the target best,
            without a restorer; images with alpha are made small by the first of them.
        model: model, or the name of one; None: chosen by scale and codec.
        target: quality, size or PSNR to aim for.
        auto: write a plain file that meets the same target if that is better, and the original if
            it is a JPEG and everything else would be larger; None: yes if there is a
            report and the codec is lossy.
        report: restore the image and compare it with a plain file; required by `auto`.
        refine: number of refinement steps, 0 to 1000.
        effort: 0: the coefficients of a JPEG are those of LR; 1 to 9: they are chosen for the
            restored image, in `effort` - 1 rounds, and no restorer is used; None: 1 for a JPEG
            that is not refined and has no restorer.
    """

    formats = CODECS
    default_format = "jpeg"
    default_quality = 70
    one_by_one = False

    scale: float | Literal["auto"] = 2
    model: str | LoadedModel | None = None
    target: Target = field(default_factory=Target)
    auto: bool | None = None
    report: bool = True
    refine: int = 0
    effort: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.scale, str) and self.scale != "auto":
            raise UsageError(f"--scale {self.scale}: expected a number such as 2, or auto")
        if self.scale != "auto":
            check_scale(self.scale)
        elif self.model is not None:
            raise UsageError(
                "--model with --scale auto: each scale has its own model, give a scale such as 2"
            )
        if self.effort is not None and not 0 <= self.effort <= MAX_EFFORT:
            raise UsageError(f"--effort {self.effort}: expected 0 to {MAX_EFFORT}")
        if self.effort and self.refine:
            raise UsageError(
                "--refine with --effort: both optimise the file, give --effort alone for a JPEG"
            )
        if self.auto and not self.report:
            raise UsageError(
                "--auto with --no-report: --auto needs the report, leave out --no-report"
            )

    def check(self, image_format: Format) -> None:
        """See Operation."""
        if self.target.searched and image_format == "png":
            raise UsageError(
                f"{self.target.searched[0]} with PNG: PNG has no quality, choose a lossy codec"
            )
        if self.effort and image_format != "jpeg":
            raise UsageError(f"--effort with {image_format.upper()}: it is for JPEG only")
        for option, given in {"--auto": self.auto, "--scale auto": self.scale == "auto"}.items():
            if given and image_format == "png":
                raise UsageError(f"{option} with PNG: it is lossless, expected a lossy codec")

    def effort_for(self, image_format: Format) -> int:
        """Return the effort for a file of a format."""
        if image_format != "jpeg" or self.refine:
            return 0
        return 1 if self.effort is None else self.effort

    def chooses(self, image_format: Format) -> bool:
        """Tell whether a plain file of the codec is written where that is better."""
        possible = image_format != "png" and self.report
        return possible if self.auto is None else self.auto

    def identity(self) -> list[str]:
        """See Operation."""
        fields = (
            self.scale, self.named, self.target, self.auto, self.report, self.refine, self.effort,
        )  # fmt: skip
        return [repr(field) for field in fields]

    @property
    def scales(self) -> tuple[float, ...]:
        """Scales that are tried."""
        return AUTO_SCALES if self.scale == "auto" else (self.scale,)

    def model_name(self, models: Models, image_format: Format) -> str | None:  # noqa: ARG002
        """See Operation."""
        if self.scale == "auto":
            return None
        return self.named or model_for(self.scale, image_format)

    def weights(self, models: Models, image_format: Format) -> str | None:
        """See Operation."""
        if self.scale != "auto":
            return super().weights(models, image_format)
        names = (model_for(scale, image_format) for scale in AUTO_SCALES)
        return " ".join(str(models.recorded_sha256(name)) for name in names)

    def plan(self, models: Models, source: Source, image_format: Format) -> Plan:
        """See Operation. For `auto`, the scale of the plan is the first that will be tried."""
        self.check(image_format)
        size = source.image.size
        networks = self._networks(models, source, image_format)
        scale, model = networks[0]
        rounds, trials = rounds_of(self.effort_for(image_format)), len(networks)
        report = int(self.report) if trials == 1 else trials + int(rounds > 0)
        return Plan(
            model=model, scale=scale,
            hr_size=size, lr_size=lr_size(size, scale), undecided=trials > 1,
            downs=trials + STEP_COST * self.refine + round_cost(model.rescaler) * rounds,
            ups=MAX_PROBES * trials if self.target.psnr is not None else report,
        )  # fmt: skip

    def run(
        self, models: Models, source: Source, plan: Plan, image_format: Format, quality: int,
        tick: Tick,
    ) -> Result:  # fmt: skip
        """See Operation. The quality comes from the target, so `quality` is ignored."""
        del quality, plan
        networks = self._networks(models, source, image_format)
        restorer = self._restorer(models, image_format)
        return _Compression(self, source, networks, restorer, image_format, tick).run()

    def _networks(self, models: Models, source: Source, image_format: Format) -> list[Network]:
        def load(scale: float) -> LoadedModel:
            return models.load(self.model or model_for(scale, image_format))

        # What a smaller alpha plane loses would not count in the choice.
        scales = self.scales if source.image.alpha is None else self.scales[:1]
        return [(scale, load(scale)) for scale in scales]

    def _restorer(self, models: Models, image_format: Format) -> LoadedRestorer | None:
        if image_format != "jpeg" or self.model is not None or self.effort or self.scales[-1] > 2:
            return None
        name = default_restorer(models.registry)
        return None if name is None else models.load_restorer(name)


class _Compression:
    """The compression of one image.

    Args:
        settings: the operation with its settings.
        source: the image.
        networks: models that may make the image small, from the smallest scale to the largest.
        restorer: module that undoes the losses of the codec; None if there is no such module.
        codec: format of the output file.
        tick: called with the share of the work that was just done.
    """

    def __init__(
        self,
        settings: Compress,
        source: Source,
        networks: list[Network],
        restorer: LoadedRestorer | None,
        codec: Format,
        tick: Tick,
    ) -> None:
        self.settings, self.networks, self.tick = settings, networks, tick
        self.restorer, self.codec = restorer, codec
        # A restorer was trained for the usual files.
        self.effort = 0 if restorer else settings.effort_for(codec)
        self.source, self.bytes_in = source, len(source.file.data)
        self.warnings: list[str] = []
        given = source.image
        self.fields: dict[str, Any] = {"gray": given.gray}
        icc = given.metadata.icc
        if not holds_profile(given, codec):
            # The profile is stored in the tag instead, as for a decoloured image.
            self.fields["icc"] = icc
            given = replace(given, metadata=replace(given.metadata, icc=None))
        image, lost = fitted(given, codec)
        self.warnings += lost
        # Invisible colours are replaced by those around them, and are not measured.
        self.image = replace(image, pixels=bleed(image.pixels, image.alpha))
        self.fields["neutral"] = self.image.neutral and not image.gray
        if restorer:
            self.fields["restorer"] = restorer.name
            self.fields["restorer_sha256"] = restorer.weights_sha256
        self.plain = PlainFiles(self.image, codec, icc, self._warn_once, self.effort)

    def _warn_once(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def run(self) -> Result:
        """Compress the image, or write a plain file or the original where that is better."""
        chooses = self._compares() and self.settings.chooses(self.codec)
        missed = None
        try:
            network = self._by_network()
        except MissedTargetError as error:
            network, missed = None, error
        plain = self._plain(network) if chooses else None
        made = network
        if plain is not None and (network is None or self._is_better(plain, network)):
            made = self._with_plain(plain, network)
        keeps = chooses and self.codec == "jpeg"
        kept = self._with_original(made, network) if keeps else None
        if kept is not None:
            return kept
        if made is None:
            raise missed or AssertionError
        return replace(made, warnings=tuple(self.warnings))

    def _by_network(self) -> Result:
        """Make the image small, search for the quality, optimise the file, and report."""
        steps, rounds = self.settings.refine, rounds_of(self.effort)
        first = self.networks[0][1].rescaler
        work = len(self.networks) + STEP_COST * steps + round_cost(first) * rounds

        def small(done: float) -> None:
            self.tick(done / work)

        def rest(done: float) -> None:
            self.tick(done * (1 - len(self.networks) / work))

        candidates = [self._files(*network, small) for network in self.networks]
        trial = best_trial(candidates, self.settings.target, GROWTH if rounds else 1)
        files, coded, refined = trial.files, trial.coded, None
        if steps:
            refined = files.refine(coded.quality, steps, rest)
            coded = files.search(trial.target)
        elif rounds:
            coded = self._optimised(trial, rounds, rest)
        report, data = self._report(files, coded), coded.data
        return Result(
            image=files.low, encode=lambda: Encoded(data), model=files.model.name,
            lr_size=files.low.size, scale=files.scale, refined=refined, report=report,
        )  # fmt: skip

    def _optimised(self, trial: Trial, rounds: int, tick: Tick) -> Coded:
        """Return the file after some rounds, or the one before if that grew too large."""
        trial.files.improve(trial.coded.quality, rounds, tick)
        try:
            return trial.files.search(trial.target)
        except MissedTargetError:
            if trial.excess():
                raise
            return trial.coded

    def _files(self, scale: float, model: LoadedModel, tick: Tick) -> NetworkFiles:
        restorer = self.restorer.restorer if self.restorer else None
        compressor = Compressor(model.rescaler, self.codec, restorer, self.image.neutral)
        tag = tag_of(self.image, model, scale, **self.fields)
        packet = with_tag(self.image.metadata, tag, self._warn_once)
        return NetworkFiles(self.image, model, scale, compressor, packet, self.effort, tick)

    def _report(self, files: NetworkFiles, coded: Coded) -> dict[str, Any]:
        """Measure a file, and find the plain files of the same size."""
        image, size, codec = self.image, len(coded.data), self.codec
        report = self._sizes(codec, coded.quality, size)
        if not self.settings.report:
            return report
        coded = replace(coded, restored=files.restored(coded))
        report["psnr"] = round(files.psnr(coded), 3)
        report["ssim"] = round(ssim(files.restored(coded), image.pixels), 5)
        plain = self.plain.within(size) if self._compares() else None
        if codec != "png":
            name = "plain_jpeg" if codec == "jpeg" else "plain"
            report[name] = plain and described(plain, len(self.plain.file(plain)))
        if codec != "jpeg":
            # A JPEG cannot store transparency, so there is nothing to compare with.
            other = plain_jpeg(image.pixels, size) if image.alpha is None else None
            report["plain_jpeg"] = other and described(other, len(other.data))
        if plain is not None and plain.psnr > report["psnr"] and self.settings.auto is False:
            self.warnings.append(
                f"a plain {spoken_name(codec)} of the same size is the better image: choose a "
                "lower quality or size, where irn gains, or leave out --always-irn"
            )
        return report

    def _compares(self) -> bool:
        """Tell whether plain files of the codec can stand for the image.

        Lossy files do not keep gray exactly gray except as JPEG, and a plain one is not restored.
        """
        codec, image = self.codec, self.image
        kept = codec == "jpeg" or not image.neutral
        return codec != "png" and image.alpha is None and kept

    def _sizes(self, codec: str, quality: int | None, size: int) -> dict[str, Any]:
        return sizes(codec, quality, (self.bytes_in, size), self.image.size)

    def _plain(self, made: Result | None) -> Plain | None:
        """Return the best plain file that meets the target; None if none does.

        With a quality as target, its file is at most as large as that of the network.
        """
        target, (width, height) = self.settings.target, self.image.size
        if target.psnr is not None:
            return self.plain.reaching(target.psnr)
        limit = target.most_bytes(width * height)
        if limit is None:
            assert made is not None and made.report is not None  # noqa: S101, PT018
            limit = made.report["bytes_after"]
        return self.plain.within(limit)

    def _is_better(self, plain: Plain, made: Result) -> bool:
        """Tell whether a plain file meets the target at least as well: it needs no restoring."""
        assert made.report is not None  # noqa: S101
        if self.settings.target.psnr is not None:
            size: int = made.report["bytes_after"]
            return len(self.plain.file(plain)) <= size
        return plain.psnr >= float(made.report["psnr"])

    def _with_plain(self, plain: Plain, made: Result | None) -> Result:
        """Return a plain file as the result, with what the network would have made."""
        data, whole = self.plain.file(plain), self.plain.whole
        for text in self.plain.lost:
            self._warn_once(text)
        codec = self.codec
        report = self._sizes(f"plain {codec}", plain.quality, len(data))
        report["psnr"] = round(plain.psnr, 3)
        report["ssim"] = round(ssim(decode(plain.data).pixels, self.image.pixels), 5)
        report["plain_jpeg" if codec == "jpeg" else "plain"] = described(plain, len(data))
        report["irn"] = rejected(made)
        return Result(
            image=whole, encode=lambda: Encoded(data), model=None, lr_size=whole.size, scale=1,
            report=report,
        )  # fmt: skip

    def _with_original(self, made: Result | None, network: Result | None) -> Result | None:
        """Return the original as the result if it meets the target, and `made` is larger."""
        data, image = tagged_original(self.source), self.source.image
        most = self.settings.target.most_bytes(image.size[0] * image.size[1])
        if made is not None and made.report is not None:
            most = made.report["bytes_after"] - 1
        if data is None or (most is not None and len(data) > most):
            return None
        report = {**self._sizes("original", None, len(data)), "irn": rejected(network)}
        return Result(
            image=image, encode=lambda: Encoded(data), model=None, lr_size=image.size, scale=1,
            report=report,
        )  # fmt: skip
