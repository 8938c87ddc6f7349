"""The kinds of fault, as people reported them.

Drawn from public issue threads and pull requests *before* the rules were read, so that the list is
of what goes wrong and not of what the rules find.  Every source was read, not guessed; the words
here are our own.  ``KINDS.md`` beside this file is written from it
(``python bench/mutants.py --kinds``).

Left out, because nothing is lost by them: a second ReLU behind a ReLU (idempotent), log-softmax
before a loss that applies it again (idempotent too), and rows that a stride "drops" where the
arithmetic drops none.  Left out, because a trace cannot show them: what depends on data, on the
loss or on a run.
"""

from __future__ import annotations

from dataclasses import dataclass

_HUB = "https://github.com/"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of fault.

    ``name``: how the tables name it.  ``group``: what it is about.  ``what``: what was done.
    ``found``: what a finding must say to count.  ``source``: where it was reported.
    """

    name: str
    group: str
    what: str
    found: str
    source: str

    @property
    def link(self) -> str:
        """The thread's address."""
        return _HUB + self.source


def table() -> str:
    """The list as a page in Markdown."""
    lines = [
        "# Kinds of fault",
        "",
        "Drawn from public issue threads before the rules were read; written by",
        "`python bench/mutants.py --kinds` from `kinds.py`. A finding counts as found only where",
        "it says what the fourth column asks for.",
        "",
        "| kind | about | what was done | a finding must say | reported in |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.group} | {one.what} | {one.found} | [{one.source}]({one.link}) |"
        for one in KINDS
    ]
    return "\n".join(lines) + "\n"


def _kind(group: str, name: str, source: str, what: str, found: str) -> Kind:
    return Kind(name=name, group=group, what=what, found=found, source=source)


KINDS: tuple[Kind, ...] = (
    # ---- shape
    _kind(
        "shape", "imagenet-stem", "twosixlabs/armory/issues/1689",
        "a 7×7 stride-2 convolution and a stride-2 pool in front of 32-pixel images",
        "that the stem throws most of a small image away",
    ),
    _kind(
        "shape", "collapse-early", "weiliu89/caffe/issues/410",
        "a pool too many, so that later 3×3 kernels meet a 1×1 map and multiply padding",
        "that the map is gone, or that the later kernels do nothing",
    ),
    _kind(
        "shape", "input-too-small", "tamarott/SinGAN/issues/28",
        "an unpadded kernel larger than the map it meets",
        "the layer that cannot run, and the smallest image that fits",
    ),
    _kind(
        "shape", "border-dropped", "torch/demos/pull/46",
        "a stride that does not fit its map, so that rows and columns are never read",
        "how many rows or columns are dropped, and where",
    ),
    _kind(
        "shape", "padded-pointwise", "forresti/SqueezeNet/issues/14",
        "padding around a 1×1 convolution: a border that holds nothing but the bias",
        "that a 1×1 kernel is padded",
    ),
    _kind(
        "shape", "wrong-flatten", "facebookresearch/CrypTen/issues/487",
        "a dense layer declared for another number of inputs than the flattened map has",
        "the dense layer, and the number that fits",
    ),
    _kind(
        "shape", "merge-size", "keon/3-min-pytorch/issues/29",
        "the block's stride on both of its convolutions, so that branch and shortcut differ",
        "the addition, both sizes, and which stride to set",
    ),
    _kind(
        "shape", "merge-channels", "GengDavid/pytorch-cpn/issues/45",
        "no projection on the shortcut of a block that widens",
        "the addition, both widths, and the projection that fits",
    ),
    _kind(
        "shape", "concat-size", "milesial/Pytorch-UNet/issues/32",
        "an image that the encoder cannot halve evenly, so that the skip is a pixel larger",
        "the concatenation, both sizes, and where the pixel was lost",
    ),
    _kind(
        "shape", "concat-channels", "talmolab/sleap-nn/pull/428",
        "a decoder convolution declared for another number of channels than it is given",
        "the convolution, and the number that fits",
    ),
    _kind(
        "shape", "checkerboard", "NVIDIA/pix2pixHD/issues/149",
        "a transposed convolution whose kernel is no multiple of its stride",
        "that positions are covered unevenly",
    ),
    _kind(
        "shape", "never-reduced",
        "labmlai/annotated_deep_learning_paper_implementations/issues/205",
        "strides missing from the later stages, so that wide layers run on large maps",
        "that the map is not reduced, or the field too small, or a stage too dear",
    ),
    _kind(
        "shape", "pool-copies", "huyvnphan/PyTorch_CIFAR10/issues/9",
        "an adaptive pool to 7×7 behind a smaller map: it copies values into a huge dense layer",
        "that the pool enlarges its map, or the dense layer it feeds",
    ),
    _kind(
        "shape", "pool-of-one", "kuangliu/pytorch-cifar/issues/110",
        "a pool with kernel 1: it does nothing",
        "that the pool does nothing",
    ),
    # ---- field
    _kind(
        "field", "kernel-under-stride", "keras-team/keras-applications/issues/81",
        "the stride on a 1×1 convolution of the main path: three quarters are never read",
        "that the kernel is smaller than the stride, or what share is read",
    ),
    _kind(
        "field", "discarding-shortcut", "KaimingHe/deep-residual-networks/issues/50",
        "a stride-2 1×1 projection on a shortcut that used to pool first",
        "that the projection reads one position in four",
    ),
    _kind(
        "field", "even-kernel", "keras-team/keras/issues/4693",
        "an even kernel at stride 1: its result lies half a pixel off",
        "that the kernel is even and the map drifts",
    ),
    _kind(
        "field", "gridding", "MEDAL-IITB/Lung-Segmentation/issues/1",
        "dilations with a common factor in a row, so that pixels between are never combined",
        "that the dilations leave holes",
    ),
    _kind(
        "field", "small-field", "josedolz/SemiDenseNet/issues/1",
        "no downsampling to speak of: a unit sees a small part of the image",
        "that the field is small for the image",
    ),
    # ---- parameters
    _kind(
        "parameters", "bias-before-norm", "milesial/Pytorch-UNet/pull/325",
        "a convolution with a bias in front of a batch norm",
        "that the bias is taken away again by the norm",
    ),
    _kind(
        "parameters", "dense-bias-before-norm", "LAION-AI/phenaki/pull/3",
        "a dense layer with a bias in front of a batch norm",
        "that the bias is taken away again by the norm",
    ),
    _kind(
        "parameters", "never-used", "NVlabs/PWC-Net/issues/110",
        "a layer made in the constructor that forward never calls",
        "that its parameters are never used",
    ),
    _kind(
        "parameters", "result-ignored", "open-mmlab/mmaction/issues/164",
        "a layer is called, and the next is given its input instead of its result",
        "that the result goes nowhere, or what its absence does",
    ),
    _kind(
        "parameters", "same-block-repeated",
        "deep-learning-with-pytorch/dlwpt-code/issues/89",
        "a list multiplied, so that all blocks of a stage are one object",
        "that the blocks share their parameters",
    ),
    _kind(
        "parameters", "shared-norm", "kanezaki/pytorch-unsupervised-segmentation/issues/1",
        "one batch norm behind two convolutions",
        "that the norm is used twice",
    ),
    _kind(
        "parameters", "plain-list", "pytorch/pytorch/issues/59925",
        "layers in a Python list, which no optimizer gets to see",
        "that tensors are used that are nobody's parameters",
    ),
    _kind(
        "parameters", "frozen", "wannabeOG/MAS-PyTorch/issues/1",
        "the switch for gradients the wrong way round: layers meant to learn are frozen",
        "that parameters in use are never updated",
    ),
    _kind(
        "parameters", "gradient-cut", "queenie88/A-GCN/issues/4",
        "a detach on the way, so that what lies before it is never updated",
        "that no gradient reaches the layers before",
    ),
    _kind(
        "parameters", "huge-dense", "iperov/DeepFaceLab/issues/192",
        "a map flattened into a wide dense layer that holds most parameters",
        "that one dense layer holds most parameters",
    ),
    # ---- residual
    _kind(
        "residual", "skip-forgotten", "yilundu/improved_contrastive_divergence/issues/7",
        "the block keeps its input and never adds it",
        "that deep layers have no skip, or that the others have one",
    ),
    _kind(
        "residual", "activation-on-identity", "rosinality/vq-vae-2-pytorch/issues/60",
        "an activation changes the identity before it is added",
        "that the identity path is not an identity",
    ),
    _kind(
        "residual", "activation-before-addition", "kuangliu/pytorch-cifar/issues/4",
        "the branch ends in a ReLU, so that a block can only add",
        "that the branch can only add",
    ),
    _kind(
        "residual", "projected-everywhere", "tflearn/tflearn/issues/13",
        "a 1×1 projection on every shortcut, needed or not",
        "that blocks are projected that need none",
    ),
    # ---- norm and activation
    _kind(
        "norm and activation", "norm-of-one", "VainF/DeepLabV3Plus-Pytorch/issues/27",
        "a batch norm behind global pooling: one value per channel and image",
        "that the norm has one value per channel",
    ),
    _kind(
        "norm and activation", "instance-norm-of-one", "liufeng2915/CFSM/issues/4",
        "an instance norm on a 1×1 map: its result is zero",
        "that the norm has one value per channel",
    ),
    _kind(
        "norm and activation", "groups-do-not-divide", "Seunggu0305/VLCounter/issues/6",
        "a group norm whose groups do not divide the channels",
        "the layer, and the groups that divide",
    ),
    _kind(
        "norm and activation", "norm-after-activation", "delta-onera/delta_tb/issues/1",
        "one block with the norm behind the activation where all others have it before",
        "that this block reverses the order",
    ),
    _kind(
        "norm and activation", "no-activation", "getcrest/All-Conv-Keras/issues/6",
        "no activation between two convolutions",
        "that two linear operations follow each other",
    ),
    _kind(
        "norm and activation", "no-dense-activation", "nutonomy/nuscenes-devkit/issues/728",
        "no activation between two dense layers",
        "that two linear operations follow each other",
    ),
    _kind(
        "norm and activation", "softmax-at-end",
        "jindongwang/Deep-learning-activity-recognition/issues/10",
        "a softmax in the network in front of a loss that applies its own",
        "that the network ends in a softmax",
    ),
    _kind(
        "norm and activation", "softmax-over-batch",
        "DeepReinforcementLearning/DeepReinforcementLearningInAction/issues/32",
        "a softmax along the batch",
        "that the softmax runs along the batch",
    ),
    _kind(
        "norm and activation", "sigmoid-at-end", "avBuffer/UNet3plus_pth/issues/23",
        "a sigmoid in the network in front of a loss that applies its own",
        "that the network ends in a sigmoid",
    ),
    _kind(
        "norm and activation", "activation-on-logits", "pytorch/examples/pull/117",
        "a ReLU on the class scores",
        "that the scores are clipped at zero",
    ),
    _kind(
        "norm and activation", "norm-on-logits", "yaoing/DAN/issues/14",
        "a batch norm on the class scores",
        "that the scores are normed",
    ),
    _kind(
        "norm and activation", "saturating", "sktime/sktime/issues/9049",
        "sigmoid or tanh behind every hidden layer of a deep network",
        "that saturating activations follow each other",
    ),
    _kind(
        "norm and activation", "softmax-inside", "kcct-fujimotolab/3DCNN/issues/6",
        "a softmax behind a hidden convolution",
        "that a softmax sits inside",
    ),
    _kind(
        "norm and activation", "activation-twice", "keras-team/keras/issues/12626",
        "a ReLU behind a sigmoid: it does nothing, one of the two is a leftover",
        "that one activation follows another",
    ),
    _kind(
        "norm and activation", "dropout-before-norm", "luigibonati/mlcolvar/pull/205",
        "a dropout in front of a batch norm: its statistics differ between training and test",
        "that the norm's statistics differ in use",
    ),
    # ---- cost
    _kind(
        "cost", "odd-channels", "LeelaChessZero/lczero-training/pull/112",
        "widths that are no multiple of 8 in layers that take much of the time",
        "the width, and the next multiple of 8",
    ),
    _kind(
        "cost", "not-depthwise", "shanglianlm0525/BlazeFace/issues/3",
        "a depthwise convolution without its groups: a full one at the expanded width",
        "that one layer takes most of the cost, or that groups are missing",
    ),
    _kind(
        "cost", "dear-stage", "Coderx7/SimpNet/issues/2",
        "most of the work at full resolution, where features are few",
        "that one stage takes most of the cost",
    ),
)  # fmt: skip
