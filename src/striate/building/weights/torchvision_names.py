"""torchvision's names for the modules of our networks, family by family.

ResNets and DenseNets are named as timm's are, but for what is said here.  Each function takes the
path of a module of ours, cut at its dots, and gives torchvision's path.
"""

from __future__ import annotations

from collections.abc import Callable

from striate.arch import Arch
from striate.building.weights import timm_names
from striate.building.weights.families import Family


def vgg(arch: Arch, path: list[str]) -> str:
    """VGG: the fully connected layers stand in one row with activations and dropout."""
    match path:
        case ["head", "hidden", index, "linear"]:
            return f"classifier.{3 * int(index)}"
        case ["head", "linear"]:
            return f"classifier.{3 * len(arch.head.hidden)}"
        case _:
            return timm_names.vgg(arch, path)


def mobile(arch: Arch, path: list[str]) -> str:
    """MobileNetV2, EfficientNet and EfficientNetV2."""
    v2 = arch.activation == "relu6"
    match path:
        case ["stem", part]:
            return f"features.0.{_pair(part)}"
        case ["stages", stage, "blocks", block, *inner]:
            if not v2:
                return f"features.{int(stage) + 1}.{block}.block.{_numbered(arch, stage, inner)}"
            before = sum(row.depth for row in arch.stages[: int(stage)])
            return f"features.{1 + before + int(block)}.conv.{_mobilenet(arch, stage, inner)}"
        case ["head", "widen", part]:
            last = sum(row.depth for row in arch.stages) if v2 else len(arch.stages)
            return f"features.{last + 1}.{_pair(part)}"
        case ["head", "linear"]:
            return "classifier.1"
        case _:
            raise KeyError(".".join(path))


def _pair(part: str) -> int:
    return ["conv", "norm"].index(part)


def _mobilenet(arch: Arch, stage: str, inner: list[str]) -> str:
    """conv1 and conv2 are pairs of their own; conv3 and its norm are not."""
    part = inner[0]
    first = 1 if arch.stages[int(stage)].expansion == 1 else 0
    number = int(part[-1]) - 1 - first
    if part in ("conv3", "norm3"):
        return str(number + (part == "norm3"))
    return f"{number}.{_pair(part[:-1])}"


def _numbered(arch: Arch, stage: str, inner: list[str]) -> str:
    """EfficientNet's steps, counted: expand, filter, gate, project."""
    row = arch.stages[int(stage)]
    expands = row.expansion != 1
    if row.block == "fused":
        return f"{int(inner[0][-1]) - 1}.{_pair(inner[0][:-1])}"
    if inner[0] == "gate":
        return f"{1 + expands}.{ {'reduce': 'fc1', 'expand': 'fc2'}[inner[1]] }"
    number = int(inner[0][-1]) - 1 - (not expands)
    gated = bool(row.squeeze) and inner[0][-1] == "3"
    return f"{number + gated}.{_pair(inner[0][:-1])}"


def convnext(_arch: Arch, path: list[str]) -> str:
    """ConvNeXt: stages and what stands between them in one row."""
    match path:
        case ["stem", part]:
            return f"features.0.{_pair(part)}"
        case ["stages", stage, "enter", part]:
            return f"features.{2 * int(stage)}.{['norm', 'conv'].index(part)}"
        case ["stages", stage, "blocks", block, "scale"]:
            return f"features.{2 * int(stage) + 1}.{block}"
        case ["stages", stage, "blocks", block, part]:
            named = {"conv1": 0, "norm": 2, "conv2": 3, "conv3": 5}
            return f"features.{2 * int(stage) + 1}.{block}.block.{named[part]}"
        case ["head", "norm"]:
            return "classifier.0"
        case ["head", "linear"]:
            return "classifier.2"
        case _:
            raise KeyError(".".join(path))


def vit(arch: Arch, path: list[str]) -> str:
    """ViT."""
    match path:
        case ["stem", "conv"]:
            return "conv_proj"
        case ["stages", "0", "enter"]:
            return ""
        case ["stages", stage, "blocks", block, part]:
            before = sum(row.depth for row in arch.stages[: int(stage)])
            named = {
                "norm1": "ln_1",
                "norm2": "ln_2",
                "qkv": "self_attention.in_proj",
                "proj": "self_attention.out_proj",
                "fc1": "mlp.0",
                "fc2": "mlp.3",
            }
            return f"encoder.layers.encoder_layer_{before + int(block)}.{named[part]}"
        case ["head", "norm_map"]:
            return "encoder.ln"
        case ["head", "linear"]:
            return "heads.head"
        case _:
            raise KeyError(".".join(path))


FAMILIES: dict[Family, Callable[[Arch, list[str]], str]] = {
    "resnet": timm_names.resnet,
    "vgg": vgg,
    "densenet": timm_names.densenet,
    "mobile": mobile,
    "convnext": convnext,
    "vit": vit,
}
TENSORS = {
    "scale": "layer_scale",
    "positions": "encoder.pos_embedding",
    "class_token": "class_token",
}
"""What torchvision calls the tensors that are no module's weight or bias."""
