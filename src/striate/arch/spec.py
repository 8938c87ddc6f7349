"""An architecture as a value: frozen, keyword-only, validated data.

One ``Stage`` is one row of a paper's table.  ``Arch`` holds no torch and knows no weights:
scaling, mending and twinning are functions from Arch to Arch.  Every Arch can be built: what
cannot be (a skip whose maps differ, a map that shrinks to nothing) is refused here.

Numbers must be numbers: ``"3"``, ``3.0`` and ``True`` are no integers.  What is wrong is pydantic's
``ValidationError`` where a class is called, and an ArchError of one line from ``from_dict``,
``from_toml`` and all that is built on them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from striate.arch.sizes import map_problem

Positive = Annotated[int, Field(strict=True, ge=1, le=65536)]
Padding = Annotated[int, Field(strict=True, ge=0, le=65536)]
Flag = Annotated[bool, Field(strict=True)]
BlockName = Literal["conv", "basic", "bottleneck", "dense"]
RESIDUAL_BLOCKS: tuple[str, ...] = ("basic", "bottleneck")


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class Pool(_Part):
    """A spatial pool.  Output size: floor((n + 2·padding − kernel) / stride) + 1 per axis."""

    kind: Literal["max", "avg"] = "max"
    """The greatest value of each window, or the mean (padding counts as zeros)."""
    kernel: Positive = 2
    """Side of the window."""
    stride: Positive = 2
    """Distance between neighbouring windows."""
    padding: Padding = 0
    """Elements on each side, at most half the kernel."""

    @model_validator(mode="after")
    def _padding_fits(self) -> Pool:
        if self.padding > self.kernel // 2:
            raise ValueError(
                f"padding {self.padding} is more than half of kernel {self.kernel}; "
                f"use at most {self.kernel // 2}"
            )
        return self


class Stem(_Part):
    """The first convolution (with norm and activation), and the pool behind it if there is one."""

    width: Positive
    """Output channels."""
    kernel: Positive = 3
    """Side of the kernel."""
    stride: Positive = 1
    """Stride of the convolution."""
    padding: Padding | None = None
    """Zeros on each side; by default (kernel − 1) // 2."""
    pool: Pool | None = None
    """Pool behind the activation; none by default."""

    @property
    def pad(self) -> int:
        """Zeros on each side: ``padding``, or its default."""
        return (self.kernel - 1) // 2 if self.padding is None else self.padding


class Stage(_Part):
    """``depth`` blocks of one kind; the first has the stage's stride, the pool follows the last."""

    block: BlockName
    """``conv`` (conv-norm-activation), ``basic`` and ``bottleneck`` (He et al. 2015, figure 5),
    ``dense`` (a fully connected layer and its activation; maps are flattened first)."""
    depth: Positive
    """Number of blocks."""
    width: Positive
    """Output channels (units, for ``dense``) of every block."""
    stride: Positive = 1
    """Stride of the first block; a bottleneck has it on its 3×3 (v1.5)."""
    kernel: Positive = 3
    """Side of the spatial kernels."""
    padding: Padding | None = None
    """Zeros on each side; by default dilation · (kernel − 1) // 2."""
    dilation: Positive = 1
    """Distance between a spatial kernel's elements."""
    groups: Positive = 1
    """Groups of the spatial convolutions."""
    expansion: Annotated[float, Field(strict=True, gt=0, le=64)] | None = None
    """Channels inside a residual block as a multiple of ``width``; by default 1/4 for
    ``bottleneck`` and 1 for ``basic``."""
    squeeze: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    """Squeeze-excitation ratio (Hu et al. 2017, 1/16 there); 0 for none.  The gate stands before
    the sum of a residual block, and behind the activation of a ``conv`` block (section 3.3)."""
    skip: Flag | None = None
    """False takes a residual block's skip away (its plain twin); by default the block decides."""
    shortcut: Literal["projection", "pad"] = "projection"
    """How the skip changes shape: a strided 1×1 convolution with its norm (He et al.'s option B),
    or striding and zero channels (option A)."""
    pool: Pool | None = None
    """Pool behind the stage's last block; none by default."""

    @property
    def residual(self) -> bool:
        """Whether each block adds its input to its output."""
        return self.block in RESIDUAL_BLOCKS and self.skip is not False

    @property
    def inner(self) -> int:
        """Channels inside a block: ``expansion × width``, rounded to the nearest integer."""
        default = 0.25 if self.block == "bottleneck" else 1.0
        return max(1, round((self.expansion or default) * self.width))

    @property
    def pad(self) -> int:
        """Zeros on each side of a spatial convolution: ``padding``, or its default."""
        if self.padding is not None:
            return self.padding
        return self.dilation * (self.kernel - 1) // 2

    @model_validator(mode="after")
    def _is_possible(self) -> Stage:
        if self.block not in RESIDUAL_BLOCKS:
            if self.skip:
                raise ValueError(
                    f"skip = true needs a residual block, and {self.block!r} is none; "
                    f"use block = {' or '.join(map(repr, RESIDUAL_BLOCKS))}"
                )
            _refuse(self, ("expansion", "shortcut", "skip"))
        if self.block == "dense":
            _refuse(self, ("stride", "kernel", "padding", "dilation", "groups", "squeeze", "pool"))
        if self.residual and 2 * self.pad != self.dilation * (self.kernel - 1):
            raise ValueError(
                f"kernel {self.kernel} with padding {self.pad} changes the map's size, so that it "
                "cannot be added to the block's input; use an odd kernel and leave padding out, "
                "or set skip = false"
            )
        inside = {"conv": (self.width,), "basic": (self.inner, self.width)}
        for channels in inside.get(self.block, (self.inner,)):
            if channels % self.groups:
                raise ValueError(f"groups {self.groups} does not divide {channels} channels")
        return self


def _refuse(stage: Stage, keys: tuple[str, ...]) -> None:
    for key in keys:
        if getattr(stage, key) != Stage.model_fields[key].default:
            raise ValueError(f"a {stage.block} block has no {key}; take the key away")


class Head(_Part):
    """From the last feature map to the logits."""

    pool: Literal["avg", "max", "none"] = "avg"
    """Adaptive pool to ``size``; ``none`` flattens the map as it is."""
    size: Positive = 1
    """Side of the pooled map: 1 is global pooling, 7 is VGG's."""
    hidden: tuple[Positive, ...] = ()
    """Widths of fully connected layers before the last, each with its activation."""
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """Probability of dropping a feature before each fully connected layer but the first hidden
    one (VGG's placing), or before the last where there is no hidden layer."""

    @model_validator(mode="after")
    def _is_possible(self) -> Head:
        if self.pool == "none" and self.size != 1:
            raise ValueError(f"size {self.size} is a pool's, and pool is 'none'; take one away")
        return self


class Arch(_Part):
    """A whole network: what it looks at, its stem, its stages, its head."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What it is called, in one line of printable characters."""
    image: tuple[Positive, Positive, Positive]
    """(channels, height, width) it is made for."""
    classes: Annotated[int, Field(strict=True, ge=2, le=1_000_000)]
    """Number of classes: the width of the logits."""
    stem: Stem | None = None
    """First convolution; where there is none, the first stage sees the image."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    """The rows of the table, in order."""
    head: Head = Head()
    """From the last map to the logits; by default global average pooling and one linear layer."""
    norm: Literal["batch", "group", "layer", "none"] = "batch"
    """Norm behind every convolution.  ``group`` has as many groups as divide the channels, at most
    32 (Wu and He 2018), of at least two channels each; ``layer`` is group norm with one group."""
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    """Nonlinearity behind every norm, sum and hidden layer."""
    bias: Flag | None = None
    """Biases of the convolutions; by default only where there is no norm."""
    zero_init: Flag = False
    """Start each residual branch at zero: the scale of its last norm (Goyal et al. 2017, 5.1)."""

    @property
    def conv_bias(self) -> bool:
        """Whether convolutions carry a bias."""
        return self.norm == "none" if self.bias is None else self.bias

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError(f"{name!r} holds characters that cannot be printed in one line")
        return name

    @model_validator(mode="after")
    def _is_possible(self) -> Arch:
        width = self.stem.width if self.stem else self.image[0]
        before = "conv"
        for number, stage in enumerate(self.stages, 1):
            where = f"stage {number}"
            if before == "dense" and stage.block != "dense":
                raise ValueError(f"{where} ({stage.block}) follows a dense stage, which has no map")
            if stage.block in ("conv", "basic") and width % stage.groups:
                raise ValueError(
                    f"{where}: groups {stage.groups} does not divide its {width} input channels"
                )
            if stage.residual and stage.shortcut == "pad" and stage.width < width:
                raise ValueError(
                    f"{where}: shortcut 'pad' cannot go from {width} to {stage.width} channels; "
                    "use 'projection'"
                )
            width, before = stage.width, stage.block
        if before == "dense" and self.head.pool != "none":
            raise ValueError(
                f"head.pool {self.head.pool!r} needs a map, and the last stage is dense; "
                "use pool = 'none'"
            )
        if self.zero_init and self.norm == "none":
            raise ValueError("zero_init sets the last norm's scale, and norm is 'none'")
        problem = map_problem(self, self.image)
        if problem:
            raise ValueError(problem)
        return self
