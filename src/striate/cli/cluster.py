"""``striate cluster``: how long a training step takes on many devices, before any is rented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from striate.cli.completing import complete_target
from striate.cli.console import Talk, count, plain_table, size, talk
from striate.cli.options import Json, Quiet
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.flow.cluster import Cluster


def command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="The network, as striate trace takes it.",
            autocompletion=complete_target,
        ),
    ],
    *,
    speed: Annotated[
        float,
        typer.Option("--speed", metavar="N", help="Images/s one device trains at, measured."),
    ],
    bandwidth: Annotated[
        str,
        typer.Option(
            "--bandwidth", metavar="B", help="Between devices: 25GB/s, or 100Gbit/s for bits."
        ),
    ],
    latency: Annotated[
        str, typer.Option("--latency", metavar="T", help="Of a message: 10us, 0.2ms.")
    ] = "10us",
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", help="Images a device takes a step.")
    ] = 32,
    devices: Annotated[
        str, typer.Option("--devices", metavar="A:B", help="1:1024 by doubling, or 1,8,64.")
    ] = "1:1024",
    kind: Annotated[
        str, typer.Option("--sum", metavar="HOW", help="How sums travel: ring or halving.")
    ] = "ring",
    norms: Annotated[
        str,
        typer.Option("--norms", metavar="HOW", help="Batch norms: reduced or local."),
    ] = "reduced",
    image: Annotated[
        str | None, typer.Option("--image", metavar="HxW", help="Size of the images.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict the time of a training step on 1 to 1,024 devices.

    Each device keeps its share of images, so that the batch grows with the devices. The model
    knows arithmetic (as measured on one device), messages, and which of them the backward pass
    hides; it knows nothing of slow devices, of loading, nor of shared network cards.

    Examples:

      striate cluster resnet50 --speed 400 --bandwidth 25GB/s

      striate cluster resnet50 --speed 400 --bandwidth 10Gbit/s --latency 50us --norms local

      striate cluster net.py:Net --speed 90 --batch 64 --bandwidth 1GB/s --devices 1,2,4
    """
    told = talk(as_json=as_json, quiet=quiet)
    if not 0 < speed < float("inf"):
        raise InputError(f"--speed {speed:g}: must be a positive number of images a second")
    if batch < 1:
        raise InputError(f"--batch {batch}: must be at least 1")
    if norms not in ("reduced", "local"):
        raise InputError(f"--norms {norms}: choose from reduced, local")
    with told.waiting("tracing"):
        from striate.flow.cluster import ClusterOptions, cluster

        found = cluster(
            target,
            ClusterOptions(
                speed=speed,
                bandwidth=bandwidth,
                latency=latency,
                batch=batch,
                devices=devices,
                kind=kind,
                reduced=norms == "reduced",
                image=image,
            ),
        )
    told.document({"striate": 1, **found.as_json()})
    _show(told, found)


def _show(told: Talk, found: Cluster) -> None:
    work, network = found.work, found.network
    told.tell(
        f"[key]{escape(found.trace.name)}[/]  {size(found.gradient_bytes)} of gradients a step · "
        f"{count(work.macs)} MACs forward an image · {work.backward_share:.0%} of a step is "
        f"backward · {len(work.norms)} reduced batch norms",
        hang=2,
    )
    told.tell(
        f"{work.images_per_second:,.0f} images/s and {work.images:,.0f} images a device · "
        f"{size(round(network.bandwidth))}/s, {network.latency * 1e6:g} µs a message · sums by "
        f"{network.kind}",
        hang=2,
    )
    table = plain_table(
        ("devices", "right"),
        ("batch", "right"),
        ("step", "right"),
        ("messages", "right"),
        ("not hidden", "right"),
        ("images/s", "right"),
        ("efficiency", "right"),
    )
    for step in found.steps:
        table.add_row(
            f"{step.devices:,}",
            f"{step.images:,.0f}",
            _time(step.seconds),
            _time(step.messages),
            _time(step.exposed),
            f"{step.images_per_second:,.0f}",
            f"{step.efficiency:.1%}",
        )
    told.say(table)
    told.tell(
        "[dim]predicted, not measured; devices that wait for each other, loading and shared cards "
        "come on top[/]"
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"
