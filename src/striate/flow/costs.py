"""What architectures cost, by the names of budgets, and what the linter says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from striate.arch import Arch
from striate.checking import check
from striate.records import Finding, Trace
from striate.scaling import Budget, Member, same


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """A member, what it costs by the names of the budgets, and what the linter says of it."""

    member: Member
    cost: Mapping[str, float]
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, object]:
        arch, cost = self.member.arch, self.cost
        counts = ("params", "macs", "activations", "train_bytes")
        return {
            "name": arch.name,
            "phi": self.member.phi,
            "published": self.member.published,
            "image": list(arch.image),
            **{key: int(cost[key]) for key in counts},
            "latency": cost.get("latency"),
            "findings": [finding.as_json() for finding in self.findings],
            "arch": arch.model_dump(mode="json", exclude_defaults=True),
        }


@dataclass(frozen=True, kw_only=True)
class _Known:
    cost: Mapping[str, float]
    trace: Trace


class Costs:
    """Each architecture is traced once, and timed once where latency is budgeted.

    ``train_bytes`` and ``latency`` are those of ``batch`` images, the others of one.
    """

    def __init__(self, batch: int, budgets: Sequence[Budget]) -> None:
        self._batch = batch
        self._others = [budget for budget in budgets if budget.key != "latency"]
        self._timed = len(self._others) < len(budgets)
        self._known: dict[str, _Known] = {}
        self._seconds: dict[str, float] = {}

    def __call__(self, arch: Arch) -> Mapping[str, float]:
        return self._of(arch).cost

    def told(self, one: Member) -> Scaled:
        """The member with its cost and the linter's word on it."""
        known = self._of(one.arch)
        return Scaled(member=one, cost=known.cost, findings=tuple(check(known.trace)))

    def trace(self, arch: Arch) -> Trace:
        """Its trace, of ``batch`` images."""
        return self._of(arch).trace

    def seconds(self, arch: Arch) -> float:
        """Its latency, budgeted or not."""
        from striate.flow.latency import latency

        key = same(arch)
        if key not in self._seconds:
            self._seconds[key] = latency(arch, self._batch)
        return self._seconds[key]

    def _of(self, arch: Arch) -> _Known:
        key = same(arch)
        if key not in self._known:
            self._known[key] = self._measured(arch)
        return self._known[key]

    def _measured(self, arch: Arch) -> _Known:
        from striate.building import build
        from striate.tracing import trace

        found = trace(
            lambda: build(arch, device="meta"), arch.image, name=arch.name, batch=self._batch
        )
        totals = found.totals
        cost: dict[str, float] = {
            "params": totals.params,
            "macs": totals.macs // self._batch,
            "activations": totals.activations // self._batch,
            "train_bytes": totals.train_bytes,
        }
        # what breaks another budget already is not worth building
        if self._timed and all(cost[budget.key] <= budget.limit for budget in self._others):
            cost["latency"] = self.seconds(arch)
        return _Known(cost=cost, trace=found)
