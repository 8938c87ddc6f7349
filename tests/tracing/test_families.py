"""No operation of torchvision's or timm's families of networks has an unknown field."""

from __future__ import annotations

from typing import Any

import pytest

from peers import import_peer
from striate.tracing import trace

TORCHVISION = (
    "alexnet", "densenet121", "efficientnet_b0", "googlenet",
    "inception_v3", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small",
    "regnet_x_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1",
    "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_16",
)  # fmt: skip

TIMM = (
    "bat_resnext26ts", "botnet26t_256", "coatnet_pico_rw_224", "convmixer_768_32",
    "convnextv2_atto", "crossvit_tiny_240", "cs3darknet_focus_s", "cspresnet50", "davit_tiny",
    "eca_nfnet_l0", "edgenext_xx_small", "efficientformer_l1", "efficientvit_m0", "fastvit_t8",
    "focalnet_tiny_srf", "gcresnet33ts", "ghostnet_100", "halonet26t", "hgnet_tiny",
    "hrnet_w18_small", "inception_next_atto", "lambda_resnet26t", "levit_128s", "mixnet_s",
    "mobilenetv4_conv_small", "mobileone_s0", "mobilevitv2_050", "dla34", "nextvit_small",
    "poolformer_s12", "pvt_v2_b0", "rdnet_tiny", "repvgg_a0", "repvit_m0_9", "res2net50_14w_8s",
    "resnest14d", "resnetblur18", "selecsls42", "shvit_s1", "skresnet18", "starnet_s1",
    "swiftformer_xs", "swinv2_tiny_window8_256", "dpn48b", "twins_svt_small", "vovnet39a",
    "xception41",
)  # fmt: skip


@pytest.mark.parametrize("name", [*(f"torchvision/{n}" for n in TORCHVISION),
                                  *(f"timm/{n}" for n in TIMM)])  # fmt: skip
def test_no_field_is_unknown(name: str) -> None:
    library, _, model = name.partition("/")
    try:
        peer = import_peer(library)
    except ImportError:
        pytest.skip(f"needs {library}")
    if library == "timm":
        found = trace(lambda: peer.create_model(model), _size(peer, model))
    else:
        more = {"init_weights": False} if model in ("googlenet", "inception_v3") else {}
        size = (3, 299, 299) if model == "inception_v3" else (3, 224, 224)
        found = trace(lambda: peer.models.get_model(model, weights=None, **more), size)
    assert found.complete, found.failure
    assert found.unknown == ()
    statuses = [layer.field.status for layer in found if layer.field is not None]
    assert set(statuses) <= {"exact", "bound", "whole"}
    assert statuses.count("exact") >= 3


def _size(timm: Any, model: str) -> tuple[int, ...]:
    return timm.get_pretrained_cfg(model).input_size
