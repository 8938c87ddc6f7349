"""Bytes that live at once, by storage: views of one storage share its bytes."""

from __future__ import annotations

from collections.abc import Callable

import torch


class Storages:
    """Counts live storages while a forward runs.  ``peak``: most bytes alive together."""

    def __init__(self) -> None:
        self.live = 0
        self.peak = 0
        self.written = 0
        self.last_new = 0
        self._holders: dict[int, list[int]] = {}

    def hold(self, tensor: torch.Tensor) -> Callable[[], None]:
        """Note a new tensor; call what is returned when it is let go."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        entry = self._holders.get(key)
        if entry is None:
            size = storage.nbytes()
            entry = self._holders[key] = [0, size]
            self.live += size
            self.written += size
            self.last_new = size
            self.peak = max(self.peak, self.live)
        else:
            self.last_new = 0
        entry[0] += 1
        holders = self._holders

        def release() -> None:
            entry[0] -= 1
            if entry[0] == 0:
                self.live -= entry[1]
                if holders.get(key) is entry:
                    del holders[key]

        return release
