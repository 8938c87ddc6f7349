"""Why other tools' totals differ: every reason is arithmetic, and what has none is said."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from peers import import_peer
from striate.errors import InputError
from striate.flow import reconcile as flow
from striate.flow.matching import reconcile
from striate.flow.others import TOOLS, Tool
from striate.flow.reconcile import beside, parse_tools, reconcile_target
from striate.records import Trace
from striate.records.reconciliation import Account, Counted, Reconciliation
from striate.tracing import trace

IMAGE = (3, 16, 16)


class Tokens(nn.Module):
    """A convolution with a bias, a norm, an activation, attention, a layer on 16 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.ReLU()
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.stem(x)))
        x = x.flatten(2).transpose(1, 2).contiguous()[:, None]
        return self.fc(functional.scaled_dot_product_attention(x, x, x))


class Many(nn.Module):
    """What tools stumble over: shared modules, functions, products without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.shared = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.holder = nn.Sequential(self.shared, nn.ReLU())
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2, groups=2)
        self.weight = nn.Parameter(torch.rand(8, 8, 1, 1))
        self.norm = nn.GroupNorm(2, 8)
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.holder(self.shared(self.stem(x)))
        x = functional.conv2d(self.up.forward(x), self.weight)
        x = functional.interpolate(self.norm(x), scale_factor=0.5, mode="bilinear")
        t = x.flatten(2).transpose(1, 2)
        t = self.attn(t, t, t)[0]
        e = torch.einsum("bnc,bmc->bnm", t, t)
        t = torch.bmm(e, t) + torch.baddbmm(t, e @ e, t)
        return self.fc(t.mean(1))


CONV, FC, ATTENTION = 8 * 16 * 48, 16 * 8 * 10, 2 * 16 * 16 * 8
"""Multiply-accumulates of Tokens by hand: 4×4 positions, 3·4·4 products for each of 8 channels."""


def installed(name: str) -> None:
    """Skip where a tool is not installed; import it where torchvision does not load."""
    package = TOOLS[name].package
    try:
        version(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    try:
        import_peer(package)
    except ImportError as error:
        pytest.skip(f"{package} cannot be imported: {error}")


def counted(name: str, module: nn.Module) -> Reconciliation:
    installed(name)
    return beside(trace(module, IMAGE), name, module, torch.rand(1, *IMAGE))


def reasons(found: Reconciliation) -> set[tuple[str, int, int]]:
    """Each explained operation, what the tool counts for it and what we do."""
    return {(reason.op, reason.theirs, reason.ours) for reason in found.explained}


def whole(found: Reconciliation) -> None:
    """Reasons and leftovers are the difference, to the last multiply-accumulate."""
    assert found.failure is None
    parts = (*found.explained, *found.leftover)
    assert sum(part.difference for part in parts) == found.difference == found.total - found.ours
    assert found.unexplained == sum(part.difference for part in found.leftover)


def test_torch_leaves_attention_out_on_a_cpu() -> None:
    found = counted("torch", Tokens())
    whole(found)
    assert found.ours == CONV + FC + ATTENTION
    assert found.total == CONV + FC
    assert reasons(found) == {("attention", 0, ATTENTION)}
    assert "_scaled_dot_product_flash_attention_for_cpu" in str(found.explained[0].why)


def test_torchinfo_counts_parameters() -> None:
    """Biases times positions, norms once, a linear layer once for 16 tokens, no attention."""
    found = counted("torchinfo", Tokens())
    whole(found)
    assert reasons(found) == {
        ("linear", 80, FC),
        ("attention", 0, ATTENTION),
        ("BatchNorm2d", 16, 0),
        ("bias", 10, 0),
        ("bias", 8 * 16, 0),
    }
    assert found.unexplained == 0


def test_fvcore_counts_norms_and_does_not_know_attention() -> None:
    found = counted("fvcore", Tokens())
    whole(found)
    assert reasons(found) == {("batch_norm", 2 * 8 * 16, 0), ("attention", 0, ATTENTION)}
    assert found.unexplained == 0


def test_ptflops_counts_an_activation_twice_and_biases() -> None:
    found = counted("ptflops", Tokens())
    whole(found)
    assert reasons(found) == {
        ("BatchNorm2d", 2 * 8 * 16, 0),
        ("ReLU", 8 * 16, 0),
        ("F.relu", 8 * 16, 0),
        ("bias", 8 * 16 + 10 * 16, 0),
        ("attention", 0, ATTENTION),
    }
    assert found.unexplained == 0


def test_calflops_sees_no_attention() -> None:
    found = counted("calflops", Tokens())
    whole(found)
    assert reasons(found) == {("attention", 0, ATTENTION)}


@pytest.mark.parametrize("name", list(TOOLS))
def test_every_difference_of_an_odd_network_has_its_reason(name: str) -> None:
    found = counted(name, Many())
    whole(found)
    assert found.unexplained == 0
    assert not found.leftover


def test_what_has_no_reason_is_left_over() -> None:
    """A count that no rule gives, in a module and in the total, is shown with its number."""
    account = Account(
        tool="odd", version="1", total=CONV + FC + ATTENTION + 12,
        counted=(
            Counted(path="stem", op="conv", macs=CONV + 5, meant=CONV + 5),
            Counted(path="fc", op="linear", macs=FC, meant=FC),
            Counted(path="", op="attention", macs=ATTENTION, meant=ATTENTION),
        ),
        leaves_out={"*": "never looks"},
    )  # fmt: skip
    found = reconcile(trace(Tokens(), IMAGE), account)
    whole(found)
    assert found.difference == found.unexplained == 12
    assert not found.explained
    assert {(left.paths, left.difference) for left in found.leftover} == {
        (("stem",), 5),
        (("",), 7),
    }


def test_what_was_seen_in_another_module_is_no_difference() -> None:
    macs = CONV + FC + ATTENTION
    seen = (Counted(path="", op="all", macs=macs, meant=macs),)
    account = Account(tool="odd", version="1", total=macs, counted=seen, leaves_out={})
    found = reconcile(trace(Tokens(), IMAGE), account)
    assert found.difference == 0
    assert not found.explained
    assert not found.leftover


PATHS = st.sampled_from(["", "stem", "fc", "norm", "elsewhere"])
PARTS = st.builds(
    Counted,
    path=PATHS,
    op=st.sampled_from(["conv", "bias"]),
    macs=st.integers(0, 3 * CONV) | st.sampled_from([CONV, FC, ATTENTION]),
    meant=st.integers(0, 3 * CONV) | st.sampled_from([0, CONV, FC, ATTENTION]),
    why=st.sampled_from([None, "its rule"]),
)
TRACED = trace(Tokens(), IMAGE)


@given(total=st.integers(0, 10**6), parts=st.lists(PARTS, max_size=6), knows=st.booleans())
@settings(max_examples=200, deadline=None)
def test_reasons_and_leftovers_are_always_the_whole(
    total: int, parts: list[Counted], *, knows: bool
) -> None:
    """Whatever a tool says: nothing of the difference is hidden."""
    leaves_out = {"*": "never looks"} if knows else {}
    account = Account(
        tool="odd", version="1", total=total, counted=tuple(parts), leaves_out=leaves_out
    )
    whole(reconcile(TRACED, account))


def test_a_tool_that_fails_says_so_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    relu, matmul = functional.relu, torch.Tensor.matmul

    def broken(module: nn.Module, image: torch.Tensor, ours: Trace) -> Account:
        functional.relu = torch.Tensor.matmul = None  # type: ignore[assignment]  # breaks them on purpose
        torch.rand(5)
        sys.stdout.write("noise")
        raise RuntimeError("out of\npaper")

    monkeypatch.setitem(TOOLS, "torchinfo", Tool(package="torch", count=broken))
    module, state = Tokens(), torch.get_rng_state()
    found = beside(TRACED, "torchinfo", module, torch.empty(1, *IMAGE))
    assert found.failure is not None
    assert found.failure.endswith("out of paper")
    assert "RuntimeError" in found.failure
    assert found.as_json()["failure"] == found.failure
    assert functional.relu is relu
    assert torch.Tensor.matmul is matmul
    assert torch.equal(state, torch.get_rng_state())
    assert capsys.readouterr().out == ""


def test_an_image_has_the_type_of_the_weights() -> None:
    module = Tokens().double()
    found = beside(trace(module, IMAGE), "torch", module, torch.rand(1, *IMAGE))
    whole(found)
    assert found.failure is None


def test_tools_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_installed", lambda name: name == "torch")
    ran: list[str] = []
    found = reconcile_target("resnet20", ["fvcore", "torch"], begins=ran.append)
    assert ran == ["torch"]
    assert found.missing == (("fvcore", "pip install fvcore"),)
    assert found.tools[0].difference == 0
    with pytest.raises(InputError, match=r"--reconcile fvcore: is not installed; pip install"):
        reconcile_target("resnet20", ["fvcore"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no tool; choose from torchinfo, fvcore, ptflops, calflops, torch"),
        ("torchinfos", "--reconcile torchinfos: no tool of that name; did you mean torchinfo"),
        ("torch,xyz", "--reconcile xyz: no tool of that name; choose from torchinfo"),
    ],
)
def test_unknown_tools_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_tools(text)


def test_a_tool_is_asked_once() -> None:
    assert parse_tools("torch, fvcore,torch") == ("torch", "fvcore")


def test_the_document_has_its_keys() -> None:
    document: Any = reconcile_target("resnet20", ["torch"]).as_json()
    (tool,) = document["reconcile"]
    assert document["totals"]["macs"] == tool["ours"] == tool["total"] == 40_551_040
    assert tool["explained"] == tool["leftover"] == []
    assert tool["unit"] == "FLOPs, halved here"
