"""The fully connected baseline that convolution is measured against.

224 × 224 × 3 pixels are 150,528 inputs; 1,000 hidden units need 150,528,000 weights before
anything is learnt.
"""

from striate.arch.spec import Arch, Head, Stage

ARCHS = (
    Arch(
        name="mlp",
        image=(3, 224, 224),
        classes=1000,
        stages=(Stage(block="dense", depth=1, width=1000),),
        head=Head(pool="none"),
        norm="none",
    ),
)
