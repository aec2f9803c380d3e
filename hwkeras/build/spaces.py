"""The ready-made spaces as hypermodels: `hwkeras.spaces.Image(input_shape=(28, 28, 1), num_classes=10)`."""

from __future__ import annotations

from dataclasses import fields

from hwkeras.build.hypermodel import HardwareHyperModel
from hwkeras.data.interactions import IdEncoder
from hwkeras.data.tokenizer import Tokenizer
from hwkeras.errors import UserError
from hwkeras.space.cell_space import CellSpace
from hwkeras.space.image import ImageSpace
from hwkeras.space.layer_list import LayerListSpace
from hwkeras.space.named_space import NamedSpace
from hwkeras.space.nasnet_space import NasnetSpace
from hwkeras.space.plain_dict import DictSpace
from hwkeras.space.recommendation import TwoTowerSpace
from hwkeras.space.sequence import SequenceSpace
from hwkeras.space.tabular import TabularSpace
from hwkeras.space.text import TextSpace


class Image(HardwareHyperModel):
    """Image classifiers: a stem, stages of blocks, a head; the hypermodel of `space.ImageSpace`.

    Args:
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
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
        num_classes: int; 1 for a regression, one number that is predicted.
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
        num_classes: int; 1 for a regression, one number that is predicted.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.NamedSpace`: `widths=(0.5, 1.0)`.

    Raises:
        UserError: an unknown name or choice, or a value that breaks its law.
    """

    def __init__(self, name, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(NamedSpace, choices, name, input_shape, num_classes), optimizer, loss, metrics)


class Nasnet(HardwareHyperModel):
    """Image classifiers of NASNet's cells, NASNet-A among them; the hypermodel of `space.NasnetSpace`.

    Args:
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.NasnetSpace`, such as `blocks=2`, `filters=(8, 12)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(NasnetSpace, choices, input_shape, num_classes), optimizer, loss, metrics)


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
        num_classes: int; 1 for a regression, one number that is predicted.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.SequenceSpace`, such as `stages=2`, `kernels=(3, 9)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(SequenceSpace, choices, input_shape, num_classes), optimizer, loss, metrics)


class Text(HardwareHyperModel):
    """Classifiers of texts; the hypermodel of `space.TextSpace`.

    Args:
        length: int, tokens of a text.
        vocabulary: int, how many numbers a token may have: `data.Tokenizer.num_ids`.
        num_classes: int, classes; 1 for a regression, one number that is predicted.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.TextSpace`, such as `encoders=("conv",)`, `embedding_units=(8, 16)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, length, vocabulary, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(TextSpace, choices, length, vocabulary, num_classes), optimizer, loss, metrics)

    @classmethod
    def of(cls, dataset, **options):
        """The space for a data set of texts.

        Args:
            dataset: `data.Dataset` of kind `"text"`, whose tokenizer says how long a text and how large the vocabulary
                is.
            **options: further arguments of `Text`.

        Returns:
            Text.

        Raises:
            UserError: data without a tokenizer, an unknown choice, or a value that breaks its law.
        """
        document = dataset.preprocessing.get("tokenizer")
        if document is None:
            raise UserError(
                f"A text space is made for texts. Received: data set {dataset.name!r} without a tokenizer. Load it "
                "with kind='text'."
            )
        tokenizer = Tokenizer.from_json(document)
        return cls(tokenizer.length, tokenizer.num_ids, dataset.num_classes, **options)


class Tabular(HardwareHyperModel):
    """Classifiers, or predictors of a number, of rows of a table; the hypermodel of `space.TabularSpace`.

    Args:
        input_shape: (features,), such as `data.TableEncoder` makes.
        num_classes: int; 1 for a regression, one number that is predicted.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.TabularSpace`, such as `depths=(1, 2)`, `gates=("none",)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, input_shape, num_classes, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(TabularSpace, choices, input_shape, num_classes), optimizer, loss, metrics)


class TwoTower(HardwareHyperModel):
    """Recommenders of items to users; the hypermodel of `space.TwoTowerSpace`.

    Args:
        num_users: int, `data.IdEncoder.num_users`.
        num_items: int, `data.IdEncoder.num_items`.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the task.
        metrics: see `HardwareHyperModel`. Defaults to `None`, `["accuracy"]`.
        **choices: arguments of `space.TwoTowerSpace`, such as `task="regression"`, `forms=("two_towers",)`.

    Raises:
        UserError: an unknown choice, or a value that breaks its law.
    """

    def __init__(self, num_users, num_items, *, optimizer=None, loss=None, metrics=None, **choices):
        super().__init__(_space(TwoTowerSpace, choices, num_users, num_items), optimizer, loss, metrics)

    @classmethod
    def of(cls, dataset, **options):
        """The space for a data set of interactions.

        Args:
            dataset: `data.Dataset` of kind `"interactions"`, whose ids say how large the embeddings are.
            **options: further arguments of `TwoTower`.

        Returns:
            TwoTower.

        Raises:
            UserError: data without ids, an unknown choice, or a value that breaks its law.
        """
        document = dataset.preprocessing.get("ids")
        if document is None:
            raise UserError(
                f"Two towers are made for users and items. Received: data set {dataset.name!r} without their ids. Load "
                "it with kind='interactions'."
            )
        ids = IdEncoder.from_json(document)
        return cls(ids.num_users, ids.num_items, **{"task": dataset.task, **options})


class FromDict(HardwareHyperModel):
    """A space written as a plain dict; the hypermodel of `space.DictSpace`.

    Args:
        choices: dict of key to a value or a list of values; the keys are those of `space.DictSpace`.
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
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
