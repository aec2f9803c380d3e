"""The ready-made spaces as hypermodels: `hwkeras.spaces.Image(input_shape=(28, 28, 1), num_classes=10)`."""

from __future__ import annotations

import inspect
from dataclasses import fields

from hwkeras.build.hypermodel import HardwareHyperModel
from hwkeras.build.transfer import Transfer as Transfer
from hwkeras.data.interactions import IdEncoder
from hwkeras.data.log_mel import LogMel
from hwkeras.data.tokenizer import Tokenizer
from hwkeras.errors import UserError
from hwkeras.space.audio import AudioSpace
from hwkeras.space.cell_space import CellSpace
from hwkeras.space.image import ImageSpace
from hwkeras.space.layer_list import LayerListSpace
from hwkeras.space.named_space import NamedSpace
from hwkeras.space.nasnet_space import NasnetSpace
from hwkeras.space.plain_dict import DictSpace
from hwkeras.space.recommendation import TwoTowerSpace
from hwkeras.space.segmentation import SegmentationSpace
from hwkeras.space.sequence import SequenceSpace
from hwkeras.space.tabular import TabularSpace
from hwkeras.space.text import TextSpace


class ReadyMade(HardwareHyperModel):
    """A space of `hwkeras.space` as a hypermodel: takes the arguments of the space, and how its networks are compiled.

    Args:
        *arguments: the first arguments of the space, in their order, such as `input_shape` and `num_classes`.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        augment: see `HardwareHyperModel`, such as `{"flip": (False, True), "mixup": (0.0, 0.2)}`. Defaults to `None`.
        **choices: further arguments of the space.

    Attributes:
        space_class: the class of the space.

    Raises:
        UserError: an unknown argument, or a value that breaks its law.
    """

    space_class = None

    def __init_subclass__(cls, **arguments):
        super().__init_subclass__(**arguments)
        of_space = inspect.signature(cls.space_class)
        further = [
            parameter
            for parameter in inspect.signature(ReadyMade.__init__).parameters.values()
            if parameter.kind == inspect.Parameter.KEYWORD_ONLY
        ]
        # What `help` and an editor show.
        parameters = [*of_space.parameters.values(), *further]
        cls.__signature__ = inspect.Signature(parameters)

    def __init__(self, *arguments, optimizer=None, loss=None, metrics=None, augment=None, **choices):
        known = [field.name for field in fields(self.space_class)][len(arguments) :]
        unknown = sorted(set(choices) - set(known))
        if unknown:
            raise UserError(f"The choices of this space are {', '.join(known)}. Received: {unknown[0]!r}.")
        super().__init__(self.space_class(*arguments, **choices), optimizer, loss, metrics, augment)


class Image(ReadyMade):
    """Image classifiers: a stem, stages of blocks, a head; takes the arguments of `space.ImageSpace`.

    Such as `Image((28, 28, 1), 10, stages=2, widths=(8, 16), activations=("relu",))`.
    """

    space_class = ImageSpace


class Audio(ReadyMade):
    """Sound classifiers, on pictures of log-mel energies or on waveforms; takes the arguments of `space.AudioSpace`.

    Such as `Audio.of(load_dataset("words/", kind="audio", front_end="inside"), stages=2)`.
    """

    space_class = AudioSpace

    @classmethod
    def of(cls, dataset, **options):
        """The space for a data set of sounds, with the front end where the data leave it.

        Args:
            dataset: `data.Dataset` of kind `"audio"`: of pictures, or of waveforms that the network makes the same
                pictures of.
            **options: further arguments of `Audio`.

        Returns:
            Audio.

        Raises:
            UserError: data that are no sounds, an unknown choice, or a value that breaks its law.
        """
        told = dataset.preprocessing
        if "front_end_inside" in told:
            options["front_end"] = _front_end(told["front_end_inside"])
        elif "front_end" not in told:
            raise UserError(
                f"An audio space is made for sounds. Received: data set {dataset.name!r} without a front end. Load it "
                "with kind='audio'."
            )
        return cls(dataset.input_shape, dataset.num_classes, **options)


def _front_end(told):
    """The numbers of a `LogMel` and of its bands as parameters of the kind `"log_mel"`."""
    standard = {name: told[name] for name in ("mean", "deviation")}
    front_end = LogMel(**{name: value for name, value in told.items() if name not in standard})
    named = {name: getattr(front_end, name) for name in ("sample_rate", "frame", "hop", "low_hz", "high_hz")}
    return named | standard


class Cells(ReadyMade):
    """Image classifiers of repeated cells, NAS-Bench-201's among them; takes the arguments of `space.CellSpace`.

    Such as `Cells((32, 32, 3), 10, nodes=3, cells=(1, 2, 3))`.
    """

    space_class = CellSpace


class Named(ReadyMade):
    """A well-known network in several widths; takes the arguments of `space.NamedSpace`.

    Such as `Named("mobilenet_v2", (96, 96, 3), 2, widths=(0.5, 1.0))`; a wrong name is answered with all of them.
    """

    space_class = NamedSpace


class Nasnet(ReadyMade):
    """Image classifiers of NASNet's cells, NASNet-A among them; takes the arguments of `space.NasnetSpace`.

    Such as `Nasnet((32, 32, 3), 10, blocks=2, filters=(8, 12))`.
    """

    space_class = NasnetSpace


class SearchSpace(ReadyMade):
    """Lists of convolutions, pools and dense layers; takes the arguments of `space.LayerListSpace`.

    Such as `SearchSpace((32, 32, 3), (10,), num_layers=5, layer_types=["conv", "pool", "fc"], fc_sizes=[64, 128])`.
    """

    space_class = LayerListSpace


class Segmentation(ReadyMade):
    """Classifiers of every pixel of an image; takes the arguments of `space.SegmentationSpace`.

    Such as `Segmentation((64, 64, 3), 2, levels=(2, 3), skips=("concat",))`.
    """

    space_class = SegmentationSpace


class Sequence(ReadyMade):
    """Classifiers of sequences, such as motion or medical signals; takes the arguments of `space.SequenceSpace`.

    Such as `Sequence((128, 6), 7, stages=2, kernels=(3, 9))`.
    """

    space_class = SequenceSpace


class Text(ReadyMade):
    """Classifiers of texts; takes the arguments of `space.TextSpace`.

    Such as `Text(tokenizer.length, tokenizer.num_ids, 2, encoders=("conv",), embedding_units=(8, 16))`.
    """

    space_class = TextSpace

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


class Tabular(ReadyMade):
    """Classifiers, or predictors of a number, of rows of a table; takes the arguments of `space.TabularSpace`.

    Such as `Tabular((20,), 2, depths=(1, 2), gates=("none",))`.
    """

    space_class = TabularSpace


class TwoTower(ReadyMade):
    """Recommenders of items to users; takes the arguments of `space.TwoTowerSpace`.

    Such as `TwoTower(ids.num_users, ids.num_items, task="regression", forms=("two_towers",))`.
    """

    space_class = TwoTowerSpace

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


class FromDict(ReadyMade):
    """A space written as a plain dict; takes the arguments of `space.DictSpace`.

    Such as `FromDict({"filters": [8, 16], "dense_units": 32}, (28, 28, 1), 10)`.
    """

    space_class = DictSpace
