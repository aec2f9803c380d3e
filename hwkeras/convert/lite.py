"""`hwkeras.lite`: TensorFlow's converter by its own words, with our checks behind it.

A program that says `tf.lite.TFLiteConverter` runs with `import hwkeras as tf`; every file is loaded and compared with
the model before it is returned.
"""

from __future__ import annotations

import enum

import numpy as np

from hwkeras.convert.converter import convert
from hwkeras.errors import UserError


class Optimize(enum.Enum):
    """What `TFLiteConverter.optimizations` may hold."""

    DEFAULT = "DEFAULT"


class TFLiteConverter:
    """Converts a Keras 3 model, as `tf.lite.TFLiteConverter` does.

    No optimization gives `float32`; `[Optimize.DEFAULT]` gives `dynamic`, and with a `representative_dataset` `int8`,
    whose input and output are int8 too.

    Args:
        model: built keras.Model.

    Attributes:
        optimizations: list of `Optimize`. Defaults to `[]`.
        representative_dataset: callable whose generator yields lists of one array of shape (1, ...) an input.
            Defaults to `None`.
    """

    def __init__(self, model):
        self._model = model
        self.optimizations = []
        self.representative_dataset = None

    @classmethod
    def from_keras_model(cls, model):
        """Makes the converter of a model.

        Args:
            model: built keras.Model.

        Returns:
            TFLiteConverter.
        """
        return cls(model)

    def convert(self):
        """Converts and checks.

        Returns:
            bytes of the `.tflite` file.

        Raises:
            UserError: an optimization that is not `Optimize.DEFAULT`, or a model that cannot be converted as it is.
            ConversionError: the file does not compute what the model computes.
        """
        unknown = [asked for asked in self.optimizations if getattr(asked, "name", asked) != "DEFAULT"]
        if unknown:
            raise UserError(f"`optimizations` may hold Optimize.DEFAULT. Received: {unknown[0]!r}.")
        if not self.optimizations:
            return convert(self._model, "float32").flatbuffer
        if self.representative_dataset is None:
            return convert(self._model, "dynamic").flatbuffer
        rows = list(self.representative_dataset())
        samples = [np.concatenate(arrays) for arrays in zip(*rows, strict=True)]
        return convert(self._model, "int8", samples[0] if len(samples) == 1 else samples).flatbuffer
