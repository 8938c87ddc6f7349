"""Which findings say what a kind of fault asks for.

Written from the rules' documentation after the kinds; a code is here because its page says what
the kind's ``found`` asks for, not because it happens to fire.
"""

from __future__ import annotations

EXPECTED: dict[str, tuple[str, ...]] = {
    "imagenet-stem": ("SH106", "SH101"),
    "collapse-early": ("SH101", "SH104"),
    "input-too-small": ("SH104", "SH100"),
    "border-dropped": ("SH103",),
    "padded-pointwise": ("SH109", "RE401", "SH100"),
    "wrong-flatten": ("SH100",),
    "merge-size": ("RE401",),
    "merge-channels": ("RE401",),
    "concat-size": ("RE401", "SH100"),
    "concat-channels": ("SH100", "RE401"),
    "checkerboard": ("SH108",),
    "never-reduced": ("SH112", "FL202", "CO602"),
    "pool-copies": ("SH111",),
    "pool-of-one": ("SH110",),
    "kernel-under-stride": ("FL203", "RE401"),
    "discarding-shortcut": ("RE406",),
    "even-kernel": ("FL205", "RE401"),
    "gridding": ("FL204",),
    "small-field": ("FL202",),
    "bias-before-norm": ("PA301",),
    "dense-bias-before-norm": ("PA301",),
    "never-used": ("PA303",),
    "result-ignored": ("PA304", "PA303", "NA504", "NA515", "SH100", "RE401"),
    "same-block-repeated": ("PA306",),
    "shared-norm": ("PA305", "PA306"),
    "plain-list": ("PA309",),
    "frozen": ("PA307",),
    "gradient-cut": ("PA308",),
    "huge-dense": ("PA302", "SH102"),
    "skip-forgotten": ("RE402", "PA304", "PA303"),
    "activation-on-identity": ("RE403",),
    "activation-before-addition": ("RE404",),
    "projected-everywhere": ("RE408",),
    "norm-of-one": ("NA502",),
    "instance-norm-of-one": ("NA511", "NA502", "NA503", "SH100"),
    "groups-do-not-divide": ("SH100",),
    "norm-after-activation": ("NA501",),
    "no-activation": ("NA504", "NA515"),
    "no-dense-activation": ("NA504", "NA515"),
    "softmax-at-end": ("NA505",),
    "softmax-over-batch": ("NA516",),
    "sigmoid-at-end": ("NA505", "NA506"),
    "activation-on-logits": ("NA506",),
    "norm-on-logits": ("NA510",),
    "saturating": ("NA507",),
    "softmax-inside": ("NA517",),
    "activation-twice": ("NA513",),
    "dropout-before-norm": ("NA508",),
    "odd-channels": ("CO601",),
    "not-depthwise": ("CO602", "CO603"),
    "dear-stage": ("CO602", "CO603"),
}

RELATIONAL = frozenset(
    [
        "merge-size",
        "merge-channels",
        "concat-size",
        "concat-channels",
        "wrong-flatten",
        "result-ignored",
        "no-activation",
        "no-dense-activation",
        "skip-forgotten",
        "activation-on-identity",
        "activation-before-addition",
        "plain-list",
        "huge-dense",
        "collapse-early",
        "never-reduced",
        "pool-copies",
        "pool-of-one",
        "projected-everywhere",
    ]
)
"""Kinds between two layers: either of them is the right place, or what lies between."""

BEHIND = frozenset(("collapse-early", "imagenet-stem"))
"""Kinds that show at the next kernel: the first spatial one behind is a right place too."""

OWNERS = frozenset(("plain-list",))
"""Kinds that are at the module whose class was written so, not at a layer."""

PRECEDING = frozenset(("bias-before-norm", "dense-bias-before-norm"))
"""Kinds between a layer and the norm behind it: where the norm was put in, the layer is right."""
