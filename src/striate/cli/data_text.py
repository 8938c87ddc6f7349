"""A described data set for people: tables and sentences of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.markup import escape as escape_markup

from striate.cli.console import Talk, plain_table
from striate.records.description import Alike, DataDescription, Leaking
from striate.records.wording import by, end_out, many, plain

_CLASSES = 12
"""As many classes are shown whole; of more, the commonest and rarest."""
_NAME = 28


def escape(text: str) -> str:
    """Text of the data's own, such as a path, as it can be printed."""
    return escape_markup(plain(text))


def show_description(talk: Talk, found: DataDescription) -> None:
    """The whole description, the faults last."""
    talk.tell(
        f"[key]Data[/]  {escape(found.name)} · {many(found.images, 'image')} · "
        f"{many(len(found.classes), 'class', 'classes')}",
        hang=2,
    )
    _show_counts(talk, found)
    for line in _forms(found):
        talk.tell(line, indent=2, hang=2)
    for note in found.notes:
        talk.tell(f"[dim]{escape(note)}[/]", indent=2, hang=2)
    if found.odd:
        talk.say()
        talk.say("[key]Odd, and used[/]")
        for odd in found.odd:
            talk.tell(f"{escape(odd.outcome)}: {odd.count:,}", indent=2, hang=2)
            _name(talk, odd.paths, odd.count)
    talk.say()
    _show_faults(talk, found)


def _show_counts(talk: Talk, found: DataDescription) -> None:
    table = plain_table(
        ("  class", "left"),
        *((split.name, "right") for split in found.splits),
        ("of train", "right"),
    )
    train = max(found.splits[0].images, 1)

    def row(number: int) -> None:
        counts = [f"{split.per_class[number]:,}" for split in found.splits]
        share = f"{found.per_class[number] / train:.1%}"
        name = escape(end_out(found.classes[number], _NAME))
        table.add_row(f"  {name}", *counts, share)

    shown = list(range(len(found.classes)))
    if len(shown) > _CLASSES:
        shown = sorted(shown, key=lambda number: (-found.per_class[number], number))
        half = _CLASSES // 2
        for number in shown[:half]:
            row(number)
        table.add_row(f"  … {len(shown) - 2 * half:,} more", *("" for _ in found.splits), "")
        shown = shown[-half:]
    for number in shown:
        row(number)
    table.add_row("  [key]all[/]", *(f"[key]{split.images:,}[/]" for split in found.splits), "")
    talk.say(table)


def _forms(found: DataDescription) -> Iterator[str]:
    """Balance, formats, sizes, pixels."""
    rarest, commonest = found.classes[found.rarest], found.classes[found.commonest]
    counts = found.per_class[found.rarest], found.per_class[found.commonest]
    if found.imbalance is None:
        yield f"class {escape(rarest)} has no training image"
    elif counts[0] == counts[1]:
        yield f"balanced: {counts[0]:,} training images of every class"
    else:
        yield (
            f"commonest class {escape(commonest)} ({counts[1]:,}), rarest {escape(rarest)} "
            f"({counts[0]:,}): {found.imbalance:.3g} to 1"
        )
    if not found.images:
        return
    kinds = " · ".join(f"{name} {count:,}" for name, count in found.formats.items())
    names = {1: "gray", 3: "colour"}
    channels = ", ".join(
        f"{names.get(number, f'{number} channels')} {count:,}"
        for number, count in found.channels.items()
    )
    depths = ", ".join(f"{bits} bits {count:,}" for bits, count in found.depths.items())
    yield f"{kinds} · {channels} · {depths}"
    if found.sizes is not None:
        sizes = found.sizes
        if sizes.different == 1:
            yield f"all of {by(sizes.least)} pixels"
        else:
            common = ", ".join(f"{by(size[:2])} {size[2]:,}" for size in sizes.common[:3])
            yield (
                f"{by(sizes.least)} to {by(sizes.greatest)} pixels, median {by(sizes.median)}, "
                f"{sizes.different:,} sizes (most: {common})"
            )
    if found.pixels is not None:
        pixels = found.pixels
        mean, std = (" ".join(f"{v:.3f}" for v in row) for row in (pixels.mean, pixels.std))
        yield (
            f"train at {by(pixels.image)}: values {pixels.least} to {pixels.greatest} of "
            f"{pixels.scale:g}, mean {mean}, deviation {std}"
        )


def _show_faults(talk: Talk, found: DataDescription) -> None:
    faults = found.faults()
    if found.refused is not None:
        talk.tell(f"[bad]refused[/]  fit would stop: {escape(found.refused)}", hang=2)
    if found.bad_images:
        talk.tell(
            f"[bad]bad[/]  {many(found.bad_images, 'image')} cannot be used; fit stops at the "
            "first, or leaves them out with --bad-images skip",
            hang=2,
        )
        for one in found.bad:
            talk.tell(f"{escape(one.path)} {escape(one.why)}", indent=2, hang=2)
        _rest(talk, len(found.bad), found.bad_images)
    _show_leaks(talk, found)
    copies, named = found.copies, found.copies.named
    if copies.conflicts or copies.near_conflicts:
        count = copies.conflicts + copies.near_conflicts
        near = f", {copies.near_conflicts:,} of them by looks" if copies.near_conflicts else ""
        talk.tell(
            f"[bad]conflict[/]  {many(count, 'image')} with two classes{near}: one of the labels "
            "is wrong",
            hang=2,
        )
        _show_alike(talk, [one for one in named if one.conflict], labels=True)
    if copies.duplicates or copies.near:
        talk.tell(
            f"[bad]duplicate[/]  {many(copies.duplicates, 'image')} within a split repeated to "
            f"the byte, {many(copies.near, 'pair')} that look alike",
            hang=2,
        )
        within = [one for one in named if one.duplicate and not one.leak and not one.conflict]
        _show_alike(talk, within, labels=False)
    if faults["blank"]:
        talk.tell(f"[bad]blank[/]  {many(faults['blank'], 'image')} of one even colour", hang=2)
    if not any(faults.values()):
        talk.tell("[good]nothing wrong was found[/]")
    if copies.distance is None:
        talk.tell("[dim]only exact copies were looked for[/]")
    elif copies.near or copies.near_conflicts or any(leak.near for leak in copies.leaks):
        talk.tell(
            f"[dim]Alike: perceptual hashes at most {copies.distance} of 64 bits apart and 16×16 "
            f"gray levels that correlate by {copies.correlation} or more. Simple drawings may be "
            "so by chance: look at them.[/]",
            hang=2,
        )
    if not copies.complete:
        talk.tell(
            "[bad]too many alike[/]  the search for images that look alike was stopped: there "
            "are more than are counted here",
            hang=2,
        )


def _show_leaks(talk: Talk, found: DataDescription) -> None:
    for leak in found.copies.leaks:
        talk.tell(f"[bad]leak[/]  {_leak(leak)}", hang=2)
    leaking = [one for one in found.copies.named if one.leak]
    _show_alike(talk, leaking, labels=False)
    if found.group_leaks:
        talk.tell(
            f"[bad]leak[/]  {many(found.group_leaks, 'group')} with files in two splits as given",
            hang=2,
        )
        for group in found.groups:
            sides = ", ".join(f"{name} ({path})" for name, path in group.example.items())
            talk.tell(f"{escape(group.key)}: {escape(sides)}", indent=2, hang=2)
        _rest(talk, len(found.groups), found.group_leaks)


def _leak(leak: Leaking) -> str:
    share = (leak.exact + leak.near) / leak.images
    return (
        f"{leak.exact + leak.near:,} of {many(leak.images, f'{leak.of} image')} ({share:.1%}) "
        f"have a copy in {leak.within}: {leak.exact:,} to the byte, {leak.near:,} by looks"
    )


def _show_alike(talk: Talk, sets: Sequence[Alike], *, labels: bool) -> None:
    for one in sets:
        how = "the same bytes" if one.kind == "exact" else f"{one.bits} of 64 bits apart"
        said = " = ".join(
            f"{place.split}: {place.path}" + (f" ({place.label})" if labels else "")
            for place in one.images
        )
        talk.tell(f"{escape(said)} [dim]{how}[/]", indent=2, hang=2)


def _name(talk: Talk, paths: Sequence[str], count: int) -> None:
    if paths:
        more = f", … {count - len(paths):,} more" if count > len(paths) else ""
        talk.tell(f"[dim]{escape(', '.join(paths))}{more}[/]", indent=4, hang=2)


def _rest(talk: Talk, named: int, count: int) -> None:
    if count > named:
        talk.tell(f"[dim]… {count - named:,} more (--verbose names 100)[/]", indent=2)
