"""TARGET: what a user calls a network.

A zoo name (``resnet50``), a TOML file, ``file.py:factory``, ``package.module:factory``,
``timm/NAME``, ``torchvision/NAME``, ``hf/TYPE`` or ``hf/OWNER/NAME``.  A factory is an
``nn.Module`` class or a function, called without arguments, or a module that exists already.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.arch import SMALL, Arch, load_arch, zoo, zoo_names
from striate.errors import StriateError, TargetError, choices

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Target:
    """A resolved TARGET.  ``arch`` is None where the network is somebody's own module.

    ``text``: as the user wrote it.  ``image``: the size it says it is made for, where it says so.
    ``make`` builds it; TargetError in one line if the user's constructor raises.
    """

    text: str
    name: str
    arch: Arch | None
    image: tuple[int, int, int] | None
    make: Callable[[], nn.Module]

    @property
    def lasting(self) -> str:
        """A TARGET that names the same file from another working directory."""
        place, _, attribute = self.text.rpartition(":")
        return f"{Path(place).resolve()}:{attribute}" if place.endswith(".py") else self.text


def resolve(text: str) -> Target:
    """Find what TARGET names.  TargetError (or ArchError for a TOML file) says what is wrong."""
    if text.removesuffix(SMALL) in zoo_names():
        return from_arch(zoo(text), text)
    if text.endswith(".toml"):
        return from_arch(load_arch(Path(text)), text)
    for library, find in (("timm", _timm), ("torchvision", _torchvision), ("hf", _hf)):
        if text.startswith(library + "/"):
            return find(text, text.split("/", 1)[1])
    if ":" in text:
        return _from_python(text)
    if text.endswith(".py"):
        raise TargetError(f"{text}: say which factory of the file, for example {text}:Net")
    raise TargetError(
        f"{text}: no such network; {choices(text, zoo_names())} "
        "A TARGET is a zoo name, a TOML file, file.py:Net, package.module:Net, timm/NAME, "
        "torchvision/NAME or hf/NAME"
    )


def module_of(text: str) -> str | None:
    """The name in ``sys.modules`` of the module that a TARGET of Python imports; else None.

    >>> module_of("package.nets:Net"), module_of("resnet18")
    ('package.nets', None)
    """
    place, colon, _ = text.rpartition(":")
    if not colon:
        return None
    return _file_module(Path(place)) if place.endswith(".py") else place


def from_arch(arch: Arch, text: str) -> Target:
    """An Arch as a target."""

    def make() -> nn.Module:
        from striate.building import build

        return build(arch)

    return Target(text=text, name=arch.name, arch=arch, image=arch.image, make=make)


def _from_python(text: str) -> Target:
    place, _, attribute = text.rpartition(":")
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise TargetError(f"{place}: no such file")
        module = _import_file(path, text)
    else:
        module = _import_name(place, text)
    value: Any = getattr(module, attribute, None)
    if value is None:
        public = [name for name in dir(module) if not name.startswith("_")]
        raise TargetError(f"{text}: {place} has no {attribute!r}; {choices(attribute, public)}")
    return Target(text=text, name=attribute, arch=None, image=None, make=_factory(value, text))


def _factory(value: Any, text: str) -> Callable[[], nn.Module]:
    from torch import nn

    if isinstance(value, nn.Module):
        return lambda: copy.deepcopy(value)  # each with the weights it was written with
    if not callable(value):
        raise TargetError(
            f"{text}: {type(value).__name__} is neither an nn.Module nor something that makes one"
        )
    _takes_no_arguments(value, text)

    def make() -> nn.Module:
        made = _called(value, text)
        if not isinstance(made, nn.Module):
            raise TargetError(f"{text}: returned {type(made).__name__}, not an nn.Module")
        return made

    return make


def _takes_no_arguments(factory: Callable[..., Any], text: str) -> None:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # made in C: it is called, and says itself what it lacks
        return
    try:
        signature.bind()
    except TypeError as error:
        raise TargetError(
            f"{text}: is called without arguments, and that fails ({error}); name a function "
            "without parameters that makes the module"
        ) from error


def _file_module(path: Path) -> str:
    return f"striate_target_{hashlib.blake2b(str(path.resolve()).encode()).hexdigest()[:16]}"


def _import_file(path: Path, text: str) -> Any:
    name = _file_module(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    sys.path.insert(0, str(path.resolve().parent))
    try:
        _called(lambda: loader.exec_module(module), text)
    except TargetError:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _import_name(name: str, text: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))
    try:
        if importlib.util.find_spec(name.split(".", maxsplit=1)[0]) is None:
            raise TargetError(f"{text}: no module named {name!r} can be found")
        return _called(lambda: importlib.import_module(name), text)
    finally:
        sys.path.remove(str(Path.cwd()))


def _called(function: Callable[[], Any], text: str) -> Any:
    """Run the user's code; whatever it raises becomes one line that says where."""
    try:
        return function()
    except StriateError:
        raise
    # The user's code may raise anything at all, SystemExit included; each is their error to see.
    except (Exception, SystemExit) as error:
        raise TargetError(f"{text}: {raised(error)}") from error


def raised(error: BaseException) -> str:
    """What ``error`` says and, where user's code is to blame, its innermost line, in one line."""
    where = None
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [one for one in frames if not Path(one.filename).is_relative_to(_OURS)]
        own = [one for one in theirs if not _installed(Path(one.filename))]
        for frame in (own or theirs)[-1:]:
            where = f"{frame.filename}:{frame.lineno}"
    reason = " ".join(str(error).split()) or "no message"
    mend = _that_divides(reason)
    return f"raised {type(error).__name__}{f' at {where}' if where else ''}: {reason}{mend}"


def _installed(path: Path) -> bool:
    """Whether a file belongs to Python or a library, and not to the user."""
    libraries = {"site-packages", "dist-packages"} & set(path.parts)
    return bool(libraries) or path.is_relative_to(sysconfig.get_path("stdlib"))


def _that_divides(reason: str) -> str:
    """For an error about a number that does not divide another: the nearest that do."""
    found = re.search(r"\((\d+)\) must be divisible by (\w+) \((\d+)\)", reason)
    if found is None or not int(found[1]):
        return ""
    whole, name, part = int(found[1]), found[2], int(found[3])
    divisors = [number for number in range(1, whole + 1) if whole % number == 0]
    near = sorted(sorted(divisors, key=lambda number: abs(number - part))[:2])
    return f"; {name}={' or '.join(map(str, near))} would divide {whole}"


_OURS = Path(__file__).parents[1]


def _timm(text: str, name: str) -> Target:
    timm = _library("timm", text)
    known = timm.list_models()
    if name.split(".", maxsplit=1)[0] not in known:
        raise TargetError(f"{text}: timm has no {name!r}; {choices(name, known)}")
    config = timm.get_pretrained_cfg(name)
    size = tuple(config.input_size) if config is not None else (3, 224, 224)

    def make() -> nn.Module:
        return _called(lambda: timm.create_model(name, pretrained=False), text)

    return Target(text=text, name=name, arch=None, image=size, make=make)


def _torchvision(text: str, name: str) -> Target:
    models = _library("torchvision.models", text)
    known = models.list_models(module=models)
    if name not in known:
        raise TargetError(f"{text}: torchvision has no {name!r}; {choices(name, known)}")

    def make() -> nn.Module:
        return _called(lambda: models.get_model(name, weights=None), text)

    return Target(text=text, name=name, arch=None, image=(3, 224, 224), make=make)


def _hf(text: str, name: str) -> Target:
    from striate.flow.hugging_face import hugging_face

    build, size = hugging_face(text, name, _library, _mend)

    def make() -> nn.Module:
        return _called(build, text)

    return Target(text=text, name=name, arch=None, image=size, make=make)


def _library(name: str, text: str) -> Any:
    package = name.split(".", maxsplit=1)[0]
    if importlib.util.find_spec(package) is None:
        raise TargetError(f"{text}: {package} is not installed; run pip install {package}")
    try:
        return importlib.import_module(name)
    except Exception as error:  # an installation may be broken in any way
        said = " ".join(str(error).split()) or type(error).__name__
        raise TargetError(
            f"{text}: {package} is installed and cannot be imported ({said}); {_mend(said)}"
        ) from error


def _mend(said: str) -> str:
    if "torchvision" not in said:
        return "install it again"
    return (
        "its torchvision was made for another torch than the one installed, "
        f"{version('torch')}: install the two together"
    )
