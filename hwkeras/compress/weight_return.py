"""Trained weights of a tf_keras twin, back into a Keras 3 model."""

from __future__ import annotations

import keras

from hwkeras.compress.equality import ask
from hwkeras.compress.equality import require_equal
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot
from hwkeras.compress.twinning import Twin
from hwkeras.compress.twinning import answers
from hwkeras.errors import UserError

_STRIPPED_BY = {
    "PruneLowMagnitude": tfmot.sparsity.keras.strip_pruning,
    "ClusterWeights": tfmot.clustering.keras.strip_clustering,
}
_QUANTIZED = ("QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2")


def return_weights(trained, model):
    """Puts the weights of a pruned, clustered or fine-tuned twin into a copy of the Keras 3 model it is the twin of.

    Args:
        trained: tf_keras.Model, made from `twin(model)`, such as `Compressed.model` of a recipe without `int8_qat`;
            tfmot's pruning and clustering wrappers are stripped.
        model: keras.Model; left as it is. Of a recipe with `channels`, the smaller model.

    Returns:
        keras.Model with the layers of `model` and the weights of `trained`, not compiled.

    Raises:
        UserError: `trained` is no tf_keras model, is quantized, or not of the layers of `model`.
        CompressionError: `model` has no twin, or the two do not answer alike on seeded random inputs within 1e-5.
    """
    if not isinstance(trained, tf_keras.Model):
        raise UserError(
            "`trained` must be a tf_keras model. Received: "
            f"{type(trained).__module__}.{type(trained).__name__}. Make it with `hwkeras.twin`."
        )
    stripped = _stripped(trained)
    copy = _copied(model)
    made = Twin(copy)
    found = {layer.name: layer for layer in _layers_within(stripped)}
    for layer, translation in made.walk.translations.values():
        if translation.has_weights:
            layer.set_weights(_weights(layer, translation, found, model))
    require_equal(
        ask(stripped, made.samples),
        answers(copy, made.samples),
        f"The Keras 3 copy of {model.name!r} must equal the trained twin",
        lambda: "a layer without weights was changed, or the twin is of another model",
        "Give the model that the twin was made of.",
    )
    return copy


def _weights(layer, translation, found, model):
    names = [part.name for part in translation.parts if part.weights]
    missing = [name for name in names if name not in found]
    values = [value for name in names if name in found for value in found[name].get_weights()]
    if missing or [value.shape for value in values] != [value.shape for value in layer.get_weights()]:
        what = f"no layer {missing[0]!r}" if missing else f"weights of other shapes in {names[0]!r}"
        raise UserError(
            f"`trained` must be made from the twin of `model`. Received: {what}, which layer {layer.name!r} of "
            f"{model.name!r} became. After 'channels' give the smaller model."
        )
    return values


def _stripped(model):
    for kind, strip in _STRIPPED_BY.items():
        if any(type(layer).__name__ == kind for layer in model.layers):
            model = strip(model)
    if any(type(layer).__name__ in _QUANTIZED for layer in model.layers):
        raise UserError(
            "A model trained with 'int8_qat' computes with rounded weights, which no Keras 3 model does. Received: "
            f"{model.name!r}. Return the weights of a recipe without 'int8_qat'."
        )
    return model


def _copied(model):
    def copied(layer):
        # A Python function is shared, not written down and read again.
        is_code = isinstance(layer, keras.layers.Lambda)
        return layer if is_code else type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # It computes with constants made of its weights.
    return copy


def _layers_within(layer):
    """A model's layers, with those inside wrappers and nested models."""
    for inner in [*getattr(layer, "layers", ()), *filter(None, [getattr(layer, "layer", None)])]:
        yield inner
        yield from _layers_within(inner)
