"""An architecture as a value: frozen, keyword-only, validated data.

One ``Stage`` is one row of a paper's table.  ``Arch`` holds no torch and knows no weights:
scaling, mending and twinning are functions from Arch to Arch.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic import Field as field

Positive = Annotated[int, field(ge=1, le=65536)]
BlockName = Literal["conv", "basic", "bottleneck", "dense"]
RESIDUAL_BLOCKS: tuple[str, ...] = ("basic", "bottleneck")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Pool(_Part):
    """A spatial pool.  Output size: floor((n + 2·padding − kernel) / stride) + 1 per axis."""

    kind: Literal["max", "avg"] = "max"
    kernel: Positive = 2
    stride: Positive = 2
    padding: Annotated[int, field(ge=0)] = 0

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
    stride: Positive = 1
    padding: Annotated[int, field(ge=0)] | None = None
    """Zeros on each side; by default (kernel − 1) // 2."""
    pool: Pool | None = None


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
    padding: Annotated[int, field(ge=0)] | None = None
    """Zeros on each side; by default dilation · (kernel − 1) // 2."""
    dilation: Positive = 1
    groups: Positive = 1
    """Groups of the spatial convolution."""
    expansion: Annotated[float, field(gt=0, le=64)] | None = None
    """Channels inside the block as a multiple of ``width``; by default 1/4 for ``bottleneck``
    and 1 for the others."""
    squeeze: Annotated[float, field(ge=0, le=1)] = 0.0
    """Squeeze-excitation ratio (Hu et al. 2017); 0 for none."""
    skip: bool | None = None
    """False takes a residual block's skip away (its plain twin); by default the block decides."""
    shortcut: Literal["projection", "pad"] = "projection"
    """How the skip changes shape: a strided 1×1 convolution with its norm (He et al.'s option B),
    or striding and zero channels (option A)."""
    pool: Pool | None = None

    @property
    def residual(self) -> bool:
        """Whether each block adds its input to its output."""
        return self.block in RESIDUAL_BLOCKS and self.skip is not False

    @property
    def inner(self) -> int:
        """Channels inside a block: ``expansion × width``, rounded to the nearest integer."""
        default = 0.25 if self.block == "bottleneck" else 1.0
        return max(1, round((self.expansion or default) * self.width))

    @model_validator(mode="after")
    def _is_possible(self) -> Stage:
        if self.skip and self.block not in RESIDUAL_BLOCKS:
            raise ValueError(
                f"skip = true needs a residual block, and {self.block!r} is none; "
                f"use block = {' or '.join(map(repr, RESIDUAL_BLOCKS))}"
            )
        if self.block == "dense":
            spatial = {"stride": 1, "groups": 1, "dilation": 1, "squeeze": 0.0, "pool": None,
                       "padding": None, "expansion": None, "kernel": 3}  # fmt: skip
            for key, plain in spatial.items():
                if getattr(self, key) != plain:
                    raise ValueError(f"a dense block has no {key}; take the key away")
            return self
        across = self.inner if self.block in RESIDUAL_BLOCKS else self.width
        if across % self.groups:
            raise ValueError(f"groups {self.groups} does not divide {across} channels")
        return self


class Head(_Part):
    """From the last feature map to the logits."""

    pool: Literal["avg", "max", "none"] = "avg"
    """Adaptive pool to ``size``; ``none`` flattens the map as it is."""
    size: Positive = 1
    """Side of the pooled map: 1 is global pooling, 7 is VGG's."""
    hidden: tuple[Positive, ...] = ()
    """Widths of fully connected layers before the last, each with its activation."""
    dropout: Annotated[float, field(ge=0, lt=1)] = 0.0
    """Probability of dropping a feature before each fully connected layer but the first hidden
    one (VGG's placing), or before the last where there is no hidden layer."""


class Arch(_Part):
    """A whole network: what it looks at, its stem, its stages, its head."""

    name: Annotated[str, field(min_length=1, max_length=80)]
    image: tuple[Positive, Positive, Positive]
    """(channels, height, width) it is made for."""
    classes: Annotated[int, field(ge=2, le=1_000_000)]
    stem: Stem | None = None
    stages: Annotated[tuple[Stage, ...], field(min_length=1)]
    head: Head = Head()
    norm: Literal["batch", "group", "layer", "none"] = "batch"
    """Norm behind every convolution; ``layer`` is group norm with one group."""
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    bias: bool | None = None
    """Biases of the convolutions; by default only where there is no norm."""
    zero_init: bool = False
    """Start each residual branch at zero (the last norm's scale; Goyal et al. 2017, section 5.1)."""

    @property
    def conv_bias(self) -> bool:
        """Whether convolutions carry a bias."""
        return self.norm == "none" if self.bias is None else self.bias

    @model_validator(mode="after")
    def _is_possible(self) -> Arch:
        dense_seen = False
        width = self.stem.width if self.stem else self.image[0]
        for number, stage in enumerate(self.stages, 1):
            where = f"stage {number}"
            if dense_seen and stage.block != "dense":
                raise ValueError(f"{where} ({stage.block}) follows a dense stage, which has no map")
            dense_seen = dense_seen or stage.block == "dense"
            if stage.block == "conv" and width % stage.groups:
                raise ValueError(
                    f"{where}: groups {stage.groups} does not divide its {width} input channels"
                )
            if stage.residual and stage.shortcut == "pad" and stage.width < width:
                raise ValueError(
                    f"{where}: shortcut 'pad' cannot go from {width} to {stage.width} channels; "
                    "use 'projection'"
                )
            width = stage.width
        if self.zero_init and self.norm == "none":
            raise ValueError("zero_init sets the last norm's scale, and norm is 'none'")
        return self
