"""``hf/…``: image classifiers of transformers, built from their configuration alone.

``hf/convnext`` is the classifier of that type of model with the configuration that transformers
gives it by default; it asks nothing of any network.  ``hf/facebook/convnext-tiny-224`` takes its
configuration from the hub (or from the hub's cache).  Weights are not fetched: a trace needs none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from striate.errors import TargetError, choices

if TYPE_CHECKING:
    from torch import nn

Made = tuple["Callable[[], nn.Module]", tuple[int, int, int]]

_UNLIKE = {
    "imagegpt": "takes colours as numbers of a palette, not pixels",
    "shieldgemma2": "takes text besides an image",
    "siglip2": "takes patches that its processor has cut, not an image",
    "perceiver": "has three classifiers, of which none is the usual one",
}
"""Types whose default classifier does not take an image, and what it takes."""


def hugging_face(
    text: str, name: str, library: Callable[[str, str], Any], mend: Callable[[str], str]
) -> Made:
    """What makes the network, and the (C, H, W) that its configuration is for.

    ``library`` imports a module or says why that cannot be; ``mend`` says what to do about an
    import that failed.  TargetError in one line.
    """
    transformers = library("transformers", text)
    auto = library("transformers.models.auto.modeling_auto", text)
    classes = cast("Mapping[str, Any]", auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)
    if "/" in name:
        config = _fetched(text, name, transformers)
        if config.model_type not in classes:
            raise TargetError(
                f"{text}: a {config.model_type} is no image classifier in transformers; "
                f"{choices(config.model_type, sorted(classes))}"
            )
    elif name in classes:
        config = transformers.AutoConfig.for_model(name)
    else:
        raise TargetError(
            f"{text}: transformers has no image classifier of type {name!r}; "
            f"{choices(name, sorted(classes))} A model of the hub is hf/OWNER/NAME"
        )
    if config.model_type in _UNLIKE:
        raise TargetError(
            f"{text}: {config.model_type} {_UNLIKE[config.model_type]}; build it yourself and give "
            "its inputs to striate.trace by inputs="
        )
    names = classes[config.model_type]
    chosen = names if isinstance(names, str) else names[0]
    try:
        kind = getattr(transformers, chosen)
    except Exception as error:  # an installation may be broken in any way
        first = error
        while first.__cause__ is not None:
            first = cast("Exception", first.__cause__)
        said = " ".join(str(first).split()) or type(first).__name__
        raise TargetError(
            f"{text}: transformers is installed and {chosen} cannot be imported ({said}); "
            f"{mend(said)}"
        ) from error

    def make() -> nn.Module:
        return kind(config)

    return make, _image(config)


def _fetched(text: str, name: str, transformers: Any) -> Any:
    talk = logging.getLogger("huggingface_hub")
    level = talk.level
    talk.setLevel(logging.ERROR)  # it says so each time that it tries again
    try:
        return transformers.AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split()).split(". ")[0].rstrip(".") or type(error).__name__
        kind = name.rsplit("/", maxsplit=1)[1].split("-", maxsplit=1)[0]
        raise TargetError(
            f"{text}: its configuration cannot be had from the hub ({said}); without the hub "
            f"there is hf/TYPE, such as hf/{kind}, by transformers' own defaults"
        ) from error
    finally:
        talk.setLevel(level)


def _image(config: Any) -> tuple[int, int, int]:
    """Channels, height and width; 3 and 224 where the configuration says nothing of them."""
    parts = (
        config,
        getattr(config, "vision_config", None),
        getattr(config, "backbone_config", None),
    )
    size: Any = next((s for part in parts if (s := getattr(part, "image_size", None))), 224)
    channels = next((c for part in parts if (c := getattr(part, "num_channels", None))), 3)
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
    return int(channels), height, width
