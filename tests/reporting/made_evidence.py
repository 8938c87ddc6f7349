"""Evidence of ways of looking, made up but for the sums, which are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from striate.records import Check, Evidence

HELD = Check(name="held", claim="The parts sum to the whole", value=1e-9, limit=1e-4, passed=True)
FAILED = Check(name="order", claim="Better than chance", value=-0.2, limit=0.0, passed=False)
BLOCKS = tuple(f"stages.{stage}.blocks.{block}" for stage in range(3) for block in range(3))
POINTS = ("stem.conv", *BLOCKS, "head.fc")


def along_the_depth(rng: np.random.Generator) -> list[Evidence]:
    """Of every block the stream, the lens, lesions, probes and saturation; of stages the field."""
    about = {"images": 50, "split": "test"}
    n, m = len(BLOCKS), len(POINTS)
    rows = [
        {
            "path": f"stages.{stage}", "grid": [32 >> stage] * 2, "status": "exact",
            "size": [15 + 24 * stage] * 2,
            "before": {"width": 2.0 + stage, "share": 0.5},
            "after": {"width": 3.0 + stage, "share": 0.6},
        }
        for stage in range(3)
    ]  # fmt: skip
    keys = ("orientation", "frequency", "class", "class_null", "texture")
    before, after = dict.fromkeys(keys, 0.2), dict.fromkeys(keys, 0.3)
    selective = [{"path": path, "before": before, "after": after} for path in BLOCKS]
    planes = {f"{when}.{at}": rng.random((8, 8)) for when in ("before", "after") for at in range(3)}
    return [
        _piece("stream.strip", {"names": list(BLOCKS), **about},
               norm=np.linspace(1, 2, n), ratio=np.linspace(1, 0.5, n),
               share=np.linspace(0.7, 0.2, n), cosine=np.linspace(-0.3, 0.2, n)),
        _piece("stream.lens", {"names": ["before the first block", *BLOCKS], **about},
               accuracy=np.linspace(0.1, 0.9, n + 1), loss=np.ones(n + 1),
               agreement=np.linspace(0.1, 1, n + 1)),
        _piece("stream.lesions",
               {"names": list(BLOCKS), "whole": 0.9, "whole_settled": None, "settled_on": 9,
                "unit": "a branch adds nothing", **about}, accuracy=np.linspace(0.2, 0.88, n)),
        _piece("depth.probes",
               {"names": list(POINTS), "rises_until": BLOCKS[4], "whole": 0.9, "baseline": 0.1,
                "converged": m, "trained_on": 99, **about},
               accuracy=np.linspace(0.2, 0.9, m), before=np.full(m, 0.2), depths=np.arange(m)),
        _piece("depth.saturation", {"names": list(POINTS), "level": 0.99, **about},
               share=np.linspace(0.9, 0.3, m), directions=np.full(m, 4),
               channels=np.full(m, 16), depths=np.arange(m)),
        _piece("selectivity", {"layers": selective, **about}),
        _piece("fields", {"layers": rows, **about}, **planes),
    ]  # fmt: skip


def convolution(rng: np.random.Generator, image: np.ndarray) -> Evidence:
    """The 3×3 convolution of an image, stride 2 and padding 1, and one position of it."""
    kernel = rng.normal(size=(len(image), 3, 3))
    taken = image / 255.0
    padded = np.pad(taken, ((0, 0), (1, 1), (1, 1)))
    side = (image.shape[1] - 1) // 2 + 1
    output = np.array(
        [
            [(padded[:, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3] * kernel).sum() for c in range(side)]
            for r in range(side)
        ]
    )
    row, col = 1, 2
    patch = padded[:, 2 * row : 2 * row + 3, 2 * col : 2 * col + 3]
    products = patch * kernel
    facts = {
        "picture": "dots/1.png", "path": "stem.conv", "call": 0, "channel": 4, "channels": 16,
        "inputs": len(image), "drawn": list(range(len(image))), "at": [row, col],
        "rows": [2 * row - 1 + i for i in range(3)], "cols": [2 * col - 1 + i for i in range(3)],
        "size": [side, side], "stride": [2, 2], "padding": [1, 1], "dilation": [1, 1], "groups": 1,
        "sum": float(products.sum()), "sums": products.sum(axis=(1, 2)).tolist(), "rest": 0.0,
        "bias": 0.5, "value": float(products.sum()) + 0.5, "text": None, "layers": ["stem.conv"],
    }  # fmt: skip
    return _piece("mechanics", facts, image=image, input=taken, output=output + 0.5, patch=patch,
                  kernel=kernel, products=products)  # fmt: skip


def decisions(rng: np.random.Generator, image: np.ndarray) -> list[Evidence]:
    """Of one picture a map that is shown, one that is withheld and one that does not apply."""
    facts = {
        "picture": "dots/1.png", "number": 0, "why": "The first.", "class": "class 1",
        "other": "class 2", "probability": 0.9, "logit": 3.0, "label": "class 1", "says": "parts",
        "layer": "stages.2", "grid": [4, 4], "least": -1.0, "greatest": 2.0, "sum": 3.0,
        "margins": {"map": 0.5, "shuffled": 0.1, "edges": 0.2, "middle": 0.3},
        "likeness": {"random": [0.1, 0.2], "other": 0.5, "edges": 0.2, "middle": 0.1},
    }  # fmt: skip
    maps = {key: rng.normal(size=(4, 4)) for key in ("map", "random", "other", "edges", "middle")}
    curves = {key: np.linspace(0, 1, 34).reshape(2, 17) for key in ("insertion", "deletion")}
    shown = _piece("decision.0.hirescam", facts, image=image, **maps, **curves)
    return [
        _piece("decision", {"layers": [], "rule": "The last.", "sample": 9, "split": "test"}),
        replace(shown, title="HiResCAM: dots/1.png", checks=(HELD, HELD, HELD)),
        replace(shown, name="decision.0.gradcam", title="Grad-CAM: dots/1.png", checks=(FAILED,)),
        Evidence(
            name="decision.0.occlusion", title="Occlusion: x", inapplicable="It finds nothing."
        ),
    ]  # fmt: skip


def _piece(name: str, facts: dict[str, object], **arrays: np.ndarray) -> Evidence:
    return Evidence(name=name, title=name, arrays=arrays, facts=facts, checks=(HELD,))
