"""Recipes as text, and the words for those that cannot be."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.errors import RecipeError
from striate.training import Recipe, from_toml, json_schema, load_recipe, to_toml

positive = st.floats(1e-12, 1.0)
share = st.floats(0, 1, exclude_max=True)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**31),
            "minutes": st.floats(1e-9, 1e9),
            "optimiser": st.sampled_from(["sgd", "adamw"]),
            "muon.scale": share,
            "small.side": st.floats(0.01, 1),
            "whiten": st.booleans(),
            "lr": positive,
            "momentum": share,
            "weight_decay": st.floats(0, 1e6),
            "warmup": share,
            "clip": positive,
            "ema": share,
            "augment.flip": st.booleans(),
            "augment.cutout": st.integers(0, 99),
            "augment.policy": st.sampled_from(["none", "trivial", "rand"]),
            "mix.mixup": st.floats(0, 100),
            "class_weights": st.sampled_from(["balanced", (0.1, 2.5), (0.0, 1e6, 1.0)]),
            "drop_path": share,
            "patience": st.integers(0, 99),
            "tta": st.sampled_from(["none", "flip", "views"]),
            "setting": st.sampled_from(["auto", "fp32", "bf16-channels-last"]),
            "deterministic": st.booleans(),
            "steps": st.integers(1, 2**31),
            "versions": st.dictionaries(st.text(), st.text()),
        },
    )
)
def test_through_toml_and_back(changes: dict[str, Any]) -> None:
    recipe = Recipe().with_(changes)
    assert from_toml(to_toml(recipe)) == recipe


def test_every_setting_is_written() -> None:
    written = tomllib.loads(to_toml(Recipe()))
    missing = set(Recipe.model_fields) - set(written)
    # those that are not set
    assert missing == {
        "minutes",
        "most_epochs",
        "clip",
        "muon",
        "small",
        "finetune",
        "steps",
        "versions",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lrr = 1", "r.toml: unknown key 'lrr'; did you mean lr?"),
        ("[augment]\nflop = true", "r.toml: unknown key 'augment.flop'; did you mean flip?"),
        ("lr = 0", "r.toml: lr = 0 should be greater than 0"),
        ("lr = inf", "r.toml: lr = inf should be a finite number"),
        ("optimiser = 'adam'", "r.toml: optimiser = 'adam' should be 'sgd', 'adamw' or 'muon'"),
        ("seed = -1\nepochs = 0", "seed = -1 should be greater than or equal to 0 (and 1 more)"),
        ("optimiser = 'adamw'\nlr = 2", "r.toml: lr = 2.0 is no rate for adamw; 0.001 is usual"),
        ("[augment]\ntranslate = -1", "r.toml: augment.translate = -1 should be greater than"),
        (
            "setting = 'fp16'",
            "setting = 'fp16' should be 'auto', 'fp32', 'fp32-channels-last', 'bf16'",
        ),
        ("class_weights = 'even'", "class_weights = 'even' should be 'none' or 'balanced' (and 1"),
        ("class_weights = [1, -2]", "class_weights = -2 should be greater than or equal to 0"),
        ("class_weights = [0, 0]", "class_weights has no number above 0, so nothing would be"),
        (
            "class_weights = 'balanced'\nsampling = 'balanced'",
            "would count the rare ones twice; take one of them",
        ),
        ("[mix]\nmixup = -1", "r.toml: mix.mixup = -1 should be greater than or equal to 0"),
        ("[augment]\npolicy = 'auto'", "augment.policy = 'auto' should be 'none', 'trivial' or"),
        ("drop_path = 1", "r.toml: drop_path = 1 should be less than 1"),
        ("tta = 'flips'", "r.toml: tta = 'flips' should be 'none', 'flip' or 'views'"),
        ("= 1", "r.toml: not valid TOML: "),
    ],
)
def test_refusals_are_one_line(text: str, words: str) -> None:
    with pytest.raises(RecipeError) as raised:
        from_toml(text, where="r.toml")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No such file or directory"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_bytes(b"\xff")
    with pytest.raises(RecipeError, match=r"r\.toml: cannot be read \(not UTF-8 text\)"):
        load_recipe(tmp_path / "r.toml")


def test_changes_name_where_they_come_from() -> None:
    with pytest.raises(RecipeError, match="--lr: lr = -1 should be greater than 0"):
        Recipe().with_({"lr": -1}, where="--lr")
    assert Recipe().with_({"augment.flip": True, "lr": 1}).augment.flip
    both = Recipe().with_({"augment.flip": True}).with_({"augment.cutout": 3}).augment
    assert (both.flip, both.cutout) == (True, 3)


def test_frozen_means_all_is_decided() -> None:
    decided = {"steps": 3, "setting": "fp32", "threads": 2, "decoder": "pillow"}
    assert Recipe().with_(decided).frozen
    for key in decided:
        assert not Recipe().with_({k: v for k, v in decided.items() if k != key}).frozen


def test_the_schema_is_valid_and_describes_every_key() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(to_toml(Recipe())), schema)
    for part in (schema, *schema["$defs"].values()):
        for key, what in part["properties"].items():
            assert what.get("description"), key
