"""A sweep, against running the module itself at every size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from striate.errors import InputError, TraceError
from striate.flow.targets import Target, resolve
from striate.flow.trace_sweep import MOST_SIZES, Plan, parse_sweep, sweep, together
from striate.records.trace_sweep import AtSize, Sweep


def swept(target: Target | str, text: str, image: str | None = None) -> Sweep:
    plan = parse_sweep(text)
    return together("net", 3, plan, list(sweep(target, plan, image)))


def target_of(make: type[nn.Module]) -> Target:
    return Target(text="net", name="net", arch=None, image=None, make=make)


class Picky(nn.Module):
    """Takes sizes from 11 pixels, and no multiple of 5; unpadded, so its strides lose pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2)
        self.second = nn.Conv2d(4, 4, 5, stride=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] % 5 == 0:
            raise ValueError("no multiples of five here")
        return self.second(self.first(x))


class Flat(nn.Module):
    """Takes 12 pixels and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4 * 144, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(x).flatten(1))


def runs(make: type[nn.Module], size: int) -> tuple[int, ...] | None:
    """The shape of what the module makes of an image, on the meta device; None where it fails."""
    with torch.device("meta"):
        module = make()
        try:
            return tuple(module(torch.zeros(1, 3, size, size)).shape)
        except (RuntimeError, ValueError):
            return None


@pytest.mark.parametrize("make", [Picky, Flat])
def test_valid_is_what_runs(make: type[nn.Module]) -> None:
    for found in swept(target_of(make), "1:40"):
        shape = runs(make, found.size)
        assert found.valid is (shape is not None)
        if shape is not None and len(shape) == 4:
            assert found.final == shape[2:]


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "resnet20"])
def test_costs_and_maps_of_zoo_networks_are_those_of_real_ones(name: str) -> None:
    from striate.building import build

    arch = resolve(name).arch
    assert arch is not None
    network = build(arch, device="meta").eval()
    maps: list[tuple[int, ...]] = []
    network.stages[-1].register_forward_hook(lambda _m, _i, out: maps.append(tuple(out.shape)))
    macs = 0

    def count(module: nn.Module, _given: object, out: torch.Tensor) -> None:
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            per = module.weight[0].numel()
            macs += out.numel() * per
        elif isinstance(module, nn.Linear):
            macs += module.weight.numel()

    for module in network.modules():
        module.register_forward_hook(count)
    for found in swept(name, "32:96:21"):
        macs = 0
        network(torch.zeros(1, 3, found.size, found.size, device="meta"))
        assert found.final == maps[-1][2:]
        assert found.macs == macs


def test_what_a_stride_loses_is_named() -> None:
    """3×3 with stride 2 on 12 pixels reads 11; 5×5 with stride 3 on the 5 that are left, all."""
    found = {result.size: result for result in swept(target_of(Picky), "11:12")}
    lost = found[12].unread
    assert [(u.path, u.op, u.map, u.rows, u.columns) for u in lost] == [
        ("first", "conv2d", (12, 12), 1, 1)
    ]
    assert found[11].unread == ()
    assert found[11].fits
    assert not found[11].friendly  # one pixel is left of the map


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        # He et al. 2015 and Simonyan and Zisserman 2014 train at 224, which is 7·2⁵.
        ("resnet18", {64, 96, 128, 160, 192, 224, 256}),
        ("vgg16", {64, 96, 128, 160, 192, 224, 256}),
    ],
)
def test_the_papers_sizes_are_friendly(name: str, sizes: set[int]) -> None:
    assert set(swept(name, "32:256").friendliest) == sizes


def test_friendly_sizes_between_the_steps_are_found() -> None:
    """The start of Inception (Szegedy et al. 2015, table 1), unpadded: no even size fits."""

    class Unpadded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1),
                nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 3), nn.MaxPool2d(3, 2),
                nn.Conv2d(4, 4, 3, stride=2), nn.Conv2d(4, 4, 3, stride=2),
            )  # fmt: skip

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x)

    found = swept(target_of(Unpadded), "64:320")
    assert found.friendliest == (107, 139, 171, 203, 235, 267, 299)
    assert found.smallest == next(n for n in range(64, 320) if runs(Unpadded, n) is not None)


def test_the_smallest_size_is_found_between_the_steps() -> None:
    found = swept(target_of(Picky), "1:400")
    assert not found.exhaustive
    assert found.smallest == 11


def test_a_network_whose_weights_depend_on_the_size_is_built_for_each(tmp_path: Path) -> None:
    path = tmp_path / "flat.toml"
    path.write_text(
        'name = "flat"\nimage = [3, 32, 32]\nclasses = 10\n\n[stem]\nwidth = 8\nstride = 2\n\n'
        '[[stages]]\nblock = "conv"\ndepth = 1\nwidth = 8\n\n[head]\npool = "none"\n'
    )
    found = swept(str(path), "8:16:4")
    assert [result.params for result in found] == [
        3 * 8 * 9 + 16 + 8 * 8 * 9 + 16 + (8 * (n // 2) ** 2) * 10 + 10 for n in (8, 12, 16)
    ]


def test_lazy_modules_take_their_shapes_from_each_size() -> None:
    class Lazy(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(3, 2, 3, padding=1), nn.Flatten(), nn.LazyLinear(5))

    found = swept(target_of(Lazy), "4:8:2")
    assert [result.params for result in found] == [56 + 5 * (2 * n * n + 1) for n in (4, 6, 8)]


def test_an_image_no_size_of_which_fits_is_refused() -> None:
    with pytest.raises(TraceError, match="takes 3 channels, and the image 1x19x19 has 1"):
        swept(target_of(Picky), "11:20", "1x8x8")
    with pytest.raises(InputError, match="resnet18 takes images of 3 channels, not 1"):
        swept("resnet18", "11:20", "1x8x8")


def test_first_layers_that_do_not_fit_are_sizes_that_are_not_valid() -> None:
    found = {result.size: result for result in swept(target_of(Picky), "1:20")}
    assert found[1].failure is not None
    assert "first" in found[1].failure.message
    assert found[10].failure is not None
    assert "multiples of five" in found[10].failure.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("16-512", "--sweep 16-512: not a range of sizes; write 16:512, or 16:512:16 for"),
        ("16", "--sweep 16: not a range of sizes"),
        ("a:b", "--sweep a:b: not a range of sizes"),
        ("0:32", "--sweep 0:32: sizes and steps are at least 1; write 1:32"),
        ("8:32:0", "--sweep 8:32:0: sizes and steps are at least 1; write 8:32"),
        ("64:32", "--sweep 64:32: ends before it begins; write 32:64"),
        ("1:99999", "--sweep 1:99999: more than 268,435,456 pixels in one image"),
    ],
)
def test_what_is_no_range_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_sweep(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["16:512", "17:513", "1:64", "1:65", "5:5", "33:5000"])
def test_a_chosen_step_tries_both_ends_and_few_in_between(text: str) -> None:
    plan = parse_sweep(text)
    first, last = map(int, text.split(":"))
    assert (plan.sizes[0], plan.sizes[-1]) == (first, last)
    assert len(plan.sizes) <= MOST_SIZES + 2
    assert all(size % plan.step == 0 for size in plan.sizes[1:-1])
    assert plan.step == 1 or (last - first) // (plan.step // 2) + 1 > MOST_SIZES


def test_an_asked_for_step_is_taken_from_the_first_size() -> None:
    assert parse_sweep("10:31:10").sizes == (10, 20, 30)
    assert Plan(first=10, last=31, step=10, chosen=False).sizes == (10, 20, 30)


def test_json() -> None:
    document = swept(target_of(Picky), "10:12").as_json()
    assert document["striate"] == 1
    sizes = document["sweep"]["sizes"]
    assert [size["valid"] for size in sizes] == [False, True, True]
    assert sizes[0]["failure"]["message"].startswith("no multiples of five")
    assert sizes[2]["unread"] == [
        {"path": "first", "op": "conv2d", "map": [12, 12], "rows": 1, "columns": 1}
    ]
    assert document["sweep"]["smallest"] == 11


def test_no_map_is_no_reason_to_be_unfriendly() -> None:
    assert AtSize(size=8, fits=True).friendly
    assert not AtSize(size=8, fits=True, final=(1, 4)).friendly
