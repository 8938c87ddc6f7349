"""What it was trained on, and how it was made: the end of the page.

Comes in: DataFacts and RunFacts.  Goes out: sections of the page.
"""

from __future__ import annotations

from statistics import median

from striate.reporting.html import Child, Html, el, join
from striate.reporting.inputs import DataFacts, RunFacts
from striate.reporting.pictures import Photos, photo, picture
from striate.reporting.tables import definitions, table
from striate.reporting.wording import count, counted, number, size, span

MOST_CLASSES = 60


def data_section(data: DataFacts, photos: Photos) -> Html:
    """Counts, sizes, examples and the rules that were applied."""
    channels, height, width = data.image
    pairs: list[tuple[str, Child]] = [
        ("images", ", ".join(f"{count(n)} {split}" for split, n in data.counts.items())),
        ("classes", count(len(data.classes))),
        ("size", f"{size((height, width))}, {counted(channels, 'channel')}"),
    ]
    if data.sizes:
        pairs.append(("files", data.sizes))
    low, high = data.pixel_range
    pairs.append(("pixel values", f"{number(low)} to {number(high)}"))
    if data.mean:
        pairs.append(("mean", ", ".join(f"{value:.4f}" for value in data.mean)))
        pairs.append(("deviation", ", ".join(f"{value:.4f}" for value in data.std)))
    notes = el("ul.notes", *(el("li", note) for note in data.notes)) if data.notes else None
    return join([_examples(data, photos), definitions(pairs), notes, _classes(data)])


def _examples(data: DataFacts, photos: Photos) -> Html | None:
    if not len(data.examples) or not photos.embed:
        return None
    return el(
        "figure",
        el(
            "ol.examples",
            *(
                el(
                    "li",
                    picture(
                        photo(pixels, data.pixel_range, largest=96),
                        f"training image: {data.classes[label]}",
                        width=72,
                    ),
                    el("p", data.classes[label]),
                )
                for pixels, label in zip(data.examples, data.example_labels, strict=True)
            ),
        ),
        el("figcaption", "Training images, as the network is given them."),
    )


def _classes(data: DataFacts) -> Html | None:
    if not data.class_counts:
        return None
    splits = list(data.class_counts)
    totals = list(data.class_counts[splits[0]])
    words = (
        f"The {splits[0]} split has {count(min(totals))} to {count(max(totals))} images of a class "
        f"(median {number(float(median(totals)))})."
    )
    shown = range(min(len(data.classes), MOST_CLASSES))
    rest = len(data.classes) - len(shown)
    listed = table(
        ["class", *splits],
        [
            [data.classes[index], *(count(data.class_counts[split][index]) for split in splits)]
            for index in shown
        ],
        label="Images of each class",
        numeric=range(1, 1 + len(splits)),
    )
    more = el("p.small", f"and {counted(rest, 'more class', 'more classes')}") if rest else None
    return join(
        [el("p", words), el("details", el("summary", "Images of each class"), listed, more)]
    )


def made_section(run: RunFacts) -> Html:
    """The command, the machine, the versions and the run's own files."""
    pairs: list[tuple[str, Child]] = [
        ("run", run.name),
        ("network", run.arch),
        ("setting", run.setting),
        ("training time", span(run.seconds)),
        ("date", run.date),
    ]
    if run.seed is not None:
        pairs.append(("seed", str(run.seed)))
    if run.hardware:
        pairs.append(("machine", run.hardware))
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    if versions:
        pairs.append(("versions", versions))
    if run.weights:
        source, *said = run.weights
        told = el("ul.notes", *(el("li", f"{one[0].upper()}{one[1:]}.") for one in said))
        pairs.append(("first weights", join([source, told])))
    return join(
        [
            _code(run.command, "Command"),
            definitions(pairs),
            *(
                el("details", el("summary", name), _code(text, name))
                for name, text in run.texts.items()
            ),
        ]
    )


def _code(text: str, label: str) -> Html:
    return el("pre", el("code", text), attrs={"tabindex": 0, "role": "region", "aria-label": label})
