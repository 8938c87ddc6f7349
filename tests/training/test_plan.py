"""Plans on numbers worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.errors import RecipeError
from striate.training import Recipe, freeze, plan, steps_per_epoch
from striate.training.plan import EVALUATION_COST, OVERHEAD, plan_minutes


def test_by_hand() -> None:
    # 1 minute at 100 images/s: 6,000 images less 5 % are 5,700.  An epoch costs 1,000 + 300/3.
    # Five epochs cost 5,500; of the 200 left, validation takes 100, and one batch of 100 fits.
    found = plan_minutes(
        1.0, train_images=1000, val_images=300, batch_size=100, images_per_second=100.0
    )
    assert (found.steps, found.epochs) == (51, 6)
    assert found.seconds == pytest.approx((5100 + 6 * 100) / 100)


def test_less_than_an_epoch() -> None:
    found = plan_minutes(
        0.1, train_images=50_000, val_images=0, batch_size=128, images_per_second=1000.0
    )
    # 5,700 images in batches of 50,000/391
    assert (found.steps, found.epochs) == (44, 1)


def test_at_least_one_step() -> None:
    found = plan_minutes(
        1e-6, train_images=100, val_images=100, batch_size=10, images_per_second=1.0
    )
    assert (found.steps, found.epochs) == (1, 1)


@given(
    st.floats(0.001, 100), st.integers(1, 10**6), st.integers(0, 10**5), st.integers(1, 512),
    st.floats(0.1, 1e5),
)  # fmt: skip
def test_the_budget_is_kept_and_used(
    minutes: float, train: int, val: int, batch: int, speed: float
) -> None:
    found = plan_minutes(
        minutes, train_images=train, val_images=val, batch_size=batch, images_per_second=speed
    )
    per_epoch = steps_per_epoch(train, batch)
    assert -(-found.steps // per_epoch) == found.epochs
    budget = minutes * 60 * (1 - OVERHEAD)
    assert found.seconds is not None
    if found.steps > 1:
        assert found.seconds <= budget * (1 + 1e-9)
    # One batch more would have been too many: another epoch's validation may come with it.
    more = (train / per_epoch + val * EVALUATION_COST) / speed
    assert found.seconds + more > budget * (1 - 1e-9)


def test_epochs_or_minutes() -> None:
    sizes = {"train_images": 1000, "val_images": 300}
    by_epochs = plan(Recipe(epochs=3), **sizes, images_per_second=None)
    assert (by_epochs.steps, by_epochs.epochs, by_epochs.seconds) == (24, 3, None)
    timed = plan(Recipe(epochs=3), **sizes, images_per_second=100.0)
    assert timed.seconds == pytest.approx(33)
    with pytest.raises(RecipeError, match="minutes = 2 needs a measured speed"):
        plan(Recipe(minutes=2), **sizes, images_per_second=None)
    with pytest.raises(RecipeError, match=r"0.0 images/s cannot be planned with"):
        plan(Recipe(minutes=2), **sizes, images_per_second=0.0)


def test_freeze_decides_everything() -> None:
    recipe = Recipe(minutes=0.5, threads=3)
    found = plan(recipe, train_images=1000, val_images=0, images_per_second=1000.0)
    frozen = freeze(recipe, found, setting="bf16", decoder="pillow")
    assert frozen.frozen
    assert (frozen.steps, frozen.epochs) == (found.steps, found.epochs) == (228, 29)
    assert (frozen.setting, frozen.threads, frozen.decoder) == ("bf16", 3, "pillow")
    assert "torch" in frozen.versions
    import torch

    own = freeze(Recipe(), found, setting="fp32", decoder="none").threads
    assert own == torch.get_num_threads()
