"""Stream, logit lens, lesions, reordering and shattering, against modules changed by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from stream_networks import network, picture, shaken
from torch import Tensor, nn

from striate.arch import Arch, Stage, Stem, plain_twin
from striate.building import build
from striate.errors import InputError
from striate.seeing import block_lesions, logit_lens, reordering, shattering, stream_strip
from striate.seeing.control import settled_norms


def _preact(**own: int) -> Arch:
    return Arch(
        name="p",
        image=(1, 8, 8),
        classes=4,
        preact=True,
        stem=Stem(width=8, kernel=3),
        stages=(
            Stage(block="basic", depth=own.get("first", 2), width=8),
            Stage(block="basic", depth=own.get("second", 1), width=12, stride=2),
        ),
    )


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return shaken(build(_preact())).double()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return picture(1, 8, 30)


@pytest.fixture(scope="module")
def labels(net: nn.Module, images: Tensor) -> np.ndarray:
    """What it says, but for every third image: accuracies are neither 0 nor 1."""
    with torch.no_grad():
        said = net(images).argmax(1).numpy()
    said[::3] = (said[::3] + 1) % 4
    return said


def _blocks(module: nn.Module) -> list[nn.Module]:
    return [block for stage in module.stages for block in stage.blocks]


def _silent(module: nn.Module, *places: int) -> nn.Module:
    """A copy in which these blocks' branches add nothing."""
    other = copy.deepcopy(module)
    for place in places:
        nn.init.zeros_(_blocks(other)[place].conv2.weight)
    return other


def _scores(module: nn.Module, images: Tensor, labels: np.ndarray) -> tuple[float, float]:
    with torch.no_grad():
        logits = module(images)
    target = torch.as_tensor(labels)
    right = float((logits.argmax(1) == target).double().mean())
    return right, float(nn.functional.cross_entropy(logits, target))


def test_the_strip_is_what_hooks_see(net: nn.Module, images: Tensor) -> None:
    found = stream_strip(net, images, batch=8)
    seen: dict[int, tuple[Tensor, Tensor]] = {}
    handles = [
        block.register_forward_hook(lambda _m, given, out, k=k: seen.update({k: (given[0], out)}))
        for k, block in enumerate(_blocks(net)[:2])
    ]
    with torch.no_grad():
        net(images)
    for handle in handles:
        handle.remove()
    assert found.names == ("stages.0.blocks.0", "stages.0.blocks.1", "stages.1.blocks.0")
    for k, (before, after) in seen.items():
        x, y = before.flatten(1).numpy(), after.flatten(1).numpy()
        added = y - x
        assert found.norm[k] == pytest.approx(np.sqrt((y**2).mean(1)).mean())
        lengths = np.linalg.norm(added, axis=1), np.linalg.norm(x, axis=1)
        assert found.ratio[k] == pytest.approx((lengths[0] / lengths[1]).mean())
        cosine = (added * x).sum(1) / (lengths[0] * lengths[1])
        assert found.cosine[k] == pytest.approx(cosine.mean())
        assert found.share[k] == pytest.approx(((added * y).sum(1) / (y * y).sum(1)).mean())


def test_in_a_densenet_the_parts_stand_side_by_side() -> None:
    module, image = network("ours densenet")
    found = stream_strip(module, image[None])
    assert len(found.names) == 4
    assert np.isnan(found.cosine).all()
    assert ((found.share > 0) & (found.share < 1)).all()


def test_the_lens_stops_where_the_blocks_behind_are_silent(
    net: nn.Module, images: Tensor, labels: np.ndarray
) -> None:
    found = logit_lens(net, images, labels, batch=8)
    assert found.names[0] == "before the first block"
    for kept in range(4):
        right, loss = _scores(_silent(net, *range(kept, 3)), images, labels)
        assert found.accuracy[kept] == pytest.approx(right)
        assert found.loss[kept] == pytest.approx(loss)
    assert found.agreement[-1] == 1
    assert found.agreement[0] < 1
    assert found.accuracy[-1] == pytest.approx(20 / 30)


def test_a_lesion_is_a_silent_block(net: nn.Module, images: Tensor, labels: np.ndarray) -> None:
    settling = picture(1, 8, 40) + 0.2
    net = settled_norms(copy.deepcopy(net), settling)
    found = block_lesions(net, images, labels, settling=settling, batch=8)
    assert found.whole == pytest.approx(_scores(net, images, labels)[0])
    assert found.unit == "a branch adds nothing"
    for place in range(3):
        without = _silent(net, place)
        assert found.accuracy[place] == pytest.approx(_scores(without, images, labels)[0])
        again = settled_norms(without, settling)
        # torch keeps the unbiased variance; ours divides by the count, as normalising does
        assert found.settled[place] == pytest.approx(_scores(again, images, labels)[0], abs=0.07)
    assert len(set(found.accuracy)) > 1
    assert not np.array_equal(found.accuracy, found.settled)


def test_settled_norms_normalise_as_training_does(
    net: nn.Module, images: Tensor, labels: np.ndarray
) -> None:
    """With the measured images themselves to settle on, it is the network in training mode."""
    found = block_lesions(net, images, labels, settling=images, batch=8)
    training = copy.deepcopy(net).train()
    assert found.whole_settled == pytest.approx(_scores(training, images, labels)[0])


def test_in_a_plain_network_a_layer_is_passed_by(images: Tensor) -> None:
    module = copy.deepcopy(network("ours plain")[0])
    with torch.no_grad():
        module.head.linear.bias -= module(images).mean(0)  # so that it says this and that
        labels = module(images).argmax(1).numpy()
    found = block_lesions(module, images, labels)
    assert found.unit == "a layer is passed by"
    assert found.whole == 1
    accuracies: list[float] = []
    for block in ("stages.0.blocks.0", "stages.0.blocks.1", "stages.1.blocks.1"):
        other = copy.deepcopy(module)
        inside = other.get_submodule(block)
        inside.conv2 = inside.norm2 = nn.Identity()  # behind it relu of relu is relu
        place = found.names.index(f"{block}.conv2")
        accuracies.append(found.accuracy[place])
        assert found.accuracy[place] == pytest.approx(_scores(other, images, labels)[0])
    assert min(accuracies) < 1


def test_two_blocks_change_places(net: nn.Module, images: Tensor, labels: np.ndarray) -> None:
    found = reordering(net, images, labels, swaps=(0, 1, 2), trials=1, batch=8)
    assert found.blocks == ("stages.0.blocks.0", "stages.0.blocks.1")
    other = copy.deepcopy(net)
    first, second = _blocks(net)[:2]
    _blocks(other)[0].load_state_dict(second.state_dict())
    _blocks(other)[1].load_state_dict(first.state_dict())
    swapped = _scores(other, images, labels)[0]
    whole = _scores(net, images, labels)[0]
    assert found.accuracy.tolist() == pytest.approx([whole, swapped, whole])
    assert swapped != whole
    assert found.tau.tolist() == [1, -1, 1]


def test_without_skips_it_is_said_in_a_line(images: Tensor) -> None:
    module, _ = network("ours plain")
    labels = np.zeros(30, np.int64)
    strip, lens = stream_strip(module, images), logit_lens(module, images, labels)
    order = reordering(module, images, labels)
    assert strip.inapplicable == (
        "This network has no skip: its blocks replace what they read, and there is no stream."
    )
    assert lens.inapplicable is not None
    assert order.inapplicable is not None
    assert len(strip.norm) == len(lens.accuracy) == len(order.accuracy) == 0
    bare, _ = network("ours bare")
    nothing = block_lesions(bare, images, labels)
    assert nothing.names == ("layers.3",)  # 20 to 20


def test_gradients_shatter_in_the_plain_twin_before_training(images: Tensor) -> None:
    """Balduzzi et al. 2017, figure 1: white noise without skips, brown noise with them."""
    arch = _preact(first=10, second=1)
    images = images.float()
    deep, plain = (shattering(build(a, seed=1), images, steps=9) for a in (arch, plain_twin(arch)))
    assert deep.depths[-1] == plain.depths[-1]
    assert deep.cosine[0] > plain.cosine[0] + 3 * np.hypot(deep.error[0], plain.error[0])
    assert abs(plain.cosine[0]) < 0.1 < plain.cosine[-3]
    assert deep.line[1] > plain.line[1]
    for found in (deep, plain):
        assert found.line[0] == pytest.approx(1)
        assert found.cosine[-1] == pytest.approx(1)  # all logits' slope by the last is the same


def test_the_line_is_autograds(images: Tensor) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 1)).double()
    found = shattering(net, images[:3], steps=5)
    points = torch.stack([torch.lerp(images[0], images[1], k / 4) for k in range(5)])
    points.requires_grad_()
    (slopes,) = torch.autograd.grad(net(points).sum(), points)
    rows = slopes.flatten(1)
    rows = (rows / rows.norm(dim=1, keepdim=True)).numpy()
    cosines = rows @ rows.T
    expected = [np.diagonal(cosines, lag).mean() for lag in range(5)]
    assert found.line.tolist() == pytest.approx(expected)


def test_what_cannot_be_measured_is_refused(net: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match=r"images of shape \(2, 1, 8, 8\): pairs need 3 or more"):
        shattering(net, images[:2])
    with pytest.raises(InputError, match=r"30 images and labels of shape \(3,\); give one each"):
        logit_lens(net, images, np.zeros(3, np.int64))
    with pytest.raises(InputError, match=r"shape \(0, 1, 8, 8\); give \(N, C, H, W\), N ≥ 1"):
        stream_strip(net, images[:0])
    with pytest.raises(InputError, match="batch 0: give at least 1"):
        stream_strip(net, images, batch=0)
