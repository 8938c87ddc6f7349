"""A procedural RGB set whose ground truth is known: edges, corners, textures, objects.

Every picture is a pure function of (seed, number): one object of a random place, size, tilt and
colours on a shaded, noisy background.  Edges, corners and textures fill a disc, so their outline
tells nothing; ``house`` and ``funnel`` are the same two parts, a triangle on a square and a
square on a triangle, so that only their arrangement tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices, Pixels
from striate.data.sources.listing import Decoded, Listing, Part
from striate.data.split import Truth
from striate.data.strings import Strings
from striate.errors import DataError
from striate.keyed import bits, uniform

Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]

COUNT = 3000
SIDE = 32
LEAST_SIDE = 16


def _disc(u: Plane, v: Plane) -> Mask:
    return u * u + v * v <= 1


def _square(u: Plane, v: Plane) -> Mask:
    return np.maximum(np.abs(u), np.abs(v)) <= 1


def _triangle(u: Plane, v: Plane) -> Mask:
    """Its tip is up (v = −1) and its foot at v = 1."""
    return (np.abs(v) <= 1) & (2 * np.abs(u) <= v + 1)


Drawing = tuple[Mask, Mask]
"""What the object covers, and which of that has its second colour."""


def _checkers(u: Plane, v: Plane) -> Drawing:
    return _disc(u, v), (np.floor(3 * u) + np.floor(3 * v)) % 2 == 0


def _corner(u: Plane, v: Plane) -> Drawing:
    return _disc(u, v), (u > 0) & (v > 0)


def _cross(u: Plane, v: Plane) -> Drawing:
    bars = (np.minimum(np.abs(u), np.abs(v)) < 0.3) & _square(u, v)
    return bars, np.zeros_like(bars)


def _dots(u: Plane, v: Plane) -> Drawing:
    across, down = (2 * u) % 1 - 0.5, (2 * v) % 1 - 0.5
    return _disc(u, v), across * across + down * down < 0.09


def _edge_horizontal(u: Plane, v: Plane) -> Drawing:
    return _disc(u, v), np.broadcast_to(v > 0, u.shape)


def _edge_vertical(u: Plane, v: Plane) -> Drawing:
    return _disc(u, v), np.broadcast_to(u > 0, v.shape)


def _funnel(u: Plane, v: Plane) -> Drawing:
    return _house(u, v, turn=-1)


def _house(u: Plane, v: Plane, turn: int = 1) -> Drawing:
    roof = _triangle(u, 2 * turn * v + 1) & (turn * v < 0)
    wall = _square(u / 0.7, 2 * turn * v - 1) & (turn * v >= 0)
    return roof | wall, roof


def _ring(u: Plane, v: Plane) -> Drawing:
    band = _disc(u, v) & ~_disc(u / 0.6, v / 0.6)
    return band, np.zeros_like(band)


def _stripes(u: Plane, v: Plane) -> Drawing:
    return _disc(u, v), np.floor(4 * (u + v)) % 2 == 0


# From local coordinates: u to the right, v down, the object within the unit disc or square.
_DRAW: dict[str, Callable[[Plane, Plane], Drawing]] = {
    "checkers": _checkers,
    "corner": _corner,
    "cross": _cross,
    "dots": _dots,
    "edge-horizontal": _edge_horizontal,
    "edge-vertical": _edge_vertical,
    "funnel": _funnel,
    "house": _house,
    "ring": _ring,
    "stripes": _stripes,
}
CLASSES = tuple(_DRAW)


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """The drawer: ``image`` (C, H, W), ``seed``."""

    image: tuple[int, int, int]
    seed: int

    def draw(self, number: int) -> tuple[Pixels, Mask]:
        """Picture ``number``: pixels (C, H, W) uint8 and the object's mask (H, W)."""
        channels, height, width = self.image
        cover, second = self._object(number)
        # Three luminances in a random arrangement: object and background always differ.
        levels = np.array([0.2, 0.5, 0.8])[
            np.argsort(uniform(self.seed, "shapes.level", number, np.arange(3)))
        ]
        tints = 0.14 * uniform(self.seed, "shapes.tint", number, np.arange(9)).reshape(3, 3) - 0.07
        if channels == 1:
            tints = np.repeat(tints.mean(axis=1, keepdims=True), 3, axis=1)
        ground, first, other = (levels[:, None] + tints)[:, :channels, None, None]
        slope = 0.1 * uniform(self.seed, "shapes.slope", number, np.arange(2)) - 0.05
        rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
        shade = slope[0] * rows + slope[1] * columns
        noise = uniform(self.seed, "shapes.noise", number, np.arange(channels * height * width))
        picture = ground * (1 - cover) + first * (cover - second) + other * second
        picture = picture + shade + 0.06 * (noise.reshape(self.image) - 0.5)
        # 0.2 − 0.07 − 0.05 − 0.05 − 0.03 is 0, and so on the other side: nothing is clipped.
        pixels = np.floor(255 * picture + 0.5).astype(np.uint8)
        return pixels, cover >= 0.5

    def _object(self, number: int) -> tuple[Plane, Plane]:
        """Share of each pixel (H, W) that the object covers, and that its second colour does."""
        _, height, width = self.image
        draws = uniform(self.seed, "shapes.place", number, np.arange(4)).tolist()
        radius = min(height, width) * (0.22 + 0.12 * draws[0])
        tilt = 0.35 * (draws[1] - 0.5)
        # A tilted unit square reaches 1.42 radii from its centre.
        reach = 1.2 * radius
        top = reach + draws[2] * (height - 2 * reach)
        left = reach + draws[3] * (width - 2 * reach)
        # Three by three points within every pixel.
        y = ((np.arange(3 * height) + 0.5) / 3 - top)[:, None] / radius
        x = ((np.arange(3 * width) + 0.5) / 3 - left)[None, :] / radius
        u, v = x * np.cos(tilt) + y * np.sin(tilt), y * np.cos(tilt) - x * np.sin(tilt)
        cover, second = _DRAW[CLASSES[number % len(CLASSES)]](u, v)
        return _shares(cover, height, width), _shares(cover & second, height, width)

    def truth(self, indices: Indices) -> Truth:
        """Boxes and masks of the pictures with these numbers."""
        masks = np.stack([self.draw(number)[1] for number in indices.tolist()])
        boxes = [_box(mask) for mask in masks]
        return Truth(boxes=np.array(boxes, dtype=np.int64), masks=masks)


def _shares(points: Mask, height: int, width: int) -> Plane:
    return points.reshape(height, 3, width, 3).mean(axis=(1, 3))


def _box(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def list_shapes(image: tuple[int, int, int], *, count: int, seed: int, most_bytes: int) -> Listing:
    """``count`` pictures, the classes in turn.  A sample's digest is its (seed, number)."""
    if min(image[1:]) < LEAST_SIDE:
        raise DataError(
            f"shapes cannot be told apart at {image[1]}x{image[2]}; "
            f"use sides of {LEAST_SIDE} or more"
        )
    size = count * image[0] * image[1] * image[2]
    if size > most_bytes:
        raise DataError(
            f"{count} shapes at {image[1]}x{image[2]} need {size} bytes and the cache has "
            f"{most_bytes}; use fewer, smaller ones or a larger cache"
        )
    shapes = Shapes(image=image, seed=seed)
    pixels = np.stack([shapes.draw(number)[0] for number in range(count)])
    numbers = np.arange(count)
    labels = numbers % len(CLASSES)
    paths = Strings.of(f"{CLASSES[number % len(CLASSES)]}/{number:06}" for number in range(count))
    content = Decoded(
        pixels=pixels, scale=255.0, words=bits(seed, "shapes.id", numbers), drawn=shapes
    )
    return Listing(
        name="shapes",
        classes=CLASSES,
        parts={"train": Part(labels=labels, paths=paths, content=content)},
        notes=(f"shapes: drawn from seed {seed}; where each object is, is known.",),
    )
