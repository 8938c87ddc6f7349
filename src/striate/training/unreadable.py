"""An image that was read when the data were opened, and cannot be any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from striate.data import Batch
from striate.data.form import MEND
from striate.errors import DataError
from striate.runs import RunFolder


def or_saved(feed: Iterator[Batch], folder: RunFolder, save: Callable[[], None]) -> Iterator[Batch]:
    """``feed``; where a batch of it cannot be had, the state is saved before that is raised.

    Leaving the image out is no mend here: it is in the plan, and with another plan the run would
    be another one.
    """
    try:
        yield from feed
    except DataError as error:
        save()
        said = str(error).removesuffix(f"; {MEND}")
        raise type(error)(
            f"{said}; the state is saved: bring it back as it was, and --resume {folder.path} goes "
            "on"
        ) from error
