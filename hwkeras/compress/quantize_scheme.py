"""Where a model is rounded to 8 bits while it trains: where its int8 file will be, and nowhere else.

The rules are those of tfmot's default 8-bit scheme: nothing between a convolution, the batch normalization behind it
and their ReLU, which become one operator; one rounding behind a concatenation instead of one before each part of it.
Jacob et al., 10.1109/CVPR.2018.00286. tfmot's own transformation of the graph is not used: it refuses a model for one
layer it does not list, and where a ReLU stands directly behind a convolution it leaves the kernel in float.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy_graph import Readers
from hwkeras.compress.legacy_graph import calls_of
from hwkeras.compress.legacy_graph import mask_of
from hwkeras.compress.quantizers import ChannelQuantizer
from hwkeras.compress.quantizers import DepthwiseQuantizer
from hwkeras.compress.quantizers import LayerQuantization
from hwkeras.compress.quantizers import TensorQuantizer
from hwkeras.compress.quantizers import TransposedQuantizer

_LAYERS = tf_keras.layers

# Layer class -> {its weight: how it is rounded}.
_WEIGHTS = {
    _LAYERS.Conv2D: {"kernel": ChannelQuantizer},
    _LAYERS.Conv2DTranspose: {"kernel": TransposedQuantizer},
    _LAYERS.Dense: {"kernel": TensorQuantizer},
    _LAYERS.DepthwiseConv2D: {"depthwise_kernel": DepthwiseQuantizer},
    _LAYERS.Embedding: {"embeddings": TensorQuantizer},
    _LAYERS.PReLU: {"alpha": TensorQuantizer},
}
# A batch normalization behind one of these becomes part of it.
_FOLDING = (_LAYERS.Conv2D, _LAYERS.Dense, _LAYERS.DepthwiseConv2D)
# A ReLU behind one of these becomes part of it.
_FUSING = (*_FOLDING, _LAYERS.Add, _LAYERS.BatchNormalization, _LAYERS.Multiply, _LAYERS.Subtract)
# Their output is rounded like a file rounds it. What happens inside them is calibrated after training.
_OUTPUT = (
    "Add AveragePooling1D AveragePooling2D BatchNormalization Concatenate Dot ELU GlobalAveragePooling1D "
    "GlobalAveragePooling2D LeakyReLU MatMul Multiply Normalization PReLU ReLU Rescaling Resizing Subtract "
    "ThresholdedReLU UpSampling1D UpSampling2D"
).split()
# They pass numbers on as they are, or do nothing outside training.
_UNCHANGED = (
    "ActivityRegularization AlphaDropout Cropping1D Cropping2D Dropout Flatten GaussianDropout GaussianNoise "
    "GlobalMaxPooling1D GlobalMaxPooling2D Identity InputLayer MaxPooling1D MaxPooling2D Maximum Minimum Permute "
    "RepeatVector Reshape SpatialDropout1D SpatialDropout2D TimeReversal ZeroPadding1D ZeroPadding2D"
).split()
# A file computes these with a range that does not depend on the numbers.
_FIXED_RANGE = ("linear", "softmax", "sigmoid", "tanh")
_REASONS = {
    "LayerNormalization": "TFLite computes it in many operators, whose ranges are only calibrated after training",
    "MultiHeadAttention": "only attention over one axis of fixed length, without a mask, can be taken apart",
    **dict.fromkeys(
        ("Bidirectional", "GRU", "LSTM", "RNN", "SimpleRNN"),
        "its steps are unrolled and their ranges calibrated after training",
    ),
}


@dataclass(frozen=True)
class Placement:
    """How one layer trains.

    Args:
        quantization: LayerQuantization, or None where nothing of the layer itself is rounded.
        reason: str, why the layer trains in float, or None for one that trains as its int8 file computes.
        is_bare: bool, whether not even the output of a layer that trains in float is rounded.
    """

    quantization: LayerQuantization | None = None
    reason: str | None = None
    is_bare: bool = False


def placements(model):
    """Decides for each layer how it trains.

    Args:
        model: tf_keras.Model made by `rewrite`.

    Returns:
        Dict of layer name to Placement.
    """
    readers = Readers(model)
    masked = _masked_layers(model)
    plan = {layer.name: _placement(layer, readers, layer.name in masked) for layer in model.layers}
    return {**plan, **_bared(model, plan)}


def _bared(model, plan):
    """Placements without rounding for the sequences of unrolled layers, and for what passes these on.

    A range behind such a sequence would become, through operators that must keep their range, the range of every
    single step; the converter then leaves the operators within the steps in float instead of calibrating them.
    """
    bared = {}
    for node in calls_of(model):
        layer, kind = node.layer, type(node.layer).__name__
        is_start = plan[layer.name].reason is not None and getattr(layer, "return_sequences", False)
        is_passed_on = kind in (*_UNCHANGED, "Concatenate") and any(
            tensor._keras_history.layer.name in bared for tensor in node.keras_inputs
        )
        if is_start or is_passed_on:
            bared[layer.name] = Placement(reason=plan[layer.name].reason, is_bare=True)
    return bared


def _masked_layers(model):
    """Names of the layers that receive or hand out a Keras mask."""
    tensors = [(node.layer, tensor) for node in calls_of(model) for tensor in node.keras_inputs]
    tensors += [(tensor._keras_history.layer, tensor) for _, tensor in tensors]
    tensors += [(tensor._keras_history.layer, tensor) for tensor in model.outputs]
    return {layer.name for layer, tensor in tensors if mask_of(tensor) is not None}


def _placement(layer, readers, is_masked):
    kind = type(layer).__name__
    is_known = type(layer) in _WEIGHTS or isinstance(layer, _LAYERS.Activation) or kind in (*_OUTPUT, *_UNCHANGED)
    is_known = is_known or kind == "Softmax"
    if is_known and is_masked and kind != "InputLayer":
        return Placement(reason="it receives or makes a mask, which tfmot's wrappers lose")
    if not is_known or getattr(layer, "data_format", None) == "channels_first":
        return Placement(reason=_REASONS.get(kind, f"nothing of {kind} can be rounded while it trains"))
    if kind in _UNCHANGED or kind == "Softmax":
        return Placement()
    is_rounded_later = _is_rounded_later(layer, readers)
    if kind in ("Embedding", "PReLU"):
        return Placement(LayerQuantization(_quantizers(layer), output=kind == "PReLU" and not is_rounded_later))
    if type(layer) in _WEIGHTS:
        return Placement(LayerQuantization(_quantizers(layer), activation=not is_rounded_later))
    if isinstance(layer, _LAYERS.Activation):
        has_range = layer.activation.__name__ not in _FIXED_RANGE
        return Placement(LayerQuantization(output=True) if has_range and not is_rounded_later else None)
    return Placement(None if is_rounded_later else LayerQuantization(output=True))


def _quantizers(layer):
    return {name: make() for name, make in _WEIGHTS[type(layer)].items()}


def _is_rounded_later(layer, readers):
    """Whether the layer's output is first rounded behind the one layer that reads it."""
    reader = readers.only_reader(layer)
    if reader is None or getattr(layer, "activation", None) not in (None, *_WITHOUT_RANGE):
        return False
    if isinstance(reader, _LAYERS.Concatenate):
        return isinstance(layer, (*_FUSING, _LAYERS.Activation, _LAYERS.ReLU))
    if getattr(layer, "activation", None) is tf_keras.activations.relu:
        return False
    if isinstance(reader, _LAYERS.BatchNormalization):
        return isinstance(layer, _FOLDING)
    return isinstance(layer, _FUSING) and _is_fused(reader)


_WITHOUT_RANGE = (tf_keras.activations.linear, tf_keras.activations.relu)


def _is_fused(layer):
    """Whether a layer is a ReLU that TFLite computes as part of the operator before."""
    if isinstance(layer, _LAYERS.Activation):
        return layer.activation is tf_keras.activations.relu
    if not isinstance(layer, _LAYERS.ReLU):
        return False
    is_plain = not layer.negative_slope and not layer.threshold
    return bool(is_plain and (layer.max_value is None or layer.max_value == 6))
