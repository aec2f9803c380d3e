"""How much each channel matters: by the size of its weights, by what the loss says, or by batch normalization's scale.

All three weigh a channel together with those tied to it, over all layers of its group.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from hwkeras.compress.channel_rules import MAKES
from hwkeras.compress.channel_rules import READS
from hwkeras.compress.channel_rules import RIDES
from hwkeras.compress.channel_rules import ROLES
from hwkeras.compress.channel_rules import SCALES
from hwkeras.errors import DataError
from hwkeras.errors import UserError

IMPORTANCES = ("magnitude", "taylor", "bn_scale")
_TAYLOR_BATCH = 64
_TAYLOR_SAMPLES = 1024
_TAYLOR_SEED = 0


def channel_importance(model, channel_map, importance, data=None):
    """Weighs every channel of every group.

    Args:
        model: keras.Model.
        channel_map: ChannelMap of the model.
        importance: str.

            - `"magnitude"`: the L2 norm of the weights that make a channel, times that of the weights that read it,
              each weight's norm divided by its mean over the group, so that every layer of a group has one voice
              (after "DepGraph", Fang et al., arXiv:2301.12900); needs no data. Zero as soon as a channel
              is either never made or never read.
            - `"taylor"`: the squared change of the loss that removing the channel's weights would make to first
              order, averaged over batches (Molchanov et al., CVPR 2019, arXiv:1906.10771).
            - `"bn_scale"`: the absolute scale of batch normalization (Liu et al., "Network Slimming",
              arXiv:1708.06519); where a group has none, its magnitude.
        data: tuple `(x, y)` for `"taylor"`; at most 1024 samples are used. Defaults to `None`.

    Returns:
        float array of shape (channel_map.num_channels,); 0 outside the groups. Except for `"taylor"`, the mean of a
        group is 1, or 0 where all of it is 0.

    Raises:
        UserError: an unknown importance, weights that are not finite, or a model `"taylor"` has no loss for.
        DataError: no data for `"taylor"`, or data without labels.
    """
    if importance not in IMPORTANCES:
        known = ", ".join(map(repr, IMPORTANCES))
        raise UserError(f"`importance` must be one of {known}. Received: importance={importance!r}.")
    _require_finite(channel_map)
    if importance == "taylor":
        return _taylor(model, channel_map, data)
    scores = _magnitude(channel_map)
    if importance == "bn_scale":
        scores = _scaled(channel_map, scores)
    return _relative(scores, channel_map.groups)


def _require_finite(channel_map):
    for layer, axis in _axes(channel_map, ROLES):
        if not np.isfinite(_value(layer, axis)).all():
            raise UserError(
                f"Channels are weighed by their weights, which must be finite. Received: NaN or infinity in "
                f"{axis.weight!r} of layer {layer.name!r}. The training diverged: lower the learning rate."
            )


def _magnitude(channel_map):
    return np.sqrt(_norms(channel_map, (MAKES, SCALES)) * _norms(channel_map, (READS,)))


def _scaled(channel_map, scores):
    """Batch normalization's scale in the groups that have one for every channel, the given scores in the others."""
    scales, is_scaled = np.sqrt(_norms(channel_map, (SCALES,))), np.zeros(channel_map.num_channels, bool)
    for _, axis in _axes(channel_map, (SCALES,)):
        is_scaled[axis.channels] = True
    chosen = scores.copy()
    for group in channel_map.groups:
        if is_scaled[group.channels].all():
            chosen[group.channels] = scales[group.channels]
    return chosen


def _norms(channel_map, roles):
    """The squared L2 norms of each channel's weights of some roles, each weight's relative to its mean in the group."""
    total = np.zeros(channel_map.num_channels)
    for layer, axis in _axes(channel_map, roles):
        squares = _value(layer, axis).astype(float) ** 2
        total += _relative(_summed(squares, axis, channel_map.num_channels), channel_map.groups)
    return total


def _axes(channel_map, roles):
    return [(entry.layer, axis) for entry in channel_map.layers for axis in entry.axes if axis.role in roles]


def _weight(layer, axis):
    return next(weight for weight in layer.weights if weight.name == axis.weight)


def _value(layer, axis):
    return keras.ops.convert_to_numpy(_weight(layer, axis))


def _summed(values, axis, num_channels):
    """Sums a weight's values over all its axes but one, and over the places of that one that hold the same channel."""
    rows = np.moveaxis(values, axis.axis, 0).reshape(len(axis.channels), -1).sum(axis=1)
    return np.bincount(axis.channels, rows, minlength=num_channels)


def _relative(scores, groups):
    relative = np.zeros_like(scores)
    for group in groups:
        mean = scores[group.channels].mean()
        if mean > 0:
            relative[group.channels] = scores[group.channels] / mean
    return relative


def _taylor(model, channel_map, data):
    x, y = _labeled(data)
    if getattr(model, "loss", None) is None:
        raise UserError(
            "importance='taylor' asks the model's loss. Received: a model that is not compiled with one. "
            "Call `model.compile(loss=...)` first, or pass importance='magnitude'."
        )
    axes = _axes(channel_map, (MAKES, SCALES, RIDES))
    total = np.zeros(channel_map.num_channels)
    for batch in _batches(len(keras.tree.flatten(x)[0])):
        products = _products(model, axes, *keras.tree.map_structure(lambda part, rows=batch: part[rows], (x, y)))
        change = sum(
            _summed(values, axis, channel_map.num_channels) for (_, axis), values in zip(axes, products, strict=True)
        )
        total += change**2
    in_a_group = np.zeros(channel_map.num_channels, bool)
    for group in channel_map.groups:
        in_a_group[group.channels] = True
    return np.where(in_a_group, total, 0.0)


def _labeled(data):
    if data is None or data[1] is None:
        raise DataError(
            f"importance='taylor' needs labeled data. Received: {'no data' if data is None else 'no labels'}. "
            "Pass data=(x, y), or importance='magnitude', which needs none."
        )
    x, y = (keras.tree.map_structure(np.asarray, part) for part in data)
    lengths = {len(part) for part in keras.tree.flatten((x, y))}
    if len(lengths) != 1:
        raise DataError(
            f"`data` must hold as many labels as samples. Received: lengths {sorted(lengths)}. "
            "Give x and y of one length, samples on the first axis."
        )
    return x, y


def _batches(num_samples):
    order = np.random.default_rng(_TAYLOR_SEED).permutation(num_samples)[:_TAYLOR_SAMPLES]
    return np.split(order, range(_TAYLOR_BATCH, len(order), _TAYLOR_BATCH))


def _products(model, axes, x, y):
    """Weight times gradient of the loss, for the weight of each axis; 0 for one that does not reach the loss."""
    # `value` is TensorFlow's own variable, which a tape can watch also where the layer is frozen.
    variables = [_weight(layer, axis).value for layer, axis in axes]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for variable in variables:
            tape.watch(variable)
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=False), training=False)
    gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
    return [
        tf.convert_to_tensor(gradient).numpy() * variable.numpy()
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
