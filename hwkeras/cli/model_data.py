"""Labeled data in the form a given model takes: what it trains on, and what its accuracy is told on."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from hwkeras.errors import DataError
from hwkeras.errors import UserError


@dataclass(frozen=True)
class ModelData:
    """Arrays for one model.

    Args:
        train: tuple `(x, y)`.
        valid: tuple `(x, y)`, held back of the training data; not trained on.
        held_out: tuple `(x, y)` on which accuracy is told: the test data of the source, else `valid`.
        name: str.
        facts: dict, what a report says of the data.
    """

    train: tuple = field(repr=False)
    valid: tuple = field(repr=False)
    held_out: tuple = field(repr=False)
    name: str
    facts: dict


def load_model_data(source, model, *, seed=0, raw=False, kind=None, front_end=None):
    """Loads data and fits them to a model with one input and one output.

    Args:
        source: str, as `hwkeras.data.load_dataset` takes it; an `.npz` may also hold rows of features or tokens,
            `x_train` of shape (n, length).
        model: keras.Model.
        seed: int, of the split. Defaults to `0`.
        raw: bool, whether pixels stay as they are in the source instead of in [0, 1]. Defaults to `False`.
        kind: str, of the data, see `hwkeras.data.load_dataset`. Defaults to `None`, of an `.npz` images, whose shape
            must be the model's anyway, and of everything else what `hwkeras.data.kind_of` recognizes.
        front_end: str, see `hwkeras.data.load_dataset`. Defaults to `None`.

    Returns:
        ModelData; labels are class indices, of a model with one output 0.0 or 1.0 in a column.

    Raises:
        UserError: a model with several inputs or outputs, numbers to predict, an unknown kind, or `raw` of something
            else than images.
        DataError: data that cannot be read, have no labels, or do not fit the model.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        raise UserError(
            "The command line takes classifiers with one input and one output of shape (batch, classes). Received: "
            f"{len(model.inputs)} inputs, outputs of shape {[tuple(one.shape) for one in model.outputs]}. In Python "
            "`hwkeras.compress.compress` takes any."
        )
    kind = kind or _kind_of(source)
    if raw and kind != "image":
        raise UserError(f"`--raw` is of images. Received: --raw and --kind {kind}. Leave --raw away.")
    parts, num_classes, facts = _loaded(source, seed, raw, kind, front_end)
    _check_classes(num_classes, model)
    is_binary = model.outputs[0].shape[-1] == 1
    train, valid, held_out = (
        (_fitted(x, model), y.reshape(-1, 1).astype(np.float32) if is_binary else y) for x, y in parts
    )
    facts.update(num_train=len(train[1]), num_held_out=len(held_out[1]))
    return ModelData(train, valid, held_out, pathlib.Path(source).stem, facts)


def _kind_of(source):
    from hwkeras.data import kind_of

    return "image" if pathlib.Path(source).suffix.lower() == ".npz" else kind_of(source)


def _loaded(source, seed, raw, kind, front_end):
    """Training, validation and held-out parts, the number of classes, and facts."""
    from hwkeras.data import load_dataset

    plain = _rows(source, seed) if kind == "image" else None
    if plain is not None:
        return plain
    data = load_dataset(source, kind=kind, seed=seed, front_end=front_end)
    if data.task == "regression":
        raise UserError(
            f"The command line compresses classifiers. Received: {source}, numbers to predict. In Python "
            "`hwkeras.compress.compress` takes any model."
        )
    scale = data.preprocessing.get("scale", 1.0)
    parts = [(data.x_train, data.y_train), (data.x_valid, data.y_valid), (data.x_test, data.y_test)]
    if data.x_test is None:
        parts[2] = parts[1]
    if raw and scale != 1.0:
        parts = [(np.rint(x / np.float32(scale)), y) for x, y in parts]
    facts = {"fingerprint": data.fingerprint, "scale": 1.0 if raw else scale, "has_test": data.x_test is not None}
    return parts, data.num_classes, {"name": data.name, **facts}


def _rows(source, seed):
    """An `.npz` with one row a sample, which is no image; None for everything else."""
    from hwkeras.data import fingerprint
    from hwkeras.data import split
    from hwkeras.data.archive import read_archive
    from hwkeras.data.labels import Classes

    path = pathlib.Path(source)
    if path.suffix != ".npz" or not path.is_file():
        return None
    (x, y), test = read_archive(path)
    if x.ndim != 2:
        return None
    if x.dtype.kind not in "biuf" or len(x) != len(y) or not np.isfinite(x).all():
        raise DataError(
            "Rows must be finite numbers, one label each. Received: x_train of dtype "
            f"{x.dtype} and shape {x.shape}, y_train of shape {y.shape}. Save them again."
        )
    classes = Classes.of(y)
    x_train, y_train, x_valid, y_valid = split(x, classes.indices(y), seed=seed)
    held_out = (x_valid, y_valid) if test is None else (test[0], classes.indices(test[1]))
    facts = {"name": path.stem, "fingerprint": fingerprint(x, y), "scale": 1.0, "has_test": test is not None}
    return [(x_train, y_train), (x_valid, y_valid), held_out], len(classes.values), facts


def _check_classes(num_classes, model):
    most = max(model.outputs[0].shape[-1], 2)
    if num_classes > most:
        raise DataError(
            f"Every class needs an output of the model, which has {model.outputs[0].shape[-1]}. Received: data of "
            f"{num_classes} classes. Give the data the model was trained on."
        )


def _fitted(x, model):
    """The samples in the model's shape; images without channels also as they are."""
    wanted = tuple(model.inputs[0].shape[1:])
    forms = [x, x[..., 0]] if x.ndim > 2 and x.shape[-1] == 1 else [x]
    for form in forms:
        if len(form.shape[1:]) == len(wanted) and all(
            axis in (None, size) for size, axis in zip(form.shape[1:], wanted, strict=True)
        ):
            return form.astype(model.inputs[0].dtype, copy=False)
    raise DataError(
        f"The samples must have the shape the model takes, {wanted}. Received: {x.shape[1:]}. Resize the data, or give "
        "the model that was trained on them."
    )
