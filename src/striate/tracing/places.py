"""Where in the user's program something happened: module paths, calling lines, making lines."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, cast

import torch
from torch import nn

_TORCH = str(Path(torch.__file__).parent) + "/"
_HERE = str(Path(__file__).parent) + "/"

_foreign: dict[CodeType, bool] = {}


def _is_users(code: CodeType) -> bool:
    """Whether a frame is neither torch's nor the tracer's."""
    known = _foreign.get(code)
    if known is None:
        name = code.co_filename
        known = not name.startswith((_TORCH, _HERE, "<frozen", "<__array"))
        _foreign[code] = known
    return known


def working_folder() -> str:
    """What is left out of a file's name: the working directory, with its slash."""
    return f"{Path.cwd()}/"


def calling_line(stop: FrameType | None, here: str) -> str | None:
    """``file:line`` of the innermost frame of the user's, above the frame ``stop``.

    The file is relative to ``here`` where it lies below it.
    """
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame is not stop:
        if _is_users(frame.f_code):
            return f"{frame.f_code.co_filename.removeprefix(here)}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def failing_line(error: BaseException) -> str | None:
    """``file:line`` of the innermost frame of the user's in a traceback."""
    found: str | None = None
    here, step = working_folder(), error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if _is_users(code):
            found = f"{code.co_filename.removeprefix(here)}:{step.tb_lineno}"
        step = step.tb_next
    return found


def _making_line(module: nn.Module, stop: FrameType | None, here: str) -> str | None:
    """``file:line`` that called the constructor of ``module``, seen from inside it."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame is not stop:
        code = frame.f_code
        own = code.co_name == "__init__" and frame.f_locals.get(code.co_varnames[0]) is module
        if not own and _is_users(code):
            return f"{code.co_filename.removeprefix(here)}:{frame.f_lineno}"
        frame = frame.f_back
    return None


@contextmanager
def noting_makers(stop: FrameType | None) -> Generator[dict[int, str]]:
    """While open, each module made in this thread is noted with the line that made it, by id.

    ``stop``: the frame that calls the factory; a line outside it is not the module's.
    """
    makers: dict[int, str] = {}
    thread, here = threading.get_ident(), working_folder()
    original = nn.Module.__init__

    def noted(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        if threading.get_ident() == thread:
            line = _making_line(self, stop, here)
            if line is not None:
                makers[id(self)] = line
        original(self, *args, **kwargs)

    nn.Module.__init__ = noted  # type: ignore[method-assign]  # scoped, put back below
    try:
        yield makers
    finally:
        nn.Module.__init__ = original  # type: ignore[method-assign]  # as it was


def modules_of(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every module once, with its path."""
    return list(cast("Iterable[tuple[str, nn.Module]]", root.named_modules()))


def aliases_of(root: nn.Module) -> dict[str, tuple[str, ...]]:
    """The further names of each module that is held under several, by its first."""
    names: dict[int, list[str]] = {}
    every = cast("Iterable[tuple[str, nn.Module]]", root.named_modules(remove_duplicate=False))
    for path, module in every:
        names.setdefault(id(module), []).append(path)
    return {first: tuple(more) for first, *more in names.values() if more}


class Stack:
    """The modules whose calls are open, outermost first, with their paths."""

    def __init__(self, root: nn.Module) -> None:
        self.root = root
        self.open: list[tuple[nn.Module, str]] = []
        self._failed: tuple[BaseException, list[tuple[nn.Module, str]]] | None = None

    @property
    def top(self) -> tuple[nn.Module, str]:
        return self.open[-1] if self.open else (self.root, "")

    def where(self, error: BaseException) -> str:
        """The path of the innermost module whose call this error ended."""
        calls = self.ended_by(error)
        return calls[0][1] if calls else ""

    def ended_by(self, error: BaseException) -> list[tuple[nn.Module, str]]:
        """The modules whose calls this error ended, innermost first."""
        if self._failed is None or self._failed[0] is not error:
            return []
        return self._failed[1]

    def attach(self, places: Iterable[tuple[str, nn.Module]]) -> None:
        """From now on the forward of each module of ``places`` is noted here; whoever calls this
        takes it off again.

        A module may be called or have its forward called: either way it is noted.
        """
        for path, module in places:
            if not isinstance(module, torch.jit.ScriptModule):
                vars(module)["forward"] = self._noted(module, path, module.forward)

    def _noted(self, module: nn.Module, path: str, forward: Callable[..., Any]) -> Any:
        here, stack = (module, path), self.open

        def noted(*args: Any, **kwargs: Any) -> Any:
            stack.append(here)
            try:
                return forward(*args, **kwargs)
            except BaseException as error:
                if self._failed is None or self._failed[0] is not error:
                    self._failed = (error, [])
                self._failed[1].append(here)
                raise
            finally:
                stack.pop()

        return noted
