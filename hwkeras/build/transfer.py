"""`hwkeras.spaces.Transfer`: what a trained network has learned, cut where it pays, under a head of one's own."""

from __future__ import annotations

import functools

import keras
import numpy as np
from keras import layers

from hwkeras.build.hypermodel import HardwareHyperModel
from hwkeras.build.transfer_backbone import Backbone
from hwkeras.build.transfer_choices import POOLS
from hwkeras.build.transfer_choices import TRAININGS
from hwkeras.build.transfer_choices import TransferChoices
from hwkeras.build.transfer_source import open_source
from hwkeras.errors import UserError
from hwkeras.space.law import CLASSES
from hwkeras.space.law import IMAGE_SHAPE

_MOST_CUTS = 6
_POOLS = dict(zip(POOLS, (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D), strict=True))
# Long trainings are fine-tuned at a tenth of the rate (Kolesnikov et al., BiT, arXiv:1912.11370), but in a short one a
# new head learns too little so. Measured on Fashion-MNIST, classes 5 to 9 on a network of classes 0 to 4, 240 samples,
# 12 epochs of "all": accuracy 0.807 at a tenth, 0.853 at three tenths, 0.878 at the usual rate.
_FINE_TUNING_RATES = (0.3, 1.0)
_FULL_RATE = 1.0


class Transfer(HardwareHyperModel):
    """Classifiers of images on the first layers of a trained network, the backbone.

    Searched are where the backbone is cut, what of it is trained on, and at which rate; the pooling, a hidden layer and
    dropout of the head; and the size of the images. Each network has its own copy of the backbone's layers, which keep
    their names; layers that are not trained keep their weights and batch statistics to the bit.

    Args:
        backbone: keras.Model, Sequential or functional; path of a `.keras` file, or of an `.h5` file that Keras 3
            loads; or a name of `keras.applications`, such as `"mobilenet_v2"` or `"MobileNetV3Small"`. The classifier
            of a model or file is left away.
        input_shape: (height, width, channels). One channel is repeated for a backbone that takes three.
        num_classes: int; 1 for a regression, one number that is predicted.
        weights: of a name: `"imagenet"`, which Keras downloads, or the path of a file of weights. Defaults to `None`,
            random weights, to be trained with the head.
        cuts: names of layers after which the backbone may be cut; every path to its output must go through each.
            Defaults to `None`: up to six ends of blocks and of resolutions, as far as the images are large enough.
        training: of the backbone: `"frozen"`, nothing; `"top"`, the layers between the cut before and the one chosen;
            `"all"`. Defaults to `None`: each of them, and `"all"` for random weights.
        rates: shares of the usual peak rate with which `"top"` and `"all"` are trained. Defaults to `None`:
            `(0.3, 1.0)`, and 1.0 for random weights.
        resolutions: factors by which images are averaged down first, which must divide height and width; 0.5 doubles
            them, for a backbone of larger images. Defaults to `(1,)`.
        pools: of the head, `"average"` or `"max"`. Defaults to both.
        dense_units: of the head's hidden layer; 0 for none. Defaults to `(0, 64)`.
        dropout_rates: before the last layer. Defaults to `(0.0, 0.2)`.
        scale: float, or one for each channel of the backbone: what images, such as those of `hwkeras.data` in [0, 1],
            are multiplied by. Defaults to `None`: what the network of `keras.applications` expects, 1.0 for others. For
            a MobileNetV1 or V2 that is passed as a model, pass `scale=2, offset=-1`.
        offset: float, or one for each channel of the backbone: what is added then. Defaults to `None`, as for `scale`.
        optimizer: see `HardwareHyperModel`. Defaults to `None`, chosen.
        loss: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        metrics: see `HardwareHyperModel`. Defaults to `None`, chosen by the labels.
        augment: see `HardwareHyperModel`. Defaults to `None`, nothing.

    Raises:
        UserError: a backbone, or weights, that cannot be had or used; an unknown cut; or a value that breaks its law.
    """

    def __init__(
        self,
        backbone,
        input_shape,
        num_classes,
        *,
        weights=None,
        cuts=None,
        training=None,
        rates=None,
        resolutions=(1,),
        pools=POOLS,
        dense_units=(0, 64),
        dropout_rates=(0.0, 0.2),
        scale=None,
        offset=None,
        optimizer=None,
        loss=None,
        metrics=None,
        augment=None,
    ):
        input_shape = IMAGE_SHAPE.apply("input_shape", input_shape)
        source = open_source(backbone, weights)
        self._backbone = Backbone(source.model, source.is_trained)
        self._scale = _per_channel("scale", source.scale if scale is None else scale, self._backbone.channels)
        self._offset = _per_channel("offset", source.offset if offset is None else offset, self._backbone.channels)
        if input_shape[-1] not in (1, self._backbone.channels):
            raise UserError(
                f"The images must have one channel or as many as the backbone takes, {self._backbone.channels}. "
                f"Received: input_shape={input_shape}. Convert them, or pass another backbone."
            )
        usual_training, usual_rates = (TRAININGS, _FINE_TUNING_RATES) if source.is_trained else ("all", _FULL_RATE)
        make_choices = functools.partial(
            TransferChoices,
            self._backbone.identity,
            input_shape,
            CLASSES.apply("num_classes", num_classes),
            training=usual_training if training is None else training,
            rates=usual_rates if rates is None else rates,
            resolutions=resolutions,
            pools=pools,
            dense_units=dense_units,
            dropout_rates=dropout_rates,
        )
        places = self._backbone.places
        names = places.chosen(_MOST_CUTS) if cuts is None else places.named(cuts)
        super().__init__(make_choices(names), optimizer, loss, metrics, augment)
        while not self._fits(must=cuts is not None or len(names) == 1):
            names = names[:-1]
            self.space = make_choices(names)

    def _fits(self, must):
        """Whether images of every resolution are of a size for the deepest cut; an error where they must be."""
        try:
            for resolution in self.space.resolutions:
                self._features({"cut": self.space.cuts[-1], "resolution": resolution})
        except UserError:
            if must:
                raise
            return False
        return True

    @property
    def predicts_numbers(self):
        """bool, whether the networks end in one number and not in classes."""
        return self.num_classes == 1

    def build(self, hp):
        """Declares, builds, compiles.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            keras.Model, compiled.

        Raises:
            UserError: hyperparameters of another backbone.
        """
        self.declare_hyperparameters(hp)
        model = self._network(self.space.read(hp))
        usual_loss = "mse" if self.predicts_numbers else "sparse_categorical_crossentropy"
        loss = usual_loss if self.loss is None else self.loss
        model.compile(optimizer=self._new_optimizer(hp), loss=loss, metrics=self._new_metrics(loss))
        return model

    def _rate_share(self, hp):
        # A head on a frozen backbone is as new as any network.
        return self.space.read(hp).get("rate", _FULL_RATE)

    def _network(self, values):
        image, features, taken = self._features(values)
        y = _POOLS[values["pool"]](name=_free("head_pool", taken))(features)
        # Features of one scale, as in linear probing (He et al., arXiv:2111.06377, A.1): those of a frozen backbone
        # have large means, beside which a head learns nothing in a few hundred steps.
        y = layers.BatchNormalization(name=_free("head_norm", taken))(y)
        if values["units"]:
            y = layers.Dense(values["units"], "relu", name=_free("head_dense", taken))(y)
        if values["dropout"]:
            y = layers.Dropout(values["dropout"], name=_free("head_dropout", taken))(y)
        activation = "linear" if self.predicts_numbers else "softmax"
        return keras.Model(image, layers.Dense(self.num_classes, activation, name=_free("head", taken))(y))

    def _features(self, values):
        """The image, what the backbone makes of it, and the names of the backbone's layers."""
        cuts, cut, training = self.space.cuts, values["cut"], values.get("training", "frozen")
        taken = self._backbone.layers_until(cut)
        image = keras.Input(self.input_shape, name=_free("image", taken))
        features, grown = self._backbone.grow(self._prepared(image, values["resolution"], taken), cut)
        place = cuts.index(cut)
        before = self._backbone.layers_until(cuts[place - 1]) if place and training == "top" else frozenset()
        for name, layer in grown.items():
            layer.trainable = training != "frozen" and name not in before
        return image, features, taken

    def _prepared(self, image, factor, taken):
        """The image of the size, the channels and the range that the backbone takes."""
        y = image
        if factor > 1:
            y = layers.AveragePooling2D(int(factor), name=_free("image_size", taken))(y)
        elif factor < 1:
            size = layers.UpSampling2D(round(1 / factor), interpolation="bilinear", name=_free("image_size", taken))
            y = size(y)
        if image.shape[-1] != self._backbone.channels:
            y = layers.Concatenate(name=_free("image_channels", taken))([y] * self._backbone.channels)
        if self._scale != 1 or self._offset != 0:
            y = layers.Rescaling(self._scale, self._offset, name=_free("image_scale", taken))(y)
        return y


def _per_channel(name, value, num_channels):
    """A float, or a list of one for each channel, which a layer can write down."""
    try:
        found = np.asarray(value, "float64")
    except (TypeError, ValueError):
        found = np.full((), np.nan)
    if found.shape not in ((), (num_channels,)) or not np.isfinite(found).all():
        raise UserError(
            f"`{name}` must be a number, or one for each of the backbone's {num_channels} channels. Received: "
            f"{name}={value!r}."
        )
    return found.tolist()


def _free(name, taken):
    # A backbone may have been made here, too.
    while name in taken:
        name += "_"
    return name
