"""The least that a network of an architecture can cost, known without building it: a lower bound in every figure.

What is counted is what no conversion can leave out; batch normalization and activations are taken as folded into the
convolution before them, biases as dropped (the converter drops those that are zero), shapes and metadata as free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.shapes import fourier_factors
from hwkeras.space.shapes import pair

# Channels squeezed to a quarter, as the blocks are built.
_SE_RATIO = 4
# What a recurrent layer computes of each step and state, in multiples of its units.
_GATES = {"gru": 3, "lstm": 4}
_METRICS = ("size_bytes", "peak_ram_bytes", "macs", "params")


@dataclass(frozen=True)
class LeastCost:
    """Lower bounds on what `measure.analyze` says of the converted network.

    Args:
        size_bytes: int, its file: the kernels alone.
        peak_ram_bytes: int, activations alive at once: the inputs and outputs of one operator, and shortcuts meanwhile.
        macs: int, multiply-accumulates; equal to the converted network's unless an operator is rewritten.
        params: int, weights of kernels.
    """

    size_bytes: int
    peak_ram_bytes: int
    macs: int
    params: int

    def metrics(self):
        """The figures under the metric names of `hwkeras.objectives`.

        Returns:
            dict of str to int.
        """
        return {name: getattr(self, name) for name in _METRICS}


def least_cost(architecture, bytes_per_weight=1, bytes_per_activation=1):
    """The least a network costs in any of the precisions that store a weight and an activation in so many bytes.

    Args:
        architecture: Architecture.
        bytes_per_weight: int. Defaults to `1`, the least of any precision.
        bytes_per_activation: int. Defaults to `1`, that of int8.

    Returns:
        LeastCost.

    Raises:
        UserError: bytes that are not positive.
    """
    for name, value in (("bytes_per_weight", bytes_per_weight), ("bytes_per_activation", bytes_per_activation)):
        if not value > 0:
            raise UserError(f"`{name}` must be positive. Received: {name}={value!r}. The least of any precision is 1.")
    steps = [step for _, steps in _steps_by_layer(architecture) for step in steps]
    num_weights, macs = sum(step.weights for step in steps), sum(step.macs for step in steps)
    peak = max((step.alive for step in steps), default=0)
    return LeastCost(num_weights * bytes_per_weight, peak * bytes_per_activation, macs, num_weights)


def layer_costs(architecture):
    """What each layer contributes to `least_cost`.

    Args:
        architecture: Architecture.

    Returns:
        dict of layer name to (multiply-accumulates, weights of kernels), two ints.
    """
    return {
        layer.name: (sum(step.macs for step in steps), sum(step.weights for step in steps))
        for layer, steps in _steps_by_layer(architecture)
    }


def _steps_by_layer(architecture):
    shapes = architecture.output_shapes()
    for layer in architecture.layers:
        inputs = [shapes[name] for name in layer.inputs]
        yield layer, tuple(_STEPS.get(layer.kind, _no_steps)(layer, inputs, shapes[layer.name]))


@dataclass(frozen=True)
class _Step:
    """One operator: its kernel's weights, its multiply-accumulates, the elements alive while it runs."""

    weights: int
    macs: int
    alive: int


def _no_steps(layer, inputs, output):
    return ()


def _conv_step(source, kernel, stride, filters, kept=0):
    """A convolution from a shape; returns the step and the shape it gives."""
    height, width, channels = source
    extent = math.prod(pair(kernel))
    target = (math.ceil(height / stride), math.ceil(width / stride), filters)
    weights = extent * channels * filters
    # One weight an output channel is nothing but its sign in int8; the converter may store equal ones once.
    counted = weights if extent * channels > 1 else 0
    return _Step(counted, math.prod(target) * extent * channels, _size(source) + _size(target) + kept), target


def _depthwise_step(source, kernel, stride, kept=0):
    height, width, channels = source
    extent = math.prod(pair(kernel))
    target = (math.ceil(height / stride), math.ceil(width / stride), channels)
    counted = extent * channels if extent > 1 else 0
    return _Step(counted, math.prod(target) * extent, _size(source) + _size(target) + kept), target


def _squeeze_excite_steps(source, kept=0, squeezed=None):
    size, channels = _size(source), source[-1]
    squeezed = squeezed or max(1, channels // _SE_RATIO)
    held = size + kept
    yield _Step(0, 0, held + channels)
    yield _Step(channels * squeezed if channels > 1 else 0, channels * squeezed, held + channels + squeezed)
    yield _Step(channels * squeezed if squeezed > 1 else 0, channels * squeezed, held + squeezed + channels)
    yield _Step(0, 0, held + channels + size)


def _conv(layer, inputs, output):
    (source,), params = inputs, layer.params
    kept = _size(source) if params["skip"] else 0
    step, shape = _conv_step(source, params["kernel"], params["stride"], params["filters"])
    yield step
    yield from _ending(shape, params, kept)


def _separable_conv(layer, inputs, output):
    (source,), params = inputs, layer.params
    kept = _size(source) if params["skip"] else 0
    step, shape = _depthwise_step(source, params["kernel"], params["stride"])
    yield step
    if params["se"]:
        yield from _squeeze_excite_steps(shape, kept)
    step, shape = _conv_step(shape, 1, 1, params["filters"], kept)
    yield step
    yield from _ending(shape, {**params, "se": False}, kept)


def _depthwise_conv(layer, inputs, output):
    step, _ = _depthwise_step(inputs[0], layer.params["kernel"], layer.params["stride"])
    yield step


def _squeeze_excite(layer, inputs, output):
    yield from _squeeze_excite_steps(inputs[0], squeezed=layer.params["squeezed"])


def _inverted_bottleneck(layer, inputs, output):
    (source,), params = inputs, layer.params
    kept = _size(source) if params["skip"] else 0
    shape = source
    if params["expansion"] > 1:
        step, shape = _conv_step(source, 1, 1, source[-1] * params["expansion"])
        yield step
    is_first = params["expansion"] <= 1
    step, shape = _depthwise_step(shape, params["kernel"], params["stride"], 0 if is_first else kept)
    yield step
    yield from _projection(shape, params, kept)


def _fused_inverted_bottleneck(layer, inputs, output):
    (source,), params = inputs, layer.params
    kept = _size(source) if params["skip"] else 0
    step, shape = _conv_step(source, params["kernel"], params["stride"], source[-1] * params["expansion"])
    yield step
    yield from _projection(shape, params, kept)


def _projection(shape, params, kept):
    if params["se"]:
        yield from _squeeze_excite_steps(shape, kept)
    step, shape = _conv_step(shape, 1, 1, params["filters"], kept)
    yield step
    yield from _ending(shape, {**params, "se": False}, kept)


def _residual(layer, inputs, output):
    (source,), params = inputs, layer.params
    kept = _size(source) if params["skip"] else 0
    step, shape = _conv_step(source, params["kernel"], params["stride"], params["filters"])
    yield step
    step, shape = _conv_step(shape, params["kernel"], 1, params["filters"], min(kept, _size(output)))
    yield step
    if params["se"]:
        yield from _squeeze_excite_steps(shape, min(kept, _size(output)))
    if not params["skip"]:
        return
    if params["stride"] != 1 or source[-1] != params["filters"]:
        step, _ = _conv_step(source, 1, params["stride"], params["filters"])
        yield step
    yield _Step(0, 0, 3 * _size(output))


def _ending(shape, params, kept):
    """Squeeze and excitation, and the addition of a shortcut of the same shape."""
    if params["se"]:
        yield from _squeeze_excite_steps(shape, kept)
    if params["skip"]:
        yield _Step(0, 0, kept + 2 * _size(shape))


def _dense(layer, inputs, output):
    (num_inputs,), (num_units,) = inputs[0], output
    weights = num_inputs * num_units
    yield _Step(weights if num_inputs > 1 else 0, weights, num_inputs + num_units)


def _log_mel(layer, inputs, output):
    # A Fourier transform in two steps, see `fourier_factors`; then the sums of the bands.
    (frames, num_mels, _), (first, second) = output, fourier_factors(layer.params["frame"])
    kept = first // 2 + 1
    heard, transformed = frames * first * second, frames * second * 2 * kept
    yield _Step(first * second * 2 * kept, frames * first * second * 2 * kept, heard + transformed)
    yield _Step(4 * second**2, frames * kept * 4 * second**2, 2 * transformed)
    yield _Step(kept * second * num_mels, frames * kept * second * num_mels, frames * (kept * second + num_mels))


def _embedding(layer, inputs, output):
    (length,), (units, projection) = inputs[0], (layer.params["units"], layer.params["projection"])
    yield _Step(layer.params["vocabulary"] * units, 0, length + length * units)
    if projection:
        yield _positionwise_step(length, units, projection)


def _positionwise_step(positions, channels, units, kept=0):
    """The same dense layer at every position."""
    weights = channels * units
    return _Step(weights if channels > 1 else 0, positions * weights, positions * (channels + units) + kept)


def _attention(layer, inputs, output):
    (source,), ffn = inputs, layer.params["ffn"]
    size, channels = _size(source), source[-1]
    positions = size // channels
    for _ in ("query", "key", "value"):
        yield _positionwise_step(positions, channels, channels)
    scores = layer.params["heads"] * positions**2
    # Queries and keys, beside the source, which values and the shortcut need.
    yield _Step(0, positions * size, 3 * size + scores)
    yield _Step(0, positions * size, 3 * size + scores)
    yield _positionwise_step(positions, channels, channels, size)
    yield _Step(0, 0, 3 * size)
    if ffn:
        yield _positionwise_step(positions, channels, ffn)
        yield _positionwise_step(positions, ffn, channels, size)
        yield _Step(0, 0, 3 * size)


def _attention_pool(layer, inputs, output):
    size, channels = _size(inputs[0]), inputs[0][-1]
    positions = size // channels
    yield _positionwise_step(positions, channels, 1)
    yield _Step(0, size, size + positions + channels)


def _recurrent(layer, inputs, output):
    (_, steps, channels), (units,) = inputs[0], output
    wide = _GATES[layer.kind] * units
    yield _Step(channels * wide if channels > 1 else 0, steps * channels * wide, channels + wide)
    if steps > 1:  # the first state is zero: nothing is multiplied by it
        yield _Step(0, 0, 2 * steps * channels)  # the row is cut into its steps
        yield _Step(units * wide if units > 1 else 0, (steps - 1) * units * wide, units + wide)


def _transposed_conv(layer, inputs, output):
    (source,) = inputs
    weights = layer.params["factor"] ** 2 * source[-1] * layer.params["filters"]
    counted = weights if weights > layer.params["filters"] else 0
    yield _Step(counted, _size(output) * source[-1], _size(source) + _size(output))


def _pixel_classifier(layer, inputs, output):
    step, shape = _conv_step(inputs[0], 1, 1, layer.params["classes"])
    yield step
    if layer.params["factor"] > 1:
        yield _Step(0, 0, _size(shape) + _size(output))
    yield _Step(0, 0, 2 * _size(output))


def _passing(layer, inputs, output):
    yield _Step(0, 0, sum(map(_size, inputs)) + _size(output))


def _add(layer, inputs, output):
    # More than two may be added one by one, each before the next is computed; a layer added to itself is one tensor.
    yield _Step(0, 0, min(len(set(layer.inputs)), 2) * _size(output) + _size(output))


def _concat(layer, inputs, output):
    # A layer merged with itself is one tensor.
    sizes = dict(zip(layer.inputs, map(_size, inputs), strict=True))
    yield _Step(0, 0, sum(sizes.values()) + _size(output))


def _size(shape):
    return math.prod(shape)


_STEPS = {
    "conv": _conv,
    "separable_conv": _separable_conv,
    "inverted_bottleneck": _inverted_bottleneck,
    "fused_inverted_bottleneck": _fused_inverted_bottleneck,
    "residual": _residual,
    "depthwise_conv": _depthwise_conv,
    "squeeze_excite": _squeeze_excite,
    "log_mel": _log_mel,
    "embedding": _embedding,
    "attention": _attention,
    "attention_pool": _attention_pool,
    "gru": _recurrent,
    "lstm": _recurrent,
    "max_pool": _passing,
    "average_pool": _passing,
    "global_average_pool": _passing,
    "dense": _dense,
    "classifier": _dense,
    "upsample": _passing,
    "transposed_conv": _transposed_conv,
    "pixel_classifier": _pixel_classifier,
    "regressor": _dense,
    "add": _add,
    "multiply": _add,
    "concat": _concat,
}
