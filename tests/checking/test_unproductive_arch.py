"""FL201 on architectures: mended as it says, they trace, save what was promised, and pass it."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate.arch import Arch, Pool, Stage, Stem, zoo
from striate.arch.mending import mended
from striate.building import build
from striate.checking import check
from striate.records import Finding, Trace
from striate.tracing import trace
from unproductive import NETS, case

STAGES = st.lists(
    st.builds(
        dict[str, object],
        st.fixed_dictionaries(
            {
                "block": st.sampled_from(["conv", "basic"]),
                "depth": st.integers(1, 5),
                "width": st.sampled_from([8, 16]),
                "stride": st.integers(1, 2),
                "kernel": st.sampled_from([3, 5]),
                "pool": st.sampled_from([None, None, Pool()]),
            }
        ),
    ),
    min_size=1,
    max_size=4,
)


def shapes(arch: Arch) -> Trace:
    return trace(lambda: build(arch, device="meta"), arch.image, name=arch.name)


def said(traced: Trace) -> list[Finding]:
    return [finding for finding in check(traced) if finding.code == "FL201"]


def plain(rows: list[dict[str, object]], stem: int) -> Arch:
    """A network without skips, on images of 32 pixels."""
    stages = [
        Stage.model_validate({**row, "skip": False if row["block"] == "basic" else None})
        for row in rows
    ]
    return Arch(
        name="drawn",
        image=(3, 32, 32),
        classes=10,
        stem=Stem(width=8, kernel=2 * stem + 1, stride=stem),
        stages=tuple(stages),
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows=STAGES, stem=st.integers(1, 2))
def test_mended_it_saves_what_was_promised_and_passes(
    rows: list[dict[str, object]], stem: int
) -> None:
    try:
        arch = plain(rows, stem)
    except ValueError:
        assume(False)
        raise
    before = shapes(arch)
    found = said(before)
    assume(found)
    after_arch = mended(arch, found[0].edits)
    after = shapes(after_arch)
    assert after.complete
    assert found[0].price.params == before.totals.params - after.totals.params
    assert found[0].price.macs == before.totals.macs - after.totals.macs
    assert said(after) == []
    for old, new in zip(arch.stages, after_arch.stages, strict=False):
        same = {"depth": old.depth, "block": old.block, "skip": old.skip}
        assert new.model_copy(update=same) == old
        assert new.depth <= old.depth * (2 if new.block != old.block else 1)


def test_half_a_plain_block_goes_as_a_convolution() -> None:
    plain32 = zoo("plain32")
    found = said(shapes(plain32))
    gone = mended(plain32, found[0].edits)
    assert [(row.block, row.depth, row.width) for row in gone.stages] == [
        ("basic", 5, 16),
        ("basic", 5, 32),
        ("conv", 1, 64),
    ]
    # Nine convolutions of 64 channels and their norms.
    assert found[0].price.params == 9 * (64 * 64 * 9 + 2 * 64)
    assert found[0].price.macs == 9 * 64 * 64 * 9 * 8 * 8


def test_the_networks_of_the_bench_save_what_is_promised_of_them() -> None:
    for arch in NETS.values():
        measured = case(arch)
        assert measured.saved_params == measured.promised_params > 0
        assert measured.saved_macs == measured.promised_macs > 0
