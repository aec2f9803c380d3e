"""Quantization-aware training: a model that computes as its int8 file will, wherever its layers allow.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
10.1109/CVPR.2018.00286.
"""

from __future__ import annotations

import tensorflow as tf

from hwkeras.compress.best_weights import BestWeights
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot
from hwkeras.compress.legacy_graph import fresh_inputs
from hwkeras.compress.legacy_graph import mask_of
from hwkeras.compress.legacy_graph import replay
from hwkeras.compress.preservation import Preservation
from hwkeras.compress.quantize_scheme import placements
from hwkeras.compress.quantizers import LayerQuantization
from hwkeras.compress.rewriting import rewrite
from hwkeras.errors import UserError

# Of the rate of other fine-tunings: trained weights only give way to the rounding. Wu et al., "Integer Quantization for
# Deep Learning Inference", 2020, arXiv:2004.09602, take a hundredth of the rate of the training.
_RATE_SHARE = 0.1
# By so many batches the ranges of outputs are known before the first step.
_RANGE_BATCHES = 8
_Wrapper = tfmot.quantization.keras.QuantizeWrapperV2


def quantize_aware(model, fine_tuning, *, keeps_zeros=False, keeps_clusters=False):
    """Fine-tunes a model that computes as its int8 file will, at a tenth of the rate of other fine-tunings.

    With validation data the weights that do best on it are kept, those before the first step among them.

    What tfmot cannot quantize is first written as what it can (see `rewrite`). A layer for which there is no such form
    trains in float, its output rounded; the converter quantizes its inside from the calibration samples.

    Args:
        model: tf_keras functional model; copied, not changed.
        fine_tuning: FineTuning.
        keeps_zeros: bool, whether weights that are zero stay zero. Plain training fills them again in one epoch.
            Defaults to `False`.
        keeps_clusters: bool, whether weights of one layer that are equal stay equal. Defaults to `False`.

    Returns:
        Tuple `(model, history, notes)`: the trained tf_keras model with quantization wrappers, the training history,
        and a tuple of str: one for each layer that trained in float, with the reason, and one where the last epoch was
        not the best.

    Raises:
        UserError: a model of which nothing can be trained quantized, or a recurrent layer that cannot be unrolled
            (named), with the way out.
        CompressionError: a rewritten model that answers differently.
    """
    rewritten = rewrite(model)
    plan = placements(rewritten)
    notes = tuple(_note(layer, plan[layer.name].reason) for layer in rewritten.layers if plan[layer.name].reason)
    if not any(placement.quantization and placement.quantization.weights for placement in plan.values()):
        raise UserError(
            "'int8_qat' needs a layer whose weights can be rounded while it trains: a convolution, a dense layer or an "
            f"embedding. Received: model {model.name!r}{' in which ' if notes else ''}{'; '.join(notes)}. Use 'int8' "
            "instead of 'int8_qat': it needs no training."
        )
    quantized = _wrapped(rewritten, plan)
    callbacks = []
    if keeps_zeros or keeps_clusters:
        kernels = quantized.trainable_variables
        callbacks.append(Preservation(kernels, keeps_zeros=keeps_zeros, keeps_clusters=keeps_clusters))
    best = None
    if fine_tuning.validation_data is not None:
        _set_ranges(quantized, rewritten, fine_tuning)
        best = BestWeights(fine_tuning.validation_data, fine_tuning.batch_size)
        callbacks.append(best)
    history = fine_tuning.gentler(_RATE_SHARE).fit(quantized, callbacks)
    if best is not None and best.epoch < fine_tuning.epochs:
        which = f"those of epoch {best.epoch} of {fine_tuning.epochs}" if best.epoch else "those before training"
        notes += (f"of the weights trained as int8, {which} are kept: none were better on validation data",)
    return quantized, history, notes


def _set_ranges(quantized, rewritten, fine_tuning):
    """Finds the ranges of all outputs before anything is trained."""
    before = [variable.numpy() for variable in rewritten.variables]
    size, x = fine_tuning.batch_size, fine_tuning.x
    several = x if isinstance(x, list) else [x]
    for start in range(0, min(_RANGE_BATCHES * size, len(several[0])), size):
        part = [each[start : start + size] for each in several]
        quantized(part if len(part) > 1 else part[0], training=True)
    for variable, value in zip(rewritten.variables, before, strict=True):
        variable.assign(value)


def _note(layer, reason):
    return f"layer {layer.name!r} ({type(layer).__name__}) trains in float: {reason}"


def _wrapped(model, plan):
    """The model with its layers in tfmot's wrappers; it shares its weights with the one given."""
    builder = _Builder(plan)
    inputs = fresh_inputs(model)
    outputs = replay(model, [builder.rounded(tensor) for tensor in inputs], builder.visit)
    return tf_keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=model.name)


class _Builder:
    """Calls each layer of a model in the wrapper its placement asks for."""

    def __init__(self, plan):
        self._plan = plan
        self._wrappers = {}
        self._num_rounded = 0

    def visit(self, layer, args, kwargs):
        """Makes one call of one layer.

        Args:
            layer: tf_keras layer.
            args: tuple, the call's arguments.
            kwargs: dict, the call's keyword arguments.

        Returns:
            The outputs.
        """
        placement = self._plan[layer.name]
        if placement.quantization is None:
            outputs = layer(*args, **kwargs)
            is_rounded = placement.reason is not None and not placement.is_bare
            return tf.nest.map_structure(self.rounded, outputs) if is_rounded else outputs
        if layer.name not in self._wrappers:
            self._wrappers[layer.name] = _Wrapper(layer, placement.quantization)
        return self._wrappers[layer.name](*args, **kwargs)

    def rounded(self, tensor):
        """Rounds a tensor as an int8 file would.

        Args:
            tensor: a tf_keras tensor.

        Returns:
            A tensor; of integers, or with a mask, the one given.
        """
        if not tensor.dtype.is_floating or mask_of(tensor) is not None:
            return tensor
        self._num_rounded += 1
        identity = tf_keras.layers.Activation("linear", name=f"rounded_{self._num_rounded}")
        return _Wrapper(identity, LayerQuantization(output=True))(tensor)
