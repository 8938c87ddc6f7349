"""Published claims: their figures, how they are measured, and that one can fail."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional as F

from striate.arch import Arch, Stage, Stem, to_toml
from striate.building import build
from striate.cli.main import outcome
from striate.errors import InputError
from striate.flow import claims
from striate.flow.claims import GROUPS, Claim, chosen, gradient, randomised, trained
from striate.flow.claims.fields import reach, slim
from striate.flow.claims.luo import spread
from striate.flow.claims.networks import PUBLISHED
from striate.flow.verify import verify


def quiet(done: int, total: int) -> None:
    del done, total


def test_names_are_their_own_and_every_claim_has_its_source() -> None:
    names = [f"{group.name}/{claim.name}" for group in GROUPS for claim in group.claims]
    assert len(names) == len(set(names))
    for group in GROUPS:
        for claim in group.claims:
            assert claim.source
            assert claim.what
            assert claim.tolerance >= 0
            assert np.isfinite(claim.claimed)


def test_the_figures_are_the_published_ones(shared: Path) -> None:
    """Against the tables that lie beside the project, which were typed by another hand."""
    facts = json.loads((shared / "facts" / "networks.json").read_text())["rows"]
    compared = 0
    for row in PUBLISHED:
        known = facts.get(row.name) or facts.get(f"{row.name}_cifar", {})
        if "params" in known and row.params is not None:
            assert abs(known["params"] - row.params) <= (0 if row.step == 1 else row.step / 2)
            compared += 1
        if "params_rounded" in known:
            assert known["params_rounded"] == row.params
            compared += 1
        if "gmacs" in known and row.macs is not None:
            digits = len(str(known["gmacs"]).partition(".")[2])
            assert round(row.macs / 1e9, digits) == pytest.approx(known["gmacs"], abs=1e-9)
            compared += 1
    assert compared > 40


def test_claims_that_need_no_training_hold() -> None:
    """All but the slow ones: each is measured by its own road."""
    names = ["params/resnet50", "macs/efficientnet_b0", "fields/vgg16",
             "fields/resnet_v1_50", "reach/resnet_v1_50", "luo", "lengths", "ledger/resnet20",
             "spectrum/preact_resnet20"]  # fmt: skip
    told: list[tuple[str, int, int]] = []
    found = verify(names, progress=lambda group, done, all_: told.append((group.name, done, all_)))
    assert found.holds, [v.as_json() for v in found.verdicts if not v.holds]
    values = {verdict.name: verdict.measured for verdict in found.verdicts}
    assert values["params/resnet50"] == 25_557_032
    assert values["lengths/19-35"] == pytest.approx(0.98017, abs=1e-5)
    assert 0 < values["ledger/resnet20"] < 1e-9
    assert all(0 <= done <= all_ for _, done, all_ in told)


def test_a_claim_fails_where_it_does_not_hold(monkeypatch, capsys) -> None:
    (law,) = [group for group in GROUPS if group.name == "luo"]
    wrong = replace(law, claims=(replace(law.claims[0], claimed=2.5), *law.claims[1:]))
    monkeypatch.setattr(claims, "GROUPS", (wrong,))
    assert outcome(["verify", "--only", "luo", "--json"]) == 1
    ended = capsys.readouterr()
    found = json.loads(ended.out)
    assert found["striate"] == 1
    assert [row["holds"] for row in found["claims"]] == [False, True, True, True]
    assert set(found["claims"][0]) >= {
        "name", "source", "claimed", "measured", "tolerance", "holds",
    }  # fmt: skip
    assert "1 of 4 do not hold: luo/5" in ended.err


def test_sides_of_a_claim() -> None:
    most = Claim(name="x", what="", source="", claimed=1.0, tolerance=0.1, relation="≤")
    assert [most.holds(value) for value in (-9.0, 1.1, 1.2, float("nan"))] == [
        True, True, False, False,
    ]  # fmt: skip
    least = replace(most, relation="≥")
    assert [least.holds(value) for value in (9.0, 0.95, 0.8, float("nan"))] == [
        True, True, False, False,
    ]  # fmt: skip


def test_what_cannot_be_is_said_in_one_line() -> None:
    with pytest.raises(InputError, match="--only lengthss is no claim: did you mean lengths"):
        chosen(["lengthss"], train=True)
    with pytest.raises(InputError, match=r"no claim: did you mean luo/40"):
        chosen(["luo/400"], train=True)
    with pytest.raises(InputError, match=r"lesions: trains networks, for about 2 min.*add --train"):
        chosen(["lesions/plain"], train=False)
    assert outcome(["verify", "--list", "--train"]) == 2
    assert all(group.minutes is None for group, _ in chosen([], train=False))
    assert {group.name for group, _ in chosen([], train=True)} == {g.name for g in GROUPS}


def test_the_law_by_convolving_ones() -> None:
    kernel = np.ones(3)
    weights = np.ones(1)
    for _ in range(7):
        weights = np.convolve(weights, kernel)
    places = np.arange(len(weights)) - len(weights) // 2
    expected = np.sqrt((weights * places**2).sum() / weights.sum())
    assert spread(7) == pytest.approx(expected, rel=1e-9)


def test_reach_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2, 2), nn.Conv2d(1, 1, 3))
    assert reach(net, 20) == 3 + 1 + 2 * 2
    assert sum(isinstance(layer, nn.Conv2d) for layer in slim("resnet_v1_50").modules()) == 65


class _Chain(nn.Module):
    """Three blocks on a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        for number, block in enumerate(self.blocks):
            out = torch.tanh(block(x))
            x = x + out if number != 1 else out + x
        return self.head(x)


def test_paths_one_by_one_against_every_path() -> None:
    """With more draws than there are paths, the mean is that over the paths."""
    torch.manual_seed(0)
    net = _Chain()
    images, labels = torch.randn(2, 1, 2, 2), np.array([0, 2])
    norms, counts = gradient.path_norms(net, images, labels, quiet, draws=80)
    assert counts == (1, 3, 3, 1)
    logits = net(images).detach().requires_grad_()
    loss = F.cross_entropy(logits, torch.as_tensor(labels), reduction="sum")
    (first,) = torch.autograd.grad(loss, logits)
    jacobians, x = [], images.flatten(1)
    for block in net.blocks:
        slope = 1 - torch.tanh(block(x)) ** 2
        jacobians.append(slope[:, :, None] * block.weight[None])
        x = x + torch.tanh(block(x))
    for length in range(4):
        expected = []
        for taken in combinations(range(3), length):
            carried = first @ net.head.weight
            for number in reversed(taken):
                carried = torch.einsum("no,noi->ni", carried, jacobians[number])
            expected.append(carried.norm(dim=1).mean().item())
        tolerance = 1e-5 if length in (0, 3) else 0.25
        assert norms[length] == pytest.approx(np.mean(expected), rel=tolerance)


def small(name: str, block: str = "basic", skip: bool | None = None) -> Arch:
    return Arch(
        name=name, image=(1, 8, 8), classes=10, stem=Stem(width=6),
        stages=(Stage(block=block, depth=2, width=6, skip=skip),
                Stage(block=block, depth=2, width=8, stride=2, skip=skip)),
    )  # fmt: skip


def test_guided_backpropagation_by_hand() -> None:
    """One activation: what comes back is cut at zero, and where the unit was shut."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    images, labels = torch.randn(2, 1, 2, 2), np.array([1, 2])
    found = randomised.saliency(net, images, labels, guided=True)
    hidden = net[1](images.flatten(1))
    back = net[3].weight[torch.as_tensor(labels)].clamp_min(0) * (hidden > 0)
    assert np.allclose(found, (back @ net[1].weight).abs().detach().numpy(), atol=1e-6)
    plain = randomised.saliency(net, images, labels, guided=False)
    back = net[3].weight[torch.as_tensor(labels)] * (hidden > 0)
    assert np.allclose(plain, (back @ net[1].weight).abs().detach().numpy(), atol=1e-6)


def test_ranks_are_spearmans() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 6, 40).astype(float), rng.integers(0, 6, 40).astype(float)
        assert randomised._correlation(a, b) == pytest.approx(spearmanr(a, b)[0])


def test_what_is_drawn_anew_and_what_stays() -> None:
    module = build(small("some"), seed=1).eval()
    images = torch.randn(8, 1, 8, 8)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    other = randomised.drawn_anew(module, images, keep=("stem", "stages.0"))
    for name, value in other.state_dict().items():
        if name.endswith(("conv.weight", "linear.weight")):
            assert torch.equal(value, before[name]) == name.startswith(("stem", "stages.0")), name
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_training_claims_run_from_training_to_verdict(tmp_path, monkeypatch) -> None:
    """The whole road, with networks and epochs too small for the claims to be about anything."""
    monkeypatch.chdir(tmp_path)
    Path("skips.toml").write_text(to_toml(small("skips")))
    Path("plain.toml").write_text(to_toml(small("plain", skip=False)))
    monkeypatch.setattr(trained, "EPOCHS", 1)
    monkeypatch.setattr(trained, "_KEPT", {})
    from striate.flow.claims import degradation, lesions

    named = {"residual": "skips.toml", "plain": "plain.toml"}
    monkeypatch.setattr(lesions, "NETWORKS", named)
    pairs = dict.fromkeys(degradation.NETWORKS, ("plain.toml", "skips.toml"))
    monkeypatch.setattr(degradation, "NETWORKS", pairs)
    monkeypatch.setattr(randomised, "NETWORK", "skips.toml")
    monkeypatch.setattr(gradient, "NETWORK", "skips.toml")
    asked = ["lesions", "degradation", "randomised", "gradient"]
    found = verify(asked, train=True)
    values = {verdict.name: verdict.measured for verdict in found.verdicts}
    assert len(values) == 2 + 3 + 3 + 4
    assert all(np.isfinite(value) for value in values.values())
    assert values["degradation/plain"] == values["degradation/twins"]
    assert -1 <= values["degradation/residual"] <= 1
    assert set(trained._KEPT) == {"skips.toml", "plain.toml"}  # each once
    assert {path.name for path in tmp_path.iterdir()} == {"skips.toml", "plain.toml"}
