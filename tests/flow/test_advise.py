"""What ``advise`` measures, against other ways to the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from striate.arch import Arch, field_sizes, from_toml, map_sizes, to_toml, zoo, zoo_costs
from striate.data import open_data
from striate.errors import InputError
from striate.flow.advise import advise
from striate.flow.advise_measures import run_facts
from striate.flow.events import FitOptions
from striate.flow.fit import fit
from striate.flow.load import load
from striate.flow.scale import scale
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
    three = dict(zip((word[2:] for word in words[::2]), map(float, words[1::2]), strict=True))
    again = scale(found.base.member.arch, facts.budgets, **three)
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
