"""The ready-made spaces as hypermodels: `hwkeras.spaces.Image(input_shape=(28, 28, 1), num_classes=10)`."""

from __future__ import annotations

from dataclasses import fields

from hwkeras.build.hypermodel import HardwareHyperModel
from hwkeras.errors import UserError
from hwkeras.space.cell_space import CellSpace
from hwkeras.space.image import ImageSpace
from hwkeras.space.layer_list import LayerListSpace
from hwkeras.space.named_space import NamedSpace
from hwkeras.space.plain_dict import DictSpace
from hwkeras.space.sequence import SequenceSpace


class Image(HardwareHyperModel):
    """Image classifiers: a stem, stages of blocks, a head; the hypermodel of `space.ImageSpace`.

    Args:
        input_shape: (height, width, channels).
        num_classes: int, 2 or more.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.ImageSpace`, such as `stages=2`, `widths=(8, 16)`, `activations=("relu",)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(ImageSpace, choices, input_shape, num_classes), optimizer, loss, metrics)


class Cells(HardwareHyperModel):
    """Image classifiers of repeated cells, NAS-Bench-201's among them; the hypermodel of `space.CellSpace`.

    Args:
        input_shape: (height, width, channels).
        num_classes: int, 2 or more.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.CellSpace`, such as `nodes=3`, `cells=(1, 2, 3)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(CellSpace, choices, input_shape, num_classes), optimizer, loss, metrics)


class Named(HardwareHyperModel):
    """A well-known network in several widths, MobileNetV2 for example; the hypermodel of `space.NamedSpace`.

    Args:
        name: str, such as `"mobilenet_v2"`; a wrong one is answered with all of them.
        input_shape: (height, width, channels).
        num_classes: int, 2 or more.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.NamedSpace`: `widths=(0.5, 1.0)`.

    Raises:
        UserError: an unknown name or choice, or a value that breaks its law.
    """

    def __init__(self, name, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(NamedSpace, choices, name, input_shape, num_classes), optimizer, loss, metrics)


class SearchSpace(HardwareHyperModel):
    """Lists of convolutions, pools and dense layers; the hypermodel of `space.LayerListSpace`.

    Args:
        input_shape: (height, width, channels). Defaults to `(32, 32, 3)`.
        output_shape: (number of classes,). Defaults to `(10,)`.
        num_layers: int, the most layers. Defaults to `5`.
        layer_types: among `"conv"`, `"pool"`, `"fc"`. Defaults to all three.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: further arguments of `space.LayerListSpace`, such as `conv_kernels=[3, 5]`, `fc_sizes=[64, 128]`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(
        self,
        input_shape=(32, 32, 3),
        output_shape=(10,),
        num_layers=5,
        layer_types=("conv", "pool", "fc"),
        *,
        optimizer=None,
        loss=None,
        metrics=None,
        **choices,
    ):
        space = _space(LayerListSpace, choices, input_shape, output_shape, num_layers, layer_types)
        super().__init__(space, optimizer, loss, metrics)


class Sequence(HardwareHyperModel):
    """Classifiers of sequences, such as motion or medical signals; the hypermodel of `space.SequenceSpace`.

    Args:
        input_shape: (steps, channels).
        num_classes: int, 2 or more.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.SequenceSpace`, such as `stages=2`, `kernels=(3, 9)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(SequenceSpace, choices, input_shape, num_classes), optimizer, loss, metrics)


class FromDict(HardwareHyperModel):
    """A space written as a plain dict; the hypermodel of `space.DictSpace`.

    Args:
        choices: dict of key to a value or a list of values; the keys are those of `space.DictSpace`.
        input_shape: (height, width, channels).
        num_classes: int, 2 or more.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.

    Raises:
        UserError: an unknown key, or a value that breaks its law.
    """

    def __init__(self, choices, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None):
        super().__init__(DictSpace(choices, input_shape, num_classes), optimizer, loss, metrics)


def _space(cls, choices, *args):
    known = [field.name for field in fields(cls)][len(args) :]
    unknown = sorted(set(choices) - set(known))
    if unknown:
        raise UserError(f"The choices of this space are {', '.join(known)}. Received: {unknown[0]!r}.")
    return cls(*args, **choices)
