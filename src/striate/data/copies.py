"""Copies of one image: exact and near, within a split and across, in one class and in two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.hashing import Signature
from striate.data.near import ALIKE, DISTANCE, Near, find_near
from striate.data.options import Indices, Words
from striate.data.strings import Strings
from striate.records.description import Alike, Copies, Leaking, Place

_MEMBERS = 8
"""Of a set of copies, as many are named at most; of the first splits and classes one each first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """All usable samples of a data set (N,): what they hold, and where they are.

    ``splits``: indices into ``split_names``.  ``labels``: into ``classes``.
    """

    contents: Words
    hashes: Words
    levels: Signature
    even: NDArray[np.bool_]
    splits: Indices
    labels: Indices
    paths: Strings
    split_names: Sequence[str]
    classes: Sequence[str]


def find_copies(samples: Samples, *, named: int, near: bool = True) -> Copies:
    """All copies, counted; ``named`` of exact and as many of near ones are named.

    ``near``: whether those that look alike are looked for too.
    """
    _, first, group = np.unique(samples.contents, return_index=True, return_inverse=True)
    in_split = _table(group, samples.splits, len(first), len(samples.split_names))
    # A set's least and greatest class: a table of sets by classes would not be of bounded size.
    least = np.full(len(first), len(samples.classes))
    greatest = np.full(len(first), -1)
    np.minimum.at(least, group, samples.labels)
    np.maximum.at(greatest, group, samples.labels)
    visible = np.flatnonzero(~samples.even[first]) if near else first[:0]
    alike = find_near(samples.hashes[first[visible]], samples.levels[first[visible]])
    pairs = visible[alike.pairs]
    exact = np.flatnonzero(np.bincount(group, minlength=len(first)) > 1)
    sets = _Sets(samples, group, in_split > 0, least, greatest)
    said = [
        *(sets.exact(int(one), int(in_split[one].max()) > 1) for one in sets.first(exact, named)),
        *(sets.near(pair, bits) for pair, bits in sets.first_pairs(pairs, alike, named)),
    ]
    conflicting = least < greatest
    near_conflicts = sets.torn(pairs) & ~conflicting[pairs].any(axis=1)
    return Copies(
        duplicates=int(np.maximum(in_split - 1, 0).sum()),
        near=int(((in_split[pairs[:, 0]] > 0) & (in_split[pairs[:, 1]] > 0)).any(axis=1).sum()),
        leaks=_leaks(samples, group, in_split > 0, pairs),
        conflicts=int(conflicting.sum()),
        near_conflicts=int(near_conflicts.sum()),
        distance=DISTANCE if near else None,
        correlation=ALIKE,
        complete=alike.complete,
        named=tuple(said),
    )


def _table(rows: Indices, columns: Indices, height: int, width: int) -> NDArray[np.int64]:
    """(height, width) how often each pair of ``rows`` and ``columns`` occurs."""
    flat = np.bincount(rows * width + columns, minlength=height * width)
    return flat.reshape(height, width)


def _some(across: NDArray[np.bool_], torn: NDArray[np.bool_], number: int) -> Indices:
    """The first ``number`` of those ``across`` splits, of those ``torn`` between classes and of
    those that are neither; no one twice.
    """
    kinds = (across, torn, ~across & ~torn)
    chosen = [np.flatnonzero(kind)[:number] for kind in kinds]
    return np.array(list(dict.fromkeys(np.concatenate(chosen).tolist())), dtype=np.int64)


def _leaks(
    samples: Samples, group: Indices, in_split: NDArray[np.bool_], pairs: Indices
) -> tuple[Leaking, ...]:
    """Images of each later split that an earlier one holds too, or something like them."""
    found: list[Leaking] = []
    for of in range(1, len(samples.split_names)):
        members = group[samples.splits == of]
        for within in range(of):
            exact = in_split[:, within]
            near = np.zeros_like(exact)
            near[pairs[exact[pairs[:, 1]], 0]] = True
            near[pairs[exact[pairs[:, 0]], 1]] = True
            number, alike = int(exact[members].sum()), int((near & ~exact)[members].sum())
            if number or alike:
                found.append(
                    Leaking(
                        of=samples.split_names[of],
                        within=samples.split_names[within],
                        exact=number,
                        near=alike,
                        images=len(members),
                    )
                )
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Sets:
    """Names sets of copies.

    ``in_split`` (G, S): where each set is found.  ``least``, ``greatest`` (G,): its classes.
    """

    samples: Samples
    group: Indices
    in_split: NDArray[np.bool_]
    least: Indices
    greatest: Indices

    def torn(self, sets: Indices) -> NDArray[np.bool_]:
        """Which of ``sets`` (n, k), k taken together, have two classes."""
        return self.least[sets].min(axis=1) < self.greatest[sets].max(axis=1)

    def first(self, sets: Indices, number: int) -> list[int]:
        """The sets to name: ``number`` in two splits, in two classes, and in neither."""
        across = self.in_split[sets].sum(axis=1) > 1
        return sets[_some(across, self.torn(sets[:, None]), number)].tolist()

    def first_pairs(
        self, pairs: Indices, near: Near, number: int
    ) -> list[tuple[tuple[int, int], int]]:
        """Pairs to name, the most alike of each kind, with their bits."""
        most = np.argsort(near.bits, kind="stable")
        across = (self.in_split[pairs[most, 0]] | self.in_split[pairs[most, 1]]).sum(axis=1) > 1
        chosen = most[_some(across, self.torn(pairs[most]), number)]
        return [((int(pairs[i, 0]), int(pairs[i, 1])), int(near.bits[i])) for i in chosen]

    def exact(self, one: int, duplicate: bool) -> Alike:
        return Alike(
            kind="exact",
            images=self._places(self._some(one, _MEMBERS)),
            bits=0,
            leak=int(self.in_split[one].sum()) > 1,
            conflict=bool(self.least[one] < self.greatest[one]),
            duplicate=duplicate,
        )

    def near(self, pair: tuple[int, int], bits: int) -> Alike:
        one, two = pair
        splits = self.in_split[one], self.in_split[two]
        return Alike(
            kind="near",
            images=self._places([*self._some(one, _MEMBERS // 2), *self._some(two, _MEMBERS // 2)]),
            bits=bits,
            leak=int((splits[0] | splits[1]).sum()) > 1,
            conflict=bool(self.torn(np.array([pair]))[0]),
            duplicate=bool((splits[0] & splits[1]).any()),
        )

    def _some(self, one: int, most: int) -> list[int]:
        """Of every split one first, then of every class: a leak and a conflict show their sides."""
        members = np.flatnonzero(self.group == one)
        firsts = [
            np.unique(side[members], return_index=True)[1]
            for side in (self.samples.splits, self.samples.labels)
        ]
        ranked = np.concatenate([*firsts, np.arange(len(members))]).tolist()
        return members[list(dict.fromkeys(ranked))[:most]].tolist()

    def _places(self, members: list[int]) -> tuple[Place, ...]:
        """Where they are, in the order of splits and paths."""
        samples = self.samples
        return tuple(
            Place(
                path=samples.paths[i],
                split=samples.split_names[int(samples.splits[i])],
                label=samples.classes[int(samples.labels[i])],
            )
            for i in sorted(members)
        )
