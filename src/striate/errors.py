"""Every error striate raises on purpose, as one tree.

    StriateError
    ├── InputError            what the user gave is wrong                  exit 2
    │   ├── ArchError         an architecture that cannot be
    │   ├── TargetError       a TARGET that names nothing, or that raises
    │   ├── TraceError        inputs the module cannot take
    │   ├── DataError         a data set that cannot be used
    │   │   └── ImageError    one image of it that cannot be read
    │   ├── RecipeError       training settings that cannot be
    │   ├── RunError          a run's folder that is missing or broken
    │   ├── OutputError       a place that cannot be written to
    │   └── StorageError      a study's storage that does not answer
    ├── ExportError           a file failed a check and was not written      exit 2
    ├── Diverged              the loss became NaN or infinite              exit 2
    ├── ProcessLost           another process of the run has gone          exit 75
    └── Interrupted           the user stopped it; the state is saved      exit 130

A message is one line: it names the value, the place and the mend.  The command line prints it
and exits with ``exit_code``; nothing else in striate calls ``sys.exit``.

Comes in: nothing.  Goes out: exceptions.  May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class StriateError(Exception):
    """The root of the tree.  ``exit_code`` is what the command line exits with."""

    exit_code = 2


class InputError(StriateError):
    """What the user gave is wrong; the message says what, where and how to mend it."""


class ArchError(InputError):
    """An architecture that cannot be: unknown key, impossible value, shapes that cannot meet."""


class TargetError(InputError):
    """A TARGET (zoo name, TOML file, ``file.py:factory`` …) that names nothing or that raises."""


class TraceError(InputError):
    """Inputs a module cannot take: wrong rank, channels, type or number."""


class DataError(InputError):
    """A data set that cannot be used as it is."""


class ImageError(DataError):
    """One image that cannot be read; the message names the file."""


class RecipeError(InputError):
    """Training settings that cannot be."""


class RunError(InputError):
    """A run's folder that is missing, locked or broken."""


class OutputError(InputError):
    """A place that cannot be written to: it exists already, or the disk is full."""


class StorageError(InputError):
    """Where a sweep keeps its study does not answer, or no longer does."""


class ExportError(StriateError):
    """A file to be handed over failed a check; the message names it and its number.  Nothing was
    written.
    """


class Diverged(StriateError):
    """The loss became NaN or infinite; the message names step, samples and the kept checkpoint."""


class ProcessLost(StriateError):
    """Another of the processes that train together was killed or cannot be reached; whoever
    started them may start all again (75 is EX_TEMPFAIL of sysexits.h: try again).
    """

    exit_code = 75


class Interrupted(StriateError):
    """SIGINT or SIGTERM arrived; the message says where the state was saved."""

    exit_code = 130


def choices(value: object, known: Iterable[str], *, most: int = 12) -> str:
    """The tail of an "unknown X" message: the nearest known name, or the list of them.

    >>> choices("resnet5O", ["resnet50", "vgg16"])
    'did you mean resnet50?'
    >>> choices("zzz", ["resnet50", "vgg16"])
    'choose from resnet50, vgg16'
    """
    names = list(known)
    near = get_close_matches(str(value), names, n=1, cutoff=0.7)
    if near:
        return f"did you mean {near[0]}?"
    shown = ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")
    return f"choose from {shown}"
