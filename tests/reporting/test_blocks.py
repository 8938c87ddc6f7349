"""The strip: parts, sizes and fields as a person would draw them."""

from __future__ import annotations

import numpy as np

from striate.records import Field, Layer, Totals, Trace
from striate.reporting.blocks import MOST, blocks
from striate.reporting.strip import strip

TOTALS = Totals(params=0, macs=0, activations=0, infer_bytes=0, train_bytes=0)


def _trace(parts: list[tuple[str, tuple[int, ...]]]) -> Trace:
    seen = Field(status="exact", size=(5, 5), least=(5, 5), stride=(2, 2), start=(-2, -2))
    layers = [
        Layer(index=k, path=path, op="conv2d" if k else "input", inputs=(k - 1,) if k else (),
              shape=(1, *shape), params=10, macs=100, field=seen if len(shape) == 3 else None)
        for k, (path, shape) in enumerate(parts)
    ]  # fmt: skip
    return Trace(name="net", image=(3, 16, 16), layers=tuple(layers), totals=TOTALS)


def test_stages_become_parts() -> None:
    found = blocks(
        _trace(
            [("", (3, 16, 16)), ("stem.conv", (8, 16, 16)), ("stages.0.blocks.0.conv", (8, 16, 16)),
             ("stages.0.blocks.0", (8, 16, 16)), ("stages.1.blocks.0.conv", (16, 8, 8)),
             ("head.pool", (16, 1, 1)), ("", (16,)), ("head.fc", (10,))]
        )
    )  # fmt: skip
    assert [(part.name, part.shape) for part in found] == [
        ("stem", (8, 16, 16)), ("stage 1", (8, 16, 16)), ("stage 2", (16, 8, 8)), ("head", (10,)),
    ]  # fmt: skip
    assert [part.params for part in found] == [10, 20, 10, 30]
    assert found[0].field is not None
    assert found[-1].field is None
    assert found[-1].whole


def test_a_foreign_network_goes_by_its_modules() -> None:
    found = blocks(
        _trace(
            [("", (3, 16, 16)), ("conv1", (8, 8, 8)), ("bn1", (8, 8, 8)), ("", (8, 8, 8)),
             ("layer1.0.conv1", (8, 8, 8)), ("layer1.1.conv1", (8, 8, 8)), ("fc", (10,))]
        )
    )  # fmt: skip
    assert [part.name for part in found] == ["conv1", "bn1", "layer1.0", "layer1.1", "fc"]


def test_many_parts_are_merged_by_size() -> None:
    parts: list[tuple[str, tuple[int, ...]]] = [("", (3, 16, 16))]
    parts += [(f"features.{k}", (8, 16 >> (k // 10), 16 >> (k // 10))) for k in range(40)]
    parts += [("classifier", (10,))]
    found = blocks(_trace(parts))
    assert [part.name for part in found] == [
        "features.0 – features.9", "features.10 – features.19", "features.20 – features.29",
        "features.30 – features.39", "classifier",
    ]  # fmt: skip
    assert sum(part.params for part in found) == 410


def test_never_more_than_a_page_holds() -> None:
    parts: list[tuple[str, tuple[int, ...]]] = [("", (3, 16, 16))]
    parts += [(f"m{k}", (8, 100 - k, 9)) for k in range(30)]
    found = blocks(_trace([*parts, ("fc", (10,))]))
    assert len(found) == MOST
    assert sum(part.params for part in found) == 310


def test_the_field_is_drawn_to_scale() -> None:
    html = strip(_trace([("", (3, 16, 16)), ("conv", (8, 8, 8))]), np.zeros((16, 16, 3), np.uint8))
    # 112 units for 16 pixels: 7 each.  The middle element (4, 4) starts at −2 + 4·2 = 6.
    assert 'x="42.00" y="42.00" width="35.00" height="35.00"' in html
    assert "field 5 px: 10" in html
