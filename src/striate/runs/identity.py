"""Whether the source of a user's network is still what the run was started on."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import nn

from striate.errors import RunError
from striate.runs.info import versions


def source_digest(module: nn.Module) -> str:
    """BLAKE2b over the source files of ``module``'s own classes (torch's are known by version)."""
    files: set[Path] = set()
    for part in module.modules():
        kind = type(part)
        if kind.__module__.split(".")[0] in {"torch", "striate"}:
            continue
        try:
            files.add(Path(inspect.getfile(kind)))
        except (TypeError, OSError):  # made by exec or typed into a prompt: there is no file
            continue
    digest = hashlib.blake2b(digest_size=16)
    for content in sorted(path.read_bytes() for path in files if path.is_file()):
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Target:
    """A network that is not an Arch: where it comes from, kept as target.json.

    ``source``: ``source_digest`` of the module when the run was started.
    """

    target: str
    source: str
    versions: Mapping[str, str] = field(default_factory=versions)

    @classmethod
    def of(cls, target: str, module: nn.Module) -> Target:
        """The TARGET as the user wrote it, with what it stands for today."""
        return cls(target=target, source=source_digest(module))

    def to_json(self) -> str:
        """The document of target.json."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: Path | str = "target.json") -> Target:
        """Read ``to_json``'s document; ``RunError`` names ``where`` when it is not one."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise RunError(f"{where}: not a target document ({error}); restore the file") from error

    def changed(self, module: nn.Module) -> str | None:
        """A line that says ``module``'s source is not what it was, or None where it is."""
        if source_digest(module) == self.source:
            return None
        return f"{self.target}: its source has changed since the run was started"
