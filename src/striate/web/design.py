"""The routes of the Design tab: a TOML text in, what it makes out."""

from __future__ import annotations

import time
from functools import partial

from fastapi import APIRouter, Response

from striate._version import __version__
from striate.arch import json_schema, to_dict, to_toml, zoo, zoo_names
from striate.errors import InputError
from striate.flow.design import Design, mend_finding, resized, source
from striate.records import Field, Finding, Totals
from striate.records.trace_columns import operation
from striate.records.trace_rows import is_shown
from striate.records.trace_text import stopped
from striate.reporting.blocks import Block, blocks
from striate.web.refusals import NotFound
from striate.web.service import Opened, Service
from striate.web.shapes import (
    BlockShape,
    CodeAnswer,
    CostShape,
    DesignAnswer,
    DesignAsked,
    FieldShape,
    FindingShape,
    LayerShape,
    MendAnswer,
    MendAsked,
    RunShape,
    ScaleAnswer,
    ScaleAsked,
    StartAnswer,
    TextAsked,
    ZooAnswer,
)

FIRST = "resnet20"
"""What the editor begins with where no run is open, or the run's network has no TOML."""
_MOST_SPANS = 256
"""Elements along an axis whose uneven fields are told one by one."""


def routes(service: Service) -> APIRouter:
    """The Design tab of one server."""
    router = APIRouter(tags=["design"])

    @router.get("/api/start")
    async def start() -> StartAnswer:
        """What the page begins with: its first design, the zoo's names, the run that is open."""
        opened = service.run
        arch = None if opened is None else opened.run.arch
        return StartAnswer(
            version=__version__,
            toml=to_toml(zoo(FIRST) if arch is None else arch),
            zoo=list(zoo_names()),
            run=None if opened is None else _run_shape(opened),
        )

    @router.get("/api/schema")
    async def schema() -> dict[str, object]:
        """JSON Schema of an architecture's TOML: each key with its description."""
        return json_schema()

    @router.get("/api/zoo/{name}")
    async def from_zoo(name: str) -> ZooAnswer:
        """A network of the zoo as TOML."""
        try:
            return ZooAnswer(name=name, toml=to_toml(zoo(name)))
        except InputError as error:
            raise NotFound(str(error)) from error

    @router.post("/api/design", response_model=DesignAnswer)
    async def design(asked: DesignAsked) -> Response:
        """Trace and check a design.  What cannot be built is an answer too: its ``problem``."""
        began = time.perf_counter()
        answer = await service.designing.run(partial(_designed, service, asked))
        answer.milliseconds = 1000 * (time.perf_counter() - began)
        return Response(answer.model_dump_json(), media_type="application/json")

    @router.post("/api/design/mend")
    async def mend(asked: MendAsked) -> MendAnswer:
        """Make one finding's fix; it is traced and checked before it is kept."""
        done = await service.designing.run(
            partial(mend_finding, asked.toml, asked.code, asked.path)
        )
        return MendAnswer(
            toml=done.text, gone=[finding.code for finding in done.gone], refused=done.refused
        )

    @router.post("/api/design/scale")
    async def scale(asked: ScaleAsked) -> ScaleAnswer:
        """What a design costs, deeper, wider or for larger images."""
        return await service.designing.run(partial(_scaled, service, asked))

    @router.post("/api/design/code")
    async def code(asked: TextAsked) -> CodeAnswer:
        """The design as plain PyTorch source, run and compared with it."""
        written = await service.designing.run(partial(source, asked.toml))
        return CodeAnswer(name=written.name, code=written.text, checked=list(written.checked))

    return router


async def warmed(service: Service) -> None:
    """Look at the first design before anybody asks: rules and operations are loaded by then."""
    opened = service.run
    arch = None if opened is None else opened.run.arch
    asked = DesignAsked(toml=to_toml(zoo(FIRST) if arch is None else arch))
    await service.designing.run(partial(_designed, service, asked))


def _run_shape(opened: Opened) -> RunShape:
    run = opened.run
    return RunShape(
        name=run.path.resolve().name,
        network=run.info.network if run.arch is None else run.arch.name,
        image=run.preprocessing.image,
        classes=list(run.preprocessing.classes),
        accuracy=None if run.result is None else run.result.accuracy,
        notes=list(opened.said),
    )


def _designed(service: Service, asked: DesignAsked) -> DesignAnswer:
    try:
        return _shown(service.designer.look(asked.toml, asked.form))
    except InputError as error:
        return DesignAnswer(toml=asked.toml, problem=str(error))


def _shown(found: Design) -> DesignAnswer:
    trace = found.trace
    return DesignAnswer(
        toml=found.text,
        arch=to_dict(found.arch),
        image=trace.image,
        cost=_cost(trace.totals),
        train_bytes=trace.totals.train_bytes,
        blocks=[_block(block) for block in blocks(trace)],
        layers=[
            LayerShape(
                path=layer.path,
                op=operation(layer),
                shape=list(layer.shape[1:]),
                params=layer.params,
                macs=layer.macs,
                activations=layer.activations,
                field=field_shape(layer.field),
            )
            for layer in trace
            if is_shown(layer) and layer.op != "input"
        ],
        findings=[
            _finding(finding, line)
            for finding, line in zip(found.findings, found.lines, strict=True)
        ],
        stopped=None if trace.failure is None else stopped(trace.failure),
    )


def _scaled(service: Service, asked: ScaleAsked) -> ScaleAnswer:
    try:
        arch = resized(
            asked.toml, depth=asked.depth, width=asked.width, resolution=asked.resolution
        )
        cost = service.designer.cost(arch)
    except InputError as error:
        return ScaleAnswer(problem=str(error))
    return ScaleAnswer(toml=to_toml(arch), image=arch.image, cost=_cost(cost))


def _cost(totals: Totals) -> CostShape:
    return CostShape(params=totals.params, macs=totals.macs, activations=totals.activations)


def _block(block: Block) -> BlockShape:
    return BlockShape(
        name=block.name,
        shape=list(block.shape),
        field=field_shape(block.field),
        whole=block.whole,
        params=block.params,
        macs=block.macs,
    )


def _finding(finding: Finding, line: int) -> FindingShape:
    return FindingShape(
        code=finding.code,
        name=finding.name,
        severity=finding.severity,
        path=finding.path,
        message=finding.message,
        line=line,
        fix=finding.fix,
        mendable=bool(finding.edits),
        safe=finding.safe,
    )


def field_shape(field: Field | None) -> FieldShape | None:
    """A receptive field for the page, which draws that of any element from it."""
    if field is None:
        return None
    return FieldShape(
        status=field.status,
        size=field.size,
        stride=field.stride,
        start=field.start,
        gated=field.gated,
        spans=None
        if field.spans is None
        else [
            None if spans is None or len(spans) > _MOST_SPANS else list(spans)
            for spans in field.spans
        ],
    )
