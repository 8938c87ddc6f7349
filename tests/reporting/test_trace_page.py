"""The page of a trace, as text: it asks for nothing, escapes everything, holds every operation."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from striate.records import Failure, Field, Layer, Totals, Trace
from striate.reporting import ReportInput, render_trace
from striate.reporting.trace_data import trace_data

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def traced(make_report: Callable[..., ReportInput]) -> Trace:
    return make_report().trace


def data_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def policy_of(page: str) -> str:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert found
    return found[1].replace("&#x27;", "'")


def long(count: int) -> Trace:
    """A chain of ``count`` blocks of three operations, each block skipped by a sum."""
    layers = [
        Layer(index=0, path="", op="input", inputs=(), shape=(1, 3, 64, 64),
              field=Field(status="exact", size=(1, 1), least=(1, 1), stride=(1, 1), start=(0, 0)))
    ]  # fmt: skip
    for block in range(count):
        into = len(layers) - 1
        for name, op in (("conv", "conv2d"), ("act", "relu"), ("", "add")):
            side = 3 + 2 * block
            layers.append(
                Layer(
                    index=len(layers), path=f"stages.{block % 7}.blocks.{block}.{name}".strip("."),
                    op=op, inputs=(len(layers) - 1, into) if op == "add" else (len(layers) - 1,),
                    shape=(1, 16, 64, 64), params=2304 + block if op == "conv2d" else 0,
                    macs=9_437_184 if op == "conv2d" else 0,
                    activations=65536 if op == "conv2d" else 0,
                    source=f"network.py:{block}", defined=f"network.py:{1000 + block}",
                    field=Field(status="exact", size=(side, side), least=(1, 1), stride=(1, 1),
                                start=(-block, -block)),
                )
            )  # fmt: skip
    totals = Totals(
        params=sum(layer.params for layer in layers), macs=sum(layer.macs or 0 for layer in layers),
        activations=1, infer_bytes=2**30, train_bytes=2**33,
    )  # fmt: skip
    return Trace(name="long", image=(3, 64, 64), layers=tuple(layers), totals=totals)


def test_the_policy_lets_nothing_in_but_what_is_there(traced: Trace) -> None:
    page = render_trace(traced)
    policy = policy_of(page)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        inline = re.search(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        assert inline
        digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_it_names_no_address(traced: Trace) -> None:
    page = render_trace(traced).replace("http://www.w3.org/2000/svg", "")
    assert re.search(r"https?://|url\(|@import|src=\"(?!data:)", page) is None


def test_text_from_outside_is_escaped(traced: Trace) -> None:
    odd = replace(
        traced,
        name=SCRIPT,
        layers=(
            traced.layers[0],
            replace(traced.layers[1], path=SCRIPT, source=SCRIPT, attrs={"a": SCRIPT}),
            *traced.layers[2:],
        ),
        unknown=(SCRIPT,),
        complete=False,
        failure=Failure(path=SCRIPT, op=SCRIPT, shapes=((1, 2),), message=SCRIPT),
    )
    page = render_trace(odd)
    assert SCRIPT not in page
    assert page.count("<script") == 2
    assert data_of(page)["name"] == SCRIPT


def test_every_operation_is_there_once(traced: Trace) -> None:
    data = trace_data(traced)
    assert len(data["layers"]) == len(traced)

    def walk(parts: list) -> list[int]:
        return [
            index
            for part in parts
            for index in ([part] if isinstance(part, int) else walk(part["k"]))
        ]

    assert walk(data["tree"]) == [layer.index for layer in traced]
    for kept, layer in zip(data["layers"], traced, strict=True):
        assert data["strings"][kept[0]] == layer.path
        assert (kept[2], kept[3], kept[4], kept[5]) == (
            list(layer.shape), list(layer.inputs), layer.params, layer.macs,
        )  # fmt: skip
        field = None if kept[9] < 0 else data["fields"][kept[9]]
        assert (field is None) is (layer.field is None)
        if field is not None and layer.field is not None:
            assert (field[0], field[1], field[4]) == (
                layer.field.status, layer.field.size, layer.field.start,
            )  # fmt: skip


def test_repeated_blocks_are_runs() -> None:
    data = trace_data(_equal_blocks(5))
    (run,) = [part for part in data["tree"][1]["k"] if "x" in part]
    assert (run["x"], run["e"], len(run["k"])) == (5, 1, 5)


def _equal_blocks(count: int) -> Trace:
    grown = long(count)
    return replace(
        grown,
        layers=tuple(
            replace(
                layer,
                params=9 if layer.params else 0,
                path=re.sub(r"stages\.\d\.blocks", "blocks", layer.path),
            )
            for layer in grown
        ),
    )


def test_a_thousand_blocks_stay_small() -> None:
    page = render_trace(long(1200))
    assert len(data_of(page)["layers"]) == 3601
    assert len(page.encode()) < 1_500_000


def test_where_a_forward_stopped_is_said_first(traced: Trace) -> None:
    cut = replace(
        traced,
        complete=False,
        layers=traced.layers[:4],
        failure=Failure(
            path="stages.0.blocks.0.conv2", op="conv2d", shapes=((1, 8, 9, 9), (4, 4, 3, 3)),
            message="they do not fit", hint="give it 8 channels",
        ),
    )  # fmt: skip
    page = render_trace(cut)
    said = "The forward stopped at stages.0.blocks.0.conv2"
    assert said in page
    assert page.index(said) < page.index('id="rows"')
    assert "give it 8 channels" in page


def test_without_scripts_there_is_the_layer_table(traced: Trace) -> None:
    found = re.search(r"<noscript>(.*?)</noscript>", render_trace(traced), re.DOTALL)
    assert found
    assert found[1].count("<tr") == len(traced.table().splitlines())
    assert "<th" in found[1]


def test_a_picture_is_taken_as_it_is(traced: Trace) -> None:
    rng = np.random.default_rng(0)
    for shape in ((20, 30), (20, 30, 3)):
        pixels = rng.integers(0, 256, shape).astype(np.uint8)
        page = render_trace(traced, pixels)
        found = re.search(r'href="data:image/png;base64,([^"]+)"', page)
        assert found
        from io import BytesIO

        from PIL import Image

        shown = np.asarray(Image.open(BytesIO(base64.b64decode(found[1]))))
        assert (shown == pixels).all()
    assert "data:image/png" not in render_trace(traced)


def test_uneven_fields_are_kept_one_by_one_in_pixels_of_the_image() -> None:
    spans = tuple((n * n, n * n + 4) for n in range(6))
    base = long(1)
    field = base.layers[1].field
    assert field is not None
    field = replace(field, start=(-2, 0), spans=(spans, None))
    odd = replace(base, layers=(base.layers[0], replace(base.layers[1], field=field)))
    kept = trace_data(odd)["fields"][1]
    assert kept[6] == tuple(field.span(0, index) for index in range(6))
    assert kept[6][2] == (2, 6)
    assert kept[7] is None
