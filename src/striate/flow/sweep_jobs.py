"""What a sweep's command hands its workers: a file of plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from striate.arch import to_dict
from striate.data import DataOptions
from striate.errors import RunError
from striate.flow.data import lasting
from striate.flow.sweep_entries import Job
from striate.flow.sweep_plan import Plan
from striate.runs import atomic_write

STORAGE = "STRIATE_SWEEP_STORAGE"
"""The environment variable by which a worker is told the storage: its password is in no file."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One training as plain values.  ``costs``: MACs, parameters, activations."""

    job: Job
    design: str
    folder: Path
    arch: Mapping[str, Any]
    recipe: Mapping[str, Any]
    costs: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Orders:
    """All that a worker needs to know."""

    study: str
    out: Path
    lease: int
    prune: bool
    spec: str
    opening: DataOptions
    works: tuple[Work, ...]


def write_orders(
    path: Path, plan: Plan, *, lease: int, prune: bool, changes: Mapping[str, Any]
) -> None:
    """The orders of ``plan``.  ``changes``: of every recipe, for this machine (``threads``)."""
    works: list[dict[str, Any]] = []
    for task, job in zip(plan.tasks, plan.jobs, strict=True):
        design = plan.designs[task.design]
        recipe = design.recipe.with_({"seed": task.seed, **changes})
        point = design.point
        works.append(
            {
                "job": asdict(job),
                "design": point.name,
                "folder": task.folder,
                "arch": to_dict(design.arch),
                "recipe": recipe.model_dump(mode="json", exclude_defaults=True),
                "costs": [point.macs, point.params, point.activations],
            }
        )
    document = {
        "study": plan.name,
        "out": str(plan.out.absolute()),
        "lease": lease,
        "prune": prune,
        "spec": lasting(plan.spec),
        "opening": asdict(plan.opening),
        "works": works,
    }
    atomic_write(path, json.dumps(document, ensure_ascii=False).encode())


def read_orders(path: Path) -> Orders:
    """``write_orders``'s document; RunError where it is none."""
    try:
        plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        opening: dict[str, Any] = plain["opening"]
        if opening["image"] is not None:
            opening["image"] = tuple(opening["image"])
        out = Path(plain["out"])
        return Orders(
            study=plain["study"],
            out=out,
            lease=plain["lease"],
            prune=plain["prune"],
            spec=plain["spec"],
            opening=DataOptions(**opening),
            works=tuple(
                Work(
                    job=Job(**work["job"]),
                    design=work["design"],
                    folder=out / work["folder"],
                    arch=work["arch"],
                    recipe=work["recipe"],
                    costs=tuple(work["costs"]),
                )
                for work in plain["works"]
            ),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: no worker's orders ({type(error).__name__}: {error})") from error
