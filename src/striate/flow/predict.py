"""``striate predict``: what a run says of image files."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from striate.data import files_below
from striate.data.parallel import in_parallel
from striate.deploying import Confidence, Predictor
from striate.errors import ImageError, InputError
from striate.flow.confidence import confidence_of, tta_of
from striate.flow.load import load
from striate.flow.network import users_errors
from striate.flow.settings import device_name
from striate.records import BadImage, Prediction

BATCH = 64
"""Images decoded, and shown to the network, at a time."""
STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """``top``: how many classes of each image.  ``device``: as in ``fit``."""

    top: int = 1
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One image: its name, and where its content is."""

    name: str
    content: Path | bytes


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the words of a command line name; ``passed_over``: files that are no images."""

    images: tuple[Source, ...]
    passed_over: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Before the first image: the run is open."""

    run: Path
    classes: tuple[str, ...]
    confidence: Confidence
    images: int
    passed_over: tuple[Path, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What was said of some images, in their order."""

    results: tuple[Prediction | BadImage, ...]


def predict(
    run: Path | str, *images: Path | str, top: int = 1, device: str = "auto"
) -> list[Prediction]:
    """What the run says of ``images``: files, folders or patterns.

    ``ImageError`` for the first that cannot be read.

    >>> striate.predict("runs/photos", "cat.jpg")  # doctest: +SKIP
    [Prediction(image='cat.jpg', classes=('cat',), confidences=(0.97,), unlike=())]
    """
    found: list[Prediction] = []
    words = [str(image) for image in images]
    for event in predict_events(run, words, PredictOptions(top=top, device=device)):
        for result in event.results if isinstance(event, Batch) else ():
            if isinstance(result, BadImage):
                raise ImageError(result.reason)
            found.append(result)
    return found


def predict_events(
    run: Path | str, images: Sequence[str], options: PredictOptions = PredictOptions()
) -> Iterator[Ready | Batch]:
    """One ``Ready``, then every image's result, in order, batch by batch.

    A file that cannot be read is a result like the others: ``BadImage``.
    """
    device = device_name(options.device)
    sources = gather(images)
    loaded = load(run)
    classes = loaded.preprocessing.classes
    if not 1 <= options.top <= len(classes):
        raise InputError(
            f"--top {options.top}: the run knows {len(classes)} classes; use 1 to that"
        )
    measured = confidence_of(loaded, device=device)
    yield Ready(
        run=loaded.path,
        classes=classes,
        confidence=measured.confidence,
        images=len(sources.images),
        passed_over=sources.passed_over,
        said=(*loaded.notices, *measured.said),
    )
    predictor = Predictor(
        loaded.module,
        loaded.preprocessing,
        measured.confidence,
        device=device,
        tta=tta_of(loaded),
    )

    def read(source: Source) -> Tensor | BadImage:
        try:
            return loaded.preprocessing.read(source.content, where=source.name)
        except ImageError as error:
            return BadImage(image=source.name, reason=str(error))

    for start in range(0, len(sources.images), BATCH):
        some = sources.images[start : start + BATCH]
        inputs = list(in_parallel(lambda i, some=some: read(some[i]), range(len(some)), _ignore))
        good = [
            (one, s.name) for one, s in zip(inputs, some, strict=True) if isinstance(one, Tensor)
        ]
        said: list[Prediction] = []
        if good:
            with users_errors(loaded.info.network):
                stacked = torch.cat([one for one, _ in good])
                said = predictor(stacked, [name for _, name in good], top=options.top)
        left = iter(said)
        yield Batch(
            results=tuple(one if isinstance(one, BadImage) else next(left) for one in inputs)
        )


def gather(words: Sequence[str]) -> Sources:
    """The images that ``words`` name, in their order.

    A word is a file, a folder (its images at any depth, by name), a pattern (``*``, ``?``, ``[``;
    ``**`` for any depth), or ``-`` for standard input: one image's content, or, where that is text,
    paths, one a line.  InputError for a pattern or a folder without images.  A file that does not
    exist is a bad image, told with the others.
    """
    images: list[Source] = []
    passed: list[Path] = []
    if not words:
        raise InputError("no image was named; name a file, a folder, a pattern, or - for stdin")
    for word in words:
        if not word:
            raise InputError("an empty word names no image; name a file, a folder or a pattern")
        if word == STDIN:
            images += _standard_input()
        elif Path(word).is_dir():
            found, others = files_below(Path(word))
            if not found:
                raise InputError(f"{word}: holds no images; name another folder")
            images += [Source(name=str(path), content=path) for path in found]
            passed += others
        elif not Path(word).exists() and glob.has_magic(word):
            matched = sorted(map(Path, glob.glob(word, recursive=True)))  # noqa: PTH207  of any root
            files = [path for path in matched if path.is_file()]
            if not files:
                raise InputError(f"{word}: no file matches; check the pattern")
            images += [Source(name=str(path), content=path) for path in files]
        else:
            images.append(Source(name=word, content=Path(word)))
    return Sources(images=tuple(images), passed_over=tuple(passed))


def _standard_input() -> list[Source]:
    content = sys.stdin.buffer.read()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return [Source(name=STDIN, content=content)]
    if "\0" in text:  # no path holds one, and images do
        return [Source(name=STDIN, content=content)]
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("-: standard input is empty; pipe an image, or paths, one a line")
    return [Source(name=line, content=Path(line)) for line in lines]


def _ignore(_done: int) -> None:
    """Progress is told by batches."""
