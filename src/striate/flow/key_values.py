"""``--set KEY=VALUE``: a recipe's keys on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from striate.errors import InputError


def key_values(words: Sequence[str]) -> dict[str, Any]:
    """Keys and values from words like ``mix.mixup=0.2``; a value is TOML, or else a word.

    InputError for a word without ``=``, and for a key that comes twice.

    >>> key_values(["mix.mixup=0.2", "tta=flip", "class_weights=[1, 4]", "augment.flip=true"])
    {'mix.mixup': 0.2, 'tta': 'flip', 'class_weights': [1, 4], 'augment.flip': True}
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = (part.strip() for part in word.partition("="))
        if not key or not equals or not text:
            raise InputError(f"--set {word}: is no KEY=VALUE, as mix.mixup=0.2 is")
        if key in found:
            raise InputError(f"--set {key}: was given twice; give it once")
        try:
            found[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = text
    return found
