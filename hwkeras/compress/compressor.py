"""A Keras 3 model in, a compressed `.tflite` file out, with the report that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwkeras.compress.finetuning import FineTuning
from hwkeras.compress.finetuning import legacy_loss
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.compress.flatbuffer import float_operators
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.proof import find_pruned
from hwkeras.compress.pruning import prunable_weights
from hwkeras.compress.pruning import prune
from hwkeras.compress.pruning import skip_reason
from hwkeras.compress.pruning import sparsity_of
from hwkeras.compress.qat import quantize_aware
from hwkeras.compress.recipe import Recipe
from hwkeras.compress.report import CompressionReport
from hwkeras.compress.report import LayerReport
from hwkeras.compress.report import gzip_size
from hwkeras.compress.twinning import twin
from hwkeras.errors import DataError

_CALIBRATION_SAMPLES = 200
_CALIBRATION_SEED = 0


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Args:
        tflite: bytes, the file to ship.
        model: tf_keras.Model it was converted from, fine-tuned; with quantization wrappers after `int8_qat`.
        report: CompressionReport.
    """

    tflite: bytes
    model: Any
    report: CompressionReport


def compress(
    model, recipe, data, *, validation_data=None, epochs=3, batch_size=64, learning_rate=1e-3, **fit_arguments
):
    """Compresses a trained Keras 3 model; the model itself is left as it is.

    Each step that trains (`prune`, `int8_qat`) fine-tunes for `epochs` with Adam and the loss the model was compiled
    with. What was asked for is then looked up in the final bytes.

    Args:
        model: keras.Model, Sequential or functional, trained.
        recipe: str such as `"prune=0.5"`, `"int8"`, `"int8_qat"`, `"prune=0.5+int8_qat"`, or a Recipe.
        data: tuple `(x, y)` of training data as `fit` takes it, arrays with the samples on the first axis; `x` a list
            of arrays for several inputs. `y` may be None where nothing is trained.
        validation_data: tuple `(x, y)`, evaluated after each epoch into `report.history`. Defaults to `None`.
        epochs: int, of each fine-tuning. Defaults to `3`.
        batch_size: int. Defaults to `64`.
        learning_rate: float. Defaults to `1e-3`.
        **fit_arguments: `callbacks`, `class_weight`, `sample_weight`, `shuffle`, `validation_batch_size`,
            `validation_freq` and `verbose` (`0` unless given), passed to `fit` as they are.

    Returns:
        Compressed.

    Raises:
        UserError: a wrong recipe, argument, or a model without a layer graph; a layer `int8_qat` cannot take.
        DataError: data that does not fit the model, or no labels where training needs them.
        CompressionError: no equal tf_keras model, or a step that did not take.
        ConversionError: the converter refuses the result.
    """
    recipe = Recipe.parse(recipe)
    start = twin(model)
    x, y = _checked(start, recipe, data)
    fine_tuning = None
    if recipe.needs_training:
        loss = legacy_loss(model, x, y)
        fine_tuning = FineTuning(loss, x, y, validation_data, epochs, batch_size, learning_rate, fit_arguments)
    return _Compression(recipe, x, fine_tuning).run(start)


class _Compression:
    """One run of a recipe's steps, in their fixed order: prune, quantize, convert, prove."""

    def __init__(self, recipe, x, fine_tuning):
        self.recipe = recipe
        self.x = x
        self.fine_tuning = fine_tuning
        self.history = {}

    def run(self, model):
        """Runs the steps on a tf_keras model.

        Args:
            model: tf_keras.Model, the twin.

        Returns:
            Compressed.
        """
        before, pruned_weights = _sparsities(model), ()
        if self.recipe.sparsity:
            model, pruned_weights, self.history["prune"] = prune(model, self.recipe.sparsity, self.fine_tuning)
        pruned = model
        if self.recipe.is_quantization_aware:
            keeps_zeros = self.recipe.sparsity > 0
            model, self.history["int8_qat"] = quantize_aware(model, self.fine_tuning, keeps_zeros=keeps_zeros)
        content = to_flatbuffer(model, self.recipe.file_precision, self._calibration())
        in_file = find_pruned(pruned_weights, constant_tensors(content), self.recipe.sparsity)
        return Compressed(content, model, self._report(content, pruned, before, in_file))

    def _calibration(self):
        """Samples for the converter, drawn with a fixed seed; None where none are needed."""
        if self.recipe.file_precision != "int8":
            return None
        parts = self.x if isinstance(self.x, list) else [self.x]
        count = min(len(parts[0]), _CALIBRATION_SAMPLES)
        chosen = np.random.default_rng(_CALIBRATION_SEED).choice(len(parts[0]), count, replace=False)
        return [part[chosen] for part in parts]

    def _report(self, content, pruned, before, in_file):
        layers = ()
        if self.recipe.sparsity:
            layers = tuple(self._layer(layer, before, in_file) for layer in pruned.layers if layer.weights)
        is_int8 = self.recipe.file_precision == "int8"
        return CompressionReport(
            recipe=str(self.recipe),
            layers=layers,
            size_bytes=len(content),
            gzip_bytes=gzip_size(content),
            float_operators=float_operators(content) if is_int8 else (),
            history=self.history,
        )

    def _layer(self, layer, before, in_file):
        return LayerReport(
            layer=layer.name,
            sparsity_asked=self.recipe.sparsity,
            sparsity_before=before[layer.name],
            sparsity_after=_sparsity(layer),
            sparsity_in_file=sparsity_of(in_file[layer.name]) if layer.name in in_file else None,
            skipped=skip_reason(layer),
        )


def _sparsities(model):
    return {layer.name: _sparsity(layer) for layer in model.layers if layer.weights}


def _sparsity(layer):
    return sparsity_of(weight.numpy() for weight in prunable_weights(layer) or layer.weights)


def _checked(model, recipe, data):
    """The data as arrays, after asking what a later failure would say less clearly."""
    if data is None and not recipe.needs_training and recipe.file_precision != "int8":
        return None, None
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(
            f"`data` must be a tuple (x, y). Received: {type(data).__name__}. Give the arrays the model was trained on."
        )
    x, y = data
    is_several = isinstance(x, list | tuple)
    parts = [np.asarray(part) for part in (x if is_several else [x])]
    _check_inputs(model, parts)
    if recipe.needs_training and y is None:
        raise DataError(f"The recipe '{recipe}' trains and needs labels. Received: y=None. Give `data` as (x, y).")
    y = None if y is None else np.asarray(y)
    if y is not None and len(y) != len(parts[0]):
        raise DataError(
            f"`data` must hold one label per sample. Received: {len(parts[0])} samples, {len(y)} labels. "
            "Give x and y of one length."
        )
    dtypes = [tensor.dtype.as_numpy_dtype for tensor in model.inputs]
    parts = [part.astype(dtype, copy=False) for part, dtype in zip(parts, dtypes, strict=True)]
    return (parts if is_several else parts[0]), y


def _check_inputs(model, parts):
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    received = [part.shape[1:] for part in parts]
    fits = len(shapes) == len(received) and all(map(_fits, received, shapes))
    if not fits or not all(len(part) for part in parts):
        raise DataError(
            f"The samples must have the shape the model takes, {shapes}. Received: {[part.shape for part in parts]}. "
            "Give x with the samples on the first axis."
        )


def _fits(received, shape):
    return len(received) == len(shape) and all(axis in (None, size) for size, axis in zip(received, shape, strict=True))
