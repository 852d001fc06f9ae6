"""Operations on files of several frames, which are converted one by one."""

from __future__ import annotations

import re
from dataclasses import replace

from irncli.engine.ticks import Tick
from irncli.errors import ImageError, UsageError
from irncli.io.animation import Animation, FrameEncoder, holds_frames
from irncli.io.encoding import Format, spoken_name
from irncli.io.tag import Tag
from irncli.operations.models import Models
from irncli.operations.result import Encoded, Operation, Plan, Result, Source, with_tag
from irncli.wording import counted

__all__ = ["plan", "run"]

_UNKNOWN = "0" * 64
"""Hash in the tags of frames before that of all frames is known."""


def plan(operation: Operation, models: Models, source: Source, image_format: Format) -> Plan:
    """Plan an operation on an image, or on several frames.

    Raises:
        IrnError: the operation is not possible on this file.
    """
    if source.animation is not None:
        _check(operation, source.animation.count, image_format)
    planned = operation.plan(models, source, image_format)
    if source.animation is not None:
        (width, height), count = planned.hr_size, source.animation.count
        most = getattr(operation, "max_pixels", None)
        if most is not None and count * width * height > most:
            raise ImageError(
                f"the {count} restored frames would be {width}x{height} each, more than "
                f"--max-pixels {most}: raise it if you trust the file, or pick one with --frame N"
            )
    return planned


def _check(operation: Operation, count: int, image_format: Format) -> None:
    choose = f"pick one with --frame N (0 to {count - 1})"
    if not operation.one_by_one:
        raise UsageError(f"{counted(count, 'frame')}, expected one image: {choose}")
    if not holds_frames(image_format):
        raise UsageError(
            f"{counted(count, 'frame')} do not fit {spoken_name(image_format)}: write PNG or WebP, "
            f"such as -o x.png, or {choose}"
        )
    if getattr(operation, "bits", 8) > 8:
        raise UsageError(
            f"--bits 16 with {counted(count, 'frame')}: they have 8 bits per channel, leave out "
            f"--bits 16 or {choose}"
        )


def run(
    operation: Operation,
    models: Models,
    source: Source,
    planned: Plan,
    image_format: Format,
    quality: int,
    tick: Tick,
) -> Result:
    """Carry out an operation on an image, or on several frames; see `Operation.run`.

    The result has the scale that was used. Each frame is converted as an image of its own, with the
    same seed, so that what does not change between frames does not flicker. One frame is in memory
    at a time.
    """
    if source.animation is None:
        made = operation.run(models, source, planned, image_format, quality, tick)
        return replace(made, scale=planned.scale if made.scale is None else made.scale)
    count, animation = source.animation.count, source.animation
    encoder = FrameEncoder(image_format, quality, lossless=image_format in operation.lossless)
    results: list[Result] = []
    tags: list[Tag] = []
    for frame, milliseconds in zip(source.frames(), animation.milliseconds, strict=True):
        one = planned if frame.number == 0 else operation.plan(models, frame, image_format)
        made = operation.run(
            models, frame, one, image_format, quality, lambda done: tick(done / count)
        )
        encoder.add(made.image, milliseconds)
        tags += [] if made.tag is None else [made.tag(_UNKNOWN)]
        # Only the first image is kept, for the metadata.
        image = results[0].image if results else made.image
        results.append(replace(made, image=image, encode=_not_alone, tag=None, scale=planned.scale))
    return _together(results, tags, encoder, animation)


def _not_alone() -> Encoded:
    raise AssertionError("frames are encoded together")


def _together(
    results: list[Result], tags: list[Tag], encoder: FrameEncoder, animation: Animation
) -> Result:
    """Return the result of several frames."""
    first = results[0]
    warnings: list[str] = []
    packet = None
    if tags:
        tag = Tag.of_frames(tags)
        packet = with_tag(
            first.image.metadata,
            lambda content_sha256: replace(tag, content_sha256=content_sha256),
            warnings.append,
        )
    data = encoder.finish(animation.plays, packet)
    lost = tuple(dict.fromkeys((*encoder.lost, *warnings)))
    return replace(
        first,
        encode=lambda: Encoded(data, lost),
        warnings=_warnings(results),
        refined=_mean([result.refined for result in results], 3),
        guarded=_mean([result.guarded for result in results], 4),
    )


def _mean(found: list[dict[str, float] | None], digits: int) -> dict[str, float] | None:
    known = [each for each in found if each is not None]
    if not known:
        return None
    return {key: round(sum(one[key] for one in known) / len(known), digits) for key in known[0]}


def _warnings(results: list[Result]) -> tuple[str, ...]:
    """Return the warnings about all frames; those that differ in numbers only are given once."""
    found: dict[str, tuple[int, str, int]] = {}
    for number, result in enumerate(results):
        for text in result.warnings:
            kind = re.sub(r"\d+", "", text)
            first, said, times = found.get(kind, (number, text, 0))
            found[kind] = first, said, times + 1
    return tuple(
        text if _is_everywhere(results, text) else _said(number, text, times)
        for number, text, times in found.values()
    )


def _is_everywhere(results: list[Result], text: str) -> bool:
    return all(text in result.warnings for result in results)


def _said(number: int, text: str, times: int) -> str:
    others = f" (and {counted(times - 1, 'other')})" if times > 1 else ""
    return f"frame {number}{others}: {text}"
