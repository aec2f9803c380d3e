"""The shape a layer gives, from the shapes it gets; shapes without the batch, `(height, width, channels)`."""

from __future__ import annotations

import math

from hwkeras.errors import UserError

# A recurrent layer becomes a dozen operators for each step: beyond this the file is no use on any device.
MOST_STEPS = 64


def output_shape(layer, shapes):
    """Infers a layer's output shape.

    Args:
        layer: Layer.
        shapes: list of tuples of ints, the shapes of the layer's inputs in order.

    Returns:
        Tuple of ints.

    Raises:
        UserError: the layer cannot take these shapes.
    """
    if layer.kind == "input":
        return layer.params["shape"]
    if layer.kind in _MERGES:
        return _MERGES[layer.kind](layer, shapes)
    return _RULES[layer.kind](layer, shapes[0])


def pair(extent):
    """An extent as (height, width).

    Args:
        extent: int, or a pair of ints.

    Returns:
        Tuple of two ints.
    """
    return extent if isinstance(extent, tuple) else (extent, extent)


def fourier_factors(frame):
    """The two numbers whose product is a frame's length: its Fourier transform is one of each (Cooley & Tukey, 1965).

    Args:
        frame: int, samples. The nearer the two are to each other, the less a transform costs.

    Returns:
        Tuple of two ints, the smaller first.
    """
    first = next(number for number in range(math.isqrt(frame), 0, -1) if frame % number == 0)
    return first, frame // first


def _image(layer, shape):
    if len(shape) != 3:
        raise UserError(
            f"A {layer.kind} layer must get (height, width, channels). Received: {shape} for layer {layer.name!r}. "
            "Place it before the flatten or global_average_pool layer."
        )
    return shape


def _vector(layer, shape):
    if len(shape) != 1:
        raise UserError(
            f"A {layer.kind} layer must get a vector. Received: {shape} for layer {layer.name!r}. "
            "Place a flatten or global_average_pool layer before it."
        )


def _convolution(layer, shape):
    height, width, channels = _image(layer, shape)
    stride, filters = layer.params["stride"], layer.params["filters"]
    if layer.params["skip"] and layer.kind != "residual" and (stride != 1 or channels != filters):
        raise UserError(
            f"`skip` of layer {layer.name!r} needs stride 1 and as many filters as input channels. Received: "
            f"stride={stride}, filters={filters}, channels={channels}. Pass skip=False, or use kind 'residual', "
            "which projects its shortcut."
        )
    return (math.ceil(height / stride), math.ceil(width / stride), filters)


def _depthwise(layer, shape):
    height, width, channels = _image(layer, shape)
    stride = layer.params["stride"]
    return (math.ceil(height / stride), math.ceil(width / stride), channels)


def _pool(layer, shape):
    height, width, channels = _image(layer, shape)
    sizes, strides = pair(layer.params["size"]), pair(layer.params["stride"])
    if layer.params["padding"] == "same":
        return (math.ceil(height / strides[0]), math.ceil(width / strides[1]), channels)
    if height < sizes[0] or width < sizes[1]:
        raise UserError(
            f"A {layer.kind} layer must not pool below 1x1. Received: size={layer.params['size']} on "
            f"{height}x{width} for layer {layer.name!r}. Pass a smaller size or leave the layer out."
        )
    return ((height - sizes[0]) // strides[0] + 1, (width - sizes[1]) // strides[1] + 1, channels)


def _log_mel(layer, shape):
    params = layer.params
    if len(shape) != 1 or shape[0] < params["frame"]:
        raise UserError(
            f"A log_mel layer must get a waveform of one frame or more, (num_samples,). Received: {shape} for layer "
            f"{layer.name!r} with frame={params['frame']}. Place it behind the input."
        )
    if len(params["mean"]) != len(params["deviation"]):
        raise UserError(
            f"`mean` and `deviation` of layer {layer.name!r} must be of the same bands. Received: "
            f"{len(params['mean'])} means, {len(params['deviation'])} deviations."
        )
    return (1 + (shape[0] - params["frame"]) // params["hop"], len(params["mean"]), 1)


def _embedding(layer, shape):
    if len(shape) != 1:
        raise UserError(
            f"An embedding layer must get a row of numbers, (length,). Received: {shape} for layer {layer.name!r}. "
            "Place it behind the input."
        )
    return (*shape, layer.params["projection"] or layer.params["units"])


def _attention(layer, shape):
    channels, heads = _image(layer, shape)[-1], layer.params["heads"]
    if channels % heads:
        raise UserError(
            f"`heads` of layer {layer.name!r} must divide its channels. Received: heads={heads}, channels={channels}. "
            f"Pass a divisor of {channels}."
        )
    return shape


def _recurrent(layer, shape):
    rows, steps, _ = _image(layer, shape)
    if rows != 1:
        raise UserError(
            f"A layer of kind {layer.kind!r} must get a row of steps, (1, steps, channels). Received: {shape} for "
            f"layer {layer.name!r}. Place a reshape layer before it."
        )
    if steps > MOST_STEPS:
        raise UserError(
            f"A layer of kind {layer.kind!r} is written out step by step and must get {MOST_STEPS} steps or fewer. "
            f"Received: {steps} steps for layer {layer.name!r}. Stride or pool before it."
        )
    return (layer.params["units"],)


def _reshape(layer, shape):
    wanted = layer.params["shape"]
    if math.prod(wanted) != math.prod(shape):
        raise UserError(
            f"A reshape layer must keep the number of elements. Received: {shape} to {wanted} for layer {layer.name!r}."
        )
    return wanted


def _frames(layer, shape):
    frames, bands, channels = _image(layer, shape)
    return (1, frames, bands * channels)


def _dense(layer, shape):
    _vector(layer, shape)
    return (layer.params["units"],)


def _classifier(layer, shape):
    _vector(layer, shape)
    _require_several(layer)
    return (layer.params["classes"],)


def _require_several(layer):
    if layer.params["activation"] == "softmax" and layer.params["classes"] < 2:
        raise UserError(
            f"A softmax classifier must have 2 classes or more. Received: classes={layer.params['classes']} for layer "
            f"{layer.name!r}. For one output pass activation='sigmoid'."
        )


def _upsample(layer, shape):
    height, width, channels = _image(layer, shape)
    factor = layer.params["factor"]
    return (height * factor, width * factor, layer.params.get("filters", channels))


def _pixel_classifier(layer, shape):
    height, width, _ = _image(layer, shape)
    _require_several(layer)
    factor = layer.params["factor"]
    return (height * factor, width * factor, layer.params["classes"])


def _regressor(layer, shape):
    _vector(layer, shape)
    return (layer.params["outputs"],)


def _slice(layer, shape):
    _vector(layer, shape)
    begin, size = layer.params["begin"], layer.params["size"]
    if begin + size > shape[0]:
        raise UserError(
            f"A slice layer must end within its input. Received: begin={begin}, size={size} of {shape[0]} values for "
            f"layer {layer.name!r}."
        )
    return (size,)


def _elementwise(layer, shapes):
    if len(set(shapes)) > 1:
        article = "An" if layer.kind == "add" else "A"
        raise UserError(f"{article} {layer.kind} layer must get equal shapes. Received: {shapes} for {layer.name!r}.")
    return shapes[0]


def _concat(layer, shapes):
    if len({shape[:-1] for shape in shapes}) > 1:
        raise UserError(
            f"A concat layer must get shapes that differ in the last axis alone. Received: {shapes} for layer "
            f"{layer.name!r}."
        )
    return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


_MERGES = {"add": _elementwise, "multiply": _elementwise, "concat": _concat}
_RULES = {
    "conv": _convolution,
    "separable_conv": _convolution,
    "inverted_bottleneck": _convolution,
    "fused_inverted_bottleneck": _convolution,
    "residual": _convolution,
    "depthwise_conv": _depthwise,
    "squeeze_excite": _image,
    "log_mel": _log_mel,
    "embedding": _embedding,
    "attention": _attention,
    "attention_pool": lambda layer, shape: (_image(layer, shape)[-1],),
    "gru": _recurrent,
    "lstm": _recurrent,
    "max_pool": _pool,
    "average_pool": _pool,
    "global_average_pool": lambda layer, shape: (_image(layer, shape)[-1],),
    "flatten": lambda layer, shape: (math.prod(shape),),
    "reshape": _reshape,
    "frames": _frames,
    "activation": lambda layer, shape: shape,
    "batch_norm": lambda layer, shape: shape,
    "slice": _slice,
    "dense": _dense,
    "dropout": lambda layer, shape: shape,
    "classifier": _classifier,
    "upsample": _upsample,
    "transposed_conv": _upsample,
    "pixel_classifier": _pixel_classifier,
    "regressor": _regressor,
}
