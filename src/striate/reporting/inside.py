"""What was seen inside the network: filters, feature maps, and its most confident mistakes.

Comes in: Evidence from the room that looks.  Goes out: sections of the page.  The arrays and facts
each piece carries are named here where they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.records import Evidence
from striate.reporting.evidence import shown
from striate.reporting.html import Html, el, join
from striate.reporting.pictures import Photos, levels, of_data, photo, picture, reduced
from striate.reporting.wording import count, counted, number, percent, size

MOST_FILTERS = 64
LARGEST_MAP = 96  # maps with a longer side are drawn reduced


def filters_section(evidence: Evidence) -> Html:
    """``weights`` (drawn, channels, kh, kw) of the first convolution.

    Facts: ``drawn`` (their numbers), ``total``, ``left_out`` filters and the ``limit`` above which
    they are.
    """
    if "weights" not in evidence.arrays:
        return shown(evidence, lambda: el("div"), "")
    weights = np.asarray(evidence.arrays["weights"], np.float64)
    facts = evidence.facts
    _, channels, tall, wide = weights.shape
    norms = np.sqrt((weights**2).sum(axis=(1, 2, 3)))
    order = np.argsort(-norms, kind="stable")[:MOST_FILTERS]
    most = float(np.abs(weights[order]).max(initial=0.0))

    def draw() -> Html:
        tile = 44 if max(tall, wide) <= 5 else 60
        return el("div.wall", *(_filter(index, tile) for index in order))

    def _filter(index: int, tile: int) -> Html:
        words = f"filter {facts['drawn'][index]}, norm {number(float(norms[index]))}"
        return picture(_filter_pixels(weights[index], most), words, width=tile, title=words)

    colours = (
        "Red, green and blue are the weights on those channels."
        if channels == 3
        else f"Drawn is the mean over {channels} input channels."
        if channels > 1
        else "Bright weights look for light, dark ones for dark."
    )
    some = f"{len(order)} of " if len(order) < int(facts["total"]) else ""
    left_out = int(facts["left_out"])
    aside = (
        f" {counted(left_out, 'filter is', 'filters are')} left out, being more than "
        f"{percent(float(facts['limit']), 0)} the random weights they started with."
        if left_out
        else ""
    )
    caption = (
        f"{some}{counted(int(facts['total']), 'filter')} of {size((tall, wide))} pixels, strongest "
        f"first. {colours} Middle grey is 0; full scale is ±{number(most)} for all.{aside}"
    )
    return shown(evidence, draw, caption, block=facts.get("path"))


def _filter_pixels(weights: NDArray[np.float64], most: float) -> NDArray[np.uint8]:
    """(channels, kh, kw) as grey, or as colour where there are three channels."""
    if len(weights) == 3:
        return np.ascontiguousarray(np.moveaxis(levels(weights, most, signed=True), 0, -1))
    return levels(weights.mean(axis=0), most, signed=True)


def maps_section(evidence: Sequence[Evidence], photos: Photos) -> Html:
    """One piece for each stage: ``maps`` (drawn, h, w), and the ``image`` (C, H, W) they are of.

    Facts: ``index``, ``split``, ``label``, ``predicted``, ``confidence`` of the image and why it
    was ``chosen``; ``path``, ``channels`` (all of them), ``drawn`` (their numbers), ``silent``
    (channels that are 0 everywhere), ``left_out`` and the ``limit`` above which they are.
    """
    parts: list[Html | None] = []
    for piece in evidence:
        if "image" in piece.arrays and not parts:
            parts.append(_looked_at(piece, photos))
        parts.append(_stage(piece, photos))
    return join(parts)


def _looked_at(piece: Evidence, photos: Photos) -> Html:
    facts = piece.facts
    pixels = photo(piece.arrays["image"], photos.pixel_range)
    words = (
        f"Image {facts['index']} of the {facts['split']} split: {facts['label']}, called "
        f"{facts['predicted']} with {percent(float(facts['confidence']))}. {facts['chosen']}"
    )
    return el(
        "figure.looked-at",
        of_data(pixels, photos, f"test image {facts['index']}", width=112),
        el("figcaption", words),
    )


def _stage(piece: Evidence, photos: Photos) -> Html:
    if "maps" not in piece.arrays:
        return shown(piece, lambda: el("div"), "")
    maps = np.asarray(piece.arrays["maps"], np.float64)
    facts = piece.facts
    signed = bool((maps < 0).any())
    most = float(np.abs(maps).max(initial=0.0))

    def draw() -> Html:
        return el(
            "div.wall",
            *(
                of_data(
                    reduced(levels(plane, most, signed=signed), LARGEST_MAP),
                    photos,
                    f"{facts['path']}, channel {channel}",
                    width=72,
                    title=f"channel {channel}: at most {number(float(np.abs(plane).max()))}",
                )
                for channel, plane in zip(facts["drawn"], maps, strict=True)
            ),
        )

    several = counted(int(facts["channels"]), "channel")
    caption = [
        f"{len(maps)} of {several}, {size(maps.shape[1:])} values each.",
        "Drawn are those that vary most over this image.",
        f"{'Middle grey' if signed else 'Black'} is 0, white is {number(most)}.",
    ]
    if max(maps.shape[1:]) > LARGEST_MAP:
        caption.append(f"They are drawn reduced to {LARGEST_MAP} pixels.")
    if left_out := int(facts["left_out"]):
        caption.append(
            f"{counted(left_out, 'channel is', 'channels are')} left out, more than "
            f"{percent(float(facts['limit']), 0)} of which was drawn before training already."
        )
    if silent := int(facts["silent"]):
        caption.append(f"{counted(silent, 'channel is', 'channels are')} 0 everywhere.")
    return join(
        [el("h3", piece.title), shown(piece, draw, " ".join(caption), block=str(facts["path"]))]
    )


def errors_section(evidence: Evidence, classes: Sequence[str], photos: Photos) -> Html:
    """``images`` (k, C, H, W) with ``indices``, ``labels``, ``predicted``, ``confidence``.

    ``confidence`` is what it gave the class it named, ``truth`` what it gave the right one.
    Facts: ``total`` mistakes, and ``paths`` of the files where there are any.
    """
    if "images" not in evidence.arrays:
        return shown(evidence, lambda: el("div"), "")
    arrays = evidence.arrays
    paths: Sequence[Any] = evidence.facts.get("paths", ())

    def draw() -> Html:
        return el(
            "ol.errors",
            *(_mistake(arrays, k, classes, photos, paths) for k in range(len(arrays["images"]))),
        )

    total = int(evidence.facts["total"])
    drawn = len(arrays["images"])
    caption = (
        f"All {counted(total, 'mistake')}, most confident first."
        if drawn == total
        else f"The {drawn} most confident of {count(total)} mistakes."
    )
    return shown(evidence, draw, caption)


def _mistake(
    arrays: Any,
    k: int,
    classes: Sequence[str],
    photos: Photos,
    paths: Sequence[Any],
) -> Html:
    true, said = classes[int(arrays["labels"][k])], classes[int(arrays["predicted"][k])]
    place = str(paths[k]) if k < len(paths) else f"image {int(arrays['indices'][k])}"
    return el(
        "li",
        of_data(
            photo(arrays["images"][k], photos.pixel_range),
            photos,
            f"{place}: a {true} taken for {said}",
            width=104,
            title=place,
        ),
        el("p", "said ", el("strong", said), f", {percent(float(arrays['confidence'][k]))}"),
        el("p", "is ", el("strong", true), f", {percent(float(arrays['truth'][k]))}"),
    )
