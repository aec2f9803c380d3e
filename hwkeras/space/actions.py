"""An architecture from a list of actions, `["conv", "pool", "fc"]`, as articles on architecture search write it."""

from __future__ import annotations

from hwkeras.errors import UserError
from hwkeras.space.draft import Draft

ACTIONS = ("conv", "pool", "fc")


def architecture_from_actions(
    actions,
    input_shape,
    num_classes,
    *,
    filters=32,
    kernel=3,
    stride=1,
    pool_size=2,
    pool_stride=None,
    units=128,
    activation="relu",
    batch_norm=True,
):
    """Chains layers, then a softmax classifier.

    Args:
        actions: sequence of `"conv"`, `"pool"` (max pooling) and `"fc"` (dense). Convolutions and pools come first.
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        filters: int, of each convolution. Defaults to `32`.
        kernel: int. Defaults to `3`.
        stride: int, of each convolution. Defaults to `1`.
        pool_size: int. Defaults to `2`.
        pool_stride: int. Defaults to `None`, the size.
        units: int, of each dense layer. Defaults to `128`.
        activation: str, see `ACTIVATIONS`. Defaults to `"relu"`.
        batch_norm: bool, whether convolutions are normalized. Defaults to `True`.

    Returns:
        Architecture.

    Raises:
        UserError: an unknown action, a convolution or pool after a dense layer, pooling below 1x1.
    """
    conv = {"filters": filters, "kernel": kernel, "stride": stride, "activation": activation, "batch_norm": batch_norm}
    pool = {"size": pool_size, "stride": pool_stride}
    dense = {"units": units, "activation": activation}
    params = {"conv": conv, "pool": pool, "fc": dense}
    for action in actions:
        if action not in ACTIONS:
            raise UserError(f"An action must be one of {', '.join(map(repr, ACTIONS))}. Received: {action!r}.")
    return chain([(action, params[action]) for action in actions], input_shape, num_classes)


def chain(steps, input_shape, num_classes):
    """Chains layers, then a softmax classifier; flattens before the first dense layer.

    Args:
        steps: sequence of (action, dict of the layer's parameters).
        input_shape: (height, width, channels).
        num_classes: int.

    Returns:
        Architecture.

    Raises:
        UserError: a convolution or pool after a dense layer, pooling below 1x1.
    """
    draft = Draft(input_shape)
    for number, (action, params) in enumerate(steps, start=1):
        if action == "fc":
            _flatten(draft)
        elif len(draft.shape) == 1:
            raise UserError(
                f"Every layer after an 'fc' must be an 'fc'. Received: {action!r} at position {number} of "
                f"{[action for action, _ in steps]}."
            )
        draft.append(f"{action}{number}", {"conv": "conv", "pool": "max_pool", "fc": "dense"}[action], **params)
    _flatten(draft)
    draft.append_head(num_classes)
    return draft.finish()


def _flatten(draft):
    if len(draft.shape) > 1:
        draft.append("flatten", "flatten")
