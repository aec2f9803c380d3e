"""What an untrained network tells of itself: scores that cost one batch, not a training.

None of them is an accuracy. They tell networks of one space apart a little, some spaces better than others; whether
that helps is for the surrogate of a search to find out. For a comparison of such scores see Abdelfattah et al., 2021,
arXiv:2101.08134.
"""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import tensorflow as tf

from hwkeras.errors import UserError

NAMES = ("zero_cost_naswot", "zero_cost_synflow", "zero_cost_grad_norm")

# Samples used at most: the kernel of the activation patterns has a row a sample.
_MOST_SAMPLES = 32
# Added to the diagonal of that kernel: two samples that no unit tells apart would make its determinant 0.
_RIDGE = 1e-3
# Activations whose sign is that of what goes in: above 0 a unit is on.
_RECTIFIERS = frozenset(
    "relu relu6 leaky_relu elu selu celu gelu silu swish hard_silu hard_swish mish tanh hard_tanh".split()
)
_LOWEST, _HIGHEST = 1e-30, 1e30


def score(model, x, seed=0):
    """Scores an untrained network on one batch; its weights and statistics are afterwards as before.

    - `zero_cost_naswot`: how well its rectified units tell the samples apart; the logarithm of the determinant of the
      kernel of their on-off patterns (Mellor et al., 2021, arXiv:2006.04647).
    - `zero_cost_synflow`: the logarithm of how much the products of the weights along all paths add up to (Tanaka et
      al., 2020, arXiv:2006.05467): absolute weights, an input of ones, every activation left out.
    - `zero_cost_grad_norm`: the Euclidean norm of the gradient of the loss (Abdelfattah et al., 2021,
      arXiv:2101.08134), with labels drawn at random.

    For the first and the last, batch normalization works with the statistics of the batch, as in training; everything
    else works as in inference, so the same network has the same scores.

    Args:
        model: keras.Model, functional or Sequential, built; of one input and one output.
        x: array of shape (num_samples, ...) as the model takes it; of more than 32 samples the first count. At least
            two.
        seed: int, of the labels drawn. Defaults to `0`.

    Returns:
        dict of the `NAMES` to float, finite.

    Raises:
        UserError: fewer than two samples, or a model of several inputs or outputs.
    """
    x = np.asarray(x, dtype="float32")[:_MOST_SAMPLES]
    if x.ndim == 0 or len(x) < 2:
        raise UserError(
            f"`x` must hold at least two samples. Received: shape {x.shape}. Pass a batch of training inputs."
        )
    num_inputs, num_outputs = (len(getattr(model, name, None) or ()) for name in ("inputs", "outputs"))
    if num_inputs != 1 or num_outputs != 1:
        raise UserError(
            "A network is scored by its one input and its one output. Received: a model of "
            f"{num_inputs} inputs and {num_outputs} outputs. Search without zero-cost scores."
        )
    with _training_statistics(model):
        patterns, gradient_norm = _on_one_batch(model, tf.convert_to_tensor(x), np.random.default_rng(seed))
    scores = (naswot(patterns), _synflow(model, (1, *x.shape[1:])), gradient_norm)
    return {name: _finite(value) for name, value in zip(NAMES, scores, strict=True)}


def naswot(patterns):
    """How well on-off patterns tell samples apart.

    Args:
        patterns: bool array of shape (num_samples, num_units).

    Returns:
        float, the logarithm of the determinant of the kernel that counts in how many units two samples agree, with
        0.001 added to its diagonal.
    """
    on = np.asarray(patterns, dtype=np.float32)  # Sums of ones are exact up to 16 million of them.
    num_on = np.count_nonzero(patterns, axis=1).astype(np.float64)
    # Units that are on for both, and those that are on for neither.
    agreeing = 2.0 * (on @ on.T) + on.shape[1] - num_on[:, None] - num_on[None, :]
    return float(np.linalg.slogdet(agreeing + _RIDGE * np.eye(len(on)))[1])


def _on_one_batch(model, x, rng):
    """The on-off patterns of the rectified units, and the norm of the gradient of the loss."""
    outputs = []
    rectifiers = [layer for layer in _layers(model) if _activation_of(layer) in _RECTIFIERS]
    with _watched(rectifiers, outputs), tf.GradientTape() as tape:
        loss = _loss(model, model(x, training=False), rng)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    squares = [float(tf.reduce_sum(tf.square(gradient))) for gradient in gradients if gradient is not None]
    patterns = [tf.reshape(output, (x.shape[0], -1)).numpy() > 0 for output in outputs if _is_of(output, x)]
    empty = np.zeros((x.shape[0], 0), dtype=bool)
    return np.concatenate([empty, *patterns], axis=1), float(np.sqrt(np.sum(squares)))


def _is_of(output, x):
    """Whether an output has a row for each sample."""
    return len(output.shape) > 1 and output.shape[0] == x.shape[0]


def _loss(model, outputs, rng):
    outputs = tf.cast(outputs, "float32")
    # Of maps, such as answers for every pixel, each place is a sample.
    outputs = tf.reshape(outputs, (-1, outputs.shape[-1]) if len(outputs.shape) > 2 else (outputs.shape[0], -1))
    num_samples, num_classes = outputs.shape
    last = _activation_of(_layers(model)[-1])
    if num_classes == 1:
        labels = rng.integers(2, size=(num_samples, 1)).astype("float32")
        losses = keras.losses.binary_crossentropy(labels, outputs, from_logits=last != "sigmoid")
    else:
        labels = rng.integers(num_classes, size=num_samples)
        losses = keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=last != "softmax")
    return tf.reduce_mean(losses)


def _synflow(model, shape):
    """The logarithm of the synaptic flow."""
    weights = [weight for weight in model.trainable_weights if tf.as_dtype(weight.dtype).is_floating]
    saved = [weight.numpy().copy() for weight in weights]
    try:
        for weight, value in zip(weights, saved, strict=True):
            weight.assign(np.abs(value))
        with _linear(model), tf.GradientTape() as tape:
            flow = tf.reduce_sum(model(tf.ones(shape), training=False))
        gradients = tape.gradient(flow, [weight.value for weight in weights])
        parts = [
            float(tf.reduce_sum(tf.cast(tf.abs(weight.value * gradient), "float64")))
            for weight, gradient in zip(weights, gradients, strict=True)
            if gradient is not None
        ]
    finally:
        for weight, value in zip(weights, saved, strict=True):
            weight.assign(value)
    return float(np.log(np.clip(np.nan_to_num(np.sum(parts), nan=_HIGHEST), _LOWEST, _HIGHEST)))


def _layers(model):
    """All layers, also those within layers, in order. Keras' public `layers` stops at layers that hold layers."""
    return [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]


def _activation_of(layer):
    """The name of the activation a layer ends with, or an empty string."""
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    if isinstance(layer, keras.layers.LeakyReLU):
        return "leaky_relu"
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", "")


@contextlib.contextmanager
def _calling(layers, call_of):
    """Within, each layer is called by what `call_of(layer, its own call)` gives."""
    own = [(layer, layer.__dict__.get("call")) for layer in layers]
    for layer, _ in own:
        layer.call = call_of(layer, layer.call)
    try:
        yield
    finally:
        for layer, call in own:
            if call is None:
                del layer.call
            else:
                layer.call = call


def _watched(layers, outputs):
    def call_of(layer, call):
        def watching(*args, **kwargs):
            outputs.append(call(*args, **kwargs))
            return outputs[-1]

        return watching

    return _calling(layers, call_of)


@contextlib.contextmanager
def _training_statistics(model):
    """Within, batch normalization uses the statistics of its batch; its moving ones are afterwards as before."""
    layers = [layer for layer in _layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    saved = [(variable, variable.numpy().copy()) for layer in layers for variable in layer.non_trainable_variables]

    def call_of(layer, call):
        return lambda *args, **kwargs: call(*args, **{**kwargs, "training": True})

    with _calling(layers, call_of):
        try:
            yield
        finally:
            for variable, value in saved:
                variable.assign(value)


@contextlib.contextmanager
def _linear(model):
    """Within, no activation is applied: of weights and inputs above 0 only the products of the paths are left."""
    layers = _layers(model)
    # What only shows the activation of a part, as a recurrent layer does, has no attribute of its own.
    own = [(layer, vars(layer)["activation"]) for layer in layers if "activation" in vars(layer)]
    alone = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.Softmax, keras.layers.PReLU, keras.layers.ELU)
    for layer, _ in own:
        layer.activation = keras.activations.linear
    try:
        with _calling([layer for layer in layers if isinstance(layer, alone)], lambda layer, call: _unchanged):
            yield
    finally:
        for layer, activation in own:
            layer.activation = activation


def _unchanged(inputs, **_):
    return inputs


def _finite(value):
    return float(np.clip(np.nan_to_num(value, nan=0.0, posinf=_HIGHEST, neginf=-_HIGHEST), -_HIGHEST, _HIGHEST))
