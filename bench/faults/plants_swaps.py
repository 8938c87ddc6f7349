"""Faults written out for the network they are planted in, where no general edit would do."""

from __future__ import annotations

from collections.abc import Iterator

from faults.hosts import Host
from faults.program import Mutant

Pairs = tuple[tuple[str, str], ...]

# (kind, network, where, pairs of strings)
SWAPS: tuple[tuple[str, str, str, Pairs], ...] = (
    # ---- ImageNet's stem on small images
    (
        "imagenet-stem", "tutorial_net", "conv1 and a pool",
        (
            ("nn.Conv2d(3, 32, kernel_size=3, padding=1", "nn.Conv2d(3, 32, kernel_size=7, stride=2, padding=3"),
            ("        x = self.pool(x)\n        x = F.relu(self.bn2", "        x = F.max_pool2d(x, 3, 2, 1)\n        x = F.relu(self.bn2"),
        ),
    ),
    (
        "imagenet-stem", "digits_sequential", "first layer and a pool",
        (
            ("nn.Conv2d(1, 16, kernel_size=3, padding=1)", "nn.Conv2d(1, 16, kernel_size=7, stride=2, padding=3)"),
            ("        nn.ReLU(),\n        nn.Conv2d(16, 32", "        nn.ReLU(),\n        nn.MaxPool2d(3, 2, 1),\n        nn.Conv2d(16, 32"),
        ),
    ),
    (
        "imagenet-stem", "resnet_cifar", "conv1 and a pool",
        (
            ("nn.Conv2d(3, 16, kernel_size=3, stride=1, padding=1", "nn.Conv2d(3, 16, kernel_size=7, stride=2, padding=3"),
            ("        x = self.layer1(x)", "        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)\n        x = self.layer1(x)"),
        ),
    ),
    (
        "imagenet-stem", "preact", "stem and a pool",
        (
            ("self.stem = nn.Conv2d(3, 32, kernel_size=3, stride=1, padding=1", "self.stem = nn.Conv2d(3, 32, kernel_size=7, stride=2, padding=3"),
            ("        x = self.stem(x)", "        x = F.max_pool2d(self.stem(x), 3, 2, 1)"),
        ),
    ),
    (
        "imagenet-stem", "densenet", "stem and a pool",
        (
            ("self.stem = nn.Conv2d(3, width, kernel_size=3, padding=1", "self.stem = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3"),
            ("        x = self.stem(x)", "        x = F.max_pool2d(self.stem(x), 3, 2, 1)"),
        ),
    ),
    (
        "imagenet-stem", "tutorial_net", "conv1 by fours",
        (("nn.Conv2d(3, 32, kernel_size=3, padding=1", "nn.Conv2d(3, 32, kernel_size=11, stride=4, padding=5"),),
    ),
    # ---- a pool too many
    (
        "collapse-early", "tutorial_net", "pool by eights before conv3",
        (("        x = self.pool(x)\n        x = F.relu(self.bn3", "        x = F.max_pool2d(x, 16)\n        x = F.relu(self.bn3"),),
    ),
    (
        "collapse-early", "digits_sequential", "pool by sevens",
        (("        nn.MaxPool2d(kernel_size=2, stride=2),\n        nn.Conv2d(32, 64", "        nn.MaxPool2d(kernel_size=14, stride=14),\n        nn.Conv2d(32, 64"),),
    ),
    (
        "collapse-early", "vgg_loop", "pools of four",
        (("layers.append(nn.MaxPool2d(kernel_size=2, stride=2))", "layers.append(nn.MaxPool2d(kernel_size=4, stride=4))"),),
    ),
    (
        "collapse-early", "vgg_loop", "three pools more",
        (('PLAN = [32, 32, "M", 64, 64, "M", 128, 128, "M", 128, 128]', 'PLAN = [32, "M", 32, "M", 64, "M", 64, "M", 128, "M", 128, "M", 128, 128]'),),
    ),
    (
        "collapse-early", "resnet_cifar", "stride 8 into layer2, 4 into layer3",
        (
            ("self._make_layer(32, depth, stride=2)", "self._make_layer(32, depth, stride=8)"),
            ("self._make_layer(64, depth, stride=2)", "self._make_layer(64, depth, stride=4)"),
        ),
    ),
    (
        "collapse-early", "separable", "every block strided",
        (
            ("Separable(32, 64)", "Separable(32, 64, stride=2)"),
            ("Separable(64, 128, stride=2)", "Separable(64, 128, stride=4)"),
            ("Separable(128, 128)", "Separable(128, 128, stride=4)"),
        ),
    ),
    (
        "collapse-early", "squeeze_excite", "a global pool too early",
        (("        x = self.stage2(x)", "        x = self.stage2(self.pool(x))"),),
    ),
    (
        "collapse-early", "inception", "pools of eight",
        (("self.pool2 = nn.MaxPool2d(kernel_size=2, stride=2)", "self.pool2 = nn.MaxPool2d(kernel_size=24, stride=24)"),),
    ),
    (
        "collapse-early", "groupnorm_resnext", "pooled before the last stage",
        (("        x = self.stage3(x)", "        x = F.adaptive_avg_pool2d(x, 1)\n        x = self.stage3(x)"),),
    ),
    # ---- shortcuts without a projection
    (
        "merge-channels", "resnet_cifar", "shortcut left out",
        (("        out = out + self.shortcut(x)", "        out = out + x"),),
    ),
    (
        "merge-channels", "resnet_cifar", "only for strides",
        (("        if stride != 1 or inplanes != planes:", "        if stride > 2:"),),
    ),
    (
        "merge-channels", "resnet_bottleneck", "downsample not passed on",
        (("layers = [Bottleneck(inplanes, planes, stride, downsample)]", "layers = [Bottleneck(inplanes, planes, stride)]"),),
    ),
    (
        "merge-channels", "preact", "no projection",
        (("        if given != out:", "        if given > out:"),),
    ),
    (
        "merge-channels", "squeeze_excite", "identity everywhere",
        (("        out = out + self.skip(x)", "        out = out + x"),),
    ),
    (
        "merge-channels", "groupnorm_resnext", "pooled, not projected",
        (("return F.silu(out + self.project(self.down(x)))", "return F.silu(out + self.down(x))"),),
    ),
    (
        "merge-channels", "resnet_bottleneck", "projected to the inner width",
        (
            ("        nn.Conv2d(inplanes, planes * 4, kernel_size=1, stride=1, bias=False),", "        nn.Conv2d(inplanes, planes, kernel_size=1, stride=1, bias=False),"),
            ("        nn.BatchNorm2d(planes * 4),\n    )", "        nn.BatchNorm2d(planes),\n    )"),
        ),
    ),
    (
        "merge-channels", "mobilenet", "added whatever the width",
        (("self.use_skip = stride == 1 and given == out", "self.use_skip = stride == 1"),),
    ),
    (
        "merge-channels", "resnet_cifar", "projected to the width before",
        (
            ("nn.Conv2d(inplanes, planes, kernel_size=1, stride=stride, bias=False),", "nn.Conv2d(inplanes, inplanes, kernel_size=1, stride=stride, bias=False),"),
            ("                nn.BatchNorm2d(planes),", "                nn.BatchNorm2d(inplanes),"),
        ),
    ),
    # ---- concatenations
    ("concat-size", "unet", "padding forgotten in the encoder's convolutions", (("nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False)", "nn.Conv2d(out, out, kernel_size=3, bias=False)"),)),
    ("concat-size", "inception", "three without padding", (("kernel_size=3, padding=1)\n        self.five_reduce", "kernel_size=3)\n        self.five_reduce"),)),
    ("concat-size", "inception", "five padded by one", (("kernel_size=5, padding=2)", "kernel_size=5, padding=1)"),)),
    ("concat-size", "inception", "pool by twos", (("self.pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)", "self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)"),)),
    ("concat-size", "aspp", "dilated by three, padded by two", (("padding=3, dilation=3", "padding=2, dilation=3"),)),
    ("concat-size", "aspp", "dilated by two, padded by one", (("padding=2, dilation=2", "padding=1, dilation=2"),)),
    ("concat-size", "densenet", "padding forgotten", (("kernel_size=3, padding=1, bias=False)\n\n    def", "kernel_size=3, bias=False)\n\n    def"),)),
    ("concat-size", "unet", "up by threes", (("self.up2 = nn.ConvTranspose2d(64, 32, kernel_size=2, stride=2)", "self.up2 = nn.ConvTranspose2d(64, 32, kernel_size=3, stride=2)"),)),
    ("concat-size", "unet", "a pool left out", (("self.down2(self.pool(skip1))", "self.down2(skip1)"),)),
    ("concat-channels", "unet", "mix3", (("self.mix3 = DoubleConv(128, 64)", "self.mix3 = DoubleConv(64, 64)"),)),
    ("concat-channels", "unet", "mix2", (("self.mix2 = DoubleConv(64, 32)", "self.mix2 = DoubleConv(96, 32)"),)),
    ("concat-channels", "unet", "mix1", (("self.mix1 = DoubleConv(32, 16)", "self.mix1 = DoubleConv(16, 16)"),)),
    ("concat-channels", "inception", "mix2", (("self.mix2 = Inception(96, 64)", "self.mix2 = Inception(64, 64)"),)),
    ("concat-channels", "inception", "mix3", (("self.mix3 = Inception(192, 64)", "self.mix3 = Inception(256, 64)"),)),
    ("concat-channels", "aspp", "image features not counted", (("nn.Conv2d(4 * out, out, kernel_size=1, bias=False)", "nn.Conv2d(3 * out, out, kernel_size=1, bias=False)"),)),
    ("concat-channels", "densenet", "growth not counted", (("                width += growth", "                width += growth // 2"),)),
    # ---- nothing reduced
    ("never-reduced", "resnet_cifar", "no strides", (("self._make_layer(32, depth, stride=2)", "self._make_layer(32, depth, stride=1)"), ("self._make_layer(64, depth, stride=2)", "self._make_layer(64, depth, stride=1)"))),
    ("never-reduced", "vgg_loop", "no pools", (('PLAN = [32, 32, "M", 64, 64, "M", 128, 128, "M", 128, 128]', "PLAN = [32, 32, 64, 64, 128, 128, 128, 128]"),)),
    ("never-reduced", "squeeze_excite", "no strides", (("                nn.AvgPool2d(kernel_size=2, stride=2, ceil_mode=True),\n", ""), ("SEBlock(32, 64, stride=2)", "SEBlock(32, 64)"), ("SEBlock(64, 128, stride=2)", "SEBlock(64, 128)"))),
    ("never-reduced", "preact", "no strides", (("PreActBlock(32, 64, stride=2)", "PreActBlock(32, 64)"), ("PreActBlock(64, 128, stride=2)", "PreActBlock(64, 128)"))),
    ("never-reduced", "separable", "only the first stride", (("Separable(64, 128, stride=2)", "Separable(64, 128)"), ("Separable(128, 256, stride=2)", "Separable(128, 256)"))),
    ("never-reduced", "groupnorm_resnext", "no strides", (("Block(64, 128, stride=2)", "Block(64, 128)"), ("Block(128, 256, stride=2)", "Block(128, 256)"))),
    ("never-reduced", "tutorial_net", "no pools", (("        x = self.pool(x)\n        x = F.relu(self.bn2", "        x = F.relu(self.bn2"), ("        x = self.pool(x)\n        x = F.relu(self.bn3", "        x = F.relu(self.bn3"))),
    ("never-reduced", "resnet_bottleneck", "no strides behind the stem", (("self.layer2 = stage(128, 64, 2, stride=2)", "self.layer2 = stage(128, 64, 2)"), ("self.layer3 = stage(256, 128, 2, stride=2)", "self.layer3 = stage(256, 128, 2)"), ("self.layer4 = stage(512, 256, 2, stride=2)", "self.layer4 = stage(512, 256, 2)"))),
    ("never-reduced", "mobilenet", "no strides behind the stem", (("SETTINGS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2), (6, 64, 2, 2)]", "SETTINGS = [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 2, 1), (6, 64, 2, 1)]"),)),
    # ---- a pool that copies
    ("pool-copies", "digits_sequential", "14×14 from 7×7", (("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d(14)"), ("nn.Linear(64, 48)", "nn.Linear(64 * 196, 48)"))),
    ("pool-copies", "tutorial_net", "12×12 from 8×8", (("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d(12)"), ("nn.Linear(128, 64)", "nn.Linear(128 * 144, 64)"))),
    ("pool-copies", "vgg_loop", "16×16 from 8×8", (("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d(16)"), ("nn.Linear(128, 128)", "nn.Linear(128 * 256, 128)"))),
    ("pool-copies", "resnet_bottleneck", "14×14 from 7×7", (("nn.AdaptiveAvgPool2d((1, 1))", "nn.AdaptiveAvgPool2d((14, 14))"), ("nn.Linear(1024, classes)", "nn.Linear(1024 * 196, classes)"))),
    ("pool-copies", "resnet_cifar", "9×9 from 8×8", (("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d(9)"), ("nn.Linear(64, classes)", "nn.Linear(64 * 81, classes)"))),
    ("pool-copies", "separable", "14×14 from 12×12", (("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d(14)"), ("nn.Linear(256, classes)", "nn.Linear(256 * 196, classes)"))),
    # ---- pools of one, put in
    ("pool-of-one", "resnet_cifar", "in front of the head", (("nn.AdaptiveAvgPool2d(1)", "nn.Sequential(nn.AvgPool2d(1, stride=1), nn.AdaptiveAvgPool2d(1))"),)),
    ("pool-of-one", "squeeze_excite", "in front of the head", (("x = self.flatten(self.pool(x))", "x = self.flatten(self.pool(nn.functional.avg_pool2d(x, kernel_size=1, stride=1)))"),)),
    ("pool-of-one", "mobilenet", "in front of the head", (("        x = x.mean([2, 3])", "        x = nn.functional.avg_pool2d(x, 1)\n        x = x.mean([2, 3])"),)),
    # ---- strides on 1×1 kernels of the main path
    ("kernel-under-stride", "separable", "the stride on the pointwise", (("stride=stride, padding=1, groups=given", "stride=1, padding=1, groups=given"), ("self.pointwise = nn.Conv2d(given, out, kernel_size=1, bias=False)", "self.pointwise = nn.Conv2d(given, out, kernel_size=1, stride=stride, bias=False)"))),
    ("kernel-under-stride", "mobilenet", "the stride on the expansion", (("layers.append(conv_bn_act(given, hidden, 1, 1))", "layers.append(conv_bn_act(given, hidden, 1, stride))"), ("layers.append(conv_bn_act(hidden, hidden, 3, stride, groups=hidden))", "layers.append(conv_bn_act(hidden, hidden, 3, 1, groups=hidden))"))),
    ("kernel-under-stride", "convnext", "2×2 by threes", (("kernel_size=2, stride=2))", "kernel_size=2, stride=3))"),)),
    ("kernel-under-stride", "convnext", "stem 3×3 by fours", (("kernel_size=4, stride=4)", "kernel_size=3, stride=4)"),)),
    # ---- projections that read one position in four
    ("discarding-shortcut", "resnet_bottleneck", "not pooled first", (("        nn.AvgPool2d(kernel_size=stride, stride=stride) if stride > 1 else nn.Identity(),\n        nn.Conv2d(inplanes, planes * 4, kernel_size=1, stride=1", "        nn.Conv2d(inplanes, planes * 4, kernel_size=1, stride=stride"),)),
    ("discarding-shortcut", "squeeze_excite", "not pooled first", (("                nn.AvgPool2d(kernel_size=2, stride=2, ceil_mode=True),\n                nn.Conv2d(given, out, kernel_size=1, bias=False)", "                nn.Conv2d(given, out, kernel_size=1, stride=stride, bias=False)"),)),
    ("discarding-shortcut", "groupnorm_resnext", "not pooled first", (("self.down = nn.AvgPool2d(kernel_size=2, stride=2) if stride == 2 else nn.Identity()", "self.down = nn.Identity()"), ("nn.Conv2d(given, out, kernel_size=1, bias=False) if given != out", "nn.Conv2d(given, out, kernel_size=1, stride=stride, bias=False) if given != out"))),
    # ---- dilations
    ("gridding", "vgg_loop", "all by two", (("nn.Conv2d(width, step, kernel_size=3, padding=1, bias=False)", "nn.Conv2d(width, step, kernel_size=3, padding=2, dilation=2, bias=False)"),)),
    ("gridding", "resnet_cifar", "both of every block by two", (("planes, planes, kernel_size=3, stride=1, padding=1, bias=False", "planes, planes, kernel_size=3, stride=1, padding=2, dilation=2, bias=False"), ("inplanes, planes, kernel_size=3, stride=stride, padding=1, bias=False", "inplanes, planes, kernel_size=3, stride=stride, padding=2, dilation=2, bias=False"))),
    ("gridding", "unet", "double convolutions by two", (("nn.Conv2d(given, out, kernel_size=3, padding=1, bias=False)", "nn.Conv2d(given, out, kernel_size=3, padding=2, dilation=2, bias=False)"), ("nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False)", "nn.Conv2d(out, out, kernel_size=3, padding=2, dilation=2, bias=False)"))),
    ("gridding", "preact", "both of every block by two", (("given, out, kernel_size=3, stride=stride, padding=1, bias=False", "given, out, kernel_size=3, stride=stride, padding=2, dilation=2, bias=False"), ("out, out, kernel_size=3, stride=1, padding=1, bias=False", "out, out, kernel_size=3, stride=1, padding=2, dilation=2, bias=False"))),
    ("gridding", "squeeze_excite", "both of every block by two", (("given, out, kernel_size=3, stride=stride, padding=1, bias=False", "given, out, kernel_size=3, stride=stride, padding=2, dilation=2, bias=False"), ("out, out, kernel_size=3, stride=1, padding=1, bias=False", "out, out, kernel_size=3, stride=1, padding=2, dilation=2, bias=False"))),
    ("gridding", "aspp", "encoder by two", (("nn.Conv2d(given, out, kernel_size=3, stride=stride, padding=1, bias=False)", "nn.Conv2d(given, out, kernel_size=3, stride=stride, padding=2, dilation=2, bias=False)"),)),
    # ---- dense layers
    ("huge-dense", "tutorial_net", "flattened, 1024 wide", (("        x = self.gap(x)\n", ""), ("nn.Linear(128, 64)", "nn.Linear(128 * 8 * 8, 1024)"), ("nn.Linear(64, classes)", "nn.Linear(1024, classes)"))),
    ("huge-dense", "digits_sequential", "flattened, 1024 wide", (("        nn.AdaptiveAvgPool2d(1),\n", ""), ("nn.Linear(64, 48)", "nn.Linear(64 * 7 * 7, 1024)"), ("nn.Linear(48, 10)", "nn.Linear(1024, 10)"))),
    ("huge-dense", "vgg_loop", "flattened, 4096 wide", (("        x = self.pool(x)\n", ""), ("nn.Linear(128, 128)", "nn.Linear(128 * 8 * 8, 4096)"), ("nn.Linear(128, classes)", "nn.Linear(4096, classes)"))),
    ("huge-dense", "separable", "flattened", (("        x = self.pool(x)\n", ""), ("nn.Linear(256, classes)", "nn.Sequential(nn.Linear(256 * 144, 512), nn.ReLU(), nn.Linear(512, classes))"))),
    ("huge-dense", "resnet_cifar", "flattened, 1024 wide", (("        x = self.avgpool(x)\n", ""), ("nn.Linear(64, classes)", "nn.Sequential(nn.Linear(64 * 64, 1024), nn.ReLU(), nn.Linear(1024, classes))"))),
    ("huge-dense", "scratch_mlp_head", "flattened", (("x = self.pool(x).flatten(1)", "x = x.flatten(1)"), ("nn.Linear(4 * width, 96, bias=False)", "nn.Linear(4 * width * 64, 1024, bias=False)"), ("nn.BatchNorm1d(96)", "nn.BatchNorm1d(1024)"), ("nn.Linear(96, classes)", "nn.Linear(1024, classes)"))),
)  # fmt: skip


def plants(host: Host) -> Iterator[Mutant]:
    """Every fault of this file in one healthy network."""
    for kind, net, where, pairs in SWAPS:
        if net == host.name:
            yield host.program.mutant(kind, where, host.program.swapped(*pairs))
