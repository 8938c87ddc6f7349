"""Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014).

AlexNet in one column, without the two towers and the local response norms of the network that won
in 2012 (Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
networks"); dropout 0.5 in the first two fully connected layers, as there (section 4.2).
"""

from striate.arch.spec import Arch, Head, Pool, Stage, Stem

OVERLAPPING = Pool(kind="max", kernel=3, stride=2)

ARCHS = (
    Arch(
        name="alexnet",
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=64, kernel=11, stride=4, padding=2, pool=OVERLAPPING),
        stages=(
            Stage(block="conv", depth=1, width=192, kernel=5, pool=OVERLAPPING),
            Stage(block="conv", depth=1, width=384),
            Stage(block="conv", depth=2, width=256, pool=OVERLAPPING),
        ),
        head=Head(size=6, hidden=(4096, 4096), dropout=0.5),
        norm="none",
    ),
)
