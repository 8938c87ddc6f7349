"""RE402 to RE410 on blocks as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from striate.checking import check
from striate.records import Finding
from striate.tracing import trace

IMAGE = (3, 16, 16)
Run = Callable[["Block", Tensor], Tensor]


class Block(nn.Module):
    """The parts of a residual block; ``run`` says how they are put together."""

    def __init__(self, run: Run, given: int = 8, width: int = 8, stride: int = 1) -> None:
        super().__init__()
        self.run = run
        self.conv1 = nn.Conv2d(given, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.act = nn.ReLU()
        self.over = nn.ReLU(inplace=True)
        self.project = nn.Conv2d(given, width, 1, stride, bias=False)
        self.end = nn.BatchNorm2d(width)

    def branch(self, x: Tensor) -> Tensor:
        return self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def net(*blocks: nn.Module, stem: int = 8) -> nn.Module:
    first = [nn.Conv2d(3, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()]
    return nn.Sequential(*first, *blocks)


def said(made: nn.Module | Callable[[], nn.Module], code: str) -> list[Finding]:
    found = trace(made, IMAGE)
    assert found.complete, found.failure
    return check(found, select=[code])


def post(block: Block, x: Tensor) -> Tensor:
    return (x + block.branch(x)).relu()


def pre(block: Block, x: Tensor) -> Tensor:
    return x + block.conv2(block.norm2(block.conv1(block.norm1(x).relu())).relu())


def activated_skip(block: Block, x: Tensor) -> Tensor:
    return block.act(x) + block.branch(x)


def overwritten(block: Block, x: Tensor) -> Tensor:
    return block.branch(block.over(x)) + x


def normed_sum(block: Block, x: Tensor) -> Tensor:
    return block.end(x + block.branch(x)).relu()


def dropped_skip(block: Block, x: Tensor) -> Tensor:
    return nn.functional.dropout(x, 0.5, block.training) + block.branch(x)


def reparameterised(block: Block, x: Tensor) -> Tensor:
    """RepVGG: three linear ways, folded into one afterwards."""
    return (block.norm2(block.conv2(x)) + block.norm1(block.project(x)) + block.end(x)).relu()


def projected_and_activated(block: Block, x: Tensor) -> Tensor:
    return block.act(block.end(block.project(x))) + block.branch(x)


@pytest.mark.parametrize(
    ("run", "place"),
    [
        (post, None),
        (pre, None),
        (reparameterised, None),
        (activated_skip, "act"),
        (overwritten, "over"),
        (normed_sum, "end"),
        (projected_and_activated, "act"),
    ],
)
def test_re403_knows_what_changes_an_identity(run: Run, place: str | None) -> None:
    found = said(net(Block(run), Block(run), nn.Sigmoid()), "RE403")
    if place is None:
        assert found == []
        return
    assert found
    assert found[0].path == f"3.{place}"
    if place == "over":
        (edit,) = found[0].edits
        assert (edit.argument, edit.value) == ("inplace", False)


def test_re403_finds_dropout_where_it_runs() -> None:
    found = check(trace(net(Block(dropped_skip)), IMAGE, train=True), select=["RE403"])
    assert [finding.measured["op"] for finding in found] == ["dropout"]


def ends_in_relu(block: Block, x: Tensor) -> Tensor:
    return x + block.act(block.branch(x))


def ends_in_gelu(block: Block, x: Tensor) -> Tensor:
    return x + nn.functional.gelu(block.branch(x))


def over_parts(block: Block, x: Tensor) -> Tensor:
    """Res2Net: a part of the channels is added to what was made of another."""
    one, two = x.chunk(2, 1)
    weight = block.conv1.weight[:4, :4]
    return torch.cat([nn.functional.conv2d(one, weight, padding=1).relu() + two, one], 1)


@pytest.mark.parametrize(
    ("run", "fires"), [(post, 0), (ends_in_relu, 1), (ends_in_gelu, 0), (over_parts, 0)]
)
def test_re404_knows_branches_that_can_only_add(run: Run, fires: int) -> None:
    found = said(net(Block(run), Block(run)), "RE404")
    assert len(found) == fires
    for finding in found:
        assert finding.measured["branches"] == ["3.act", "4.act"]


def test_re405_counts_along_one_way() -> None:
    class Side(nn.Module):
        """Two rows of blocks beside each other."""

        def __init__(self, depth: int) -> None:
            super().__init__()
            self.left = nn.Sequential(*[Block(post, 4, 4) for _ in range(depth)])
            self.right = nn.Sequential(*[Block(post, 4, 4) for _ in range(depth)])

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.left(x), self.right(x)], 1)

    with torch.device("meta"):
        beside, behind = Side(40), [Block(post, 4, 4) for _ in range(64)]
        assert said(net(beside, stem=4), "RE405") == []
        (finding,) = said(net(*behind, stem=4), "RE405")
        assert finding.measured["blocks"] == 64
        assert said(net(*behind[:63], stem=4), "RE405") == []


def strided(block: Block, x: Tensor) -> Tensor:
    return (block.project(x) + block.branch(x)).relu()


def pooled(block: Block, x: Tensor) -> Tensor:
    weight = block.project.weight
    skip = nn.functional.conv2d(nn.functional.avg_pool2d(x, 2), weight)
    return (skip + block.branch(x)).relu()


def test_re406_is_asked_for_and_re410_goes_by_the_others() -> None:
    def made(*runs: Run) -> nn.Module:
        widths = [8, 16, 32, 64]
        return net(*[Block(run, widths[i], widths[i + 1], 2) for i, run in enumerate(runs)])

    (finding,) = said(made(strided, strided), "RE406")
    assert finding.measured["projections"] == ["3.project", "4.project"]
    assert said(made(pooled, pooled), "RE406") == []
    assert "RE406" not in {one.code for one in check(trace(made(strided, strided), IMAGE))}
    assert [one.path for one in said(made(pooled, strided, pooled), "RE410")] == ["4.project"]
    assert said(made(strided, strided), "RE410") == []
    assert said(made(pooled, pooled), "RE410") == []


def test_re407_reads_the_scales_as_they_begin() -> None:
    def made(scale: float) -> nn.Module:
        block = Block(post)
        nn.init.constant_(block.norm2.weight, scale)
        return net(block)

    (finding,) = said(lambda: made(1.0), "RE407")
    assert (finding.path, finding.measured["scale"]) == ("3.norm2", 1.0)
    assert said(lambda: made(0.0), "RE407") == []
    assert said(made(0.0), "RE407") == []
    trained = made(1.0)
    nn.init.uniform_(trained.get_submodule("3.norm2").get_parameter("weight"))
    assert said(trained, "RE407") == []


def test_re408_asks_whether_any_skip_is_an_identity() -> None:
    (finding,) = said(net(Block(strided), Block(strided)), "RE408")
    assert finding.price.params == 2 * 8 * 8
    assert finding.price.macs == 2 * 8 * 8 * 16 * 16
    assert said(net(Block(strided), Block(post)), "RE408") == []
    assert said(net(Block(strided, 8, 16, 2), Block(strided, 16, 32, 2)), "RE408") == []


def forgotten(block: Block, x: Tensor) -> Tensor:
    return block.branch(x).relu()


def test_re409_goes_by_the_blocks_beside_it() -> None:
    (finding,) = said(net(Block(post), Block(forgotten), Block(post)), "RE409")
    assert finding.path == "4"
    assert said(net(*[Block(forgotten) for _ in range(3)]), "RE409") == []
    assert said(net(Block(post), Block(forgotten, 8, 8, 2), Block(post)), "RE409") == []
    stages = [nn.Sequential(Block(post), Block(post)), nn.Sequential(Block(forgotten))]
    assert said(net(*stages), "RE409") == []


def test_re402_counts_through_branches_of_equal_length() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = (nn.Conv2d(4, 2, 3, padding=1) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.left(x), self.right(x)], 1).relu()

    class Around(nn.Module):
        def __init__(self, *parts: nn.Module) -> None:
            super().__init__()
            self.parts = nn.Sequential(*parts)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.parts(x)

    def plain(depth: int) -> list[nn.Module]:
        parts: list[nn.Module] = []
        for _ in range(depth):
            parts += [nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()]
        return parts

    (finding,) = said(lambda: net(*[Both() for _ in range(31)], stem=4), "RE402")
    assert finding.measured["depth"] == 32
    assert said(lambda: net(*[Both() for _ in range(30)], stem=4), "RE402") == []
    (finding,) = said(lambda: net(Around(*plain(40)), stem=4), "RE402")
    assert finding.measured["depth"] == 41
    assert said(lambda: net(*[Around(*plain(2)) for _ in range(20)], stem=4), "RE402") == []
