"""Where a backbone comes from (a model, a file, keras.applications by name), and what it expects of an image."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import warnings
from dataclasses import dataclass

import keras

from hwkeras.errors import UserError

_FILES = (".keras", ".h5")
# Mean and deviation of the images of ImageNet, red first: what keras.applications subtract and divide by.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (123.68, 116.779, 103.939)
# What images in [0, 1] are multiplied by, and what is added, to be what `preprocess_input` makes of images in [0, 255].
_BYTES = (255.0, 0.0)
_SIGNED = (2.0, -1.0)
_STANDARD = ([1.0 / s for s in _DEVIATION], [-m / s for m, s in zip(_MEAN, _DEVIATION, strict=True)])
_CAFFE = (255.0, [-mean for mean in _CAFFE_MEAN])
# By module of keras.applications.
_EXPECTED = {
    "convnext": _BYTES,
    "densenet": _STANDARD,
    "efficientnet": _BYTES,
    "efficientnet_v2": _BYTES,
    "inception_resnet_v2": _SIGNED,
    "inception_v3": _SIGNED,
    "mobilenet": _SIGNED,
    "mobilenet_v2": _SIGNED,
    "mobilenet_v3": _BYTES,
    "nasnet": _SIGNED,
    "resnet": _CAFFE,
    "resnet_v2": _SIGNED,
    "vgg16": _CAFFE,
    "vgg19": _CAFFE,
    "xception": _SIGNED,
}


@dataclass(frozen=True, eq=False)
class Source:
    """A backbone, and what it expects.

    Args:
        model: keras.Model.
        scale: float, or list of float, one a channel: what images in [0, 1] are multiplied by. Defaults to `1.0`.
        offset: float, or list of float, one a channel: what is added then. Defaults to `0.0`.
        is_trained: bool, whether its weights are worth keeping. Defaults to `True`.
    """

    model: keras.Model
    scale: float | list = 1.0
    offset: float | list = 0.0
    is_trained: bool = True


def open_source(backbone, weights=None):
    """Finds a backbone.

    Args:
        backbone: keras.Model; path of a `.keras` file, or of an `.h5` file that Keras 3 loads; or a name of
            `application_names`, in any case and with or without underscores, such as `"mobilenet_v2"`.
        weights: of a name: `"imagenet"`, or the path of a file of weights. Defaults to `None`, random ones.

    Returns:
        Source.

    Raises:
        UserError: none of these, a file that Keras cannot load, or weights that cannot be had.
    """
    is_name = isinstance(backbone, str) and pathlib.PurePath(backbone).suffix not in _FILES
    if is_name:
        return _application(backbone, weights)
    if weights is not None:
        raise UserError(
            f"`weights` go with a name of keras.applications; a model and a file bring their own. Received: "
            f"weights={weights!r} beside a backbone of type {type(backbone).__name__}. Leave them away."
        )
    if isinstance(backbone, keras.Model):
        return Source(backbone)
    if isinstance(backbone, (str, os.PathLike)):
        return Source(_load(pathlib.Path(backbone)))
    raise UserError(
        "`backbone` must be a keras.Model, the path of a .keras or .h5 file, or a name of keras.applications such as "
        f"'mobilenet_v2'. Received: {backbone!r}."
    )


def application_names():
    """The networks of keras.applications that can be backbones.

    Returns:
        dict of the name, as Keras writes it, to the function that makes the network.
    """
    functions = {name: getattr(keras.applications, name) for name in dir(keras.applications)}
    return {name: found for name, found in functions.items() if callable(found) and _family(found) in _EXPECTED}


def _family(function):
    return function.__module__.rpartition(".")[2]


def _plain(name):
    return name.replace("_", "").replace("-", "").lower()


def _application(name, weights):
    known = application_names()
    found = {_plain(each): function for each, function in known.items()}.get(_plain(name))
    if found is None:
        raise UserError(
            f"`backbone` must be a .keras or .h5 file, or one of {', '.join(sorted(known))}. Received: {name!r}."
        )
    if weights is not None:
        weights = os.fspath(weights)
    try:
        # Keras tells of a download on stdout, which may be for the result alone; and it advises on sizes that matter to
        # classifiers only.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model = found(include_top=False, weights=weights)
    except Exception as error:  # Keras raises no narrower class where a download fails
        raise UserError(
            f"`weights` must be 'imagenet', which Keras downloads, or a file of weights for {name} without its "
            f"classifier. Received: weights={weights!r} ({_first_line(error)})."
        ) from error
    if _EXPECTED[_family(found)] is _CAFFE:
        _read_red_first(model)
    return Source(model, *_EXPECTED[_family(found)], is_trained=weights is not None)


def _read_red_first(model):
    """Turns around the colors that the first convolution reads: these networks were trained on blue first."""
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    kernel, *others = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], *others])


def _load(path):
    if not path.exists():
        raise UserError(f"`backbone` must be a file that exists. Received: {path}.")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (AttributeError, ImportError, KeyError, OSError, TypeError, ValueError) as error:
        raise UserError(
            f"`backbone` must be a model that Keras 3 loads in safe mode. Received: {path} ({_first_line(error)}). "
            "Save it anew as .keras by `model.save`, or load it yourself, with its `custom_objects`, and pass the "
            "model; a file of weights alone is loaded into a model first."
        ) from error


def _first_line(error):
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
