"""The table as text, Markdown and CSV: legible at 80 columns, whole as data, clear when refused."""

from __future__ import annotations

import csv
import io

import pytest
from torch import nn

from striate.errors import InputError
from striate.records import Trace
from striate.records.trace_columns import COLUMNS, SORTS, field_text
from striate.records.trace_text import View, comma_separated, lines, summary, table


@pytest.mark.parametrize("width", [72, 80, 120])
def test_no_line_is_wider_than_asked_for(traced: tuple[nn.Module, Trace], width: int) -> None:
    _, trace = traced
    for view in (View(), View(depth=1), View(every=True), View(sort="macs")):
        shown = table(trace.layers, view)
        written = lines(shown, width=width)
        assert len(written) == len(shown.rows) + 1
        assert max(map(len, written)) <= width


def test_numbers_stay_whole_where_paths_are_cut(resnet20: Trace) -> None:
    narrow, wide = (
        lines(table(resnet20.layers, View(every=True)), width=width) for width in (62, None)
    )
    assert sum("…" in line for line in narrow) > 60
    for cut, whole in zip(narrow, wide, strict=True):
        assert cut.split()[-2:] == whole.split()[-2:]


def test_without_a_width_nothing_is_cut(traced: tuple[nn.Module, Trace]) -> None:
    _, trace = traced
    written = lines(table(trace.layers, View(every=True)))
    for line, layer in zip(written[1:], trace.layers, strict=True):
        assert layer.path in line


def test_the_layout(alternating: Trace) -> None:
    assert alternating.table().splitlines() == LAYOUT.splitlines()


LAYOUT = """\
layer          operation       output  params   MACs  field
image          input          3×32×32                     1
stem           conv2d 4×4/4     8×8×8     392  24.6k      4
stages.0–5 ×3                   8×8×8     452  21.1k  12–28
  0, 2, 4      Block            8×8×8     376  21.0k  12–28
    mix        conv2d 3×3 g8    8×8×8      80  4.61k  12–28
    up         conv2d 1×1      16×8×8     144  8.19k  12–28
    down       conv2d 1×1       8×8×8     136  8.19k  12–28
  1, 3, 5      Gate             8×8×8      76     64  12–28
stages.0       Block            8×8×8          21.0k     36
  mix          conv2d 3×3 g8    8×8×8  shared  4.61k     36
  up           conv2d 1×1      16×8×8  shared  8.19k     36
  down         conv2d 1×1       8×8×8  shared  8.19k     36
stages.1       Gate             8×8×8             64     36
·              mean                 8
head           linear               5      45     40
"""


@pytest.mark.parametrize("sort", [sort for sort in SORTS if sort != "index"])
def test_sorted_rows_go_down(traced: tuple[nn.Module, Trace], sort: str) -> None:
    _, trace = traced
    shown = table(trace.layers, View(sort=sort, every=True))
    if sort == "field":
        values = [max(r.portion.field.size) if r.portion.field else 0 for r in shown.rows]
    else:
        values = [getattr(row.portion, sort) for row in shown.rows]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0


def test_a_long_table_is_folded_and_says_where(traced: tuple[nn.Module, Trace]) -> None:
    shown = table(traced[1].layers, View())
    assert len(shown.rows) <= 80
    assert table(traced[1].layers, View(depth=99)).folded_at == 99


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (View(columns=("path", "mac")), "columns 'mac': no such column; did you mean macs?"),
        (View(columns=("colour",)), "columns 'colour': no such column; choose from index, path"),
        (View(columns=()), "columns None: no such column; choose from index"),
        (View(sort="size"), "sort 'size': no such order; choose from index, params, macs"),
        (View(depth=0), "depth 0: modules are counted from 1; leave it out to fold only what is"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    resnet20: Trace, view: View, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        table(resnet20.layers, view)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


SHOWN = [name for name in COLUMNS if name != "shares"]  # in these networks nothing is shared


@pytest.mark.parametrize("name", SHOWN)
def test_every_column_can_be_shown_everywhere(traced: tuple[nn.Module, Trace], name: str) -> None:
    _, trace = traced
    shown = table(trace.layers, View(columns=(name,)))
    assert any(line.strip() for line in lines(shown)[1:])
    assert COLUMNS[name].says


def test_csv_holds_the_whole_network_as_numbers(traced: tuple[nn.Module, Trace]) -> None:
    module, trace = traced
    read = list(csv.DictReader(io.StringIO(comma_separated(trace.layers, View()))))
    assert len(read) == len(trace)
    assert sum(int(row["params"]) for row in read) == sum(p.numel() for p in module.parameters())
    assert sum(int(row["macs"]) for row in read) == trace.totals.macs
    assert [row["path"] for row in read] == [layer.path for layer in trace]
    for row, layer in zip(read, trace, strict=True):
        assert row["shape"] == "x".join(map(str, layer.shape))
        if layer.field is not None:
            assert (int(row["field_h"]), int(row["field_w"])) == layer.field.size


def test_csv_by_module(resnet20: Trace) -> None:
    read = list(csv.DictReader(io.StringIO(resnet20.to_csv(depth=1, columns=["path", "macs"]))))
    assert [row["path"] for row in read] == ["", "stem", "stages", "head"]
    assert sum(int(row["macs"]) for row in read) == resnet20.totals.macs


def test_what_is_not_understood_is_empty_in_csv_and_a_question_in_text() -> None:
    from dataclasses import replace

    from striate.records import Layer, Totals

    known = Layer(index=0, path="a", op="conv2d", inputs=(), shape=(1, 2, 3, 3), macs=5)
    layers = (known, replace(known, index=1, path="b", op="odd", macs=None))
    trace = Trace(
        name="odd", image=(1, 3, 3), layers=layers, unknown=("odd",),
        totals=Totals(params=0, macs=5, activations=0, infer_bytes=0, train_bytes=0),
    )  # fmt: skip
    assert trace.to_csv(columns=["path", "macs"]) == "path,macs\na,5\nb,\n"
    assert trace.table(columns=["path", "macs"]).split() == ["layer", "MACs", "a", "5", "b", "?"]
    assert "not understood: odd; their cost is not counted" in str(trace)


def test_markdown_is_a_table_of_equal_rows(alternating: Trace) -> None:
    written = alternating.to_markdown().splitlines()
    assert {line.count("|") for line in written} == {8}
    assert written[0].startswith("| times | layer | operation |")
    assert any("| ×3 | stages.0–5 |" in line for line in written)


def test_markdown_escapes_what_would_end_a_cell(stopped: Trace) -> None:
    from dataclasses import replace

    layer = replace(stopped.layers[1], path="a|b")
    odd = replace(stopped, layers=(stopped.layers[0], layer))
    assert "a\\|b" in odd.to_markdown()


def test_a_trace_that_stopped_says_where(stopped: Trace) -> None:
    said = summary(stopped).splitlines()[-1]
    assert said.startswith("stopped at second (conv2d, ")
    assert "1×8×14×14 and 8×9×3×3 met" in said


def test_fields_in_words(resnet20: Trace) -> None:
    from dataclasses import replace

    seen = resnet20["stages.0"].field
    assert seen is not None
    assert field_text(seen) == "15"
    assert field_text(replace(seen, size=(3, 15))) == "3×15"
    assert field_text(replace(seen, status="bound")) == "≤15"
    assert field_text(replace(seen, status="whole")) == "whole"
    assert field_text(replace(seen, status="data-dependent")) == "?"
    assert field_text(None) == ""
