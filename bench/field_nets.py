"""The networks whose receptive fields are held against the gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from peers import import_peer
from striate.arch import zoo, zoo_names
from striate.building import build

TORCHVISION = (
    "alexnet", "squeezenet1_0", "squeezenet1_1", "resnet18", "densenet121", "googlenet",
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_0",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_5", "regnet_x_400mf", "regnet_y_800mf",
    "efficientnet_b0", "swin_t",
)  # fmt: skip

TIMM = (
    "bat_resnext26ts", "convformer_s18", "convnext_atto", "convnextv2_femto", "cs3darknet_focus_s",
    "cspresnet50", "cspresnext50", "darknet17", "dla34", "dla46_c", "dla60_res2net", "dpn68",
    "eca_resnet33ts", "ecaresnet26t", "edgenext_xx_small", "efficientformer_l1", "efficientnet_b1",
    "efficientnet_es", "efficientnet_lite0", "efficientvit_b0", "fastvit_t8", "fbnetc_100",
    "focalnet_tiny_srf", "gcresnet33ts", "gernet_s", "ghostnet_100", "ghostnetv2_100",
    "halonet26t", "hardcorenas_a", "hgnetv2_b0", "hrnet_w18_small", "inception_next_atto",
    "lcnet_050", "lambda_resnet26t", "maxvit_pico_rw_256", "mixnet_s", "mobilenet_edgetpu_v2_xs",
    "mobilenetv1_100", "mobilenetv2_050", "mobilenetv3_rw", "mobilenetv4_conv_small",
    "mobileone_s0", "mobilevit_xxs", "mobilevitv2_050", "nf_regnet_b0", "nf_resnet26",
    "poolformer_s12", "poolformerv2_s12", "pvt_v2_b0", "regnetx_002", "regnety_002",
    "regnetz_b16", "repghostnet_050", "repvgg_a0", "repvit_m0_9", "res2net50_26w_4s",
    "resnest14d", "resnet10t", "resnet26d", "resnetblur18", "resnetv2_18", "resnext26ts",
    "rexnet_100", "rexnetr_100", "sehalonet33ts", "selecsls42", "semnasnet_075",
    "seresnet33ts", "shvit_s1", "skresnet18", "spnasnet_100", "starnet_s1", "swiftformer_xs",
    "test_resnet", "test_convnext", "test_efficientnet", "test_nfnet", "tf_efficientnet_lite0",
    "tf_efficientnetv2_b0", "tf_mixnet_s", "tinynet_e", "twins_svt_small", "vovnet39a",
    "ese_vovnet19b_dw",
)  # fmt: skip

ZOO = tuple(name for name in zoo_names() if zoo(name).image[1] == 32 and name != "mlp")

Make = Callable[[tuple[int, ...] | None], nn.Module]
"""Makes a network; given (height, width), one for images of that size, where it must be told."""


def networks() -> dict[str, Make]:
    """By name (``torchvision/…``, ``timm/…``, ``zoo/…``): a function that makes the network."""
    timm, torchvision = import_peer("timm"), import_peer("torchvision")

    def of_torchvision(name: str, _: tuple[int, ...] | None) -> nn.Module:
        more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(name, weights=None, **more)

    def of_timm(name: str, sides: tuple[int, ...] | None) -> nn.Module:
        return timm.create_model(name, **({} if sides is None else {"img_size": sides}))

    def of_zoo(name: str, _: tuple[int, ...] | None) -> nn.Module:
        return build(zoo(name))

    return {
        **{f"torchvision/{name}": partial(of_torchvision, name) for name in TORCHVISION},
        **{f"timm/{name}": partial(of_timm, name) for name in TIMM},
        **{f"zoo/{name}": partial(of_zoo, name) for name in ZOO},
    }
