"""``striate serve``: the page to design, look and compare on, and predictions over HTTP."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from striate.cli.completing import complete_run
from striate.cli.console import Talk, complain, talk
from striate.cli.options import Json, Quiet
from striate.cli.stopping import terminated_as_interrupted
from striate.errors import InputError, Interrupted

PORT = 8462


def command(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]", help="The folder of a finished run.", autocompletion=complete_run
        ),
    ] = None,
    *,
    runs: Annotated[
        list[Path] | None,
        typer.Option("--runs", metavar="DIR", help="Where the runs are. [default: runs, sweeps]"),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Another than loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free one."),
    ] = PORT,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="WORD", help="What each request must bring."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    max_upload: Annotated[
        int,
        typer.Option("--max-upload", metavar="MIB", min=1, max=256, help="The largest image file."),
    ] = 16,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option("--device", metavar="NAME", help="cpu, cuda, mps; or auto."),
    ] = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Serve a page on this machine: design networks, look into a run, watch runs train.

    POST /predict takes an image file; /openapi.json describes everything; Ctrl-C stops it.

    Examples:

      striate serve                              designs, and the runs here

      striate serve runs/photos --open           and what that run says of your images

      curl --data-binary @cat.jpg localhost:8462/predict

      striate serve runs/photos --host 0.0.0.0   for others too, with a token
    """
    told = talk(as_json=as_json, quiet=quiet)
    _refuse_without_extra()
    with told.waiting("loading PyTorch"):
        from striate.web.app import make_app
        from striate.web.options import MIB, Limits, ServeOptions
        from striate.web.server import bind, is_loopback, page_of, serve, token_for

    loopback = is_loopback(host)
    needed = token_for(host, token)
    bound = bind(host, port)
    try:
        with told.waiting("opening the run"):
            app = make_app(
                ServeOptions(
                    run=run,
                    runs=tuple(runs or ()),
                    token=needed,
                    loopback=loopback,
                    device=device,
                    limits=Limits(upload_bytes=max_upload * MIB),
                )
            )

        def ready() -> None:
            page = page_of(bound, needed)
            told.document(
                {
                    "striate": 1,
                    "address": bound.address,
                    "port": bound.port,
                    "run": None if run is None else str(run),
                    "token": needed,
                }
            )
            _begin(told, page, needed, loopback=loopback)
            for line in app.state.service.run.said if run is not None else ():
                complain("note", line)
            if open_:
                import webbrowser

                webbrowser.open(page)

        with terminated_as_interrupted():
            serve(app, bound, ready)
    except KeyboardInterrupt:
        pass
    finally:
        bound.socket.close()
    raise Interrupted("the server has stopped")


def _refuse_without_extra() -> None:
    """InputError where what a server needs is not installed."""
    missing = [name for name in ("fastapi", "uvicorn", "prometheus_client") if not find_spec(name)]
    if missing:
        raise InputError(
            f"striate serve needs {', '.join(missing)}; install with: pip install 'striate[web]'"
        )


def _begin(told: Talk, page: str, token: str | None, *, loopback: bool) -> None:
    told.tell(f"striate serves [bold]{escape(page)}[/]  [dim](Ctrl-C stops it)[/]", hang=2)
    if token is not None and not loopback:
        complain(
            "note",
            "others than this machine can ask: each request must bring the token "
            f"(Authorization: Bearer {token}), which travels unencrypted",
        )
