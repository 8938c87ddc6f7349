"""A record's picture: one quantity against another, means with their standard errors or curves."""

from __future__ import annotations

import hashlib
import sys
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

import altair as alt
import vl_convert

from _generated import ROOT

sys.path.insert(0, str(ROOT / "bench"))
from record import Cell, Column, Picture, Record

PICTURES = ROOT / "docs" / "pictures"


def drawn(record: Record, there: Path) -> str:
    """The picture as SVG.  What is ``there`` already stands if it was drawn from the same numbers:
    another version of the drawing library may place a letter elsewhere.
    """
    picture = record.picture
    assert picture is not None
    points = _points(record, picture)
    mark = f"<!-- {hashlib.sha256(repr((picture, points)).encode()).hexdigest()[:16]} -->\n"
    if there.is_file() and (old := there.read_text(encoding="utf-8")).endswith(mark):
        return old
    return _svg(record, picture, points) + "\n" + mark


def _points(record: Record, picture: Picture) -> list[dict[str, float | str]]:
    """Mean of y and its standard error, by series and group, where they lie on x; of curves every
    row.
    """
    if picture.curve is not None:
        return [
            {
                "series": str(row[picture.series]),
                "curve": f"{row[picture.series]} {row[picture.curve]}",
                "x": _number(row[picture.x]),
                "y": _number(row[picture.y]),
                "error": 0.0,
            }
            for row in record.rows
        ]
    rows: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in record.rows:
        place = _number(row[picture.x]), _number(row[picture.y])
        group = "" if record.group is None else str(row[record.group])
        rows.setdefault((str(row[picture.series]), group), []).append(place)
    found: list[dict[str, float | str]] = []
    names = list(dict.fromkeys(name for name, _ in rows if name != picture.shared))
    for (name, _), values in rows.items():
        ys = [y for _, y in values]
        error = stdev(ys) / sqrt(len(ys)) if len(ys) > 1 else 0.0
        point = {"x": fmean(x for x, _ in values), "y": fmean(ys), "error": error}
        found += [{"series": one, **point} for one in (names if name == picture.shared else [name])]
    return found


def _number(cell: Cell) -> float:
    assert isinstance(cell, (int, float))
    return float(cell)


def _svg(record: Record, picture: Picture, points: list[dict[str, float | str]]) -> str:
    x, y = (_title(record, key) for key in (picture.x, picture.y))
    values = [
        {**point, "low": float(point["y"]) - float(point["error"]),
         "high": float(point["y"]) + float(point["error"])}
        for point in points
    ]  # fmt: skip
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "x:Q", title=x, axis=alt.Axis(format="~s", grid=False), scale=alt.Scale(zero=False)
        ),
        color=alt.Color("series:N", title=None, scale=alt.Scale(scheme="tableau10"), sort=None),
    )
    scale = alt.Scale(zero=False)
    lines = base.mark_line(point=True).encode(y=alt.Y("y:Q", title=y, scale=scale))
    if picture.curve is not None:
        chart = lines.encode(detail="curve:N")
        said = f"a line for each {_title(record, picture.curve)}"
    else:
        bars = base.mark_rule().encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
        chart, said = alt.layer(bars, lines), "bars: one standard error"
    chart = chart.properties(
        width=520,
        height=300,
        background="white",  # read on dark pages too
        title=alt.TitleParams(picture.title, subtitle=said),
    )
    return vl_convert.vegalite_to_svg(chart.to_dict())


def _title(record: Record, key: str) -> str:
    column: Column = next(column for column in record.columns if column.key == key)
    return f"{column.title} ({column.unit})" if column.unit else column.title
