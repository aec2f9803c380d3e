"""What rounds to 8 bits while training: weights by the values they have, outputs by a range that follows them."""

from __future__ import annotations

import tensorflow as tf

from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot

_Q = tfmot.quantization.keras
# How much of the range of earlier batches is kept with each new one.
_KEPT = 0.95
# Of an output that was never anything but zero: that of nothing would be a scale no kernel computes with.
_RANGE_OF_ZEROS = 1.0


class OutputQuantizer(_Q.quantizers.Quantizer):
    """Rounds a tensor to 256 steps over a moving average of its batches' ranges.

    tfmot's own average begins at -6 to 6 and forgets that within thousands of steps; this one begins with the first
    batch and follows within tens, so that a short training ends with the range of what it quantizes.
    """

    def build(self, tensor_shape, name, layer):
        """Makes the range's variables.

        Args:
            tensor_shape: not used.
            name: str, prefix of the variables' names.
            layer: tf_keras layer that holds them.

        Returns:
            Dict of name to variable.
        """
        zero = tf_keras.initializers.Constant(0.0)
        return {
            f"{end}_var": layer.add_weight(f"{name}_{end}", shape=(), initializer=zero, trainable=False)
            for end in ("min", "max")
        }

    def __call__(self, inputs, training, weights, **kwargs):
        """Rounds; while training the range is updated first.

        Args:
            inputs: float tensor.
            training: bool.
            weights: dict, what `build` returned.
            **kwargs: not used.

        Returns:
            Tensor of the same shape.
        """
        low, high = weights["min_var"], weights["max_var"]
        if training:
            # TFLite needs zero within every range.
            batch = tf.minimum(tf.reduce_min(inputs), 0.0), tf.maximum(tf.reduce_max(inputs), 0.0)
            # A batch of zeros, such as of ReLUs that are all off, says nothing of the range.
            kept = tf.where(tf.equal(*batch), 1.0, tf.where(tf.equal(low, high), 0.0, _KEPT))
            low, high = (
                end.assign(kept * end + (1.0 - kept) * tf.stop_gradient(now))
                for end, now in zip((low, high), batch, strict=True)
            )
        high = tf.where(tf.equal(low, high), _RANGE_OF_ZEROS, high)
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)

    def get_config(self):
        """No arguments, for Keras.

        Returns:
            Dict.
        """
        return {}


class ChannelQuantizer(_Q.quantizers.LastValueQuantizer):
    """Rounds a kernel of rank 4 to 255 steps per output channel, the last axis."""

    def __init__(self):
        super().__init__(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)

    def build(self, tensor_shape, name, layer):
        """Makes the ranges' variables.

        Args:
            tensor_shape: shape of the kernel.
            name: str, prefix of the variables' names.
            layer: tf_keras layer that holds them.

        Returns:
            Dict of name to variable, one number per channel each.
        """
        return {
            f"{end}_var": layer.add_weight(
                f"{name}_{end}",
                shape=(tensor_shape[-1],),
                initializer=tf_keras.initializers.Constant(start),
                trainable=False,
            )
            for end, start in (("min", -1.0), ("max", 1.0))
        }

    def get_config(self):
        """No arguments, for Keras.

        Returns:
            Dict.
        """
        return {}


class DepthwiseQuantizer(ChannelQuantizer):
    """Rounds a depthwise kernel to 255 steps per output channel, as its file holds it.

    The channels are on the last two axes. tfmot takes the last one alone for them, which is of size 1 as a rule: one
    range for all channels, of which those with small weights then keep few of the steps.
    """

    def build(self, tensor_shape, name, layer):
        """Makes the ranges' variables.

        Args:
            tensor_shape: (height, width, channels, multiplier).
            name: str, prefix of the variables' names.
            layer: tf_keras layer that holds them.

        Returns:
            Dict of name to variable, one number per output channel each.
        """
        return super().build((*tensor_shape[:2], tensor_shape[2] * tensor_shape[3]), name, layer)

    def __call__(self, inputs, training, weights, **kwargs):
        """Rounds.

        Args:
            inputs: float tensor of shape (height, width, channels, multiplier).
            training: bool.
            weights: dict, what `build` returned.
            **kwargs: passed on.

        Returns:
            Tensor of the same shape.
        """
        height, width, channels, multiplier = inputs.shape
        flat = tf.reshape(inputs, (1, height, width, channels * multiplier))
        return tf.reshape(super().__call__(flat, training, weights, **kwargs), inputs.shape)


class TensorQuantizer(_Q.quantizers.LastValueQuantizer):
    """Rounds a weight to 255 steps, one range for all of it."""

    def __init__(self):
        super().__init__(num_bits=8, per_axis=False, symmetric=True, narrow_range=True)

    def get_config(self):
        """No arguments, for Keras.

        Returns:
            Dict.
        """
        return {}


class TransposedQuantizer(TensorQuantizer):
    """Rounds the kernel of a transposed convolution in the layout of the file, where the converter looks for it."""

    def __call__(self, inputs, training, weights, **kwargs):
        """Rounds.

        Args:
            inputs: float tensor of shape (height, width, outputs, inputs).
            training: bool.
            weights: dict, what `build` returned.
            **kwargs: passed on.

        Returns:
            Tensor of the same shape.
        """
        order = (0, 1, 3, 2)
        return tf.transpose(super().__call__(tf.transpose(inputs, order), training, weights, **kwargs), order)


class LayerQuantization(_Q.QuantizeConfig):
    """What of one layer is rounded while it trains.

    Args:
        weights: mapping of a weight's attribute name to its quantizer. Defaults to none.
        activation: bool, whether the layer's activation is rounded. Defaults to `False`.
        output: bool, whether the layer's one output is rounded. Defaults to `False`.
    """

    def __init__(self, weights=None, activation=False, output=False):
        self.weights = dict(weights or {})
        self.activation = activation
        self.output = output

    def get_weights_and_quantizers(self, layer):
        """What tfmot's wrapper asks: the weights to round.

        Args:
            layer: tf_keras layer.

        Returns:
            List of tuples (variable, quantizer).
        """
        return [(getattr(layer, name), quantizer) for name, quantizer in self.weights.items()]

    def get_activations_and_quantizers(self, layer):
        """What tfmot's wrapper asks: the activations to round.

        Args:
            layer: tf_keras layer.

        Returns:
            List of tuples (function, quantizer).
        """
        return [(layer.activation, OutputQuantizer())] if self.activation else []

    def set_quantize_weights(self, layer, quantize_weights):
        """Puts the rounded weights in place of the layer's own.

        Args:
            layer: tf_keras layer.
            quantize_weights: list of tensors, in the order of `get_weights_and_quantizers`.
        """
        for name, value in zip(self.weights, quantize_weights, strict=True):
            setattr(layer, name, value)

    def set_quantize_activations(self, layer, quantize_activations):
        """Puts the rounding activation in place of the layer's own.

        Args:
            layer: tf_keras layer.
            quantize_activations: list of functions, in the order of `get_activations_and_quantizers`.
        """
        for function in quantize_activations:
            layer.activation = function

    def get_output_quantizers(self, layer):
        """What tfmot's wrapper asks: the outputs to round.

        Args:
            layer: tf_keras layer.

        Returns:
            List of quantizers, one or none.
        """
        return [OutputQuantizer()] if self.output else []

    def get_config(self):
        """The arguments, for Keras.

        Returns:
            Dict.
        """
        return {"weights": self.weights, "activation": self.activation, "output": self.output}
