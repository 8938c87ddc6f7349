"""``striate zoo``: the networks that are known by name, with their costs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from striate.arch import json_schema, to_toml, zoo, zoo_costs, zoo_names
from striate.cli.completing import complete_zoo
from striate.cli.console import Talk, count, plain_table, talk
from striate.cli.options import Json
from striate.errors import InputError
from striate.flow.hub_table import HOSTED


def command(
    name: Annotated[
        str | None, typer.Argument(help="Print this network as TOML.", autocompletion=complete_zoo)
    ] = None,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of an architecture file.")
    ] = False,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Those with weights on the hub, and which.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The networks that are known by name, with their costs.

    Examples:

      striate zoo                       the list

      striate zoo resnet20 > net.toml   one of them as a file, to edit

      striate zoo --pretrained          those with weights for fit --pretrained

      striate zoo --schema > arch.json  the schema, for completion in an editor
    """
    if pretrained and (schema or name is not None):
        other = name or "--schema"
        raise InputError(f"zoo {other} --pretrained: the one lists networks; leave {other} out")
    out = talk(as_json=as_json or schema)
    if schema:
        if name is not None:
            raise InputError(f"zoo {name} --schema: the schema is one for all; leave {name} out")
        out.document(json_schema())
        return
    if name is not None:
        arch = zoo(name)
        if as_json:
            out.document(
                {"striate": 1, "arch": arch.model_dump(mode="json", exclude_defaults=True)}
            )
        else:
            out.raw(to_toml(arch))
        return
    costs = zoo_costs()
    entries = [entry for entry in zoo_names() if not pretrained or entry in HOSTED]
    out.document(
        {
            "striate": 1,
            "networks": [
                {
                    "name": entry,
                    "image": list(costs[entry].image),
                    "params": costs[entry].params,
                    "macs": costs[entry].macs,
                    "activations": costs[entry].activations,
                    "field": costs[entry].field_px,
                    "pretrained": _on_the_hub(entry),
                }
                for entry in entries
            ],
        }
    )
    if pretrained:
        _show_hosted(out)
        return
    table = plain_table(
        ("network", "left"), ("image", "left"), ("params", "right"), ("MACs", "right"),
        ("activations", "right"), ("field", "right"),
    )  # fmt: skip
    for entry in zoo_names():
        cost = costs[entry]
        table.add_row(
            f"[key]{entry}[/]",
            "×".join(map(str, cost.image)),
            count(cost.params),
            count(cost.macs),
            count(cost.activations),
            f"{cost.field_px} px" if cost.field_px else "–",
        )
    out.say(table)
    out.tell("[dim]field: receptive field of the last convolution[/]")
    out.tell("[dim]striate zoo NAME prints one as TOML[/]")
    out.tell(f"[dim]{len(HOSTED)} have weights on the hub: striate zoo --pretrained[/]")


def _on_the_hub(name: str) -> dict[str, Any] | None:
    entry = HOSTED.get(name)
    if entry is None:
        return None
    return {"repo": entry.repo, "image": [3, entry.side, entry.side], "licence": entry.licence}


def _show_hosted(out: Talk) -> None:
    table = plain_table(
        ("network", "left"), ("weights on the hub", "left"), ("side", "right"), ("licence", "left")
    )
    for name, entry in HOSTED.items():
        table.add_row(f"[key]{name}[/]", entry.repo, str(entry.side), _LICENCES[entry.licence])
    out.say(table)
    out.tell("[dim]side: of the images they were trained on, ImageNet's thousand classes[/]")
    out.tell(
        "[dim]striate fit DATA --arch NAME --pretrained begins with them; so does NAME-small[/]"
    )


_LICENCES = {"apache-2.0": "Apache 2", "bsd-3-clause": "BSD 3"}
