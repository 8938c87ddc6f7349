"""Many strings in two arrays.

A list of a million paths is a million Python objects: a loader process that only looks at them
changes their reference counts, and so copies the memory it shares with its parent.  Two arrays
are shared for good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices


@dataclass(frozen=True, kw_only=True, eq=False)
class Strings:
    """``data``: all strings as UTF-8, one behind the other; string i ends at ``ends[i]``."""

    data: NDArray[np.uint8]
    ends: Indices

    @classmethod
    def of(cls, strings: Iterable[str]) -> Strings:
        # surrogateescape: a file's name need not be UTF-8.
        encoded = [s.encode(errors="surrogateescape") for s in strings]
        lengths = np.array([len(e) for e in encoded], dtype=np.int64)
        data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(data=data, ends=np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        start = 0 if index == 0 else int(self.ends[index - 1])
        part = self.data[start : int(self.ends[index])]
        return part.tobytes().decode(errors="surrogateescape")
