"""timm's names (1.0) for the modules of our networks, family by family.

Each function takes the path of a module of ours, cut at its dots, and gives timm's path.
"""

from __future__ import annotations

from collections.abc import Callable

from striate.arch import Arch
from striate.building.weights.families import Family


def resnet(_arch: Arch, path: list[str]) -> str:
    """ResNet, ResNeXt, wide and SE-ResNet."""
    match path:
        case ["stem", "conv"]:
            return "conv1"
        case ["stem", "norm"]:
            return "bn1"
        case ["head", "linear"]:
            return "fc"
        case ["stages", stage, "blocks", block, *inner]:
            inside = {
                "shortcut.conv": "downsample.0",
                "shortcut.norm": "downsample.1",
                "gate.reduce": "se.fc1",
                "gate.expand": "se.fc2",
            }
            name = ".".join(inner)
            named = inside.get(name, name.replace("norm", "bn"))
            return f"layer{int(stage) + 1}.{block}.{named}"
        case _:
            raise KeyError(".".join(path))


def vgg(arch: Arch, path: list[str]) -> str:
    """VGG, whose convolutions, norms, activations and pools are numbered in one row."""
    match path:
        case ["stages", stage, "blocks", block, part]:
            step = 2 if arch.norm == "none" else 3
            before = sum(row.depth * step + 1 for row in arch.stages[: int(stage)])
            return f"features.{before + int(block) * step + (part == 'norm')}"
        case ["head", "hidden", index, "linear"]:
            return f"pre_logits.fc{int(index) + 1}"
        case ["head", "linear"]:
            return "head.fc"
        case _:
            raise KeyError(".".join(path))


def densenet(arch: Arch, path: list[str]) -> str:
    """DenseNet."""
    match path:
        case ["stem", part]:
            return f"features.{part}0"
        case ["stages", stage, "blocks", block, part]:
            return f"features.denseblock{int(stage) + 1}.denselayer{int(block) + 1}.{part}"
        case ["stages", stage, "compress", part]:
            return f"features.transition{int(stage) + 1}.{part}"
        case ["head", "norm_map"]:
            return f"features.norm{len(arch.stages) + 1}"
        case ["head", "linear"]:
            return "classifier"
        case _:
            raise KeyError(".".join(path))


def mobile(arch: Arch, path: list[str]) -> str:
    """MobileNetV2, EfficientNet and EfficientNetV2."""
    match path:
        case ["stem", part]:
            return {"conv": "conv_stem", "norm": "bn1"}[part]
        case ["stages", stage, "blocks", block, *inner]:
            return f"blocks.{stage}.{block}.{_mobile_part(arch, int(stage), inner)}"
        case ["head", "widen", part]:
            return {"conv": "conv_head", "norm": "bn2"}[part]
        case ["head", "linear"]:
            return "classifier"
        case _:
            raise KeyError(".".join(path))


def _mobile_part(arch: Arch, stage: int, inner: list[str]) -> str:
    row = arch.stages[stage]
    expands = row.expansion != 1
    match inner:
        case ["gate", part]:
            return f"se.conv_{part}"
        case [part] if row.block == "fused" and expands:
            return {"conv1": "conv_exp", "norm1": "bn1", "conv2": "conv_pwl", "norm2": "bn2"}[part]
        case [part] if row.block == "fused":
            return {"conv1": "conv", "norm1": "bn1"}[part]
        case [part] if expands:
            convs = {"conv1": "conv_pw", "conv2": "conv_dw", "conv3": "conv_pwl"}
            return convs.get(part, part.replace("norm", "bn"))
        case [part]:
            return {"conv2": "conv_dw", "norm2": "bn1", "conv3": "conv_pw", "norm3": "bn2"}[part]
        case _:
            raise KeyError(".".join(inner))


def convnext(_arch: Arch, path: list[str]) -> str:
    """ConvNeXt."""
    match path:
        case ["stem", part]:
            return {"conv": "stem.0", "norm": "stem.1"}[part]
        case ["stages", stage, "enter", part]:
            return f"stages.{stage}.downsample.{['norm', 'conv'].index(part)}"
        case ["stages", stage, "blocks", block, part]:
            named = {"conv1": "conv_dw", "conv2": "mlp.fc1", "conv3": "mlp.fc2", "scale": ""}
            return f"stages.{stage}.blocks.{block}.{named.get(part, part)}".rstrip(".")
        case ["head", "norm"]:
            return "head.norm"
        case ["head", "linear"]:
            return "head.fc"
        case _:
            raise KeyError(".".join(path))


def vit(arch: Arch, path: list[str]) -> str:
    """ViT and DeiT."""
    match path:
        case ["stem", "conv"]:
            return "patch_embed.proj"
        case ["stages", "0", "enter"]:
            return ""
        case ["stages", stage, "blocks", block, part]:
            before = sum(row.depth for row in arch.stages[: int(stage)])
            named = {"qkv": "attn.qkv", "proj": "attn.proj", "fc1": "mlp.fc1", "fc2": "mlp.fc2"}
            return f"blocks.{before + int(block)}.{named.get(part, part)}"
        case ["head", "norm_map"]:
            return "norm"
        case ["head", "linear"]:
            return "head"
        case _:
            raise KeyError(".".join(path))


FAMILIES: dict[Family, Callable[[Arch, list[str]], str]] = {
    "resnet": resnet,
    "vgg": vgg,
    "densenet": densenet,
    "mobile": mobile,
    "convnext": convnext,
    "vit": vit,
}
TENSORS = {"scale": "gamma", "positions": "pos_embed", "class_token": "cls_token"}
"""What timm calls the tensors that are no module's weight or bias."""
