"""The networks whose receptive fields are held against the gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from peers import import_peer
from striate.arch import zoo, zoo_names
from striate.building import build

TORCHVISION = (
    "alexnet", "vgg11", "squeezenet1_0", "squeezenet1_1", "resnet18", "resnet50",
    "resnext50_32x4d", "densenet121", "googlenet", "inception_v3",
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_0",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_5", "regnet_x_400mf", "regnet_y_800mf",
    "efficientnet_b0", "efficientnet_v2_s", "convnext_tiny", "swin_t",
)  # fmt: skip

TIMM = (
    "bat_resnext26ts", "caformer_s18", "coatnet_0_rw_224", "convformer_s18", "convmixer_768_32",
    "convnext_atto", "convnextv2_femto", "cs3darknet_focus_s", "cs3darknet_m",
    "cspdarknet53", "cspresnet50", "cspresnext50", "darknet17", "darknet53", "davit_tiny",
    "densenet169", "dla34", "dla60_res2net", "dm_nfnet_f0", "dpn48b", "dpn68", "eca_nfnet_l0",
    "eca_resnet33ts", "ecaresnet26t", "edgenext_xx_small", "efficientformer_l1",
    "efficientnet_b1", "efficientnet_es", "efficientnet_lite0", "efficientvit_b0", "fastvit_t8",
    "fbnetc_100", "focalnet_tiny_srf", "gcresnet33ts", "gernet_s", "gernet_m", "ghostnet_100",
    "ghostnetv2_100", "halonet26t", "hardcorenas_a", "hgnet_tiny", "hgnetv2_b0", "hrnet_w18_small",
    "inception_next_tiny", "inception_resnet_v2", "inception_v4", "lcnet_050",
    "levit_128s", "lambda_resnet26t", "maxvit_pico_rw_256", "mixnet_s", "mobilenet_edgetpu_v2_xs",
    "mobilenetv1_100", "mobilenetv2_050", "mobilenetv3_rw", "mobilenetv4_conv_small",
    "mobileone_s0", "mobilevit_xxs", "mobilevitv2_050", "nasnetalarge", "nextvit_small",
    "nf_regnet_b0", "nf_resnet26", "pnasnet5large", "poolformer_s12", "poolformerv2_s12",
    "pvt_v2_b0", "rdnet_tiny", "regnetx_002", "regnety_002", "regnetv_040", "regnetz_b16",
    "repghostnet_050", "repvgg_a0", "repvit_m0_9", "res2net50_14w_8s", "res2next50",
    "resnest14d", "resnest26d", "resnet10t", "resnet26d", "resnet34", "resnet101",
    "resnetaa50", "resnetblur50", "resnetrs50", "resnetv2_50", "resnext26ts", "rexnet_100",
    "rexnetr_100", "sehalonet33ts", "selecsls42", "semnasnet_075", "seresnet33ts",
    "shvit_s1", "skresnet18", "spnasnet_100", "starnet_s1", "swiftformer_xs",
    "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256",
    "seresnext26d_32x4d", "test_resnet", "tf_efficientnet_lite0",
    "tf_efficientnetv2_b0", "tf_mixnet_s", "tinynet_e", "tresnet_m", "twins_svt_small", "vgg13",
    "vovnet39a", "ese_vovnet19b_dw", "xception41", "xception41p", "legacy_xception",
)  # fmt: skip


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
        **{f"zoo/{name}": partial(of_zoo, name) for name in zoo_names()},
    }
