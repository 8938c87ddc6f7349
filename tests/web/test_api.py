"""What the routes answer, held to the library itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from serving import noise

import striate
from striate.arch import from_toml, to_toml, zoo
from striate.checking import check
from striate.flow.design import MOST_BLOCKS
from striate.runs import RunPaths
from striate.runs.lock import Lock

DESIGN = """\
name = "mine" # the whole of it
image = [3, 32, 32]
classes = 10
bias = true

[[stages]] # the only one
block = "conv"
depth = 2
width = 16
"""


def ask(client: Any, path: str, /, **document: Any) -> dict[str, Any]:
    answer = client.post(path, json=document)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_page_begins_with_the_runs_network(client: Any, runs: Path) -> None:
    start = client.get("/api/start").json()
    assert start["toml"] == (runs / "one" / "arch.toml").read_text()
    assert start["run"]["name"] == "one"
    assert start["run"]["classes"] == [str(n) for n in range(10)]
    assert "resnet50" in start["zoo"]


def test_a_design_is_traced_and_checked_as_the_library_does(client: Any) -> None:
    found = ask(client, "/api/design", toml=to_toml(zoo("resnet18")))
    trace = striate.trace(striate.build(zoo("resnet18"), device="meta"), (3, 224, 224))
    assert found["cost"] == {
        "params": 11_689_512, "macs": trace.totals.macs, "activations": trace.totals.activations,
    }  # fmt: skip
    conv1 = next(layer for layer in found["layers"] if layer["path"] == "stem.conv")
    assert conv1["op"] == "conv2d 7×7/2"
    assert conv1["shape"] == [64, 112, 112]
    assert conv1["field"]["size"] == [7, 7]
    assert conv1["field"]["start"] == [-3, -3]
    assert [block["name"] for block in found["blocks"]][:2] == ["stem", "stage 1"]
    assert found["problem"] is None


def test_findings_stand_at_their_lines(client: Any) -> None:
    found = ask(client, "/api/design", toml=DESIGN)
    arch = from_toml(DESIGN)
    trace = striate.trace(lambda: striate.build(arch, device="meta"), arch.image)
    assert {(one["code"], one["path"]) for one in found["findings"]} == {
        (one.code, one.path) for one in check(trace)
    }
    biases = [one for one in found["findings"] if one["code"] == "PA301"]
    assert [one["line"] for one in biases] == [6, 6]
    assert all(one["mendable"] and one["safe"] for one in biases)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("name = ", "not valid TOML"),
        (DESIGN.replace("width", "widht"), "unknown key 'widht'; did you mean width?"),
        (DESIGN.replace("depth = 2", f"depth = {MOST_BLOCKS + 1}"), "512 at most"),
        (DESIGN.replace("32, 32", "4096, 4097"), "4096×4097"),
        (DESIGN.replace("32, 32", "4096, 4096"), "more than this page"),
        ("", "name"),
    ],
)
def test_what_cannot_be_built_is_an_answer_in_one_line(
    client: Any, toml: str, problem: str
) -> None:
    found = ask(client, "/api/design", toml=toml)
    assert problem in found["problem"]
    assert "\n" not in found["problem"]
    assert found["arch"] is None
    assert found["toml"] == toml


def test_the_form_changes_the_text_and_comments_stay(client: Any) -> None:
    data = ask(client, "/api/design", toml=DESIGN)["arch"]
    data["stages"][0]["width"] = 24
    changed = ask(client, "/api/design", toml=DESIGN, form=data)["toml"]
    assert changed == DESIGN.replace("width = 16", "width = 24")
    data["stages"].append({"block": "basic", "depth": 1, "width": 32, "stride": 2})
    longer = ask(client, "/api/design", toml=changed, form=data)["toml"]
    assert "# the only one" in longer
    assert len(from_toml(longer).stages) == 2
    data["stages"][0]["width"] = "wide"
    assert "stages.0.width" in ask(client, "/api/design", toml=changed, form=data)["problem"]


def test_a_fix_is_made_in_the_text(client: Any) -> None:
    done = ask(client, "/api/design/mend", toml=DESIGN, code="PA301", path="stages.0.blocks.0.conv")
    assert done["refused"] is None
    assert done["gone"] == ["PA301", "PA301"]
    assert done["toml"] == DESIGN.replace("bias = true", "bias = false")
    after = ask(client, "/api/design", toml=done["toml"])
    assert "PA301" not in [one["code"] for one in after["findings"]]
    none = client.post("/api/design/mend", json={"toml": DESIGN, "code": "XX999", "path": "stem"})
    assert none.status_code == 422
    assert "no such finding" in none.json()["error"]


def test_a_scaled_design_costs_what_its_own_text_costs(client: Any) -> None:
    same = ask(client, "/api/design/scale", toml=DESIGN)
    assert from_toml(same["toml"]) == from_toml(DESIGN)
    grown = ask(client, "/api/design/scale", toml=DESIGN, width=2.0, depth=1.5, resolution=2.0)
    arch = from_toml(grown["toml"])
    assert (arch.stages[0].width, arch.stages[0].depth, arch.image) == (32, 3, (3, 64, 64))
    assert grown["cost"] == ask(client, "/api/design", toml=grown["toml"])["cost"]
    assert (
        "512"
        in ask(client, "/api/design/scale", toml=DESIGN.replace("= 2", "= 300"), depth=2.0)[
            "problem"
        ]
    )


def test_source_runs_and_has_the_same_parameters(client: Any) -> None:
    written = ask(client, "/api/design/code", toml=DESIGN)
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(written["code"], "written", "exec"), names)
    made = names[written["name"]]()
    assert (
        sum(p.numel() for p in made.parameters())
        == (ask(client, "/api/design", toml=DESIGN)["cost"]["params"])
    )


def test_zoo_names_alone_are_taken(client: Any) -> None:
    assert client.get("/api/zoo/resnet50").json()["toml"] == to_toml(zoo("resnet50"))
    for name in ("net.py:Net", "timm/resnet50", "..%2f..%2fetc%2fpasswd", "os:system"):
        assert client.get(f"/api/zoo/{name}").status_code == 404


def test_the_schema_takes_what_the_library_takes(client: Any) -> None:
    schema = client.get("/api/schema").json()
    data = json.loads(json.dumps(ask(client, "/api/design", toml=DESIGN)["arch"]))
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "classes": 1}, schema)


def test_predictions_are_those_of_the_command(
    client: Any, runs: Path, png: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "noise.png"
    file.write_bytes(png)
    (said,) = striate.predict(runs / "one", file, top=3)
    got = client.post("/predict?top=3", content=png).json()
    assert [one["class"] for one in got["top"]] == list(said.classes)
    assert [one["confidence"] for one in got["top"]] == pytest.approx(said.confidences, abs=1e-6)
    assert [one["what"] for one in got["unlike"]] == [one.what for one in said.unlike]
    assert client.post("/predict?top=11", content=png).status_code == 422


def test_a_look_tells_maps_sums_and_the_ledger(client: Any, runs: Path, png: bytes) -> None:
    looked = client.post("/api/look", content=png).json()
    run = striate.load(runs / "one")
    inputs = run.preprocessing.read(png)
    maps: dict[str, torch.Tensor] = {}
    conv = run.module.get_submodule("stages.0.blocks.0.conv1")
    conv.register_forward_hook(lambda _m, _i, out: maps.update(out=out))
    with torch.no_grad():
        logits = run.module(inputs)[0]
    layers = {layer["path"]: layer for layer in looked["layers"]}
    assert layers["stages.0.blocks.0.conv1"]["steps"]
    assert layers["stages.0.blocks.0.conv1"]["size"] == [4, 4]
    at = f"/api/look/{looked['id']}"
    told = client.get(f"{at}/maps?path=stages.0.blocks.0.conv1").json()
    low, high = told["ranges"][5]
    assert (low, high) == pytest.approx(
        (maps["out"][0, 5].min().item(), maps["out"][0, 5].max().item()), abs=1e-6
    )
    step = client.get(f"{at}/step?path=stages.0.blocks.0.conv1&channel=5&row=3&col=0").json()
    assert step["value"] == pytest.approx(maps["out"][0, 5, 3, 0].item(), abs=1e-5)
    assert step["output"] == pytest.approx(step["value"], abs=1e-5)
    assert (step["rows"], step["cols"]) == ([5, 6, 7], [-1, 0, 1])
    shown = sum(one["sum"] for one in step["channels"])
    assert shown + step["rest"] + step["bias"] == pytest.approx(step["value"], abs=1e-12)
    for one in step["channels"]:
        assert np.multiply(one["patch"], one["kernel"]) == pytest.approx(np.array(one["products"]))
    ledger = client.get(f"{at}/ledger?number=4").json()
    assert ledger["logit"] == pytest.approx(logits[4].item(), abs=1e-4)
    assert sum(part["written"] for part in ledger["parts"]) == pytest.approx(ledger["logit"])
    assert ledger["withheld"] is None


@pytest.mark.parametrize(
    "asked",
    [
        "maps?path=nowhere", "maps?path=stem&first=99", "step?path=stem.norm&channel=0&row=0&col=0",
        "step?path=stem.conv&channel=99&row=0&col=0", "step?path=stem.conv&channel=0&row=8&col=0",
        "ledger?number=10", "ledger?number=-1", "step?path=stem.conv&channel=0&row=0",
    ],
)  # fmt: skip
def test_what_an_image_does_not_have_is_said(client: Any, png: bytes, asked: str) -> None:
    name = client.post("/api/look", content=png).json()["id"]
    answer = client.get(f"/api/look/{name}/{asked}")
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]


def test_images_are_forgotten_one_after_another(client: Any, png: bytes) -> None:
    first = client.post("/api/look", content=png).json()["id"]
    for seed in range(8):
        client.post("/api/look", content=noise(seed))
    assert client.get(f"/api/look/{first}/maps?path=stem.conv").status_code == 404


def test_runs_are_listed_compared_and_drawn(client: Any, runs: Path) -> None:
    found = client.get("/api/runs").json()
    assert {run["name"] for run in found["runs"]} == {"one", "two"}
    assert all("run" not in run for run in found["runs"])  # no path of this machine
    assert str(runs) not in json.dumps(found)
    told = client.get("/api/runs/compare?run=one&run=two").json()
    assert [run["name"] for run in told["runs"]] == ["one", "two"]
    assert {"key": "seed", "values": [0, 1]} in told["differences"]["recipe"]
    assert [len(curve) for curve in told["curves"]] == [2, 2]
    curves = client.get("/api/runs/curves?run=two").json()
    assert curves["epochs"] == told["curves"][1]
    assert client.get("/api/runs/compare?run=one").status_code == 422
    assert client.get("/api/runs/compare?run=one&run=three").status_code == 404


def test_a_finished_runs_stream_ends(client: Any) -> None:
    text = client.get("/api/runs/live?run=one").text
    events = [line.removeprefix("event: ") for line in text.splitlines() if line[:6] == "event:"]
    assert events == ["news", "end"]


def test_training_is_told_as_it_is_written(runs: Path, make_client: Any, tmp_path: Path) -> None:
    from striate.flow.served_runs import Feed

    folder = tmp_path / "all" / "growing"
    folder.mkdir(parents=True)
    for name in ("run.json", "recipe.toml", "arch.toml", "preprocessing.json"):
        (folder / name).write_bytes((runs / "one" / name).read_bytes())
    lines = (runs / "one" / "metrics.jsonl").read_text().splitlines(keepends=True)
    metrics = RunPaths(folder).metrics
    metrics.write_text("".join(lines[:4]) + lines[4][:20])  # the last is being written
    lock = Lock(RunPaths(folder).lock)
    try:
        feed = Feed(folder)
        first = feed.news()
        assert (first.again, len(first.steps), first.training) == (True, 3, True)
        metrics.write_text("".join(lines))
        rest = feed.news()
        whole = [json.loads(line) for line in lines]
        assert rest.steps == tuple(one for one in whole[4:] if one["kind"] == "step")
        assert rest.epochs == tuple(one for one in whole if one["kind"] == "epoch")
        metrics.write_text("".join(lines[:3]))  # a resume cuts it back
        again = feed.news()
        assert (again.again, len(again.steps)) == (True, 2)
    finally:
        lock.release()
    assert not feed.news().training


def test_a_server_without_a_run_says_so(make_client: Any, png: bytes) -> None:
    asked = make_client()
    assert asked.get("/api/start").json()["run"] is None
    answer = asked.post("/predict", content=png)
    assert answer.status_code == 409
    assert "start striate serve with the folder" in answer.json()["error"]


def test_health_metrics_and_openapi(client: Any, png: bytes) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    assert client.get("/health").json() == {
        "striate": 1, "status": "ok", "version": striate.__version__, "run": "one",
    }  # fmt: skip

    def predicted() -> float:
        families = text_string_to_metric_families(client.get("/metrics").text)
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "striate_requests_total"
            and sample.labels == {"path": "/predict", "method": "POST", "status": "200"}
        )

    before = predicted()
    client.post("/predict", content=png)
    assert predicted() == before + 1
    document = client.get("/openapi.json").json()
    jsonschema.Draft202012Validator.check_schema(document["components"]["schemas"]["Problem"])
    described = set(document["paths"])
    assert {"/predict", "/api/design", "/api/look", "/api/runs/live", "/metrics"} <= described
