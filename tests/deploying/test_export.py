"""Exports: a good one passes every check, and a broken one is refused at each.

The doubles break one thing each.  What they return is a real graph, changed where it hurts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnx", reason="needs the extra export (pip install 'striate[export]')")
pytest.importorskip("onnxruntime", reason="needs the extra export")
pytest.importorskip("onnxscript", reason="needs the extra export")

import onnx
from onnx import helper, numpy_helper

import striate
from striate.data import open_data
from striate.deploying import load_confidence
from striate.deploying.export import Makers, export_events
from striate.deploying.exporters import torch_exporter
from striate.deploying.gates import Runtime
from striate.deploying.onnx_graph import embed, fold_norms
from striate.errors import ExportError, InputError, OutputError, RunError
from striate.flow.export import ExportOptions, export_run
from striate.records import ExportCheck, Exported
from striate.runs import RunPaths

Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def plain(finished: Path) -> bytes:
    """What the exporter makes of the run, once."""
    model = torch_exporter(striate.load(finished).module.eval(), (1, 8, 8))
    return model.SerializeToString()


def exporter(plain: bytes, change: Change = lambda _: None) -> Any:
    """The exporter's graph with one thing changed."""

    def made(_module: nn.Module, _image: tuple[int, int, int]) -> Any:
        model = onnx.load_from_string(plain)
        change(model)
        return model

    return made


def attempt(finished: Path, out: Path, *, int8: bool = False, **makers: Any) -> list[Any]:
    """All events of an export with those makers."""
    run, data = striate.load(finished), open_data("digits")
    confidence = load_confidence(RunPaths(finished).confidence)
    return list(export_events(run, data, confidence, out, int8=int8, makers=Makers(**makers)))


def refusal(finished: Path, out: Path, *, int8: bool = False, **makers: Any) -> str:
    """Why it was refused; nothing may be left."""
    with pytest.raises(ExportError) as caught:
        attempt(finished, out, int8=int8, **makers)
    assert not out.exists() or list(out.iterdir()) == []
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith("; nothing was written")
    return said


def weight(model: Any, index: int = 0) -> Any:
    """An initializer that a convolution reads."""
    name = [node for node in model.graph.node if node.op_type == "Conv"][index].input[1]
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def scale(tensor: Any, factor: float) -> None:
    values = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array((values * factor).astype(values.dtype), tensor.name))


def test_a_good_export_passes_and_says_so(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    *events, done = export_run(finished, ExportOptions(int8=True, out=out))
    assert isinstance(done, Exported)
    passed = [(one.file, one.name) for one in events if isinstance(one, ExportCheck)]
    assert passed == [
        *(("model.onnx", n) for n in ("checker", "runtime", "agreement", "accuracy", "round trip")),
        *(
            ("model.int8.onnx", n)
            for n in ("checker", "histogram", "agreement", "accuracy", "round trip")
        ),
    ]
    assert sorted(path.name for path in out.iterdir()) == [
        *("README.md", "model.int8.onnx", "model.onnx"),
    ]
    assert (done.folded, done.left) == (4, 0)  # stem, two in the block, one in its shortcut
    model = onnx.load(out / "model.onnx")
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert (out / "model.int8.onnx").stat().st_size < (out / "model.onnx").stat().st_size / 2
    kinds = {node.op_type for node in onnx.load(out / "model.int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    facts = json.loads({p.key: p.value for p in model.metadata_props}["striate"])
    run = striate.load(finished)
    assert tuple(facts["classes"]) == run.preprocessing.classes
    assert tuple(facts["mean"]) == run.preprocessing.mean
    assert str(Path.cwd()).encode() not in (out / "model.onnx").read_bytes()
    with pytest.raises(OutputError, match=r"model\.onnx: exists already"):
        striate.export(finished, out=out)


def test_the_logits_are_those_of_eager_pytorch(finished: Path, plain: bytes) -> None:
    run = striate.load(finished)
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = run.module(images).numpy()
    for optimised in (False, True):
        found = Runtime(plain, optimised=optimised)(images.numpy())
        assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_the_card_holds_the_numbers_and_its_code_runs(finished: Path, tmp_path: Path) -> None:
    done = striate.export(finished, out=tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    run = striate.load(finished)
    assert run.result is not None
    for text in (
        "pipeline_tag: image-classification",
        f"accuracy {run.result.accuracy:.2%}",
        "1,259 images to train on, 179 to choose the weights, 359 to test",
        'block = "basic"',
        "| `model.onnx` | round trip |",
        "## Intended use and limits",
    ):
        assert text in card
    header = card.split("---\n")[1]
    yaml = pytest.importorskip("yaml", reason="needs pyyaml, of the extra dev")
    assert yaml.safe_load(header)["model-index"][0]["results"][0]["metrics"][0][
        "value"
    ] == pytest.approx(done.accuracy["model.onnx"], abs=1e-6)
    (tmp_path / "use.py").write_text(card.split("```python\n")[1].split("```")[0])
    from PIL import Image

    Image.fromarray(np.zeros((9, 12, 4), np.uint8)).save(tmp_path / "clear.png")  # all transparent
    answer = subprocess.run(
        [sys.executable, "-I", "use.py", "out/model.onnx", "clear.png"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (said,) = striate.predict(finished, tmp_path / "clear.png")
    found = json.loads(answer.stdout)
    assert found["class"] == said.classes[0]
    assert found["confidence"] == pytest.approx(said.confidences[0], abs=1e-4)


def test_checker_refuses_what_is_no_graph(finished: Path, tmp_path: Path, plain: bytes) -> None:
    def broken(model: Any) -> None:
        model.graph.node[0].op_type = "NoSuchOperation"

    said = refusal(finished, tmp_path / "out", exporter=exporter(plain, broken))
    assert said.startswith("model.onnx: refused by the check 'checker': ")
    assert "NoSuchOperation" in said


def test_checker_refuses_a_fixed_batch(finished: Path, tmp_path: Path, plain: bytes) -> None:
    def fixed(model: Any) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        del model.graph.value_info[:]

    said = refusal(finished, tmp_path / "out", exporter=exporter(plain, fixed))
    assert "'checker': its batch is fixed to 1, and must be of any size" in said


def test_runtime_refuses_other_logits(finished: Path, tmp_path: Path, plain: bytes) -> None:
    said = refusal(
        finished, tmp_path / "out", exporter=exporter(plain, lambda m: scale(weight(m), 1.01))
    )
    assert "'runtime, optimisations off, batch 1': a logit differs from eager PyTorch's by" in said
    assert "(0.001 of the greatest)" in said


def test_runtime_refuses_a_batch_it_cannot_take(
    finished: Path, tmp_path: Path, plain: bytes
) -> None:
    class OnlyTwo(Runtime):
        def __call__(self, images: Any) -> Any:
            if len(images) > 2:
                raise RuntimeError("17 is too many")
            return super().__call__(images)

    said = refusal(finished, tmp_path / "out", exporter=exporter(plain), runtime=OnlyTwo)
    assert "'runtime, optimisations off, batch 17': cannot be run: 17 is too many" in said


def test_runtime_refuses_optimisations_that_change_the_logits(
    finished: Path, tmp_path: Path, plain: bytes
) -> None:
    class Fast(Runtime):
        def __init__(self, model: bytes, *, optimised: bool) -> None:
            super().__init__(model, optimised=optimised)
            self.off = 1.0 if not optimised else 1.01

        def __call__(self, images: Any) -> Any:
            return super().__call__(images) * np.float32(self.off)

    said = refusal(finished, tmp_path / "out", exporter=exporter(plain), runtime=Fast)
    assert "'runtime, optimisations on, batch " in said


def test_runtime_refuses_logits_that_are_no_numbers(
    finished: Path, tmp_path: Path, plain: bytes
) -> None:
    said = refusal(
        finished, tmp_path / "out", exporter=exporter(plain, lambda m: scale(weight(m), np.nan))
    )
    assert "by inf, more than" in said


class LateFault(Runtime):
    """Right for the images of the first 17, and wrong for one that comes later."""

    def __call__(self, images: Any) -> Any:
        logits = super().__call__(images).copy()
        if len(images) > 17:
            logits[20] = -logits[20]
        return logits


def test_agreement_refuses_one_image_said_otherwise(
    finished: Path, tmp_path: Path, plain: bytes
) -> None:
    said = refusal(finished, tmp_path / "out", exporter=exporter(plain), runtime=LateFault)
    assert "'agreement, optimisations off': top-1 is eager PyTorch's for 9" in said
    assert "of 359 test images, and must be for 100%" in said


def test_accuracy_refuses_another_than_the_run_recorded(finished: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(finished, old)
    info = json.loads((old / "run.json").read_text())
    info["result"]["accuracy"] -= 0.02
    (old / "run.json").write_text(json.dumps(info))
    with pytest.raises(ExportError, match=r"'accuracy, optimisations off': .* the run's own is"):
        list(export_run(old, ExportOptions(out=tmp_path / "out")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("mean", [0.9]), ("classes", list("9876543210")), ("temperature", 9.0), ("image", [1, 9, 9])],
)
def test_round_trip_refuses_what_the_file_says_wrongly(
    finished: Path, tmp_path: Path, plain: bytes, key: str, value: Any, monkeypatch: Any
) -> None:
    def wrong(model: Any, facts: dict[str, Any]) -> None:
        embed(model, {**facts, key: value})

    monkeypatch.setattr("striate.deploying.export.embed", wrong)
    said = refusal(finished, tmp_path / "out", exporter=exporter(plain))
    assert said.startswith("model.onnx: refused by the check 'round trip': ")


def zeroed(model: bytes, _images: Any) -> Any:
    """Int8 gone wrong: the last layer's weights are all 0, and its bias speaks alone."""
    found = onnx.load_from_string(model)
    last = [node for node in found.graph.node if node.op_type in ("Gemm", "MatMul")][-1]
    scale(next(t for t in found.graph.initializer if t.name == last.input[1]), 0)
    return found


def test_int8_refuses_a_collapsed_histogram(finished: Path, tmp_path: Path, plain: bytes) -> None:
    said = refusal(
        finished, tmp_path / "out", exporter=exporter(plain), quantiser=zeroed, int8=True
    )
    assert "model.int8.onnx: refused by the check 'histogram, optimisations off': " in said
    assert "predictions collapsed: " in said
    assert "is said of 100.0% of the test images" in said
    assert "and may by 0.1" in said


def changed(rows: Callable[[Any, int], None]) -> type[Runtime]:
    """A runtime that, of int8 files alone, changes the logits: ``rows(logits, images seen)``."""

    class Changed(Runtime):
        def __init__(self, model: bytes, *, optimised: bool) -> None:
            super().__init__(model, optimised=optimised)
            self.small, self.seen = b"int8_images" in model, 0

        def __call__(self, images: Any) -> Any:
            logits = super().__call__(images).copy()
            if self.small and len(images) > 17:
                rows(logits, self.seen)
                self.seen += len(images)
            return logits

    return Changed


def swapped(share: int) -> Callable[[Any, int], None]:
    """Every ``share``-th image's logits are moved on by one class, so that no class gains."""

    def rows(logits: Any, _seen: int) -> None:
        logits[::share] = np.roll(logits[::share], 1, axis=1)

    return rows


def copied(model: bytes, _images: Any) -> Any:
    return onnx.load_from_string(model)


def test_int8_refuses_too_many_other_classes(finished: Path, tmp_path: Path, plain: bytes) -> None:
    said = refusal(
        finished, tmp_path / "out", exporter=exporter(plain), quantiser=copied, int8=True,
        runtime=changed(swapped(10)),
    )  # fmt: skip
    assert "'agreement, optimisations off': top-1 is the float file's for" in said
    assert "must be for 95%" in said


def test_int8_refuses_a_loss_of_accuracy(finished: Path, tmp_path: Path, plain: bytes) -> None:
    said = refusal(
        finished, tmp_path / "out", exporter=exporter(plain), quantiser=copied, int8=True,
        runtime=changed(swapped(30)),
    )  # fmt: skip
    assert "'accuracy, optimisations off': " in said
    assert "int8 may cost 1%" in said


def test_a_network_that_cannot_be_captured(finished: Path, tmp_path: Path) -> None:
    class Chooses(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :10] if float(x.sum()) > 0 else x.flatten(1)[:, 10:20]

    with pytest.raises(ExportError, match="PyTorch's exporter cannot capture Chooses"):
        torch_exporter(Chooses(), (1, 8, 8))


def test_norms_are_folded_where_they_may_be() -> None:
    """Against the graph run as it is: one norm behind its convolution, one that others read too."""
    random = np.random.default_rng(0)

    def held(name: str, *shape: int, least: float = -1.0) -> Any:
        values = random.uniform(least, 1, shape).astype(np.float32)
        return numpy_helper.from_array(values, name)

    norm = [held(f"{p}{i}", 4, least=0.5) for i in (1, 2) for p in ("g", "b", "m", "v")]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "w1", "c1"], ["a"], kernel_shape=[3, 3]),
            helper.make_node("BatchNormalization", ["a", "g1", "b1", "m1", "v1"], ["n"]),
            helper.make_node("Conv", ["n", "w2"], ["d"], kernel_shape=[1, 1]),
            helper.make_node(
                "BatchNormalization", ["d", "g2", "b2", "m2", "v2"], ["e"], epsilon=0.1
            ),
            helper.make_node("Add", ["d", "e"], ["logits"]),
        ],
        "two",
        [helper.make_tensor_value_info("images", 1, ["n", 3, 6, 6])],
        [helper.make_tensor_value_info("logits", 1, None)],
        [held("w1", 4, 3, 3, 3), held("c1", 4), held("w2", 4, 4, 1, 1), *norm],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    images = random.normal(size=(2, 3, 6, 6)).astype(np.float32)
    before = Runtime(model.SerializeToString(), optimised=False)(images)
    assert fold_norms(model) == (1, 1)
    assert [node.op_type for node in model.graph.node] == [
        "Conv",
        "Conv",
        "BatchNormalization",
        "Add",
    ]
    assert {"g1", "b1", "m1", "v1"}.isdisjoint(t.name for t in model.graph.initializer)
    after = Runtime(model.SerializeToString(), optimised=False)(images)
    assert np.abs(after - before).max() < 1e-5 * np.abs(before).max()
    assert fold_norms(model) == (0, 1)


def test_what_is_asked_for_wrongly(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--to tflite: no such format; choose from onnx"):
        striate.export(finished, to="tflite")
    with pytest.raises(RunError, match="not a run's folder"):
        striate.export(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        striate.export(finished, out=tmp_path / "file")


def test_a_preactivation_network_keeps_the_norms_that_follow_no_convolution() -> None:
    arch = replace_image(striate.zoo("preact_resnet20"))
    model = torch_exporter(striate.build(arch).eval(), arch.image)
    left = fold_norms(model)[1]
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    assert left == len(norms)
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    readers = [name for node in model.graph.node for name in node.input]
    for node in norms:
        assert makers.get(node.input[0]) != "Conv" or readers.count(node.input[0]) > 1


def replace_image(arch: Any) -> Any:
    from striate.arch import adapt

    return adapt(arch, image=(3, 8, 8))
