"""More faults written out for their network: sharing, registering, residuals, norms, images."""

from __future__ import annotations

from collections.abc import Iterator

from faults.hosts import Host
from faults.plants_swaps import Pairs
from faults.program import Mutant

SWAPS: tuple[tuple[str, str, str, Pairs], ...] = (
    # ---- one object several times
    ("same-block-repeated", "squeeze_excite", "stage1", (("nn.Sequential(SEBlock(32, 32), SEBlock(32, 32))", "nn.Sequential(*[SEBlock(32, 32)] * 2)"),)),
    ("same-block-repeated", "resnet_cifar", "every stage", (("        for step in [stride] + [1] * (depth - 1):\n            blocks.append(BasicBlock(self.inplanes, planes, step))\n            self.inplanes = planes", "        blocks.append(BasicBlock(self.inplanes, planes, stride))\n        blocks += [BasicBlock(planes, planes)] * 3\n        self.inplanes = planes"),)),
    ("same-block-repeated", "convnext", "both blocks", (("            parts.append(Block(width))\n            parts.append(Block(width))", "            parts += [Block(width)] * 2"),)),
    ("same-block-repeated", "groupnorm_resnext", "stage1", (("nn.Sequential(Block(32, 64), Block(64, 64))", "nn.Sequential(Block(32, 64), *[Block(64, 64)] * 2)"),)),
    ("same-block-repeated", "groupnorm_resnext", "stage3", (("nn.Sequential(Block(128, 256, stride=2), Block(256, 256))", "nn.Sequential(Block(128, 256, stride=2), *(2 * [Block(256, 256)]))"),)),
    ("same-block-repeated", "resnet_bottleneck", "the rest of every stage", (("    for _ in range(1, blocks):\n        layers.append(Bottleneck(planes * 4, planes))", "    layers += [Bottleneck(planes * 4, planes)] * blocks"),)),
    ("same-block-repeated", "separable", "blocks of one width", (("            Separable(128, 128),", "            *[Separable(128, 128)] * 3,"),)),
    # ---- one norm behind two layers
    ("shared-norm", "resnet_cifar", "bn1 for bn2", (("out = self.bn2(self.conv2(out))", "out = self.bn1(self.conv2(out))"),)),
    ("shared-norm", "tutorial_net", "bn3 for bn4", (("self.bn4(self.conv4(x))", "self.bn3(self.conv4(x))"),)),
    ("shared-norm", "resnet_bottleneck", "bn1 for bn2", (("self.bn2(self.conv2(out))", "self.bn1(self.conv2(out))"),)),
    ("shared-norm", "squeeze_excite", "bn1 for bn2", (("        out = self.bn2(out)", "        out = self.bn1(out)"),)),
    ("shared-norm", "aspp", "bn1 for bn2 and bn3", (("self.bn2(self.middle(x))", "self.bn1(self.middle(x))"), ("self.bn3(self.far(x))", "self.bn1(self.far(x))"), ("        self.bn2 = nn.BatchNorm2d(out)\n        self.bn3 = nn.BatchNorm2d(out)\n", ""))),
    ("shared-norm", "tutorial_net", "one norm for 128", (("self.bn4(self.conv4(x))", "self.bn3(self.conv4(x))"), ("        self.bn4 = nn.BatchNorm2d(128)\n", ""))),
    ("shared-norm", "resnet_cifar", "one norm per block", (("out = self.bn2(self.conv2(out))", "out = self.bn1(self.conv2(out))"), ("        self.bn2 = nn.BatchNorm2d(planes)\n", ""))),
    ("shared-norm", "unet", "one norm per double convolution", (("        self.conv = nn.Sequential(\n", "        norm = nn.BatchNorm2d(out)\n        self.conv = nn.Sequential(\n"), ("            nn.BatchNorm2d(out),\n            nn.ReLU(inplace=True),\n            nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False),\n            nn.BatchNorm2d(out),", "            norm,\n            nn.ReLU(inplace=True),\n            nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False),\n            norm,"))),
    # ---- layers in a Python list
    ("plain-list", "squeeze_excite", "stage1", (("self.stage1 = nn.Sequential(SEBlock(32, 32), SEBlock(32, 32))", "self.stage1 = [SEBlock(32, 32), SEBlock(32, 32)]"), ("        x = self.stage1(x)", "        for block in self.stage1:\n            x = block(x)"))),
    ("plain-list", "convnext", "stages", (("self.stages = nn.ModuleList()", "self.stages = []"),)),
    ("plain-list", "mobilenet", "blocks", (("self.blocks = nn.Sequential(*blocks)", "self.blocks = blocks"), ("        x = self.blocks(x)", "        for block in self.blocks:\n            x = block(x)"))),
    ("plain-list", "densenet", "features", (("self.features = nn.Sequential(*parts)", "self.features = parts"), ("        x = self.features(x)", "        for part in self.features:\n            x = part(x)"))),
    ("plain-list", "resnet_cifar", "layer2", (("self.layer2 = self._make_layer(32, depth, stride=2)", "self.layer2 = list(self._make_layer(32, depth, stride=2))"), ("        x = self.layer2(x)", "        for block in self.layer2:\n            x = block(x)"))),
    ("plain-list", "groupnorm_resnext", "a dict of stages", (("self.stage2 = nn.Sequential(Block(64, 128, stride=2), Block(128, 128))", 'self.stages = {"two": nn.Sequential(Block(64, 128, stride=2), Block(128, 128))}'), ("        x = self.stage2(x)", '        x = self.stages["two"](x)'))),
    ("plain-list", "preact", "block3 in a tuple", (("        self.block3 = PreActBlock(64, 64)", "        self.extra = (PreActBlock(64, 64),)"), ("        x = self.block3(x)", "        x = self.extra[0](x)"))),
    # ---- the skip
    ("skip-forgotten", "resnet_cifar", "56 layers", (("        out = out + self.shortcut(x)\n", ""), ("depth: int = 2", "depth: int = 9"))),
    ("skip-forgotten", "resnet_cifar", "shortcut not read", (("        out = out + self.shortcut(x)\n", ""),)),
    ("skip-forgotten", "resnet_bottleneck", "identity not read", (("        out = out + identity\n", ""),)),
    ("skip-forgotten", "squeeze_excite", "skip not read", (("        out = out + self.skip(x)\n", ""),)),
    ("skip-forgotten", "preact", "shortcut not read", (("        return out + shortcut", "        return out"),)),
    ("skip-forgotten", "groupnorm_resnext", "not added", (("return F.silu(out + self.project(self.down(x)))", "return F.silu(out)"),)),
    ("skip-forgotten", "convnext", "deep, not added", (("        return skip + x", "        return x"), ("            parts.append(Block(width))\n            parts.append(Block(width))", "            parts.extend(Block(width) for _ in range(9))"))),
    # ---- what happens to the identity
    ("activation-on-identity", "resnet_cifar", "relu on the shortcut", (("out = out + self.shortcut(x)", "out = out + F.relu(self.shortcut(x))"),)),
    ("activation-on-identity", "preact", "relu on the identity", (("shortcut = x if self.project is None else self.project(out)", "shortcut = F.relu(x) if self.project is None else self.project(out)"),)),
    ("activation-on-identity", "preact", "in place", (("        out = F.relu(self.bn1(x))\n        shortcut", "        out = F.relu(x, inplace=True)\n        shortcut"), ("        self.bn1 = nn.BatchNorm2d(given)\n", ""))),
    ("activation-on-identity", "convnext", "gelu on the skip", (("        skip = x\n", "        skip = F.gelu(x)\n"),)),
    ("activation-on-identity", "mobilenet", "relu on the identity", (("return x + self.conv(x)", "return torch.relu(x) + self.conv(x)"),)),
    ("activation-on-identity", "groupnorm_resnext", "silu on the skip", (("return F.silu(out + self.project(self.down(x)))", "return F.silu(out + F.silu(self.project(self.down(x))))"),)),
    ("activation-on-identity", "squeeze_excite", "sigmoid on the skip", (("out = out + self.skip(x)", "out = out + torch.sigmoid(self.skip(x))"),)),
    ("activation-on-identity", "resnet_bottleneck", "relu behind the projection", (("        nn.BatchNorm2d(planes * 4),\n    )", "        nn.BatchNorm2d(planes * 4),\n        nn.ReLU(),\n    )"),)),
    ("activation-before-addition", "resnet_cifar", "branch ends in relu", (("out = self.bn2(self.conv2(out))", "out = F.relu(self.bn2(self.conv2(out)))"),)),
    ("activation-before-addition", "preact", "branch ends in relu", (("        out = self.conv2(out)\n", "        out = F.relu(self.conv2(out))\n"),)),
    ("activation-before-addition", "mobilenet", "no linear bottleneck", (("        layers.append(nn.BatchNorm2d(out))", "        layers.append(nn.BatchNorm2d(out))\n        layers.append(nn.ReLU6(inplace=True))"),)),
    ("activation-before-addition", "resnet_bottleneck", "branch ends in relu", (("out = self.bn3(self.conv3(out))", "out = self.relu(self.bn3(self.conv3(out)))"),)),
    ("activation-before-addition", "squeeze_excite", "branch ends in relu", (("        out = self.gate(out)\n", "        out = self.relu(self.gate(out))\n"),)),
    ("activation-before-addition", "convnext", "branch ends in relu", (("x = self.scale * self.down(x)", "x = torch.relu(self.scale * self.down(x))"),)),
    # ---- projections
    ("projected-everywhere", "resnet_cifar", "always", (("        if stride != 1 or inplanes != planes:", "        if True:"),)),
    ("projected-everywhere", "squeeze_excite", "always", (("        if stride != 1 or given != out:\n            self.skip = nn.Sequential(\n                nn.AvgPool2d(kernel_size=2, stride=2, ceil_mode=True),", "        if True:\n            self.skip = nn.Sequential(\n                nn.AvgPool2d(kernel_size=stride, stride=stride),"),)),
    ("projected-everywhere", "preact", "always", (("        if given != out:", "        if True:"),)),
    ("projected-everywhere", "groupnorm_resnext", "always", (("nn.Conv2d(given, out, kernel_size=1, bias=False) if given != out else nn.Identity()", "nn.Conv2d(given, out, kernel_size=1, bias=False)"),)),
    ("projected-everywhere", "resnet_bottleneck", "always", (("        layers.append(Bottleneck(planes * 4, planes))", "        project = nn.Sequential(nn.Conv2d(planes * 4, planes * 4, 1, bias=False), nn.BatchNorm2d(planes * 4))\n        layers.append(Bottleneck(planes * 4, planes, 1, project))"),)),
    ("projected-everywhere", "resnet_cifar", "six blocks per stage", (("        if stride != 1 or inplanes != planes:", "        if True:"), ("depth: int = 2", "depth: int = 6"))),
    # ---- norms with one value
    ("instance-norm-of-one", "aspp", "behind the pool", (("self.relu(self.conv(self.pool(x)))", "self.relu(F.instance_norm(self.conv(self.pool(x))))"),)),
    ("instance-norm-of-one", "aspp", "as a layer", (("        self.relu = nn.ReLU()", "        self.relu = nn.Sequential(nn.InstanceNorm2d(out), nn.ReLU())"),)),
    ("instance-norm-of-one", "squeeze_excite", "in the gate", (("        self.relu = nn.ReLU()\n", "        self.relu = nn.Sequential(nn.InstanceNorm2d(width // ratio), nn.ReLU())\n"),)),
    ("instance-norm-of-one", "tutorial_net", "behind the pool", (("self.gap = nn.AdaptiveAvgPool2d(1)", "self.gap = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.InstanceNorm2d(128))"),)),
    ("instance-norm-of-one", "resnet_cifar", "behind the pool", (("self.avgpool = nn.AdaptiveAvgPool2d(1)", "self.avgpool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.InstanceNorm2d(64, affine=True))"),)),
    ("instance-norm-of-one", "vgg_loop", "behind the pool", (("self.pool = nn.AdaptiveAvgPool2d(1)", "self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.GroupNorm(128, 128))"),)),
    ("instance-norm-of-one", "inception", "behind the pool", (("self.gap = nn.AdaptiveAvgPool2d((1, 1))", "self.gap = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.InstanceNorm2d(192))"),)),
    # ---- dense biases in front of norms
    ("dense-bias-before-norm", "tutorial_net", "fc1 and a norm", (("nn.Linear(128, 64)", "nn.Sequential(nn.Linear(128, 64), nn.BatchNorm1d(64))"),)),
    ("dense-bias-before-norm", "vgg_loop", "a norm in the head", (("            nn.Linear(128, 128),\n", "            nn.Linear(128, 128),\n            nn.BatchNorm1d(128),\n"),)),
    ("dense-bias-before-norm", "digits_sequential", "a norm in the head", (("        nn.Linear(64, 48),\n", "        nn.Linear(64, 48),\n        nn.BatchNorm1d(48),\n"),)),
    ("bias-before-norm", "digits_sequential", "a norm behind the first layer", (("        nn.Conv2d(1, 16, kernel_size=3, padding=1),\n", "        nn.Conv2d(1, 16, kernel_size=3, padding=1),\n        nn.BatchNorm2d(16),\n"),)),
    ("bias-before-norm", "groupnorm_resnext", "batch norm behind the stem", (("self.stem = nn.Conv2d(3, 32, kernel_size=3, padding=1, bias=False)", "self.stem = nn.Conv2d(3, 32, kernel_size=3, padding=1)"), ("self.norm = nn.GroupNorm(8, 32)", "self.norm = nn.BatchNorm2d(32)"))),
    # ---- orders in a Sequential
    ("norm-after-activation", "autoencoder", "third of the encoder", (("            nn.BatchNorm2d(128),\n            nn.LeakyReLU(0.2),", "            nn.LeakyReLU(0.2),\n            nn.BatchNorm2d(128),"),)),
    ("norm-after-activation", "squeeze_excite", "the stem", (("            nn.BatchNorm2d(32),\n            nn.ReLU(inplace=True),", "            nn.ReLU(inplace=True),\n            nn.BatchNorm2d(32),"),)),
    # ---- saturating activations
    ("saturating", "vgg_loop", "sigmoid", (("layers.append(nn.ReLU(inplace=True))", "layers.append(nn.Sigmoid())"),)),
    ("saturating", "vgg_loop", "sigmoid, no norms", (("            layers.append(nn.BatchNorm2d(step))\n            layers.append(nn.ReLU(inplace=True))", "            layers.append(nn.Sigmoid())"),)),
    ("saturating", "unet", "sigmoid", (("            nn.BatchNorm2d(out),\n            nn.ReLU(inplace=True),\n            nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False),\n            nn.BatchNorm2d(out),\n            nn.ReLU(inplace=True),", "            nn.BatchNorm2d(out),\n            nn.Sigmoid(),\n            nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False),\n            nn.BatchNorm2d(out),\n            nn.Sigmoid(),"),)),
    ("saturating", "inception", "sigmoid", (("return F.relu(self.bn(self.conv(x)))", "return torch.sigmoid(self.bn(self.conv(x)))"),)),
    ("saturating", "separable", "sigmoid", (("        self.act1 = nn.ReLU(inplace=True)", "        self.act1 = nn.Sigmoid()"), ("        self.act2 = nn.ReLU(inplace=True)", "        self.act2 = nn.Sigmoid()"))),
    ("saturating", "aspp", "sigmoid in the encoder", (("        nn.ReLU(inplace=True),\n    )", "        nn.Sigmoid(),\n    )"),)),
    # ---- groups forgotten in one of several
    ("not-depthwise", "mobilenet", "where the stride is 1", (("groups=hidden))", "groups=hidden if stride == 2 else 1))"),)),
    ("not-depthwise", "mobilenet", "in the widest", (("groups=hidden))", "groups=hidden if out < 64 else 1))"),)),
    ("not-depthwise", "separable", "in one width", (("groups=given", "groups=given if given != 128 else 1"),)),
    ("not-depthwise", "separable", "in the widest", (("groups=given", "groups=given if given < 256 else 1"),)),
    ("not-depthwise", "convnext", "in the second stage", (("groups=width", "groups=width if width != 64 else 1"),)),
    ("not-depthwise", "convnext", "in the last stage", (("groups=width", "groups=width if width < 128 else 1"),)),
    # ---- widths
    ("odd-channels", "vgg_loop", "127 for 128", (('PLAN = [32, 32, "M", 64, 64, "M", 128, 128, "M", 128, 128]', 'PLAN = [32, 32, "M", 64, 64, "M", 127, 127, "M", 127, 127]'), ("nn.Linear(128, 128)", "nn.Linear(127, 128)"))),
    ("odd-channels", "unet", "33 for 32", (("DoubleConv(16, 32)", "DoubleConv(16, 33)"), ("DoubleConv(32, 64)", "DoubleConv(33, 64)"), ("self.mix2 = DoubleConv(64, 32)", "self.mix2 = DoubleConv(65, 32)"))),
    ("odd-channels", "preact", "63 for 64", (("PreActBlock(32, 64, stride=2)", "PreActBlock(32, 63, stride=2)"), ("PreActBlock(64, 64)", "PreActBlock(63, 63)"), ("PreActBlock(64, 128, stride=2)", "PreActBlock(63, 128, stride=2)"))),
    ("odd-channels", "squeeze_excite", "100 for 128", (("SEBlock(64, 128, stride=2), SEBlock(128, 128)", "SEBlock(64, 100, stride=2), SEBlock(100, 100)"), ("nn.Linear(128, classes)", "nn.Linear(100, classes)"))),
    ("odd-channels", "tutorial_net", "100 for 128", (("nn.Conv2d(64, 128, kernel_size=3", "nn.Conv2d(64, 100, kernel_size=3"), ("nn.Conv2d(128, 128, kernel_size=3", "nn.Conv2d(100, 100, kernel_size=3"), ("self.bn3 = nn.BatchNorm2d(128)", "self.bn3 = nn.BatchNorm2d(100)"), ("self.bn4 = nn.BatchNorm2d(128)", "self.bn4 = nn.BatchNorm2d(100)"), ("nn.Linear(128, 64)", "nn.Linear(100, 64)"))),
    # ---- a stage that takes most
    ("dear-stage", "squeeze_excite", "stage1 wide", (("            nn.Conv2d(3, 32, kernel_size=3, padding=1, bias=False),\n            nn.BatchNorm2d(32),", "            nn.Conv2d(3, 256, kernel_size=3, padding=1, bias=False),\n            nn.BatchNorm2d(256),"), ("nn.Sequential(SEBlock(32, 32), SEBlock(32, 32))", "nn.Sequential(SEBlock(256, 256), SEBlock(256, 256))"), ("SEBlock(32, 64, stride=2)", "SEBlock(256, 64, stride=2)"))),
    ("dear-stage", "preact", "block1 wide", (("self.stem = nn.Conv2d(3, 32,", "self.stem = nn.Conv2d(3, 256,"), ("PreActBlock(32, 32)", "PreActBlock(256, 256)"), ("PreActBlock(32, 64, stride=2)", "PreActBlock(256, 64, stride=2)"))),
    ("dear-stage", "vgg_loop", "256 at full size", (('PLAN = [32, 32, "M", 64, 64, "M", 128, 128, "M", 128, 128]', 'PLAN = [256, 256, "M", 64, 64, "M", 128, 128, "M", 128, 128]'),)),
    ("dear-stage", "unet", "128 at full size", (("self.down1 = DoubleConv(3, 16)", "self.down1 = DoubleConv(3, 256)"), ("self.down2 = DoubleConv(16, 32)", "self.down2 = DoubleConv(256, 32)"), ("self.mix1 = DoubleConv(32, 16)", "self.mix1 = DoubleConv(272, 16)"))),
)  # fmt: skip

# Batch norms whose channels have one value each when images come one at a time.
ONE_VALUE: tuple[tuple[str, str, str, Pairs], ...] = (
    ("norm-of-one", "aspp", "image features", (("        self.relu = nn.ReLU()", "        self.relu = nn.Sequential(nn.BatchNorm2d(out), nn.ReLU())"), ("self.conv = nn.Conv2d(given, out, kernel_size=1)", "self.conv = nn.Conv2d(given, out, kernel_size=1, bias=False)"))),
    ("norm-of-one", "tutorial_net", "behind the pool", (("self.gap = nn.AdaptiveAvgPool2d(1)", "self.gap = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(128))"),)),
    ("norm-of-one", "resnet_cifar", "behind the pool", (("self.avgpool = nn.AdaptiveAvgPool2d(1)", "self.avgpool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(64))"),)),
    ("norm-of-one", "squeeze_excite", "in the gate", (("        self.relu = nn.ReLU()\n", "        self.relu = nn.Sequential(nn.BatchNorm2d(width // ratio), nn.ReLU())\n"), ("self.down = nn.Conv2d(width, width // ratio, kernel_size=1)", "self.down = nn.Conv2d(width, width // ratio, kernel_size=1, bias=False)"))),
    ("norm-of-one", "scratch_mlp_head", "the norm it has", (("        x = self.norm(x)\n", "        x = self.norm(x)  # one image at a time\n"),)),
)  # fmt: skip

# Images the network was not made for.
IMAGES: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
    ("collapse-early", "resnet_bottleneck", (3, 32, 32)),
    ("collapse-early", "mobilenet", (3, 16, 16)),
    ("collapse-early", "resnet_cifar", (3, 4, 4)),
    ("collapse-early", "preact", (3, 4, 4)),
    ("collapse-early", "separable", (3, 8, 8)),
    ("collapse-early", "aspp", (3, 8, 8)),
    ("collapse-early", "squeeze_excite", (3, 4, 4)),
    ("input-too-small", "vgg_loop", (3, 4, 4)),
    ("input-too-small", "unet", (3, 4, 4)),
    ("input-too-small", "convnext", (3, 8, 8)),
    ("input-too-small", "inception", (3, 4, 4)),
    ("input-too-small", "digits_sequential", (1, 2, 2)),
    ("input-too-small", "tutorial_net", (3, 3, 3)),
    ("concat-size", "unet", (3, 100, 100)),
    ("concat-size", "unet", (3, 90, 96)),
    ("border-dropped", "vgg_loop", (3, 60, 60)),
    ("border-dropped", "convnext", (3, 62, 62)),
    ("border-dropped", "inception", (3, 60, 60)),
    ("small-field", "tutorial_net", (3, 224, 224)),
    ("small-field", "digits_sequential", (1, 128, 128)),
    ("small-field", "vgg_loop", (3, 512, 512)),
    ("small-field", "scratch_mlp_head", (3, 256, 256)),
    ("small-field", "resnet_cifar", (3, 512, 512)),
    ("small-field", "preact", (3, 512, 512)),
)


def plants(host: Host) -> Iterator[Mutant]:
    """Every fault of this file in one healthy network."""
    program = host.program
    for kind, net, where, pairs in SWAPS:
        if net == host.name:
            yield program.mutant(kind, where, program.swapped(*pairs))
    for kind, net, where, pairs in ONE_VALUE:
        if net == host.name:
            yield program.mutant(kind, where, program.swapped(*pairs), batch=1)
    for kind, net, image in IMAGES:
        if net == host.name:
            where = f"an image of {image[1]}×{image[2]}"
            yield program.mutant(kind, where, program.text, image=image)
