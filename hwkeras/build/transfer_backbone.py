"""A trained network whose first layers are used again: copied for each model, cut where it is asked."""

from __future__ import annotations

import functools
import hashlib

import keras
import numpy as np

from hwkeras.build.transfer_cuts import Places
from hwkeras.build.transfer_cuts import calls_of
from hwkeras.errors import UserError

_DIGITS = 12
# Of a backbone that takes any size: large enough to halve five times, the size keras.applications are published with.
_USUAL_SIDE = 224


class Backbone:
    """A copy of a trained network, without nested models, from which others grow.

    What is done to the network it was copied from, or to one that grew from it, does not change it.

    Args:
        model: keras.Model, Sequential or functional, of one image input.
        is_trained: bool, whether what grows has its weights; else it has new ones. Defaults to `True`.

    Attributes:
        places: `Places` where it may be cut off.
        channels: int, of the images it takes.

    Raises:
        UserError: a model without a layer graph, of several inputs or outputs, not of images, or with a layer that
            cannot be copied.
    """

    def __init__(self, model, is_trained=True):
        self._is_trained = is_trained
        _require_one_image(model)
        _, *size, self.channels = model.inputs[0].shape
        # NOTE: a name of Keras' own choice would depend on what was made before, and the identity on it.
        image = keras.Input((*(side or _USUAL_SIDE for side in size), self.channels), name="backbone_image")
        copies = _Copies()
        try:
            outputs = copies.replay(model, [image])
            self._model = keras.Model(image, outputs[0], name=model.name)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise UserError(
                f"`backbone` must be of layers that can be copied from their configuration. Received: {model.name!r} "
                f"({str(error).strip().splitlines()[0]}). Replace the layer by built-in ones, or cut the model before "
                "it by `keras.Model(inputs, outputs)`."
            ) from error
        copies.copy_weights()
        self.places = Places(self._model)

    @functools.cached_property
    def identity(self):
        """str, name and fingerprint: other layers, or other weights that count, have another."""
        digest = hashlib.sha256(self._model.to_json().encode())
        for weight in self._model.get_weights() if self._is_trained else ():
            digest.update(np.ascontiguousarray(weight).tobytes())
        return f"{self._model.name}@{digest.hexdigest()[:_DIGITS]}"

    def grow(self, image, cut):
        """Applies the layers up to a cut, new ones with equal weights.

        Args:
            image: Keras tensor of shape (batch, height, width, channels).
            cut: str, a name of `places.tensors`.

        Returns:
            Keras tensor; dict of the name of each layer in `cut`'s part of the backbone to the new layer.

        Raises:
            UserError: the layers do not fit the size of the image.
        """
        copies = _Copies()
        try:
            (features,) = copies.replay(self._until(cut), [image])
        except ValueError as error:  # Keras' word for layers that do not fit each other
            raise UserError(
                f"The images must be of a size that the backbone takes. Received: {tuple(image.shape[1:3])}, of which "
                f"{self._model.name!r} makes nothing up to {cut!r} ({str(error).strip().splitlines()[0]}). Pass larger "
                "images, `resolutions=0.5` to enlarge them, or earlier `cuts`."
            ) from error
        if self._is_trained:
            copies.copy_weights()
        return features, {operation.name: copy for operation, copy in copies.pairs() if _is_layer(copy)}

    def layers_until(self, cut):
        """The layers a cut keeps.

        Args:
            cut: str, a name of `places.tensors`.

        Returns:
            frozenset of str.
        """
        return frozenset(node.operation.name for node in calls_of(self._until(cut)))

    def _until(self, cut):
        return keras.Model(self._model.inputs, self.places.tensors[cut])


class _Copies:
    """New operations of the configuration of others, the same for the same."""

    def __init__(self):
        self._copies = {}

    def replay(self, model, tensors, prefix=""):
        """Calls copies of a model's operations, those of the models nested in it too, on other tensors.

        Args:
            model: keras.Model.
            tensors: list of Keras tensors, in the order of its inputs.
            prefix: str, put before their names. Defaults to `""`.

        Returns:
            list of Keras tensors, in the order of its outputs.
        """
        plain = keras.Model(model.inputs, model.outputs)
        values = {id(old): new for old, new in zip(plain.inputs, tensors, strict=True)}

        def value_of(argument):
            return values[id(argument)] if isinstance(argument, keras.KerasTensor) else argument

        for node in calls_of(plain):
            args, kwargs = keras.tree.map_structure(value_of, (node.arguments.args, node.arguments.kwargs))
            operation = node.operation
            if isinstance(operation, keras.Model):
                given = [each for each in keras.tree.flatten((args, kwargs)) if isinstance(each, keras.KerasTensor)]
                outputs = self.replay(operation, given, f"{prefix}{operation.name}_")
            else:
                outputs = keras.tree.flatten(self._copy_of(operation, prefix)(*args, **kwargs))
            values.update(zip(map(id, node.outputs), outputs, strict=True))
        return [values[id(output)] for output in plain.outputs]

    def _copy_of(self, operation, prefix):
        if id(operation) not in self._copies:
            config = operation.get_config() | ({"name": prefix + operation.name} if prefix else {})
            self._copies[id(operation)] = (operation, type(operation).from_config(config))
        return self._copies[id(operation)][1]

    def pairs(self):
        """The operations and their copies, in the order of their first calls."""
        return self._copies.values()

    def copy_weights(self):
        """Gives every copy the weights of its original."""
        for operation, copy in self.pairs():
            if _is_layer(copy):
                copy.set_weights(operation.get_weights())


def _is_layer(operation):
    return isinstance(operation, keras.layers.Layer)


def _require_one_image(model):
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[-1] is None:
        raise UserError(
            "`backbone` must have a layer graph from one image to one output: a built Sequential or functional model. "
            f"Received: {type(model).__name__} {model.name!r} with inputs of shape "
            f"{[tuple(each.shape) for each in inputs]} and {len(outputs)} outputs. Rebuild it by "
            "`keras.Model(inputs, outputs)`."
        )
