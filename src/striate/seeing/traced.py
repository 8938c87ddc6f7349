"""What the trace says of a place: which pixels each element of its map can depend on."""

from __future__ import annotations

from dataclasses import dataclass

from striate.records import Field, Trace
from striate.seeing.places import Place


@dataclass(frozen=True, kw_only=True)
class SeenBy:
    """The traced field of a place's map ``grid`` (h, w), on an ``image`` (H, W).

    ``status`` is the field's, ``gated`` where a squeeze gate's view was left out of it, or
    ``unknown``.  ``exact``: nothing outside a box can matter.  ``size`` in pixels.
    """

    field: Field | None
    grid: tuple[int, int]
    image: tuple[int, int]

    @property
    def bounded(self) -> bool:
        """Whether the field says less than: it sees all."""
        return self.field is not None and self.field.status in ("exact", "bound")

    @property
    def exact(self) -> bool:
        """Whether nothing outside a box can matter: the field is a bound, and no gate left out."""
        return self.bounded and self.field is not None and not self.field.gated

    @property
    def status(self) -> str:
        if self.field is None:
            return "unknown"
        return "gated" if self.bounded and self.field.gated else self.field.status

    @property
    def size(self) -> tuple[int, int]:
        return self.field.size if self.field is not None and self.bounded else self.image

    def box(self, element: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) within the image of what an element, row by row, sees."""
        if self.field is None or not self.bounded:
            return 0, 0, *self.image
        row, column = divmod(element, self.grid[1])
        (top, bottom), (left, right) = self.field.span(0, row), self.field.span(1, column)
        return (
            max(0, top),
            max(0, left),
            min(self.image[0], bottom + 1),
            min(self.image[1], right + 1),
        )


def seen_by(trace: Trace | None, place: Place, image: tuple[int, int]) -> SeenBy:
    """The field of what the place hands on: that of the last layer that ran inside it."""
    inside = [
        layer
        for layer in trace or ()
        if (layer.path == place.path or layer.path.startswith(place.path + "."))
        and layer.field is not None
        and place.size in (layer.shape[-2:], layer.shape[1:3])
    ]
    return SeenBy(field=inside[-1].field if inside else None, grid=place.size, image=image)
