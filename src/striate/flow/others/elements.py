"""What a tool counts by the element: norms, activations, pools."""

from __future__ import annotations

from collections.abc import Sequence

from striate.records.reconciliation import Counted

_MOST = 5
"""Operations for one element that any of the tools reckons with."""


def by_element(path: str, op: str, macs: int, seen: Sequence[tuple[int, int]]) -> Counted:
    """A count that is a small multiple of the elements that came in, or went out, says so.

    ``seen``: the elements in and out of each call of the module it was counted in.
    """
    given, out = sum(pair[0] for pair in seen), sum(pair[1] for pair in seen)
    fitting = [
        (macs // elements, what)
        for elements, what in ((out, "puts out"), (given, "is given"))
        if elements and macs % elements == 0 and macs // elements <= _MOST
    ]
    if not fitting:
        return Counted(path=path, op=op, macs=macs, meant=0)
    each, what = min(fitting, key=lambda one: one[0])
    why = f"counts {each} for each element it {what}"
    return Counted(path=path, op=op, macs=macs, meant=0, why=why)
