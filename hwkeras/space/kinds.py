"""The kinds of layers an architecture is made of, and what each kind's parameters may be."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hwkeras.space.law import COUNT
from hwkeras.space.law import EXTENT
from hwkeras.space.law import FLAG
from hwkeras.space.law import NUMBERS
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import POSITIVE_NUMBER
from hwkeras.space.law import POSITIVE_NUMBERS
from hwkeras.space.law import RATE
from hwkeras.space.law import SHAPE
from hwkeras.space.law import Law
from hwkeras.space.law import one_of

ACTIVATIONS = ("relu", "relu6", "hard_swish", "linear")
# Between 0 and 1: what is multiplied by them is let through or held back.
GATES = ("sigmoid", "hard_sigmoid")
_ACTIVATION = one_of(ACTIVATIONS)
# A default that says: the parameter must be given.
REQUIRED = object()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kind.

    Args:
        law: Law, what it may be.
        default: its value where none is given. Defaults to `REQUIRED`, it must be given.
    """

    law: Law
    default: Any = REQUIRED


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    Args:
        parameters: mapping of parameter name to `Parameter`.
        least_inputs: int. Defaults to `1`.
        most_inputs: int, or None for any number. Defaults to `1`.
    """

    parameters: MappingProxyType
    least_inputs: int = 1
    most_inputs: int | None = 1


def _kind(least_inputs=1, most_inputs=1, **parameters):
    return Kind(MappingProxyType(parameters), least_inputs, most_inputs)


def _convolution(**parameters):
    return _kind(
        filters=Parameter(POSITIVE),
        kernel=Parameter(EXTENT, 3),
        stride=Parameter(POSITIVE, 1),
        activation=Parameter(_ACTIVATION, "relu"),
        batch_norm=Parameter(FLAG, True),
        **parameters,
    )


_SE = Parameter(FLAG, False)
_SKIP = Parameter(FLAG, False)
_PADDING = Parameter(one_of(("same", "valid")), "valid")
NORMALIZATIONS = ("batch", "layer")
INTERPOLATIONS = ("nearest", "bilinear")

KINDS = MappingProxyType(
    {
        # Numbers, or whole ones that name something, such as words.
        "input": _kind(0, 0, shape=Parameter(SHAPE), dtype=Parameter(one_of(("float32", "int32")), "float32")),
        "conv": _convolution(se=_SE, skip=_SKIP),
        "separable_conv": _convolution(se=_SE, skip=_SKIP),
        "inverted_bottleneck": _convolution(expansion=Parameter(POSITIVE, 4), se=_SE, skip=_SKIP),
        "fused_inverted_bottleneck": _convolution(expansion=Parameter(POSITIVE, 4), se=_SE, skip=_SKIP),
        "depthwise_conv": _kind(
            kernel=Parameter(EXTENT, 3),
            stride=Parameter(POSITIVE, 1),
            activation=Parameter(_ACTIVATION, "relu"),
            batch_norm=Parameter(FLAG, True),
        ),
        # Channels weighed by what a bottleneck of so many channels makes of their means.
        "squeeze_excite": _kind(squeezed=Parameter(POSITIVE)),
        # Two convolutions; `skip` is the shortcut around both, by a 1x1 projection where the shape changes.
        "residual": _convolution(se=_SE, skip=Parameter(FLAG, True)),
        # A waveform in [-1, 1] as a picture: the logarithm of the energies of mel bands, frame by frame, of which
        # `mean` is taken away and by whose `deviation` they are divided. `frame` and `hop` are samples.
        "log_mel": _kind(
            sample_rate=Parameter(POSITIVE),
            frame=Parameter(POSITIVE),
            hop=Parameter(POSITIVE),
            low_hz=Parameter(POSITIVE_NUMBER),
            high_hz=Parameter(POSITIVE_NUMBER),
            mean=Parameter(NUMBERS),
            deviation=Parameter(POSITIVE_NUMBERS),
        ),
        # A row of a table for each number from 0 to vocabulary - 1; brought to `projection` channels unless that is 0.
        "embedding": _kind(vocabulary=Parameter(POSITIVE), units=Parameter(POSITIVE), projection=Parameter(COUNT, 0)),
        # Attention among all positions, then `ffn` units at each, if any; a shortcut around both, each normalized.
        "attention": _kind(
            heads=Parameter(POSITIVE, 1),
            ffn=Parameter(COUNT, 0),
            activation=Parameter(_ACTIVATION, "relu"),
            normalization=Parameter(one_of(NORMALIZATIONS), "batch"),
        ),
        # The mean of all positions, each weighed by what a dense layer says of it.
        "attention_pool": _kind(),
        # The last state of a recurrent layer that walks over a row of steps.
        "gru": _kind(units=Parameter(POSITIVE)),
        "lstm": _kind(units=Parameter(POSITIVE)),
        # A stride of None is the size.
        "max_pool": _kind(size=Parameter(EXTENT, 2), stride=Parameter(EXTENT, None), padding=_PADDING),
        "average_pool": _kind(size=Parameter(EXTENT, 2), stride=Parameter(EXTENT, None), padding=_PADDING),
        "global_average_pool": _kind(),
        "flatten": _kind(),
        "reshape": _kind(shape=Parameter(SHAPE)),
        # A picture of frames as a row of them, in time: convolutions behind it see no frame that comes later.
        "frames": _kind(),
        # An activation on its own, in front of convolutions that share it.
        "activation": _kind(activation=Parameter(_ACTIVATION, "relu")),
        "batch_norm": _kind(),
        # So many values of a vector, from one on.
        "slice": _kind(begin=Parameter(COUNT), size=Parameter(POSITIVE)),
        "dense": _kind(units=Parameter(POSITIVE), activation=Parameter(one_of((*ACTIVATIONS, *GATES)), "relu")),
        "dropout": _kind(rate=Parameter(RATE)),
        "add": _kind(2, None),
        "multiply": _kind(2, None),
        "concat": _kind(2, None),
        "classifier": _kind(
            classes=Parameter(POSITIVE), activation=Parameter(one_of(("softmax", "sigmoid")), "softmax")
        ),
        # So many rows and columns for each: all equal (nearest), or going over into the next (bilinear).
        "upsample": _kind(factor=Parameter(POSITIVE, 2), interpolation=Parameter(one_of(INTERPOLATIONS), "nearest")),
        # So many rows and columns for each, every one by weights of its own; no activation.
        "transposed_conv": _kind(filters=Parameter(POSITIVE), factor=Parameter(POSITIVE, 2)),
        # A class for every pixel; what is known of a pixel is spread over so many rows and columns first.
        "pixel_classifier": _kind(
            classes=Parameter(POSITIVE),
            activation=Parameter(one_of(("softmax", "sigmoid")), "softmax"),
            factor=Parameter(POSITIVE, 1),
        ),
        # So many numbers, of any size.
        "regressor": _kind(outputs=Parameter(POSITIVE, 1)),
    }
)
