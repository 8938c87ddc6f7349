"""Opening a set of shards as a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from striate.data.dataset import Dataset, SourceSizes
from striate.data.form import Form
from striate.data.images.decode import choose_decoder
from striate.data.options import DataOptions
from striate.data.room import disk_room
from striate.data.shards.fetching import Place, cached, fetch, is_remote
from striate.data.shards.index import INDEX, Index, Shard, read_facts, read_index
from striate.data.shards.order import WINDOW, Chunked
from striate.data.shards.store import ShardStore
from striate.data.split import Split
from striate.data.statistics import mean_and_deviation
from striate.data.strings import Strings
from striate.errors import DataError


def is_shards(spec: str) -> bool:
    """Whether ``spec`` is a folder with an index of shards, or a place that one is fetched from."""
    return is_remote(spec) or (Path(spec).expanduser() / INDEX).is_file()


def open_shards(spec: str, options: DataOptions) -> Dataset:
    """The data set whose shards ``spec`` names.

    Splits, size and fit are those that were chosen when it was written; DataError where another is
    asked for, or where a chunk is missing.  Chunks of a remote set are fetched when they are
    needed, and up to ``disk_bytes`` of them stay.
    """
    place, index = _remote(spec, options) if is_remote(spec) else _local(spec)
    form = replace(index.form, decoder=choose_decoder(options.decoder))
    _refuse(place.name, form, options)
    if place.url is None:
        for name, shard in index.splits.items():
            for chunk in shard.chunks:
                place.path(f"{name}/{chunk.file}", chunk.bytes)
    mean, std = mean_and_deviation(index.counts, form.scale)
    fill = tuple(round(m * form.scale) for m in mean)
    least, median, greatest = ((int(h), int(w)) for h, w in index.sizes.tolist())
    splits = {name: _split(name, index, place, form, fill) for name in ("train", "val", "test")}
    chunks = sum(len(shard.chunks) for shard in index.splits.values())
    notes = [*index.notes, _read_from(index, place, chunks)]
    if len(splits["train"]) > WINDOW:
        notes.append(
            f"Training images are shuffled within windows of chunks of {WINDOW} images or more, "
            "the chunks over the whole epoch."
        )
    return Dataset(
        name=index.name,
        classes=index.classes,
        image=form.image,
        train=splits["train"],
        val=splits["val"],
        test=splits["test"],
        mean=tuple(mean),
        std=tuple(deviation or 1.0 for deviation in std),
        scale=form.scale,
        fit=form.fit,
        decoder=form.decoder,
        notes=tuple(notes),
        sizes=SourceSizes(least=least, median=median, greatest=greatest),
        counts=index.counts,
        cached=False,
    )


def _read_from(index: Index, place: Place, chunks: int) -> str:
    held = "images as their files came" if index.holds == "bytes" else "decoded pixels"
    said = f"Read from {chunks} shards of {held}"
    if place.url is not None:
        said += (
            f", fetched by litdata when they are needed into {place.folder}, at most "
            f"{place.most_bytes} bytes of them"
        )
    return f"{said}; splits, size and fit are those they were written with."


def _local(spec: str) -> tuple[Place, Index]:
    folder = Path(spec).expanduser()
    facts = read_facts(folder / INDEX, str(folder))
    index = read_index(facts, folder / f"striate-{facts.get('arrays')}.npz", str(folder))
    return Place(url=None, folder=folder, most_bytes=0), index


def _remote(spec: str, options: DataOptions) -> tuple[Place, Index]:
    url = spec.rstrip("/")
    with TemporaryDirectory() as fresh:  # whatever was there before may have been written anew
        fetch(f"{url}/{INDEX}", Path(fresh) / INDEX)
        facts = read_facts(Path(fresh) / INDEX, url)
    folder = cached(url, str(facts.get("arrays")))
    arrays = folder / f"striate-{facts.get('arrays')}.npz"
    fetch(f"{url}/{arrays.name}", arrays)
    try:
        index = read_index(facts, arrays, url)
    except DataError:
        arrays.unlink(missing_ok=True)
        raise
    most = disk_room(folder) if options.disk_bytes is None else options.disk_bytes
    return Place(url=url, folder=folder, most_bytes=most), index


def _refuse(name: str, form: Form, options: DataOptions) -> None:
    """DataError for what was decided when the shards were written."""
    written = "x".join(map(str, form.image))
    if (options.side or form.image[1:]) != form.image[1:] or (
        options.channels or form.image[0]
    ) != form.image[0]:
        asked = "x".join(map(str, options.image or ()))
        raise DataError(
            f"{name}: its shards were written for images of {written}, not {asked}; leave --image "
            "out, or write them anew with it"
        )
    if options.group is not None or options.share != 1 or options.fold is not None:
        raise DataError(
            f"{name}: its splits were made when the shards were written; leave --group, --folds "
            "and shares out, or write them anew"
        )


def _split(name: str, index: Index, place: Place, form: Form, fill: tuple[int, ...]) -> Split:
    shard = index.splits.get(name) or Shard(
        ids=np.zeros(0, dtype=np.uint64),
        labels=np.zeros(0, dtype=np.int64),
        places=np.zeros(0, dtype=np.int64),
        names=Strings.of([]),
        chunks=(),
    )
    counts = np.array([chunk.images for chunk in shard.chunks], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    chunk_of = (np.searchsorted(starts, shard.places, side="right") - 1).astype(np.int32)
    return Split(
        name=name,
        ids=shard.ids,
        labels=shard.labels,
        store=ShardStore(
            place=place,
            split=name,
            chunks=shard.chunks,
            starts=starts,
            places=shard.places,
            form=form,
            holds=index.holds,
        ),
        names=shard.names,
        image=form.image,
        fill=fill,
        scale=form.scale,
        chunked=Chunked.of(shard.ids, chunk_of, len(counts)) if len(shard.ids) else None,
    )
