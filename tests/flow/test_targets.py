"""What TARGET names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from striate.arch import to_toml, zoo
from striate.errors import TargetError
from striate.flow.targets import resolve
from striate.flow.trace import trace_target

NET = """\
import torch
from torch import nn
from helper import WIDTH


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, WIDTH, 3))


def make(width=4):
    return nn.Sequential(nn.Conv2d(1, width, 3))


net = Net()
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    Path("my_net.py").write_text(NET)
    Path("helper.py").write_text("WIDTH = 5\n")
    yield tmp_path
    for name in ("helper", "my_net"):
        sys.modules.pop(name, None)


def test_the_zoo_and_its_file_are_the_same() -> None:
    Path("net.toml").write_text(to_toml(zoo("resnet20")))
    by_name, by_file = resolve("resnet20"), resolve("net.toml")
    assert by_name.arch == by_file.arch == zoo("resnet20")
    assert by_name.image == (3, 32, 32)


@pytest.mark.parametrize("name", ["Net", "make", "net"])
@pytest.mark.parametrize("place", ["my_net.py", "my_net"])
def test_a_file_and_a_module_find_what_lies_beside_them(place: str, name: str) -> None:
    path = list(sys.path)
    found = resolve(f"{place}:{name}")
    assert isinstance(found.make(), nn.Module)
    assert (found.name, found.arch, found.image) == (name, None, None)
    assert sys.path == path


def test_a_file_elsewhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lasting = resolve("my_net.py:Net").lasting
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert isinstance(resolve(lasting).make(), nn.Sequential)
    assert resolve("../my_net.py:Net").lasting == lasting
    assert resolve("resnet20").lasting == "resnet20"


def test_each_module_of_an_instance_is_its_own() -> None:
    found = resolve("my_net.py:net")
    first, second = found.make(), found.make()
    with torch.no_grad():
        first[0].weight.zero_()
    assert second[0].weight.abs().sum() > 0


def test_a_changed_file_is_read_anew() -> None:
    first = trace_target("my_net.py:Net", "1x8x8").totals.params
    Path("my_net.py").write_text(NET.replace("WIDTH, 3", "2 * WIDTH, 3"))
    assert trace_target("my_net.py:Net", "1x8x8").totals.params == 2 * first


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nothing", "nothing: no such network; choose from mlp"),
        ("my_net.py", "say which factory of the file, for example my_net.py:Net"),
        ("my_net.py:Nett", "my_net.py has no 'Nett'; did you mean Net?"),
        ("other.py:Net", "other.py: no such file"),
        ("no_such_module:Net", "no_such_module:Net: no module named 'no_such_module' can be found"),
        ("my_net.py:torch", "module is neither an nn.Module nor something that makes one"),
        ("helper.py:WIDTH", "int is neither an nn.Module nor something that makes one"),
        ("torchvision/resnet18", "torchvision is not installed; run pip install torchvision"),
        ("timm/resnet18", "timm is not installed; run pip install timm"),
    ],
)
def test_what_names_nothing(text: str, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("timm", "torchvision"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(TargetError) as raised:
        resolve(text)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("raises", "mend"),
    [
        ("operator torchvision::nms does not exist", "install the two together"),
        ("broken", "install it again"),
    ],
)
def test_a_library_that_cannot_be_imported(
    raises: str, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As timm is beside a torchvision of another torch."""
    (tmp_path / "timm.py").write_text(f"raise RuntimeError({raises!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(TargetError) as raised:
        resolve("timm/resnet18")
    assert f"timm is installed and cannot be imported ({raises})" in str(raised.value)
    assert str(raised.value).endswith(mend)
