"""Calls changed in source: what is asked for, set as its surroundings are, and not a byte more."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from torch import nn

from striate.errors import InputError
from striate.flow.fix_calls import CallEdit, changed_calls

HEAD = "from torch import nn\n"


def parameters(name: str) -> list[str] | None:
    kind = getattr(nn, name, None)
    return None if kind is None else list(inspect.signature(kind).parameters)


def changed(source: str, *edits: CallEdit) -> str:
    return changed_calls(source.encode(), edits, parameters).decode()


def setting(line: int = 2, name: str = "Conv2d", modules: int = 1, **arguments: Any) -> CallEdit:
    return CallEdit(line=line, name=name, modules=modules, arguments=arguments)


@pytest.mark.parametrize(
    ("before", "arguments", "after"),
    [
        ("a = nn.Conv2d(3, 8, 3)", {"bias": False}, "a = nn.Conv2d(3, 8, 3, bias=False)"),
        ("a = nn.Conv2d(3, 8, 3, )", {"bias": False}, "a = nn.Conv2d(3, 8, 3, bias=False, )"),
        ("a = nn.Conv2d(3,8,3)", {"bias": False}, "a = nn.Conv2d(3,8,3,bias=False)"),
        ("a = nn.Conv2d(3, 8, 3, bias = True)", {"bias": False},
         "a = nn.Conv2d(3, 8, 3, bias = False)"),
        ("a = nn.Conv2d(3, 8, 3, 2)", {"stride": 1}, "a = nn.Conv2d(3, 8, 3, 1)"),
        ("a = nn.Conv2d(3, 8, (3, 3))", {"kernel_size": 1}, "a = nn.Conv2d(3, 8, (1, 1))"),
        ("a = nn.Conv2d(3, 8, 3)", {"kernel_size": (5, 5)}, "a = nn.Conv2d(3, 8, 5)"),
        ("a = nn.Conv2d(3, 8, 3)", {"kernel_size": (5, 1)}, "a = nn.Conv2d(3, 8, (5, 1))"),
        ("a = nn.Conv2d(3, 8, 3, padding='same')", {"padding": 1},
         "a = nn.Conv2d(3, 8, 3, padding=1)"),
        ("a = nn.Conv2d(3, 8, 3, padding=-1)", {"padding": 0}, "a = nn.Conv2d(3, 8, 3, padding=0)"),
        (
            "a = nn.Conv2d(3, 8, kernel_size=3)  # first",
            {"kernel_size": 5, "padding": 2},
            "a = nn.Conv2d(3, 8, kernel_size=5, padding=2)  # first",
        ),
        (
            "a = nn.Conv2d(\n    3,  # colours\n    8,\n)",
            {"bias": False},
            "a = nn.Conv2d(\n    3,  # colours\n    8,\n    bias=False,\n)",
        ),
        (
            "a = nn.Conv2d(\n    3,\n    8,  # wide\n    3\n)",
            {"bias": False},
            "a = nn.Conv2d(\n    3,\n    8,  # wide\n    3,\n    bias=False\n)",
        ),
        ("a = Conv2d(3, 8, 3)", {"bias": False}, "a = Conv2d(3, 8, 3, bias=False)"),
        ("a = torch.nn.Conv2d(3, 8, 3)", {"bias": False},
         "a = torch.nn.Conv2d(3, 8, 3, bias=False)"),
        ("a = nn.MaxPool2d(3, 2)", {"padding": 1}, "a = nn.MaxPool2d(3, 2, padding=1)"),
        ("a = nn.Conv2d(**{'in_channels': 3}, bias=True)", {"bias": False},
         "a = nn.Conv2d(**{'in_channels': 3}, bias=False)"),
    ],
)  # fmt: skip
def test_arguments(before: str, arguments: dict[str, Any], after: str) -> None:
    name = "MaxPool2d" if "MaxPool" in before else "Conv2d"
    around = "x = 'é'  # ü\n\n\n\tif_ = 1\n".replace("\tif_", "if_")
    for ends in ("\n", "\r\n"):
        source = (HEAD + before + "\n" + around).replace("\n", ends)
        expected = (HEAD + after + "\n" + around).replace("\n", ends)
        assert changed(source, setting(name=name, **arguments)) == expected


@pytest.mark.parametrize(
    ("line", "arguments", "error"),
    [
        ("a = nn.Conv2d(3, 8, k)", {"kernel_size": 5}, "line 2: Conv2d: kernel_size is k, which"),
        ("a = nn.Conv2d(3, 8, 2 + 1)", {"kernel_size": 5}, "kernel_size is 2 + 1, which is not a"),
        ("a = nn.Conv2d(*sizes)", {"bias": False}, "bias may be among its starred arguments"),
        ("a = nn.Conv2d(3, 8, **more)", {"bias": False}, "bias may be among its starred arguments"),
        ("a = nn.Conv2d(3, 8, 3)", {"biased": False}, "Conv2d has no parameter biased"),
        ("a = make(3, 8, 3)", {"bias": False}, "line 2: no call of Conv2d begins there"),
        ("a = (1, nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3))", {"bias": False},
         "line 2: 2 calls of Conv2d begin there, and 1 of its modules came of them"),
    ],
)  # fmt: skip
def test_refusals(line: str, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError) as raised:
        changed(f"{HEAD}{line}\n", setting(**arguments))
    assert error in str(raised.value)


def test_a_class_of_the_users() -> None:
    with pytest.raises(InputError, match=r"WSConv is no class of torch\.nn"):
        changed(f"{HEAD}a = WSConv(3, 8, 3)\n", setting(name="WSConv", bias=False))


def test_every_call_of_a_line_where_each_made_a_module() -> None:
    line = "a = [nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 3)]\n"
    after = "a = [nn.Conv2d(1, 2, 3, bias=False), nn.ReLU(), nn.Conv2d(2, 3, 3, bias=False)]\n"
    assert changed(HEAD + line, setting(modules=2, bias=False)) == HEAD + after


def test_one_call_of_a_line() -> None:
    line = "a = nn.Sequential(nn.ReLU(), nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ReLU())\n"
    edits = [
        CallEdit(line=2, name="ReLU", modules=4, index=1, away=True),
        CallEdit(line=2, name="ReLU", modules=4, index=3, arguments={"inplace": True}),
        CallEdit(line=2, name="Sequential", modules=2, index=1, away=True),
    ]
    assert changed(HEAD + line, *edits[:2]) == HEAD + (
        "a = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Identity(), nn.ReLU()), "
        "nn.ReLU(inplace=True))\n"
    )
    assert changed(HEAD + line, edits[2]) == HEAD + (
        "a = nn.Sequential(nn.ReLU(), nn.Identity(), nn.ReLU())\n"
    )
    with pytest.raises(InputError, match="line 2 makes 3 modules of ReLU, of which some do not"):
        changed(HEAD + line, CallEdit(line=2, name="ReLU", modules=3, index=1, away=True))


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [
        ("net.act = nn.ReLU()  # hm\n", 2, "net.act = nn.Identity()  # hm\n"),
        ("act = torch.nn.ReLU()\n", 2, "act = torch.nn.Identity()\n"),
        ("act = ReLU()\n", 2, "act = nn.Identity()\n"),
        ("net = nn.Sequential(a, nn.ReLU(), b)\n", 2, "net = nn.Sequential(a, nn.Identity(), b)\n"),
        ("net = nn.Sequential(a, b, nn.ReLU())\n", 2, "net = nn.Sequential(a, b)\n"),
        (
            "net = nn.Sequential(\n    a,\n    nn.ReLU(),\n)\n", 4,
            "net = nn.Sequential(\n    a,\n)\n",
        ),
        (
            "net = nn.Sequential(\n    a,\n    nn.ReLU(),  # keep me\n)\n", 4,
            "net = nn.Sequential(\n    a,\n    nn.Identity(),  # keep me\n)\n",
        ),
        ("net = nn.Sequential(nn.ReLU())\n", 2, "net = nn.Sequential(nn.Identity())\n"),
        (
            "act = nn.ReLU(\n    inplace=True,  # fast\n)\n", 2,
            "act = nn.Identity(\n    inplace=True,  # fast\n)\n",
        ),
        ("net = nn.Sequential(*blocks, nn.ReLU())\n", 2, "net = nn.Sequential(*blocks)\n"),
    ],
)  # fmt: skip
def test_modules_taken_away(before: str, line: int, after: str) -> None:
    edit = CallEdit(line=line, name="ReLU", away=True)
    assert changed(HEAD + before, edit) == HEAD + after


def test_a_file_that_has_no_name_for_identity() -> None:
    with pytest.raises(InputError, match=r"line 2: the file has no name for nn\.Identity"):
        changed("from torch.nn import ReLU\na = ReLU()\n", CallEdit(line=2, name="ReLU", away=True))
