"""What ``advise`` measures, against other ways to the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from striate.arch import (
    Arch,
    Stage,
    Stem,
    field_sizes,
    from_toml,
    map_sizes,
    to_toml,
    zoo,
    zoo_costs,
)
from striate.data import open_data
from striate.errors import InputError
from striate.flow.advise import advise
from striate.flow.advise_measures import run_facts
from striate.flow.advise_searched import by_search, searched
from striate.flow.events import FitOptions
from striate.flow.fit import fit
from striate.flow.load import load
from striate.flow.scale import scale
from striate.flow.search import search, search_events
from striate.flow.search_told import Begun, SearchOptions
from striate.records.advice import SearchFacts, Sentence, Verdict
from striate.runs import evaluate


@pytest.fixture(scope="module")
def resnet20() -> Arch:
    return zoo("resnet20")


def test_fields_maps_and_costs_are_those_of_the_design(resnet20: Arch) -> None:
    found = advise("shapes", arch=resnet20.model_copy(update={"classes": 10}))
    facts = found.facts
    parts = facts.parts
    assert [part.path for part in parts] == ["stem", "stages.0", "stages.1", "stages.2"]
    assert [part.size for part in parts] == map_sizes(resnet20)
    assert [part.field for part in parts] == [(size, size) for size, _ in field_sizes(resnet20)]
    costs = zoo_costs()["resnet20"]
    assert sum(part.macs for part in facts.stages) == costs.macs == facts.cost["macs"]
    assert sum(part.params for part in facts.stages) == costs.params == facts.cost["params"]
    assert sum(part.activations for part in facts.stages) == costs.activations
    assert all(part.seconds > 0 for part in facts.stages)
    dataset = open_data("shapes")
    counts = np.bincount(dataset.train.labels)
    assert (facts.data.train, facts.data.fewest) == (counts.sum(), counts.min())
    # shapes are drawn at 32 px: a larger image shows no new pixel
    assert found.verdict.resolution == 1
    # the advised network is the one that scale makes of the options that are told
    words = found.verdict.options.split()
    asked = {
        key[2:]: value if key == "--rule" else float(value)
        for key, value in zip(words[::2], words[1::2], strict=True)
    }
    again = scale(found.base.member.arch, facts.budgets, **asked)
    assert again.members[0].member.arch == found.advised.member.arch
    assert found.advised.cost["macs"] <= facts.budgets["macs"] == pytest.approx(2.2 * costs.macs)
    assert from_toml(to_toml(found.advised.member.arch)) == found.advised.member.arch
    document = json.loads(json.dumps(found.as_json()))
    assert document["striate"] == 1
    assert len(document["sentences"]) == len(found.sentences)
    assert all(one["measured"] for one in document["sentences"])


def test_what_a_run_has_learned(quick: Callable[..., FitOptions]) -> None:
    fit("digits", quick())
    run = load(Path("run"))
    dataset = open_data("digits")
    facts, _ = run_facts(Path("run"), dataset)
    for split, told in ((dataset.train, facts.train_accuracy), (dataset.val, facts.val_accuracy)):
        assert told == pytest.approx(evaluate(run.module, split, run.preprocessing).accuracy)
    assert (facts.train_images, facts.val_images, facts.epochs) == (1259, 179, 1)
    assert facts.branches == 1
    assert facts.channels == 8 + 16 + 16  # three activations: stem, inside, behind the sum
    found = advise(run=Path("run"), budget="params=10k")
    assert found.facts.network == "tiny"
    assert found.source == "digits"
    assert any("After 1 epoch the run is right on" in one.text for one in found.sentences)
    for wrong, message in (
        ({"data": "shapes"}, "--run run: was trained on digits, not on shapes; leave DATA out"),
        ({"arch": "resnet20"}, "--run run: has its own network and images; leave --arch out"),
        ({"image": "8x8"}, "--run run: has its own network and images; leave --image out"),
    ):
        with pytest.raises(InputError) as caught:
            advise(run=Path("run"), **wrong)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"budget": "flops=1G"}, "--budget flops=1G: no budget 'flops'; choose from macs"),
        ({"budget": {"macs": -1.0}}, "macs = -1.0: a budget is a number above 0"),
        ({"batch": 0}, "--batch 0: give at least 1"),
        ({"arch": "resnet"}, "resnet: no such network"),
        ({"arch": "torch.nn:Identity"}, "is a module, and only an architecture can be scaled"),
        ({"image": "5x8x8"}, "--image 5x8x8: images have 1 or 3 channels, not 5"),
        ({"run": Path("nowhere")}, "nowhere"),
        ({"budget": "params=10"}, "has at most 10 parameters"),
    ],
)
def test_what_cannot_be_advised(asked: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        advise("digits", **{"arch": "resnet20", **asked})  # type: ignore[arg-type] # one of each type
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_search_goes_before_rules_of_thumb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stages = tuple(Stage(block="basic", depth=2, width=width) for width in (8, 16))
    base = Arch(name="b", image=(1, 8, 8), classes=10, stem=Stem(width=8), stages=stages)
    Path("b.toml").write_text(to_toml(base))
    options = SearchOptions(
        arch="b.toml", grid=1, epochs=1, share=0.1, seeds=1, setting="fp32", threads=1, divisor=4,
        out=Path("found"),
    )  # fmt: skip
    for event in search_events("digits", options):
        if isinstance(event, Begun):
            break
    with pytest.raises(InputError, match="--search found: has not come to its end; give its"):
        advise("digits", "macs=3M", arch=base, search=Path("found"))
    result = search("digits", options).result
    found = advise("digits", "macs=3M", arch=base, search=Path("found"))
    assert found.facts.search is not None
    for axis, three in (("depth", (2, 1, 1)), ("width", (1, 1.4142, 1))):
        mean = next((one.mean for one in result.candidates if three in one.coefficients), None)
        assert found.facts.search.alone.get(axis) == (None if mean is None else pytest.approx(mean))
    verdict = found.verdict
    assert (verdict.depth, verdict.width, verdict.resolution) == result.coefficients
    said = found.sentences[-1]
    assert said.text.startswith("Trained on these images (found), at twice the MACs, on 179")
    assert f"(see {len(found.sentences)})" in verdict.why
    three = dict(zip(("alpha", "beta", "gamma"), result.coefficients, strict=True))
    again = scale(base, "macs=3M", divisor=4, **three)
    assert again.members[0].member.arch == found.advised.member.arch
    for wrong, message in (
        ({"arch": "resnet20"}, "--search found: is of another network or image size; advise on it"),
        ({"data": "shapes"}, "--search found: is of digits, not of shapes; leave it out"),
        ({"search": Path("b.toml")}, "--search b.toml: not a search's folder; name one that"),
    ):
        with pytest.raises(InputError) as caught:
            advise(**{"data": "digits", "arch": base, "search": Path("found"), **wrong})
        assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("beta", "part"), [(1.2, "it grows width (closed by 1)"), (1.0, "")])
def test_where_a_search_contradicts_a_rule_of_thumb(beta: float, part: str) -> None:
    facts = SearchFacts(
        folder="f", alpha=1.4, beta=beta, gamma=1.0, chosen=0.8, base=0.7, alone={"depth": 0.75},
        error=0.01, tied=2, candidates=5, val_images=100, divisor=8,
    )  # fmt: skip
    said = (
        Sentence(text="t", measured={}, axis="width", side="closed"),
        *searched(facts),
    )
    assert "70.0% by the network as it is, depth alone 75.0%, 80.0% by α 1.4" in said[1].text
    assert "2 of 5 cannot be told apart" in said[1].text
    expected = Verdict(rule="depth", depth=2, width=1, resolution=1, why="w")
    judged = by_search(expected, facts, said)
    assert judged.options == f"--alpha 1.4 --beta {beta:g} --gamma 1"
    assert "(see 2)" in judged.why
    assert part in judged.why
    assert ("goes before what is expected" in judged.why) == bool(part)
