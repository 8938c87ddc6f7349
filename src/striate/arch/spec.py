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

from striate.arch.agreement import head_problem, order_problem, start_problem
from striate.arch.kinds import KINDS, RESIDUAL_BLOCKS, BlockName, Kind
from striate.arch.sizes import map_problem

Positive = Annotated[int, Field(strict=True, ge=1, le=65536)]
Padding = Annotated[int, Field(strict=True, ge=0, le=65536)]
Flag = Annotated[bool, Field(strict=True)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]


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
    """The first convolution (with norm and activation), and the pool behind it if there is one.

    With ``kernel`` = ``stride`` and no padding it cuts the image into patches.
    """

    width: Positive
    """Output channels."""
    kernel: Positive = 3
    """Side of the kernel."""
    stride: Positive = 1
    """Stride of the convolution."""
    padding: Padding | None = None
    """Zeros on each side; by default (kernel − 1) // 2."""
    norm: Flag = True
    """Whether the network's norm stands behind the convolution."""
    activation: Flag = True
    """Whether the network's activation stands behind the norm."""
    bias: Flag | None = None
    """Whether the convolution has a bias; by default as the network's others."""
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
    ``inverted`` (Sandler et al. 2018, figure 3d), ``fused`` (Tan and Le 2021, figure 2),
    ``convnext`` (Liu et al. 2022, figure 4), ``densenet`` (Huang et al. 2016, DenseNet-B),
    ``transformer`` (Dosovitskiy et al. 2020, equations 2 and 3), ``dense`` (a fully connected layer
    and its activation; maps are flattened first)."""
    depth: Positive
    """Number of blocks."""
    width: Positive
    """Output channels (units, for ``dense``) of every block; for ``densenet`` the channels that
    each block adds (the growth rate)."""
    stride: Positive = 1
    """Stride of the first block; a bottleneck has it on its spatial convolution (v1.5), a
    ``convnext`` stage on a norm and a convolution of kernel = stride before its first block."""
    kernel: Positive = 3
    """Side of the spatial kernels."""
    padding: Padding | None = None
    """Zeros on each side; by default dilation · (kernel − 1) // 2."""
    dilation: Positive = 1
    """Distance between a spatial kernel's elements."""
    groups: Positive = 1
    """Groups of the spatial convolutions (``inverted`` and ``convnext`` have one per channel)."""
    expansion: Annotated[float, Field(strict=True, gt=0, le=64)] | None = None
    """Channels inside a block, as a multiple of ``width`` (of the block's input channels for
    ``inverted`` and ``fused``): by default 1 for ``basic``, 1/4 for ``bottleneck``, 6 for
    ``inverted``, 4 for ``fused``, ``convnext``, ``densenet`` and ``transformer``."""
    squeeze: Share = 0.0
    """Squeeze-excitation ratio (Hu et al. 2017, 1/16 there); 0 for none.  Of the block's output
    channels; of its input channels for ``inverted`` and ``fused``, whose gate stands on the
    channels inside (Tan and Le 2019).  The gate stands before the sum of a residual block, and
    behind the activation of a ``conv`` block (section 3.3)."""
    skip: Flag | None = None
    """False takes a residual block's skip away (its plain twin); by default the block decides."""
    shortcut: Literal["projection", "pad"] = "projection"
    """How the skip changes shape: a strided 1×1 convolution with its norm (He et al.'s option B),
    or striding and zero channels (option A)."""
    heads: Positive = 1
    """Heads of a ``transformer`` block's attention; they divide ``width``."""
    layer_scale: Share = 0.0
    """Where a learnt scale per channel of the branch begins (Touvron et al. 2021, equation 4);
    0 for no such scale."""
    transition: Share = 0.0
    """Share of a ``densenet`` stage's channels that a 1×1 convolution behind it keeps (the
    compression θ); 0 for none."""
    pool: Pool | None = None
    """Pool behind the stage's last block; none by default."""
    pool_first: Flag = False
    """The pool stands behind the first block's convolution instead, before its norm: what follows
    in the stage then works on the smaller map (Jordan 2024, section 3.1)."""

    @property
    def kind(self) -> Kind:
        """What this stage's block is."""
        return KINDS[self.block]

    @property
    def residual(self) -> bool:
        """Whether blocks add their input to their output."""
        return self.kind.skip is not None and self.skip is not False

    @property
    def inner(self) -> int:
        """Channels inside a block, ``expansion × width``, rounded to the nearest integer; for
        blocks that expand their input see ``inside``.
        """
        return self.inside(self.width)

    def inside(self, channels_in: int) -> int:
        """Channels inside a block that is given ``channels_in``, rounded to the nearest integer."""
        expansion = self.kind.expansion if self.expansion is None else self.expansion
        base = channels_in if self.kind.of == "input" else self.width
        return max(1, round(expansion * base))

    def leaving(self, channels_in: int) -> int:
        """Channels that leave the stage when ``channels_in`` arrive."""
        if self.block != "densenet":
            return self.width
        grown = channels_in + self.depth * self.width
        return max(1, int(grown * self.transition)) if self.transition else grown

    @property
    def pad(self) -> int:
        """Zeros on each side of a spatial convolution: ``padding``, or its default."""
        if self.padding is not None:
            return self.padding
        return self.dilation * (self.kernel - 1) // 2

    @model_validator(mode="after")
    def _is_possible(self) -> Stage:
        kind = self.kind
        if self.skip and kind.skip is None:
            raise ValueError(
                f"skip = true needs a residual block, and {self.block!r} is none; "
                f"use block = {_either(RESIDUAL_BLOCKS)}"
            )
        for key, field in Stage.model_fields.items():
            known = field.is_required() or key in kind.keys
            if not known and getattr(self, key) != field.default:
                raise ValueError(f"a {self.block} block has no {key}; take the key away")
        keeps = self.residual or self.block == "densenet"
        if kind.windows and keeps and 2 * self.pad != self.dilation * (self.kernel - 1):
            mend = ", or set skip = false" if self.residual else ""
            raise ValueError(
                f"kernel {self.kernel} with padding {self.pad} changes the map's size, so that it "
                f"cannot be {'added to' if self.residual else 'joined with'} the block's input; "
                f"use an odd kernel and leave padding out{mend}"
            )
        inside = {"conv": (self.width,), "basic": (self.inner, self.width)}
        for channels in inside.get(self.block, (self.inner,)):
            if channels % self.groups:
                raise ValueError(f"groups {self.groups} does not divide {channels} channels")
        if self.pool_first and self.pool is None:
            raise ValueError("pool_first places the stage's pool, and there is none; give it one")
        if self.width % self.heads:
            raise ValueError(f"heads {self.heads} does not divide width {self.width}")
        return self


def _either(names: tuple[str, ...]) -> str:
    """``'a', 'b' or 'c'``."""
    *some, last = map(repr, names)
    return f"{', '.join(some)} or {last}"


class Head(_Part):
    """From the last feature map to the logits."""

    width: Positive | None = None
    """Channels of a 1×1 convolution, with norm and activation, before the pool; none by default."""
    norm: Literal["none", "map", "pooled"] = "none"
    """A last norm, on the map (where blocks begin with their norms) or on what is pooled."""
    activation: Flag = False
    """The network's activation behind that last norm."""
    pool: Literal["avg", "max", "token", "none"] = "avg"
    """Adaptive pool to ``size``; ``token`` reads a class token, learnt beside the positions'
    (Dosovitskiy et al. 2020, equation 1); ``none`` flattens the map as it is."""
    size: Positive = 1
    """Side of the pooled map: 1 is global pooling, 7 is VGG's."""
    hidden: tuple[Positive, ...] = ()
    """Widths of fully connected layers before the last, each with its activation."""
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """Probability of dropping a feature before each fully connected layer but the first hidden
    one (VGG's placing), or before the last where there is no hidden layer."""

    @model_validator(mode="after")
    def _is_possible(self) -> Head:
        if self.pool in ("none", "token") and self.size != 1:
            raise ValueError(
                f"size {self.size} is a pool's, and pool is {self.pool!r}; take one away"
            )
        if self.activation and self.norm == "none":
            raise ValueError("activation stands behind the last norm, and norm is 'none'")
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
    norm: Literal["batch", "group", "layer", "channel", "none"] = "batch"
    """Norm behind every convolution.  ``group`` has as many groups as divide the channels, at most
    32 (Wu and He 2018), of at least two channels each; ``layer`` is group norm with one group;
    ``channel`` is layer norm over the channels of each position (ConvNeXt's, and the one of
    ``transformer`` and ``convnext`` blocks)."""
    eps: Annotated[float, Field(strict=True, gt=0, le=0.1)] = 1e-5
    """What the norms add to a variance."""
    activation: Literal["relu", "relu6", "gelu", "silu", "tanh"] = "relu"
    """Nonlinearity behind every norm, sum and hidden layer."""
    preact: Flag = False
    """Norm and activation stand before each convolution of ``basic`` and ``bottleneck`` blocks
    (He et al. 2016, figure 4e), and no sum is followed by an activation."""
    bias: Flag | None = None
    """Biases of the convolutions; by default only where there is no norm."""
    zero_init: Flag = False
    """Start each residual branch at zero: the scale of its last norm (Goyal et al. 2017, 5.1)."""
    dirac_init: Flag = False
    """Start each ``conv`` block of a stage as the identity on as many channels as come in, where
    at least as many leave (Jordan 2024, section 3.3)."""

    @property
    def conv_bias(self) -> bool:
        """Whether convolutions carry a bias, but for a stem that says otherwise."""
        return self.norm == "none" if self.bias is None else self.bias

    @property
    def stem_bias(self) -> bool:
        """Whether the stem's convolution carries a bias."""
        own = None if self.stem is None else self.stem.bias
        return self.conv_bias if own is None else own

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError(f"{name!r} holds characters that cannot be printed in one line")
        return name

    @model_validator(mode="after")
    def _is_possible(self) -> Arch:
        problem = order_problem(self) or head_problem(self) or start_problem(self)
        if problem:
            raise ValueError(problem)
        problem = map_problem(self, self.image)
        if problem:
            raise ValueError(problem)
        return self
