"""Dosovitskiy et al., "An image is worth 16x16 words" (2020), table 1, and Touvron et al.,
"Training data-efficient image transformers & distillation through attention" (2020), table 1.

ViT-B and ViT-L are the first paper's; the narrower ones the second's (DeiT-Ti and DeiT-S), which
are ViTs that were trained otherwise: DeiT-B is ViT-B.  Patches of 16 × 16, a class token, learnt
positions, heads of 64 channels.
"""

from striate.arch.spec import Arch, Head, Stage, Stem

#   name                      layers  width  heads
TABLE_1 = (
    ("vit_small_patch16", 12, 384, 6),
    ("vit_base_patch16", 12, 768, 12),
    ("vit_large_patch16", 24, 1024, 16),
    ("deit_tiny_patch16", 12, 192, 3),
    ("deit_small_patch16", 12, 384, 6),
    ("deit_base_patch16", 12, 768, 12),
)


def _network(name: str, layers: int, width: int, heads: int) -> Arch:
    return Arch(
        name=name,
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=width, kernel=16, stride=16, padding=0, norm=False, activation=False),
        stages=(Stage(block="transformer", depth=layers, width=width, heads=heads),),
        head=Head(norm="map", pool="token"),
        norm="channel",
        eps=1e-6,
        activation="gelu",
        bias=True,
    )


ARCHS = tuple(_network(*row) for row in TABLE_1)
