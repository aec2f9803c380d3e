"""The well-known mobile networks as architectures: to start from, and to be compared with.

Each is the published network but for what the kinds of layers leave no choice in: a convolution has either a batch
normalization or a bias, and a network ends in a dense classifier. Where that changes the number of parameters its
function says by how much.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from hwkeras.errors import UserError
from hwkeras.space.branches import append_fire
from hwkeras.space.draft import Draft
from hwkeras.space.nasnet_cell import NASNET_A_NORMAL
from hwkeras.space.nasnet_cell import NASNET_A_REDUCTION
from hwkeras.space.nasnet_network import append_cells
from hwkeras.space.nasnet_network import nasnet_steps

# Channels are kept multiples of so many (Sandler et al., 2018, as published in code).
_DIVISOR = 8


def _rounded(channels, divisor=_DIVISOR):
    """The nearest multiple, not more than a tenth below."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def _end(draft, num_classes, rate=0.0):
    draft.append("pool", "global_average_pool")
    if rate:
        draft.append("dropout", "dropout", rate=rate)
    draft.append_head(num_classes)
    return draft.finish()


def _mobilenet_v1(input_shape, num_classes, width=1.0):
    """MobileNet (Howard et al., 2017, arXiv:1704.04861): a stem and thirteen depthwise-separable convolutions."""
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=int(32 * width), stride=2, activation="relu6")
    stages = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for number, (filters, stride) in enumerate(stages, 1):
        draft.append(
            f"block{number}", "separable_conv", filters=int(filters * width), stride=stride, activation="relu6"
        )
    return _end(draft, num_classes, 1e-3)


def _mobilenet_v2(input_shape, num_classes, width=1.0):
    """MobileNetV2 (Sandler et al., 2018, DOI 10.1109/CVPR.2018.00474): inverted bottlenecks with linear ends."""
    stages = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 3, 32, 3, 2), (6, 3, 64, 4, 2), (6, 3, 96, 3, 1)]
    stages += [(6, 3, 160, 3, 2), (6, 3, 320, 1, 1)]
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=_rounded(32 * width), stride=2, activation="relu6")
    _append_bottlenecks(draft, [(t, k, _rounded(c * width), n, s) for t, k, c, n, s in stages])
    draft.append("head", "conv", filters=_rounded(1280 * max(1.0, width)), kernel=1, activation="relu6")
    return _end(draft, num_classes)


def efficientnet_lite(input_shape, num_classes, width=1.0, depth=1.0):
    """EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with relu6 (Tan and Le, 2019, arXiv:1905.11946).

    Lite0 to Lite4 have (width, depth) (1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), for images of 224,
    240, 260, 280 and 300 rows; the depths of the first and the last stage, the stem and the head are not scaled.

    Args:
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        width: float, multiplies channels. Defaults to `1.0`.
        depth: float, multiplies blocks. Defaults to `1.0`.

    Returns:
        Architecture.
    """
    stages = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1)]
    stages += [(6, 5, 192, 4, 2), (6, 3, 320, 1, 1)]
    ends = (0, len(stages) - 1)
    scaled = [
        (t, k, _rounded(c * width), n if place in ends else math.ceil(n * depth), s)
        for place, (t, k, c, n, s) in enumerate(stages)
    ]
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=32, stride=2, activation="relu6")
    _append_bottlenecks(draft, scaled)
    draft.append("head", "conv", filters=1280, kernel=1, activation="relu6")
    return _end(draft, num_classes, 0.2)


def _append_bottlenecks(draft, stages):
    """Stages of (expansion, kernel, filters, blocks, stride)."""
    for stage, (expansion, kernel, filters, blocks, stride) in enumerate(stages, 1):
        for block in range(1, blocks + 1):
            steps = stride if block == 1 else 1
            draft.append(
                f"stage{stage}_block{block}",
                "inverted_bottleneck",
                filters=filters,
                kernel=kernel,
                stride=steps,
                expansion=expansion,
                activation="relu6",
                skip=steps == 1 and draft.shape[-1] == filters,
            )


# (channels inside, channels out, kernel, squeeze and excite, activation, stride)
_V3_SMALL = (
    (16, 16, 3, True, "relu", 2),
    (72, 24, 3, False, "relu", 2),
    (88, 24, 3, False, "relu", 1),
    (96, 40, 5, True, "hard_swish", 2),
    (240, 40, 5, True, "hard_swish", 1),
    (240, 40, 5, True, "hard_swish", 1),
    (120, 48, 5, True, "hard_swish", 1),
    (144, 48, 5, True, "hard_swish", 1),
    (288, 96, 5, True, "hard_swish", 2),
    (576, 96, 5, True, "hard_swish", 1),
    (576, 96, 5, True, "hard_swish", 1),
)
_V3_LARGE = (
    (16, 16, 3, False, "relu", 1),
    (64, 24, 3, False, "relu", 2),
    (72, 24, 3, False, "relu", 1),
    (72, 40, 5, True, "relu", 2),
    (120, 40, 5, True, "relu", 1),
    (120, 40, 5, True, "relu", 1),
    (240, 80, 3, False, "hard_swish", 2),
    (200, 80, 3, False, "hard_swish", 1),
    (184, 80, 3, False, "hard_swish", 1),
    (184, 80, 3, False, "hard_swish", 1),
    (480, 112, 3, True, "hard_swish", 1),
    (672, 112, 3, True, "hard_swish", 1),
    (672, 160, 5, True, "hard_swish", 2),
    (960, 160, 5, True, "hard_swish", 1),
    (960, 160, 5, True, "hard_swish", 1),
)


def _mobilenet_v3_small(input_shape, num_classes, width=1.0):
    """MobileNetV3-Small (Howard et al., 2019, DOI 10.1109/ICCV.2019.00140)."""
    return _mobilenet_v3(input_shape, num_classes, width, _V3_SMALL, 1024)


def _mobilenet_v3_large(input_shape, num_classes, width=1.0):
    """MobileNetV3-Large (Howard et al., 2019, DOI 10.1109/ICCV.2019.00140)."""
    return _mobilenet_v3(input_shape, num_classes, width, _V3_LARGE, 1280)


def _mobilenet_v3(input_shape, num_classes, width, rows, units):
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=16, stride=2, activation="hard_swish")
    for number, (inside, filters, kernel, excites, activation, stride) in enumerate(rows, 1):
        name, source, channels = f"block{number}", draft.last, draft.shape[-1]
        inner, outer = _rounded(channels * inside / _outer_before(rows, number)), _rounded(filters * width)
        if number > 1:  # the first does not expand
            draft.append(f"{name}_expand", "conv", filters=inner, kernel=1, activation=activation)
        draft.append(f"{name}_depth", "depthwise_conv", kernel=kernel, stride=stride, activation=activation)
        if excites:
            draft.append(f"{name}_excite", "squeeze_excite", squeezed=_rounded(draft.shape[-1] / 4))
        last = draft.append(f"{name}_project", "conv", filters=outer, kernel=1, activation="linear")
        if stride == 1 and channels == outer:
            draft.append(f"{name}_add", "add", (source, last))
    draft.append("head", "conv", filters=_rounded(draft.shape[-1] * 6), kernel=1, activation="hard_swish")
    draft.append("pool", "global_average_pool")
    draft.append("dense", "dense", units=_rounded(units * max(1.0, width)), activation="hard_swish")
    draft.append("dropout", "dropout", rate=0.2)
    draft.append_head(num_classes)
    return draft.finish()


def _outer_before(rows, number):
    """The channels that enter a row at width 1: its expansion is relative to them."""
    return 16 if number == 1 else rows[number - 2][1]


def _squeezenet(input_shape, num_classes, width=1.0):
    """SqueezeNet 1.1 (Iandola et al., 2016, arXiv:1602.07360): fire modules, no batch normalization.

    Its last 1x1 convolution and pooling are pooling and a dense layer here: as many parameters, fewer operations.
    """
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=int(64 * width), stride=2, batch_norm=False)
    fires = [(16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256)]
    draft.append("pool1", "max_pool", size=3, stride=2, padding="same")
    for number, fire in enumerate(fires, 2):
        if fire is None:
            draft.append(f"pool{number}", "max_pool", size=3, stride=2, padding="same")
            continue
        squeezed, expanded = (int(channels * width) for channels in fire)
        append_fire(draft, f"fire{number}", 2 * expanded, 3, 1, "relu", batch_norm=False, squeezed=squeezed)
    draft.append("dropout", "dropout", rate=0.5)
    draft.append("pool", "global_average_pool")
    draft.append_head(num_classes)
    return draft.finish()


def _resnet8(input_shape, num_classes, width=1.0):
    """The ResNet of MLPerf Tiny's image classification (Banbury et al., 2021, arXiv:2106.07597): 78,666 parameters.

    Its convolutions have biases beside their batch normalizations (240 parameters that are not here), its shortcuts
    biases in place of one (288 less than here, moving statistics included): 78,714 here.
    """
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=int(16 * width))
    for stage, (filters, stride) in enumerate([(16, 1), (32, 2), (64, 2)], 1):
        draft.append(f"stage{stage}", "residual", filters=int(filters * width), stride=stride)
    return _end(draft, num_classes)


def _ds_cnn(input_shape, num_classes, width=1.0):
    """The keyword spotter of MLPerf Tiny (Zhang et al., 2017, arXiv:1711.07128, DS-CNN S): 24,908 parameters.

    Its convolutions have biases beside their batch normalizations: 576 parameters that are not here.
    """
    filters = int(64 * width)
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=filters, kernel=(10, 4), stride=2)
    draft.append("stem_dropout", "dropout", rate=0.2)
    for number in range(1, 5):
        draft.append(f"block{number}", "separable_conv", filters=filters)
    return _end(draft, num_classes, 0.4)


def _nasnet_a_mobile(input_shape, num_classes, width=1.0):
    """NASNet-A (4 @ 1056) of Zoph et al., 2018, arXiv:1707.07012, DOI 10.1109/CVPR.2018.00907: 5.3 million parameters.

    Keras Applications' has 5,326,716. Ours has 15,353 more, the biases of its depthwise convolutions; nothing stands
    between each of them and a pointwise one. Its edges are padded evenly (the stem gives 112 rows of 224, where the
    published gives 111), and what must be halved is halved by one convolution (`nasnet_network.append_cells`): as many
    parameters, operations within a hundredth.
    """
    draft = Draft(input_shape)
    draft.append("stem", "conv", filters=max(1, int(32 * width)), stride=2, activation="linear")
    # The cells in front of the first stage have a quarter and a half of its channels.
    steps = nasnet_steps(NASNET_A_NORMAL, NASNET_A_REDUCTION, 3, 4, max(4, int(44 * width)), 2)
    append_cells(draft, steps, "relu")
    draft.append("last_activation", "activation", activation="relu")
    return _end(draft, num_classes)


NAMED_NETWORKS = MappingProxyType(
    {
        "ds_cnn": _ds_cnn,
        "efficientnet_lite0": efficientnet_lite,
        "mobilenet_v1": _mobilenet_v1,
        "mobilenet_v2": _mobilenet_v2,
        "mobilenet_v3_large": _mobilenet_v3_large,
        "mobilenet_v3_small": _mobilenet_v3_small,
        "nasnet_a_mobile": _nasnet_a_mobile,
        "resnet8": _resnet8,
        "squeezenet": _squeezenet,
    }
)


def named_network(name, input_shape, num_classes, width=1.0):
    """A well-known network.

    Args:
        name: str, a key of `NAMED_NETWORKS`.
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        width: float, the width multiplier. Defaults to `1.0`.

    Returns:
        Architecture.

    Raises:
        UserError: an unknown name, or a width that is not positive.
    """
    if name not in NAMED_NETWORKS:
        raise UserError(f"`name` must be one of {', '.join(NAMED_NETWORKS)}. Received: name={name!r}.")
    if isinstance(width, bool) or not width > 0:
        raise UserError(f"`width` must be positive. Received: width={width!r}. The published network has 1.0.")
    return NAMED_NETWORKS[name](input_shape, num_classes, width)
