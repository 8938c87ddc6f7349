"""``fit`` from weights that were trained before: what becomes of them, told and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import striate
from striate.arch import Arch, Pool, Stage, Stem, adapt, load_arch, small_form, to_toml, zoo
from striate.building import build
from striate.building.weights import names
from striate.checking import Given
from striate.data import open_data
from striate.errors import ArchError, InputError, RecipeError
from striate.flow.confidence import run_dataset
from striate.flow.events import DataReady, FitOptions, NetworkReady, Probing, Training, WeightsReady
from striate.flow.fit import fit_events
from striate.flow.run_health import examine
from striate.records import EpochRecord
from striate.runs import Preprocessing
from striate.training import load_recipe

Quick = Callable[..., FitOptions]

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(autouse=True)
def no_shared_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))


def tiny() -> Arch:
    return load_arch(Path("tiny.toml"))


def weights_of(arch: Arch, *, seed: int = 77) -> dict[str, Tensor]:
    """ "Pretrained": drawn from another seed than any run's, statistics too."""
    state = dict(build(arch, seed=seed).state_dict())
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in state.items():
        if "running" in name or tensor.dim() == 1:
            state[name] = torch.rand(tensor.shape, generator=generator) + 0.5
    return state


def saved(arch: Arch, path: str, *, library: str = "striate") -> Path:
    called = names(arch, library)
    save_file({called[name]: tensor for name, tensor in weights_of(arch).items()}, path)
    return Path(path)


def trained(options: FitOptions, data: str = "digits") -> dict[type, Any]:
    """The last event of each kind."""
    return {type(event): event for event in fit_events(data, options)}


def start() -> dict[str, Tensor]:
    return load_file("run/start.safetensors")


# Where weights come from


def test_a_file_of_ours(quick: Quick) -> None:
    options = quick(weights=Path("w.safetensors"))
    path = saved(tiny(), "w.safetensors")
    events = trained(options)
    given = weights_of(tiny())
    begun = start()
    assert all(torch.equal(begun[name], tensor) for name, tensor in given.items())
    told = events[WeightsReady]
    assert told.source == "w.safetensors"
    assert told.said == (
        (
            "the last layer is kept: the weights are of 10 classes too, taken to be the "
            "same in the "
            "same order"
        ),
        (
            "nobody says how the images were normalised that the weights were trained on: "
            "this data's "
            "own mean and deviation are used"
        ),
    )
    note = json.loads(Path("run/run.json").read_text())["notes"]["weights"]
    assert note["source"] == "w.safetensors"
    assert note["library"] == "striate"
    assert note["said"] == list(told.said)
    assert note["file"] == str(path.resolve())
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "The last layer is kept" in page
    assert events[DataReady].dataset.mean == open_data("digits").mean


def test_a_run_brings_its_network_classes_and_normalisation(quick: Quick) -> None:
    before = striate.fit("digits", quick(out=Path("first"), image="3x8x8"))
    path = Path("first/preprocessing.json")
    plain = json.loads(path.read_text())
    plain |= {"mean": [0.25, 0.5, 0.75], "std": [0.5, 0.25, 0.5]}  # other data's than these
    path.write_text(json.dumps(plain))
    events = trained(quick(arch="auto", weights=Path("first"), image="3x8x8"))
    assert events[NetworkReady].name == "tiny"
    assert events[NetworkReady].why == "the network of first, whose weights it begins with"
    kept = striate.load("first").module.state_dict()
    assert all(torch.equal(start()[name], tensor) for name, tensor in kept.items())
    said = " ".join(events[WeightsReady].said)
    assert "the last layer is kept: the run's 10 classes are these" in said
    data = events[DataReady].dataset
    assert data.mean == tuple(plain["mean"])
    assert data.std == tuple(plain["std"])
    assert "which the weights expect, not by their own" in data.notes[-1]
    made = Preprocessing.from_json(Path("run/preprocessing.json").read_text())
    assert (made.mean, made.std) == (data.mean, data.std)
    assert run_dataset(Path("run")).mean == data.mean  # whoever opens it again has the same
    assert before.arch == "tiny"


def test_other_classes_though_as_many_are_learnt_anew(quick: Quick) -> None:
    striate.fit("digits", quick(out=Path("first")))
    path = Path("first/preprocessing.json")
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "classes": [*"abcdefghij"]}))
    said = trained(quick(weights=Path("first")))[WeightsReady].said
    assert said[0] == ("the last layer is fresh: it told a, b, c, … apart, not these classes")


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_another_librarys_file_in_another_form(quick: Quick, library: str) -> None:
    """Named otherwise, of colour images, other classes and a stem of 7×7."""
    options = quick(
        arch="small.toml", weights=Path("w.pth"), image="8x8", epochs=1, batch=256, flip=False
    )
    base = small_resnet()
    called = names(base, library)
    torch.save({called[name]: t for name, t in weights_of(base).items()}, "w.pth")
    Path("small.toml").write_text(to_toml(small_form(base, image=(3, 8, 8))))
    events = trained(options)
    assert events[WeightsReady].said == (
        "the last layer is fresh: the weights are of 7 classes, and there are 10",
        "the first convolution's 3 input channels became 1",
        "the stem's 7×7 filters became 3×3, each answering an image as it did its enlargement",
        (
            "images are normalised by mean 0.485 0.456 0.406 and deviation 0.229 0.224 "
            "0.225, as the "
            "weights expect: nothing beside the file says so (a config.json would), but ImageNet's "
            "are by custom"
        ),
    )
    data = events[DataReady].dataset
    assert data.mean == pytest.approx((sum(IMAGENET[0]) / 3,))
    recipe = load_recipe(Path("run/recipe.toml"))
    assert recipe.finetune is not None
    assert (recipe.finetune.head_first, recipe.finetune.frozen_stem) == (0.1, 0.0)
    reasons = " ".join(events[Probing].reasons)
    assert "The last layer, which is fresh, learns alone for the first 10% of the steps." in reasons
    assert "The stem waits no longer than the rest, since it was adapted." in reasons


def small_resnet() -> Arch:
    return Arch(
        name="small_resnet",
        image=(3, 64, 64),
        classes=7,
        stem=Stem(width=4, kernel=7, stride=2, pool=Pool(kernel=3, stride=2, padding=1)),
        stages=(
            Stage(block="basic", depth=1, width=4),
            Stage(block="basic", depth=1, width=8, stride=2),
        ),
    )


def test_what_lies_beside_a_file_says_how_images_are_normalised(quick: Quick) -> None:
    options = quick(weights=Path("deep/w.safetensors"), image="3x8x8")
    arch = adapt(tiny(), image=(3, 16, 16))
    Path("deep").mkdir()
    saved(arch, "deep/w.safetensors")
    config = {
        "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2] * 3, "input_size": [3, 16, 16]}
    }
    Path("deep/config.json").write_text(json.dumps(config))
    events = trained(options)
    assert events[DataReady].dataset.mean == (0.5, 0.4, 0.3)
    assert events[WeightsReady].said[1:] == (
        (
            "the weights were trained on 16x16 images and these are 8x8, so that filters "
            "meet things "
            "at another scale; --image 16x16 would bring the images to it"
        ),
        (
            "images are normalised by mean 0.500 0.400 0.300 and deviation 0.200 0.200 "
            "0.200, as the "
            "weights expect: deep/config.json says so"
        ),
    )


def test_a_network_of_ones_own(quick: Quick) -> None:
    Path("mine.py").write_text(
        "from torch import nn\n\n\n"
        "def net():\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(),\n"
        "                         nn.Linear(144, 10))\n"
    )
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))
    torch.save({"state_dict": module.state_dict()}, "w.pth")
    trained(quick(arch="mine.py:net", weights=Path("w.pth")))
    assert all(torch.equal(start()[name], t) for name, t in module.state_dict().items())
    torch.save({"0.weight": torch.ones(1), "other": torch.ones(1)}, "w.pth")
    with pytest.raises(
        InputError, match=r"w\.pth: does not fit Sequential: the weights lack '0\.bi"
    ):
        trained(quick(arch="mine.py:net", weights=Path("w.pth"), out=Path("b")))


# What is trained, and that it can be gone on with


def test_finetune_is_the_recipe_where_none_is_named(quick: Quick) -> None:
    options = quick(weights=Path("w.safetensors"))
    saved(adapt(tiny(), classes=3), "w.safetensors")
    by_default = trained(options)
    assert "The recipe is finetune" in " ".join(by_default[Probing].reasons)
    named = trained(quick(weights=Path("w.safetensors"), recipe="finetune", out=Path("named")))
    assert by_default[Training].recipe.finetune == named[Training].recipe.finetune
    assert (
        Path("run/weights.safetensors").read_bytes()
        == Path("named/weights.safetensors").read_bytes()
    )
    standard = trained(quick(weights=Path("w.safetensors"), recipe="standard", out=Path("std")))
    assert standard[Training].recipe.finetune is None
    Path("own.toml").write_text("[finetune]\nlayer_decay = 0.5\nfrozen_stem = 0.9\n")
    own = trained(quick(weights=Path("w.safetensors"), recipe=Path("own.toml"), out=Path("own")))
    found = own[Training].recipe.finetune
    assert (found.layer_decay, found.frozen_stem, found.head_first) == (0.5, 0.9, 0.1)


def test_the_standard_recipe_is_what_fit_takes_by_itself(quick: Quick) -> None:
    striate.fit("digits", quick())
    striate.fit("digits", quick(recipe="standard", out=Path("named")))
    assert Path("run/recipe.toml").read_bytes() == Path("named/recipe.toml").read_bytes()
    one, two = (Path(name, "weights.safetensors").read_bytes() for name in ("run", "named"))
    assert one == two


@pytest.mark.parametrize("epochs_done", [0, 1])
def test_gone_on_with_to_the_same_bits(quick: Quick, epochs_done: int) -> None:
    """Also where the file of weights is no more, and nothing had been saved but the beginning."""
    options = quick(weights=Path("w.safetensors"), epochs=2)
    saved(adapt(tiny(), classes=3), "w.safetensors")
    whole = striate.fit("digits", quick(weights=Path("w.safetensors"), epochs=2, out=Path("whole")))
    events = fit_events("digits", options)
    wanted = EpochRecord if epochs_done else Training
    for event in events:
        if isinstance(event, wanted):
            break
    events.close()  # type: ignore[attr-defined] # a generator, told of as an iterator
    Path("w.safetensors").unlink()
    told = trained(FitOptions(resume=Path("run")), None)  # type: ignore[arg-type] # no data then
    assert told[WeightsReady].source == "w.safetensors"
    one, two = (Path(name, "weights.safetensors").read_bytes() for name in ("whole", "run"))
    assert one == two
    assert striate.load("run").result.loss == whole.loss  # type: ignore[union-attr] # finished


def test_a_run_whose_first_weights_are_lost(quick: Quick) -> None:
    options = quick(weights=Path("w.safetensors"))
    saved(tiny(), "w.safetensors")
    events = fit_events("digits", options)
    next(event for event in events if isinstance(event, Training))
    events.close()  # type: ignore[attr-defined] # as above
    Path("run/start.safetensors").unlink()
    with pytest.raises(InputError, match=r"start\.safetensors: is missing, the weights that this"):
        striate.fit(options=FitOptions(resume=Path("run")))


# What is refused, before the images are read


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"weights": Path("none.pth")}, InputError, r"--weights none\.pth: no such file or folder"),
        ({"weights": Path()}, InputError, r"not a run's folder \(it has no run\.json\)"),
        (
            {"arch": "auto", "weights": Path("w.safetensors")},
            InputError,
            "does not say which network it is of; name it by --arch",
        ),
        (
            {"arch": "resnet56", "weights": Path("w.safetensors")},
            ArchError,
            r"w\.safetensors: resnet56: these weights are of another network",
        ),
        (
            {"weights": Path("w.safetensors"), "pretrained": True},
            InputError,
            r"--weights w\.safetensors and --pretrained: give one of them",
        ),
        ({"arch": "auto", "pretrained": True}, InputError, "--pretrained: say of which network"),
        ({"pretrained": True}, ArchError, "--pretrained: the hub has no weights for tiny"),
        ({"recipe": "finetune"}, RecipeError, "fine-tunes, and the weights are fresh ones"),
        (
            {"recipe": "fintune"},
            RecipeError,
            "no recipe 'fintune', and no such file; did",
        ),
        ({"recipe": "own.toml"}, RecipeError, r"own\.toml: cannot be read \(No such file"),
    ],
)
def test_what_cannot_be(
    quick: Quick, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    options = quick(**changes)
    saved(tiny(), "w.safetensors")
    with pytest.raises(error, match=message) as raised:
        next(fit_events("digits", options))
    assert "\n" not in str(raised.value)
    assert not Path("run").exists()


def test_a_table_of_finetune_needs_weights(quick: Quick) -> None:
    options = quick(recipe=Path("own.toml"))
    Path("own.toml").write_text("[finetune]\nlayer_decay = 0.5\n")
    with pytest.raises(
        RecipeError, match=r"--recipe own\.toml fine-tunes, and the weights are fre"
    ):
        next(fit_events("digits", options))
    Path("own.toml").write_text("[finetune]\nlayer_decai = 0.5\n")
    with pytest.raises(
        RecipeError, match=r"unknown key 'finetune\.layer_decai'; did you mean layer"
    ):
        next(fit_events("digits", options))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"config\.json: is not a configuration of weights \(JSONDecodeError"),
        ('{"mean": "x"}', r"config\.json: is not a configuration of weights \(ValueError"),
        (
            '{"mean": [1, 2, 3], "std": [1]}',
            r"mean \[1\.0, 2\.0, 3\.0\] and std \[1\.0\] are no me",
        ),
        ('{"mean": [1], "std": [0]}', r"and std \[0\.0\] are no mean and deviation"),
    ],
)
def test_a_broken_configuration(quick: Quick, text: str, message: str) -> None:
    options = quick(weights=Path("w.safetensors"))
    saved(tiny(), "w.safetensors")
    Path("config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        next(fit_events("digits", options))


# From Python


def test_load_weights_puts_them_in_and_says_what_it_did(tmp_path: Path) -> None:
    arch = zoo("resnet20")
    save_file(weights_of(arch), tmp_path / "w.safetensors")
    network = build(adapt(arch, classes=4), seed=1)
    loaded = striate.load_weights(network, tmp_path / "w.safetensors")
    given = weights_of(arch)
    own = network.state_dict()
    assert all(torch.equal(own[name], given[name]) for name in given if "head" not in name)
    assert torch.equal(own["head.linear.weight"], build(network.arch, seed=1).head.linear.weight)
    assert loaded.adapted == {"head"}
    assert loaded.library == "striate"
    assert loaded.mean == ()
    with pytest.raises(InputError, match="give either a file of weights or pretrained=True"):
        striate.load_weights(network)


def test_a_run_that_knew_something_is_not_taken_for_one_with_a_leak(quick: Quick) -> None:
    options = quick(weights=Path("w.safetensors"))
    saved(tiny(), "w.safetensors")
    trained(options)
    striate.fit("digits", quick(out=Path("fresh")))
    known, fresh = (examine(Path(name), None, Given()) for name in ("run", "fresh"))
    assert known.given.health is not None
    assert fresh.given.health is not None
    assert known.given.health.first_loss is None
    assert fresh.given.health.first_loss is not None
