"""How a run's data are opened: as was asked, or as they were when it was begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from striate.data import DataOptions, Decoder
from striate.data.resolving import BUILT_IN
from striate.errors import RunError
from striate.flow.events import FitOptions
from striate.flow.sizes import cache_option, image_option
from striate.runs import RunInfo
from striate.training import Recipe


def data_options(options: FitOptions, from_file: dict[str, Any]) -> DataOptions:
    """What was asked for; InputError for an image that cannot be.

    ``from_file``: the recipe file's keys.
    """
    return DataOptions(
        image=image_option(options.image),
        fit=options.fit,
        bad_images=options.bad_images,
        group=options.group,
        val=options.val,
        test=options.test,
        fold=options.fold,
        decoder=_decoder(from_file.get("decoder", "auto")),
        cache_bytes=cache_option(options.cache, option="--cache"),
        disk_bytes=cache_option(options.disk_cache, option="--disk-cache"),
    )


def lasting(data: str) -> str:
    """A DATA that still means the same from another working directory."""
    built_in = data.split(":", maxsplit=1)[0] in BUILT_IN  # whatever lies here under that name
    return str(Path(data).resolve()) if Path(data).exists() and not built_in else data


def kept_data(info: RunInfo, recipe: Recipe, where: Path) -> tuple[str, DataOptions]:
    """The DATA and options a run was begun with, and the decoder that was chosen then."""
    try:
        kept: dict[str, Any] = {**info.data["options"], "decoder": _decoder(recipe.decoder)}
        if kept["image"] is not None:
            kept["image"] = tuple(kept["image"])
        if kept.get("fold") is not None:
            kept["fold"] = tuple(kept["fold"])
        if kept.get("normalise") is not None:
            mean, std = kept["normalise"]
            kept["normalise"] = tuple(mean), tuple(std)
        return str(info.data["spec"]), DataOptions(**kept)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{where}: broken ({type(error).__name__}: {error}); restore it") from error


def _decoder(name: str) -> Decoder:
    """The decoder of a recipe as the data room takes it; data without files have none."""
    return "pillow" if name == "pillow" else "simplejpeg" if name == "simplejpeg" else "auto"
