"""The weights that a ``fit`` begins with: asked for, kept in its run, had again when it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from striate.arch import Arch
from striate.errors import InputError, RunError
from striate.flow.events import FitOptions, WeightsReady
from striate.flow.hub import Progress
from striate.flow.network import built
from striate.flow.targets import Target, from_arch, resolve
from striate.flow.weights import Loaded
from striate.flow.weights_given import Given, given_weights, hub_weights, recognised
from striate.runs import RunPaths, load_weights


def asked_weights(
    options: FitOptions, target: Target | None, *, progress: Progress | None = None
) -> tuple[Given | None, Target | None, str | None]:
    """The weights that were asked for, the network they go into (a run's own, where ``--arch`` is
    left open), and why it is that one.

    InputError in one line where they cannot be had, or are another network's.
    """
    if options.weights is None and not options.pretrained:
        return None, target, None
    if options.weights is not None and options.pretrained:
        raise InputError(f"--weights {options.weights} and --pretrained: give one of them")
    why = None
    if options.weights is not None:
        given = given_weights(options.weights)
        if target is None:
            if given.target is None:
                raise InputError(
                    f"--weights {options.weights}: does not say which network it is of; name it by "
                    "--arch, for example --arch resnet18"
                )
            of_run = given.target
            text = str(options.weights)
            target = from_arch(of_run, text) if isinstance(of_run, Arch) else resolve(of_run)
            why = f"the network of {options.weights}, whose weights it begins with"
    else:
        given = hub_weights(_in_the_zoo(options, target), progress=progress)
    if target is not None and target.arch is not None:
        given = recognised(given, target.arch)
    return given, target, why


def _in_the_zoo(options: FitOptions, target: Target | None) -> str:
    if target is None:
        raise InputError(
            "--pretrained: say of which network, for example --arch resnet18; striate zoo "
            "--pretrained lists those that have weights"
        )
    if target.arch is None:
        raise InputError(
            f"--pretrained: {options.arch} is no network of the zoo; striate zoo --pretrained "
            "lists those that have weights on the hub, and --weights FILE takes your own"
        )
    return target.arch.name


def weights_note(given: Given, loaded: Loaded) -> dict[str, Any]:
    """What run.json keeps of the weights that a run begins with."""
    return {
        "source": loaded.source,
        "sha256": loaded.sha256,
        "library": loaded.library,
        "adapted": sorted(loaded.adapted),
        "said": list(loaded.said),
        **given.facts,
    }


def weights_told(notes: Mapping[str, Any]) -> WeightsReady | None:
    """What a run's notes say of the weights that it began with; None where they were fresh."""
    note = notes.get("weights")
    return None if note is None else WeightsReady(source=note["source"], said=tuple(note["said"]))


def begun_again(
    network: Arch | Target,
    seed: int,
    image: tuple[int, int, int],
    paths: RunPaths,
    notes: Mapping[str, Any],
) -> nn.Module:
    """The network with the weights that the run at ``paths`` had before step 1.

    RunError where it began with trained ones and they are no longer there.
    """
    if "weights" in notes and not paths.start.exists():
        raise RunError(
            f"{paths.start}: is missing, the weights that this run began with; restore the file"
        )
    module = built(network, seed, image)
    if paths.start.exists():
        load_weights(paths.start, module)
    return module
