"""A run beside its twin and beside itself without its tail: trained alike, resumed, compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import striate
from striate.arch import Arch, Stage, Stem, load_arch, plain_twin, shortened, to_toml
from striate.cli.main import outcome
from striate.errors import ArchError, InputError
from striate.flow import sibling
from striate.flow.events import FitOptions
from striate.flow.see import see
from striate.records import StepRecord
from striate.runs.kept_evidence import load_evidence

Quick = Callable[..., FitOptions]


@pytest.fixture
def run(quick: Quick) -> Path:
    arch = Arch(
        name="deep", image=(1, 8, 8), classes=10, stem=Stem(width=6),
        stages=(Stage(block="basic", depth=2, width=6),
                Stage(block="basic", depth=3, width=8, stride=2)),
    )  # fmt: skip
    Path("deep.toml").write_text(to_toml(arch))
    striate.fit("digits", quick(arch="deep.toml"))
    return Path("run")


class _Stopped(Exception):
    """Whatever ends a process in the middle of its training."""


def test_a_tail_is_confirmed_by_training_without_it(run: Path, monkeypatch) -> None:
    """Stopped in the middle, gone on with, compared image by image, never trained again."""
    from striate.seeing import tail as way

    measured = way.tail

    def dropping(subject, probes, lens, lesions):
        """However one epoch came out: probes that rise no more behind the second block."""
        names = list(probes.facts["names"])
        steps = np.where(np.arange(len(names)) >= names.index("stages.0.blocks.1"), 0.9, 0.2)
        arrays = {**probes.arrays, "accuracy": steps}
        changed = type(probes)(
            name=probes.name, title=probes.title, arrays=arrays, facts=probes.facts
        )
        return measured(subject, changed, lens, lesions)

    monkeypatch.setattr(way, "tail", dropping)
    events = sibling.fit_events

    def killed(*given):
        for event in events(*given):
            yield event
            if isinstance(event, StepRecord) and event.step == 5:
                raise _Stopped

    monkeypatch.setattr(sibling, "fit_events", killed)
    with pytest.raises(_Stopped):
        see(run, only=["tail"], confirm=True)
    monkeypatch.setattr(sibling, "fit_events", events)
    seen = see(run, only=["tail"], confirm=True)
    verdict, confirmed = seen.evidence
    assert (verdict.name, confirmed.name) == ("tail.verdict", "tail.confirmed")
    assert verdict.facts["drop"] == 3
    full = load_arch(run / "arch.toml")
    short = shortened(full, 3)
    assert load_arch(run / "confirm-3" / "arch.toml") == short
    before, after = (striate.trace(striate.build(arch), (1, 8, 8)).totals for arch in (full, short))
    assert verdict.facts["saved"]["macs"] == before.macs - after.macs
    assert verdict.facts["saved"]["params"] == before.params - after.params
    recipe = (run / "recipe.toml").read_text()
    assert (run / "confirm-3" / "recipe.toml").read_text() == recipe
    facts = confirmed.facts
    whole, other = striate.load(run), striate.load(run / "confirm-3")
    assert facts["accuracy"] == [whole.result.accuracy, other.result.accuracy]
    count = facts["images"]
    assert facts["error"][0] == pytest.approx(
        np.sqrt(facts["accuracy"][0] * (1 - facts["accuracy"][0]) / count)
    )
    right = [one.evaluation.probabilities.argmax(1) == one.evaluation.labels
             for one in (whole, other)]  # fmt: skip
    apart = right[1].astype(int) - right[0]
    assert facts["difference"] == pytest.approx(apart.mean())
    assert facts["difference_error"] == pytest.approx(apart.std() / np.sqrt(count))
    assert "Trained again without its tail" in (run / "report.html").read_text()
    # What is trained is not trained again, and stays in the report without being asked for.
    monkeypatch.setattr(sibling, "fit_events", killed)
    assert [piece.name for piece in see(run, only=["tail"]).evidence] == [
        "tail.verdict", "tail.confirmed",
    ]  # fmt: skip
    assert len(load_evidence(run / "evidence" / "tail.safetensors")) == 2


def test_a_twin_is_trained_alike_and_stands_beside(run: Path, capsys) -> None:
    assert outcome(["see", "run", "--only", "beside", "--twin", "--json"]) == 0
    capsys.readouterr()
    twin = load_arch(run / "twin" / "arch.toml")
    assert twin == plain_twin(load_arch(run / "arch.toml"))
    assert (run / "twin" / "recipe.toml").read_text() == (run / "recipe.toml").read_text()
    pieces = {piece.name: piece for piece in load_evidence(run / "evidence" / "beside.safetensors")}
    assert set(pieces) == {
        "beside.curves", "beside.likeness",
        *(f"beside.{part}.{at}" for at in (0, 1)
          for part in ("strip", "lens", "lesions", "probes", "shattering", "fields")),
    }  # fmt: skip
    assert pieces["beside.strip.0"].inapplicable is None
    assert "no skip" in pieces["beside.strip.1"].inapplicable
    likeness = pieces["beside.likeness"]
    assert likeness.arrays["cka"].shape == (
        len(likeness.facts["rows"]), len(likeness.facts["columns"]),
    )  # fmt: skip
    page = (run / "report.html").read_text()
    assert "Two networks side by side" in page
    # Both tables begin with what networks without skips have too, and each says whose it is.
    assert re.findall(r'aria-label="Block by block, (\w+)"', page) == ["run", "twin"]
    beside = page[page.index("Two networks side by side") :]
    heads = [re.findall(r"<th[^>]*>([a-z]+)</th>", part)[:3] for part in beside.split("<thead>")]
    assert heads.count(["block", "without", "settled"]) == 2
    # The twin is a run like any other, and can be named as one.
    see(run / "twin", only=["beside"], against=run)
    back = {p.name: p for p in load_evidence(run / "twin" / "evidence" / "beside.safetensors")}
    np.testing.assert_allclose(
        back["beside.likeness"].arrays["cka"], likeness.arrays["cka"].T, atol=1e-6
    )


def test_what_cannot_be_compared_is_said_in_one_line(run: Path, quick: Quick) -> None:
    with pytest.raises(InputError, match=r"--only beside: compares two runs; add --twin"):
        see(run, only=["beside"])
    with pytest.raises(InputError, match=r"both name the second run"):
        see(run, twin=True, against="other")
    with pytest.raises(InputError, match=r"--against run: is the same run"):
        see(run, against="run")
    striate.fit("shapes", quick(out=Path("shapes"), arch="lenet5"))
    with pytest.raises(InputError, match=r"shapes: was trained on other data"):
        see(run, only=["beside"], against="shapes")
    with pytest.raises(InputError, match=r"no block that can have a skip, so it has no twin"):
        see("shapes", only=["beside"], twin=True)


def test_networks_without_their_last_blocks() -> None:
    arch = striate.zoo("resnet20")
    assert [s.depth for s in shortened(arch, 2).stages] == [3, 3, 1]
    assert [s.depth for s in shortened(arch, 3).stages] == [3, 3]
    assert [s.depth for s in shortened(arch, 8).stages] == [1]
    for wrong in (0, 9):
        with pytest.raises(ArchError, match=f"without {wrong} of its 9 blocks: give from 1 to 8"):
            shortened(arch, wrong)
