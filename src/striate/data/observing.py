"""Everything a description needs of every image, in one or two passes and bounded memory.

Kept of an image are some 300 bytes, whatever its size: digests, hash, levels, size; three times
that while copies are looked for.  Images are decoded on all cores, a bounded number at a time.  Bad
images are left out and said, and splits, form and figures are then what ``open_data`` makes of the
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.encoded import decode_rows
from striate.data.fitting import fit_image
from striate.data.form import Form
from striate.data.hashing import LEVELS, SIDE, Signature, signatures, thumbnail
from striate.data.identity import array_digest, digest
from striate.data.images.bad import BadImage
from striate.data.images.decode import JpegDecoder, decode
from striate.data.images.header import TRAITS
from striate.data.looking import Look, look
from striate.data.opening_arrays import array_digests, fitted
from striate.data.options import DataOptions, Indices, Pixels, Words
from striate.data.parallel import Progress, in_parallel
from striate.data.sizing import Census, choose_form
from striate.data.sources.listing import Decoded, Encoded, Listing, PartName
from striate.data.splitting import Selection, split_up
from striate.data.statistics import count_values, images_at_once
from striate.errors import DataError

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WebP", "PPM", "array")
_BEGINNINGS = (
    (b"\xff\xd8", "JPEG"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"), (b"BM", "BMP"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"RIFF", "WebP"), (b"P", "PPM"),
)  # fmt: skip
_AT_ONCE = 1024
"""Images that are worked on at a time at most; each has a thumbnail of 4 KiB meanwhile."""

Bad = dict[tuple[PartName, int], str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What is known of every row of one part; the entries of bad rows mean nothing.

    ``contents`` (N,): digests of the bytes (for arrays, of type, shape and values) alone, without
    the class.  ``hashes`` (N,), ``levels`` (N, 256), ``even`` (N,): as ``hashing.signatures``.
    ``formats`` (N,): indices into ``FORMATS``.
    """

    digests: Words
    contents: Words
    hashes: Words
    levels: Signature
    even: NDArray[np.bool_]
    formats: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    channels: NDArray[np.uint8]
    depths: NDArray[np.uint8]
    traits: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """All parts, and what ``open_data`` would make of them.

    ``kept``: rows that can be used.  ``selections``: None where it would refuse, and ``refused``
    says why.  ``image``, ``counts``: the form and the training split's values at it; None where
    there is nothing to measure.
    """

    listing: Listing
    parts: Mapping[PartName, Seen]
    kept: Mapping[PartName, Indices]
    bad: Bad
    selections: Mapping[PartName, Selection] | None
    refused: str | None
    image: tuple[int, int, int] | None
    scale: float
    counts: NDArray[np.int64] | None
    census: Census | None
    notes: tuple[str, ...]


def _blank(count: int) -> Seen:
    return Seen(
        digests=np.zeros(count, np.uint64),
        contents=np.zeros(count, np.uint64),
        hashes=np.zeros(count, np.uint64),
        levels=np.zeros((count, LEVELS * LEVELS), np.int8),
        even=np.zeros(count, np.bool_),
        formats=np.zeros(count, np.uint8),
        sizes=np.ones((count, 2), np.int64),
        channels=np.ones(count, np.uint8),
        depths=np.full(count, 8, np.uint8),
        traits=np.zeros((count, len(TRAITS)), np.bool_),
    )


def observe_files(
    listing: Listing, options: DataOptions, decoder: JpegDecoder, progress: Progress
) -> Observed:
    """A listing whose parts are all ``Encoded``: read once for headers, once to be decoded."""
    contents: dict[PartName, Encoded] = {}
    parts: dict[PartName, Seen] = {}
    bad: Bad = {}
    for name, part in listing.parts.items():
        assert not isinstance(part.content, Decoded)
        contents[name] = part.content
        seen = look(part.content, part.labels, listing.classes, progress)
        parts[name] = _from_look(seen)
        bad |= {(name, row): why for row, why in seen.bad.items()}
    plan = _plan(listing, parts, bad, decoder, options)
    counts = None if plan.form is None else _no_counts(plan.form)
    before = len(bad)
    for name, content in contents.items():
        failed = _decode(content, parts[name], plan, name, decoder, counts, progress)
        bad |= {(name, row): why for row, why in failed.items()}
    if len(bad) > before:
        # The splits and the form are those of the images that can be decoded: measured anew.
        plan = _plan(listing, parts, bad, decoder, options)
        counts = None if plan.form is None else _no_counts(plan.form)
        if counts is not None and plan.form is not None:
            _count(contents["train"], plan.train, plan.form, counts)
    return Observed(
        listing=listing,
        parts=parts,
        kept=plan.kept,
        bad=bad,
        selections=plan.selections,
        refused=plan.refused,
        image=None if plan.form is None else plan.form.image,
        scale=255.0 if plan.form is None else plan.form.scale,
        counts=counts,
        census=plan.census,
        notes=plan.notes,
    )


def observe_arrays(listing: Listing, options: DataOptions, progress: Progress) -> Observed:
    """A listing whose parts are all ``Decoded``."""
    parts: dict[PartName, Seen] = {}
    for name, part in listing.parts.items():
        assert isinstance(part.content, Decoded)
        parts[name] = _from_array(listing, name, part.content, progress)
    kept: dict[PartName, Indices] = {
        name: np.arange(len(part.labels)) for name, part in listing.parts.items()
    }
    selections, refused, notes = _selections(listing, parts, kept, options)
    content = listing.parts["train"].content
    assert isinstance(content, Decoded)
    came = content.pixels.shape
    height, width = options.side or came[2:]
    image = (options.channels or int(came[1]), int(height), int(width))
    if came[1] != image[0] and came[1] not in (1, 3):
        raise DataError(
            f"{listing.name} has {came[1]} channels, which cannot become {image[0]}; "
            "leave the channels out of the image size"
        )
    rows = kept["train"] if selections is None else selections["train"].rows
    counts = np.zeros((image[0], int(np.iinfo(content.pixels.dtype).max) + 1), np.int64)
    step = images_at_once(image)
    for start in range(0, len(rows), step):
        counts += count_values(fitted(content.pixels, rows[start : start + step], image, options))
    return Observed(
        listing=listing,
        parts=parts,
        kept=kept,
        bad={},
        selections=selections,
        refused=refused,
        image=image,
        scale=content.scale,
        counts=counts,
        census=None,
        notes=notes,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """``train``: rows of the training split, in no promised order."""

    kept: Mapping[PartName, Indices]
    selections: Mapping[PartName, Selection] | None
    refused: str | None
    census: Census | None
    form: Form | None
    train: Indices
    notes: tuple[str, ...]


def _plan(
    listing: Listing,
    parts: Mapping[PartName, Seen],
    bad: Bad,
    decoder: JpegDecoder,
    options: DataOptions,
) -> _Plan:
    kept: dict[PartName, Indices] = {
        name: np.array([row for row in range(len(part.labels)) if (name, row) not in bad], np.int64)
        for name, part in listing.parts.items()
    }
    selections, refused, notes = _selections(listing, parts, kept, options)
    train = kept["train"] if selections is None else selections["train"].rows
    census = form = None
    if len(train):
        census = Census(
            sizes=np.concatenate([parts[name].sizes[rows] for name, rows in kept.items()]),
            train_sizes=parts["train"].sizes[train],
            colour=np.concatenate([parts[name].channels[rows] == 3 for name, rows in kept.items()]),
            deep=np.concatenate([parts[name].depths[rows] == 16 for name, rows in kept.items()]),
            traits=np.concatenate([parts[name].traits[rows] for name, rows in kept.items()]),
        )
        form = choose_form(census, decoder, options)
    return _Plan(
        kept=kept,
        selections=selections,
        refused=refused,
        census=census,
        form=form,
        train=train,
        notes=notes,
    )


def _selections(
    listing: Listing,
    parts: Mapping[PartName, Seen],
    kept: Mapping[PartName, Indices],
    options: DataOptions,
) -> tuple[Mapping[PartName, Selection] | None, str | None, tuple[str, ...]]:
    """The splits as ``open_data`` makes them, or why it would not."""
    words: dict[PartName, Words] = {name: seen.digests for name, seen in parts.items()}
    try:
        selections, notes = split_up(listing, kept, words, options)
    except DataError as error:
        return None, str(error), ()
    return selections, None, notes


def _from_look(found: Look) -> Seen:
    seen = _blank(len(found.digests))
    seen.digests[:], seen.sizes[:], seen.traits[:] = found.digests, found.sizes, found.traits
    seen.channels[:] = np.where(found.colour, 3, 1)
    seen.depths[:] = np.where(found.deep, 16, 8)
    return seen


def _from_array(listing: Listing, name: PartName, content: Decoded, progress: Progress) -> Seen:
    pixels = content.pixels
    seen = _blank(len(pixels))
    seen.digests[:] = array_digests(listing, name, content)
    seen.formats[:] = FORMATS.index("array")
    seen.sizes[:] = pixels.shape[2:]
    seen.channels[:] = pixels.shape[1]
    seen.depths[:] = 8 * pixels.dtype.itemsize

    def one(row: int) -> tuple[int, NDArray[np.float32]]:
        return array_digest(pixels[row], ""), thumbnail(pixels[row], content.scale)

    for start in range(0, len(pixels), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(pixels)))
        found = list(in_parallel(one, rows.tolist(), lambda n: progress.add(2 * n)))
        _sign(seen, rows, np.stack([small for _, small in found]))
        seen.contents[rows] = np.array([word for word, _ in found], np.uint64)
    return seen


def _sign(seen: Seen, rows: Indices, thumbnails: NDArray[np.float32]) -> None:
    seen.hashes[rows], seen.levels[rows], seen.even[rows] = signatures(thumbnails)


def _no_counts(form: Form) -> NDArray[np.int64]:
    return np.zeros((form.image[0], int(form.scale) + 1), dtype=np.int64)


def _decode(
    content: Encoded,
    seen: Seen,
    plan: _Plan,
    name: PartName,
    decoder: JpegDecoder,
    counts: NDArray[np.int64] | None,
    progress: Progress,
) -> dict[int, str]:
    """Decode the kept rows of one part: sign them, and count the training split's values.

    Returns why some could not be, by row.
    """
    counted = np.zeros(len(seen.digests), np.bool_)
    own = plan.selections is None or plan.selections["train"].part == name
    if own and name == "train":
        counted[plan.train] = True
    form = plan.form
    failed: dict[int, str] = {}
    step = min(_AT_ONCE, images_at_once(form.image)) if form is not None else _AT_ONCE
    for start in range(0, len(plan.kept[name]), step):
        rows = plan.kept[name][start : start + step]
        small = np.zeros((len(rows), SIDE, SIDE), np.float32)
        held: Pixels | None = None
        if form is not None and counted[rows].any():
            held = np.empty((len(rows), *form.image), dtype=form.dtype)
        one = _worker(content, seen, rows, small, form, held, counted, decoder)
        reasons = list(in_parallel(one, range(len(rows)), progress.add))
        good = np.array([why is None for why in reasons], np.bool_)
        failed |= {int(row): why for row, why in zip(rows, reasons, strict=True) if why is not None}
        if good.any():
            _sign(seen, rows[good], small[good])
        if held is not None and counts is not None:
            counts += count_values(held[good & counted[rows]])
    return failed


def _worker(
    content: Encoded,
    seen: Seen,
    rows: Indices,
    small: NDArray[np.float32],
    form: Form | None,
    held: Pixels | None,
    counted: NDArray[np.bool_],
    decoder: JpegDecoder,
) -> Callable[[int], str | None]:
    """Work on ``rows[i]``: its digest, format, thumbnail and, where it counts, its pixels."""

    def one(i: int) -> str | None:
        row = int(rows[i])
        try:
            data = content.read(row)
            pixels = decode(data, decoder)
        except BadImage as bad:
            return str(bad)
        seen.contents[row] = digest(data, "")
        seen.formats[row] = _format(data)
        small[i] = thumbnail(pixels, float(np.iinfo(pixels.dtype).max))
        if held is not None and form is not None and counted[row]:
            held[i] = fit_image(form.converted(pixels), form.image[1:], form.fit)
        return None

    return one


def _count(content: Encoded, rows: Indices, form: Form, counts: NDArray[np.int64]) -> None:
    """Count the values of ``rows``, all of which were decoded before."""
    step = min(_AT_ONCE, images_at_once(form.image))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        held: Pixels = np.empty((len(some), *form.image), dtype=form.dtype)

        def take(i: int, original: Pixels, held: Pixels = held) -> None:
            held[i] = form.fitted(original)

        failed = decode_rows(content, some, form, take, lambda _: None)
        if failed:
            row, why = next(iter(failed.items()))
            raise DataError(
                f"{content.place(row)} {why}, and could be read a moment ago; describe the data "
                "again when nothing writes to them"
            )
        counts += count_values(held)


def _format(data: bytes) -> int:
    name = next((name for start, name in _BEGINNINGS if data.startswith(start)), "PPM")
    return FORMATS.index(name)
