"""Quantization-aware training with tfmot, keeping the zeros of a pruned model.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
10.1109/CVPR.2018.00286.
"""

from hwkeras.compress.activations import hard_sigmoid
from hwkeras.compress.activations import hard_silu
from hwkeras.compress.legacy import OutputQuantizeConfig
from hwkeras.compress.legacy import QuantizeRegistry
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot
from hwkeras.compress.quantize_scheme import scheme
from hwkeras.errors import UserError

_LAYERS = tf_keras.layers
_Q = tfmot.quantization.keras
_FUNCTIONS_OF_OURS = (hard_sigmoid, hard_silu)
# Behind one of these tfmot folds a batch normalization.
_FOLDING = (_LAYERS.Conv2D, _LAYERS.DepthwiseConv2D, _LAYERS.Dense)
# No weights, and quantizing the output is all there is to it; tfmot's registry does not list them.
_OUTPUT_ONLY = (
    _LAYERS.Multiply,
    _LAYERS.Subtract,
    _LAYERS.Maximum,
    _LAYERS.Minimum,
    _LAYERS.Average,
    _LAYERS.Rescaling,
)


def quantize_aware(model, fine_tuning, *, keeps_zeros):
    """Fine-tunes a model that computes as its int8 file will.

    Args:
        model: tf_keras functional model; copied, not changed.
        fine_tuning: FineTuning.
        keeps_zeros: bool, whether weights that are zero stay zero. Plain training fills them again in one epoch.

    Returns:
        Tuple `(model, history)`: the trained tf_keras model with quantization wrappers, and the training history.

    Raises:
        UserError: a layer tfmot cannot quantize (named), with the way out.
    """
    registry = QuantizeRegistry()
    for layer in model.layers:
        _check(layer, registry)
    annotated = tf_keras.models.clone_model(model, clone_function=_annotated)
    annotated.set_weights(model.get_weights())
    try:
        with _Q.quantize_scope():
            quantized = _Q.quantize_apply(annotated, scheme(keeps_zeros=keeps_zeros))
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            "tfmot must be able to quantize the model for 'int8_qat'. "
            f"Received: model {model.name!r}, refused with: {error}. Use 'int8' instead of 'int8_qat'."
        ) from error
    return quantized, fine_tuning.fit(quantized)


def _check(layer, registry):
    is_integer_input = isinstance(layer, _LAYERS.InputLayer) and not layer.dtype.startswith("float")
    is_known = isinstance(layer, (_LAYERS.InputLayer, _LAYERS.BatchNormalization))
    is_known = is_known or isinstance(layer, _OUTPUT_ONLY) or registry.supports(layer)
    if is_known and not is_integer_input:
        return
    raise UserError(
        "'int8_qat' needs layers that tfmot can quantize. Received: layer "
        f"{layer.name!r} of class {type(layer).__name__}{' with integers' if is_integer_input else ''}. "
        "Use 'int8' instead of 'int8_qat': it needs no training and takes every layer."
    )


def _annotated(layer):
    if isinstance(layer, _LAYERS.InputLayer):
        return layer
    copy = type(layer).from_config(layer.get_config())
    is_own = isinstance(layer, _LAYERS.Activation) and layer.activation in _FUNCTIONS_OF_OURS
    is_lone = isinstance(layer, _LAYERS.BatchNormalization) and not _is_folded(layer)
    if is_own or is_lone or isinstance(layer, _OUTPUT_ONLY):
        return _Q.quantize_annotate_layer(copy, OutputQuantizeConfig())
    return _Q.quantize_annotate_layer(copy)


def _is_folded(normalization):
    """Whether the layer before is a convolution or dense layer that nothing else reads."""
    if len(normalization.inbound_nodes) != 1:
        return False
    producer = normalization.input._keras_history.layer
    is_linear = getattr(producer, "activation", None) is tf_keras.activations.linear
    return isinstance(producer, _FOLDING) and is_linear and len(producer.outbound_nodes) == 1
