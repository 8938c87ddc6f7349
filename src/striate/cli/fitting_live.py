"""The lines that move while a network is trained: how far it is, and its curves so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from striate.records import EpochRecord, StepRecord

BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-~=+*#"
_MOST = 256


class Curve:
    """A curve of any length, kept as means of ever longer stretches: 256 numbers at most."""

    def __init__(self) -> None:
        self._means: list[float] = []
        self._stretch = 1
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """The next value."""
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._stretch:
            return
        self._means.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self._means) == _MOST:
            self._means = [(a + b) / 2 for a, b in list(pairwise(self._means))[::2]]
            self._stretch *= 2

    @property
    def values(self) -> list[float]:
        """The means, in order; one of the last stretch too."""
        last = [self._sum / self._count] if self._count else []
        return [*self._means, *last]


def sparkline(values: Sequence[float], cells: int, *, blocks: str = BLOCKS) -> str:
    """``values`` in at most so many characters, from their least to their greatest.

    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)
    '▁▂▃▄▅▆▇█'
    >>> sparkline([3, 3], 8), sparkline([0, 0, 7, 7], 2)
    ('▁▁', '▁█')
    """
    count = min(cells, len(values))
    if count == 0:
        return ""
    edges = [round(at * len(values) / count) for at in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(blocks) - 1) / (high - low) if high > low else 0.0
    return "".join(blocks[round((mean - low) * scale)] for mean in means)


class Curves:
    """Loss and accuracy of the batches and accuracy on the validation split, as one line."""

    def __init__(self) -> None:
        self._loss, self._accuracy, self._val = Curve(), Curve(), Curve()
        self._smooth: tuple[float, float] | None = None
        self._last: float | None = None

    def step(self, record: StepRecord) -> None:
        """One more step."""
        self._loss.add(record.loss)
        self._accuracy.add(record.accuracy)
        old = self._smooth or (record.loss, record.accuracy)
        self._smooth = 0.9 * old[0] + 0.1 * record.loss, 0.9 * old[1] + 0.1 * record.accuracy

    def epoch(self, record: EpochRecord) -> None:
        """One more epoch."""
        if record.val_accuracy is not None:
            self._val.add(record.val_accuracy)
            self._last = record.val_accuracy

    def line(self, width: int, *, blocks: str = BLOCKS) -> str:
        """The line in ``width`` columns; empty before step 1."""
        if self._smooth is None:
            return ""
        parts = [
            (f"loss {self._smooth[0]:.3f}", self._loss),
            (f"acc {self._smooth[1]:.1%}", self._accuracy),
        ]
        if self._last is not None:
            parts.append((f"val {self._last:.1%}", self._val))
        taken = sum(len(told) + 3 for told, _ in parts)
        cells = min(24, (width - taken) // len(parts))
        drawn = (
            f"{told} {sparkline(curve.values, cells, blocks=blocks)}" if cells > 1 else told
            for told, curve in parts
        )
        return "  ".join(drawn)[:width]


class TrainingBar(Progress):
    """A bar for the whole training, and the curves under it."""

    def __init__(self, curves: Curves, console: Console, *, redirect_stdout: bool) -> None:
        self._curves, self._where = curves, console  # super() asks for the lines already
        super().__init__(
            TextColumn("{task.fields[text]}"),
            BarColumn(bar_width=None),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            transient=True,
            expand=True,
            redirect_stdout=redirect_stdout,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, then the curves."""
        yield from super().get_renderables()
        blocks = BLOCKS if self._where.encoding.lower().startswith("utf") else _ASCII
        line = self._curves.line(self._where.width, blocks=blocks)
        if line:
            yield Text(line, style="dim", no_wrap=True, overflow="crop")
