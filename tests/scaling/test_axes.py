"""What a sweep varies: depths as papers name them, widths, sides, and any key of an Arch."""

from __future__ import annotations

import pytest

from striate.arch import Arch, adapt, from_dict, plain_twin, zoo
from striate.errors import ArchError, InputError
from striate.scaling.axes import Times, parse_axis, placed, plain, shown
from striate.scaling.depths import at_depth, counts_blocks, depth_of

# The number in a network's name is its authors' own count of its layers.
NAMED = {
    "vgg11": 11,
    "vgg16": 16,
    "vgg19_bn": 19,
    "plain20": 20,
    "resnet18": 18,
    "resnet20": 20,
    "resnet50": 50,
    "resnet110": 110,
    "resnet152": 152,
    "preact_resnet164": 164,
    "resnext101_32x4d": 101,
    "seresnet50": 50,
    "densenet121": 121,
    "densenet201": 201,
    # Dosovitskiy et al. 2020, table 1, and Liu et al. 2022, section 3 (3, 3, 9, 3), count blocks.
    "vit_base_patch16": 12,
    "vit_large_patch16": 24,
    "convnext_tiny": 18,
}


@pytest.mark.parametrize(("name", "layers"), NAMED.items())
def test_depth_is_counted_as_papers_name_it(name: str, layers: int) -> None:
    assert depth_of(zoo(name)) == layers


@pytest.mark.parametrize("name", ["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"])
def test_another_depth_is_the_published_sibling(name: str) -> None:
    made = at_depth(zoo("resnet20"), NAMED.get(name, int(name.removeprefix("resnet"))), name=name)
    assert made == zoo(name)


def test_a_depth_that_no_proportion_gives_names_the_nearest() -> None:
    with pytest.raises(InputError, match="the nearest are 8 or 14"):
        at_depth(zoo("resnet20"), 9, name="n")
    with pytest.raises(InputError, match=r"the nearest are 8$"):
        at_depth(zoo("resnet20"), 3, name="n")


def test_blocks_are_counted_in_transformers() -> None:
    vit = zoo("vit_small_patch16")
    assert counts_blocks(vit)
    assert not counts_blocks(zoo("resnet20"))
    made = placed(vit, [("width", 192), ("depth", 6)], name="n", divisor=8)
    assert [(stage.depth, stage.width, stage.heads) for stage in made.stages] == [(6, 192, 3)]
    assert depth_of(made) == 6


def test_width_is_the_first_stage_and_all_others_in_proportion() -> None:
    made = placed(zoo("resnet20"), [("width", 12)], name="n", divisor=8)
    assert [stage.width for stage in made.stages] == [12, 24, 48]
    assert made.stem is not None
    assert made.stem.width == 12
    doubled = placed(zoo("resnet20"), [("width", Times(by=2))], name="n", divisor=8)
    assert [stage.width for stage in doubled.stages] == [32, 64, 128]


def test_a_width_that_heads_do_not_divide_names_the_nearest() -> None:
    with pytest.raises(InputError, match="the nearest are 64 and 128"):
        placed(zoo("vit_small_patch16"), [("width", 100)], name="n", divisor=8)


def test_keys_of_the_whole_network_of_parts_and_of_stages() -> None:
    base = zoo("resnet20")
    made = placed(
        base,
        [("image", (24, 20)), ("norm", "group"), ("head.dropout", 0.5), ("squeeze", 0.25),
         ("stages.1.kernel", 5)],
        name="n",
        divisor=8,
    )  # fmt: skip
    assert made.image == (3, 24, 20)
    assert (made.norm, made.head.dropout) == ("group", 0.5)
    assert [stage.squeeze for stage in made.stages] == [0.25] * 3
    assert [stage.kernel for stage in made.stages] == [3, 5, 3]


def test_without_skips_it_is_the_plain_twin_and_with_them_the_base() -> None:
    base = zoo("resnet20")
    assert placed(base, [("skip", False)], name="n", divisor=8) == plain_twin(base, name="n")
    again = placed(plain_twin(base), [("skip", True)], name="resnet20", divisor=8)
    assert again.stages == base.stages


@pytest.mark.parametrize(
    ("axis", "value", "said"),
    [
        ("heads", 2, r"resnet20 has no such axis, its blocks \(basic\) have no heads"),
        ("stages.5.width", 8, "has 3 stages, counted from 0"),
    ],
)
def test_a_family_without_the_axis(axis: str, value: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        placed(zoo("resnet20"), [(axis, value)], name="n", divisor=8)


def test_a_network_that_cannot_be_is_an_arch_error() -> None:
    with pytest.raises(ArchError):
        placed(zoo("alexnet"), [("image", (8, 8))], name="n", divisor=8)
    conv: Arch = from_dict(
        {"name": "c", "image": [3, 8, 8], "classes": 2,
         "stages": [{"block": "conv", "depth": 1, "width": 6}]}
    )  # fmt: skip
    with pytest.raises(ArchError, match="groups 4 does not divide"):
        placed(conv, [("groups", 4)], name="n", divisor=8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dept=3", "no such axis; did you mean depth?"),
        ("depth", "write NAME=VALUE"),
        ("depth=", "write NAME=VALUE"),
        ("depth=2.5", "2.5 is no depth"),
        ("depth=8:4", "counts nothing"),
        ("depth=1:1000", "1000 values"),
        ("depth=3,3", "3 is given twice"),
        ("width=x0", "x0 is no factor"),
        ("image=0", "0 is no size"),
        ("image=axb", "axb is no size"),
        ("resolution=24", "the axis is called image"),
        ("norm=bach", "norm = bach should be 'batch'"),
        ("kernel=0", "kernel = 0 should be greater than or equal to 1"),
        ("skip=1", "skip = 1 should be a valid boolean"),
        ("stages.1.widt=3", "no such axis"),
        ("norm=a b", "a b is no value"),
    ],
)
def test_wrong_axes_are_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_axis(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_are_read_and_written_alike() -> None:
    axis = parse_axis("vit:image=24,24x32")
    assert (axis.base, axis.name, axis.values) == ("vit", "image", ((24, 24), (24, 32)))
    assert [shown(value) for value in axis.values] == ["24", "24x32"]
    assert parse_axis("depth=8:20:6,x0.5").values == (8, 14, 20, Times(by=0.5))
    assert [plain(value) for value in parse_axis("skip=true,false").values] == [True, False]


def test_the_image_comes_last() -> None:
    """A size that only the changed network can take is taken."""
    base = adapt(zoo("alexnet"), image=(224, 224))
    made = placed(base, [("image", (48, 48)), ("stem.stride", 1)], name="n", divisor=8)
    assert made.image == (3, 48, 48)
