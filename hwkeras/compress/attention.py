"""Multi-head attention taken apart into the products it is made of, so that each trains quantized.

Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
"""

from __future__ import annotations

import math

import tensorflow as tf

from hwkeras.compress.legacy import tf_keras

_LAYERS = tf_keras.layers


@tf_keras.utils.register_keras_serializable(package="hwkeras")
class MatMul(tf_keras.layers.Layer):
    """The matrix product of two tensors over their last two axes.

    Args:
        transpose_b: bool, whether the second tensor is transposed first. Defaults to `False`.
        **kwargs: of `tf_keras.layers.Layer`, such as `name`.
    """

    def __init__(self, transpose_b=False, **kwargs):
        super().__init__(**kwargs)
        self.transpose_b = transpose_b

    def call(self, inputs):
        """Multiplies.

        Args:
            inputs: list of two tensors of shape (..., m, k) and (..., k, n), or (..., n, k) if transposed.

        Returns:
            Tensor of shape (..., m, n).
        """
        first, second = inputs
        return tf.matmul(first, second, transpose_b=self.transpose_b)

    def compute_output_shape(self, input_shape):
        """The shape of the product.

        Args:
            input_shape: list of two shapes.

        Returns:
            tf.TensorShape.
        """
        first, second = (tuple(shape) for shape in input_shape)
        return tf.TensorShape((*first[:-1], second[-2 if self.transpose_b else -1]))

    def get_config(self):
        """The arguments, for Keras.

        Returns:
            Dict.
        """
        return {**super().get_config(), "transpose_b": self.transpose_b}


def can_be_taken_apart(layer, args, kwargs):
    """Whether `take_apart` knows how to express one call of an attention layer.

    Args:
        layer: tf_keras MultiHeadAttention.
        args: tuple, the call's arguments.
        kwargs: dict, the call's keyword arguments.

    Returns:
        bool; False for attention over several axes, with a mask, or whose scores are asked for.
    """
    given = {name: value for name, value in kwargs.items() if value is not None and value is not False}
    tensors = [*args, *given.values()]
    is_plain = set(given) <= {"query", "value", "key"} and len(args) <= 3
    if not is_plain or any(len(tensor.shape) != 3 or None in tensor.shape[1:] for tensor in tensors):
        return False
    return layer.get_config()["attention_axes"] in (None, (1,), [1])


class AttentionParts:
    """The layers an attention layer becomes: four dense ones around two products.

    Args:
        layer: tf_keras MultiHeadAttention, built.
        name: function str -> str that makes a free layer name of a wanted one.
    """

    def __init__(self, layer, name):
        self._layer = layer
        self._config = layer.get_config()
        self._name = lambda part: name(f"{layer.name}_{part}")
        units = {"query": "key_dim", "key": "key_dim", "value": "value_dim"}
        # NOTE: `value_dim` is None in the configuration of a layer that was made without it.
        sizes = {part: self._config[key] or self._config["key_dim"] for part, key in units.items()}
        self._sizes = sizes
        self._dense = {part: self._projection(part, self._config["num_heads"] * size) for part, size in sizes.items()}
        self._dense["output"] = self._projection("output", layer._output_dense.kernel.shape[-1])
        self._inner = {
            "scores": MatMul(transpose_b=True, name=self._name("scores")),
            "softmax": _LAYERS.Softmax(name=self._name("softmax")),
            "dropout": _LAYERS.Dropout(self._config["dropout"], name=self._name("dropout")),
            "mixed": MatMul(name=self._name("mixed")),
        }

    def __call__(self, query, value, key=None):
        """Attends.

        Args:
            query: tensor of shape (batch, targets, channels).
            value: tensor of shape (batch, sources, channels).
            key: tensor of shape (batch, sources, channels). Defaults to `None`: `value`.

        Returns:
            Tensor of shape (batch, targets, output channels).
        """
        key = value if key is None else key
        queries, keys, values = self._heads("query", query), self._heads("key", key), self._heads("value", value)
        scores = self._inner["softmax"](self._inner["scores"]([queries, keys]))
        if self._config["dropout"]:
            scores = self._inner["dropout"](scores)
        mixed = _LAYERS.Permute((2, 1, 3), name=self._name("merge"))(self._inner["mixed"]([scores, values]))
        size = self._config["num_heads"] * self._sizes["value"]
        flat = _LAYERS.Reshape((query.shape[1], size), name=self._name("flat"))(mixed)
        return self._dense["output"](flat)

    def copy_weights(self):
        """Sets the dense layers' weights; the division by the root of the key size goes into the query's."""
        scale = 1.0 / math.sqrt(self._config["key_dim"])
        for part, dense in self._dense.items():
            values = getattr(self._layer, f"_{part}_dense").get_weights()
            factor = scale if part == "query" else 1.0
            dense.set_weights(
                [value.reshape(weight.shape) * factor for value, weight in zip(values, dense.weights, strict=True)]
            )

    def _projection(self, part, units):
        shared = ("use_bias", "trainable", "kernel_regularizer", "bias_regularizer")
        return _LAYERS.Dense(units, name=self._name(part), **{key: self._config[key] for key in shared})

    def _heads(self, part, tensor):
        """A projection of shape (batch, heads, length, size)."""
        shape = (tensor.shape[1], self._config["num_heads"], self._sizes[part])
        split = _LAYERS.Reshape(shape, name=self._name(f"{part}_split"))(self._dense[part](tensor))
        return _LAYERS.Permute((2, 1, 3), name=self._name(f"{part}_heads"))(split)
