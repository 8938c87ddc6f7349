"""What the server is asked and what it answers: the shapes of ``/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from striate.flow.design import MOST_TEXT

Toml = Annotated[str, Field(max_length=MOST_TEXT, description="An architecture's TOML.")]
Factor = Annotated[float, Field(gt=0, le=8, allow_inf_nan=False)]


class Asked(BaseModel):
    """A request; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """An answer; its keys do not change without another number here."""

    striate: Literal[1] = 1


class FieldShape(BaseModel):
    """A receptive field, as ``striate trace --json`` writes it; ``spans`` where it is uneven."""

    status: str
    size: tuple[int, int]
    stride: tuple[int, int]
    start: tuple[int, int]
    gated: bool = False
    spans: list[list[tuple[int, int]] | None] | None = None


class BlockShape(BaseModel):
    """A part of the strip: ``shape`` (C, H, W) or (units,); ``whole``: it sees the whole image."""

    name: str
    shape: list[int]
    field: FieldShape | None
    whole: bool
    params: int
    macs: int


class LayerShape(BaseModel):
    """A row of the layer table; ``macs`` is null where they are not understood."""

    path: str
    op: str
    shape: list[int]
    params: int
    macs: int | None
    activations: int
    field: FieldShape | None


class FindingShape(BaseModel):
    """What the linter says; ``line``: of the TOML.  ``mendable``: a click can try its fix."""

    code: str
    name: str
    severity: Literal["error", "warning", "info"]
    path: str
    message: str
    line: int
    fix: str | None
    mendable: bool
    safe: bool


class CostShape(BaseModel):
    """What one image costs."""

    params: int
    macs: int
    activations: int


class DesignAsked(Asked):
    """``form``: the architecture as plain data, which the text is then made to say."""

    toml: Toml
    form: dict[str, Any] | None = None


class DesignAnswer(Answer):
    """A design; ``problem``: the one line that says why there is none to show.

    ``toml``: as it was given, or what the form made of it.  ``stopped``: where its forward fails.
    """

    toml: str
    problem: str | None = None
    arch: dict[str, Any] | None = None
    image: tuple[int, int, int] | None = None
    cost: CostShape | None = None
    train_bytes: int | None = None
    blocks: list[BlockShape] = []
    layers: list[LayerShape] = []
    findings: list[FindingShape] = []
    stopped: str | None = None
    milliseconds: float = 0.0


class MendAsked(Asked):
    """The finding to be mended."""

    toml: Toml
    code: Annotated[str, Field(max_length=16)]
    path: Annotated[str, Field(max_length=512)]


class MendAnswer(Answer):
    """The TOML after it; ``refused``: why it stayed as it was.  ``gone``: findings, by code."""

    toml: str
    gone: list[str]
    refused: str | None


class ScaleAsked(Asked):
    """By what depth, width and the image's sides are multiplied."""

    toml: Toml
    depth: Factor = 1.0
    width: Factor = 1.0
    resolution: Factor = 1.0


class ScaleAnswer(Answer):
    """The scaled design; ``problem``: why it cannot be."""

    toml: str | None = None
    image: tuple[int, int, int] | None = None
    cost: CostShape | None = None
    problem: str | None = None


class TextAsked(Asked):
    """A design."""

    toml: Toml


class CodeAnswer(Answer):
    """Plain PyTorch source; ``name``: its class.  ``checked``: what was found equal."""

    name: str
    code: str
    checked: list[str]


class ZooAnswer(Answer):
    """A network of the zoo."""

    name: str
    toml: str


class RunShape(BaseModel):
    """The run that the server was started with.  ``image``: (C, H, W)."""

    name: str
    network: str
    image: tuple[int, int, int]
    classes: list[str]
    accuracy: float | None
    notes: list[str]


class StartAnswer(Answer):
    """What the page begins with."""

    version: str
    toml: str
    zoo: list[str]
    run: RunShape | None


class ClassShape(BaseModel):
    """A class and its probability."""

    model_config = ConfigDict(populate_by_name=True)

    name: Annotated[str, Field(serialization_alias="class")]
    confidence: float


class UnlikeShape(BaseModel):
    """In what an image is unlike the training data."""

    what: str
    distance: float
    limit: float


class PredictAnswer(Answer):
    """The likeliest classes of one image, the greatest first, with calibrated confidence."""

    top: list[ClassShape]
    unlike: list[UnlikeShape]


class SeenShape(BaseModel):
    """A layer that hands on a map of this image."""

    path: str
    kind: str
    channels: int
    size: tuple[int, int]
    steps: bool
    field: FieldShape | None


class LookAnswer(PredictAnswer):
    """An image in the network.  ``id``: names it until others have come.  ``picture``: a PNG of
    what the network was given, as a data: address.
    """

    id: str
    picture: str
    layers: list[SeenShape]


class MapsAnswer(Answer):
    """Maps of one layer, ``first`` and those behind it.  ``sheet``: one PNG, the maps below each
    other; each from its own least value (black) to its greatest (white), which ``ranges`` tells.
    """

    path: str
    channels: int
    first: int
    size: tuple[int, int]
    sheet: str
    ranges: list[tuple[float, float]]


class StepChannel(BaseModel):
    """What one input channel adds to a sum."""

    channel: int
    sum: float
    patch: list[list[float]]
    kernel: list[list[float]]
    products: list[list[float]]


class StepAnswer(Answer):
    """One sum of a convolution: the ``channels`` that add most, all others as ``rest``.

    ``sum`` + ``bias`` is ``value`` in float64; ``output`` is what the network gave.  ``rows`` and
    ``cols``: of the input, those outside it are padding.
    """

    path: str
    channel: int
    row: int
    col: int
    rows: list[int]
    cols: list[int]
    given: int
    channels: list[StepChannel]
    rest: float
    sum: float
    bias: float
    value: float
    output: float


class PartShape(BaseModel):
    """What one part wrote into the logit."""

    name: str
    kind: Literal["image", "block", "bias", "frozen"]
    written: float


class LedgerAnswer(Answer):
    """Who wrote the logit of a class.  ``withheld``: why it may not be believed."""

    name: Annotated[str, Field(serialization_alias="class")]
    logit: float
    sum: float
    error: float
    limit: float
    withheld: str | None
    parts: list[PartShape]
    notes: list[str]


class RunsAnswer(Answer):
    """The runs here, as ``striate runs --json`` lists them, and folders that were left out."""

    runs: list[dict[str, Any]]
    left_out: list[str]


class CurvesAnswer(Answer):
    """One run and its epochs."""

    run: dict[str, Any]
    epochs: list[dict[str, Any]]


class HealthAnswer(Answer):
    """The server is there."""

    status: Literal["ok"] = "ok"
    version: str
    run: str | None
