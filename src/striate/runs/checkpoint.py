"""Checkpoints: one file each, whole or refused, the two newest kept.

A checkpoint is a safetensors file.  Its metadata holds one JSON document (step, records' length,
best so far …) and the BLAKE2b digest of that document and every tensor, so a file that was cut or
changed anywhere is known to be broken.  The newest whole one is used; a broken newer one is named
in ``Found.notices``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from striate.errors import RunError
from striate.runs.atomic import atomic_write, writing
from striate.runs.weights import pack, unpack

KEPT = 2
"""Newest checkpoints kept: one may be found broken, and the one before it is used."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything a training needs to go on after ``step`` as if it had never stopped.

    ``tensors``: all state by name.  ``facts``: plain JSON values.
    """

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with ``prefix/``, by the rest of their names."""
        head = prefix + "/"
        return {n.removeprefix(head): t for n, t in self.tensors.items() if n.startswith(head)}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What ``newest`` found: the checkpoint, its file, and a line for each broken newer one."""

    checkpoint: Checkpoint
    path: Path
    notices: tuple[str, ...] = ()


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` lies; names sort by step."""
    return folder / f"step-{step:09d}.safetensors"


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int | None = None) -> Path:
    """Write ``checkpoint`` into ``folder`` atomically, then drop all but the ``KEPT`` newest, and
    that after step ``keep``.

    A later one that lies there was refused when this training was resumed, and is dropped too.
    """
    with writing(folder):
        folder.mkdir(exist_ok=True)
    document = json.dumps({"step": checkpoint.step, "facts": checkpoint.facts}, sort_keys=True)
    digest = _digest(document, checkpoint.tensors)
    path = checkpoint_path(folder, checkpoint.step)
    # One metadata key only: safetensors writes several in no fixed order.
    atomic_write(path, pack(checkpoint.tensors, {"striate": f"{digest} {document}"}))
    files = _files(folder)
    kept = files[files.index(path) :][:KEPT]
    also = [] if keep is None else [checkpoint_path(folder, keep)]
    for other in set(files).difference(kept, also):
        with writing(other):
            other.unlink()
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint; ``RunError`` where a bit of it is not what was written."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    tensors, notes = unpack(data, where=path)
    digest, _, document = notes.get("striate", "").partition(" ")
    if not document or digest != _digest(document, tensors):
        raise RunError(f"{path}: its digest does not match its content")
    plain = cast(dict[str, Any], json.loads(document))
    return Checkpoint(step=plain["step"], tensors=tensors, facts=plain["facts"])


def newest(folder: Path) -> Found | None:
    """The newest whole checkpoint in ``folder``; None where none was ever written.

    ``RunError`` where every one there is broken: it names them and the mend.
    """
    notices: list[str] = []
    files = _files(folder)
    for path in files:
        try:
            checkpoint = load_checkpoint(path)
        except RunError as error:
            notices.append(f"{error}; the checkpoint before it is used")
            continue
        return Found(checkpoint=checkpoint, path=path, notices=tuple(notices))
    if files:
        names = " and ".join(path.name for path in files)
        raise RunError(
            f"{folder}: {names} {'is' if len(files) == 1 else 'are'} broken and no other "
            "checkpoint is left; delete that folder and --resume to train again from step 1"
        )
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"), reverse=True)


def _digest(document: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.blake2b(document.encode(), digest_size=32)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
