"""A space as a keras-tuner hypermodel that any tuner can search."""

from __future__ import annotations

import functools
import inspect

import keras
import keras_tuner

from hwkeras.build.augmented_fit import fit_augmented
from hwkeras.build.batches import Batches
from hwkeras.build.fit_plan import FitPlan
from hwkeras.build.fit_plan import label_shape
from hwkeras.build.model import build_model
from hwkeras.build.schedule import CosineRate
from hwkeras.build.schedule import batch_norm_momentum
from hwkeras.build.schedule import peak_learning_rate
from hwkeras.build.target_scale import TargetScale
from hwkeras.build.target_scale import usual_metrics
from hwkeras.errors import UserError
from hwkeras.space.augmentation import Augmentation

# The name by which `fit` knows an optimizer of ours from one that somebody compiled over it.
_OPTIMIZER_NAME = "hwkeras_adam"
_CONSTANT_RATE = 2e-3
_SPARSE_LOSS = "sparse_categorical_crossentropy"
_NUMBER_LOSS = "mse"
_LOSSES = {"softmax": _SPARSE_LOSS, "sigmoid": "binary_crossentropy"}


class HardwareHyperModel(keras_tuner.HyperModel):
    """Builds, compiles and fits the networks of a space.

    What is not given is chosen, and what is given is kept. Chosen are: Adam whose rate rises briefly and falls by a
    cosine over the steps of the training; the cross-entropy that suits the labels, and accuracy; for a network that
    predicts numbers the squared error, of targets that are standardized while it is trained (see `target_scale`).

    Args:
        space: object with `declare(hp)` and `architecture(hp)`, such as `space.ImageSpace`.
        optimizer: str, dict, or keras Optimizer, copied for each model. Defaults to `None`, chosen.
        loss: as for `model.compile`. Defaults to `None`, chosen by the labels.
        metrics: list as for `model.compile`. Defaults to `None`, `["accuracy"]`, or `mae` and `rmse` of numbers.
        augment: dict of name to values, or `space.augmentation.Augmentation`: how `fit` changes training samples, as
            further choices. Networks, their files and what they cost do not depend on it. Defaults to `None`, nothing.

    Raises:
        UserError: not a space, or an augmentation that its inputs cannot have.
    """

    def __init__(self, space, optimizer=None, loss=None, metrics=None, augment=None):
        if not is_space(space):
            raise UserError(
                f"`space` must have declare(hp) and architecture(hp). Received: space={space!r}. For a build(hp) "
                "function use as_hypermodel(build)."
            )
        self.space = space
        self.optimizer = optimizer
        self.loss = loss
        self.metrics = metrics
        self.augment = augment
        super().__init__()

    @property
    def augment(self):
        """`space.augmentation.Augmentation`, or None; it may be set, to a dict too."""
        return self._augment

    @augment.setter
    def augment(self, augment):
        if augment is not None:
            augment = augment if isinstance(augment, Augmentation) else Augmentation(augment)
            augment.require_shape(self.input_shape)
            if self.predicts_pixels:
                augment.require_places()
        self._augment = augment

    @property
    def input_shape(self):
        """Tuple of ints, without the batch."""
        return self.space.input_shape

    @property
    def num_classes(self):
        """int."""
        return self.space.num_classes

    @property
    def predicts_numbers(self):
        """bool, whether the networks end in a `regressor` and not in classes."""
        return self._head() == "regressor"

    @property
    def predicts_pixels(self):
        """bool, whether the networks answer with a class for every pixel."""
        return self._head() == "pixel_classifier"

    def _head(self):
        """The kind of the last layer of the networks; None of a space without architectures."""
        hp = keras_tuner.HyperParameters()
        self.space.declare(hp)
        architecture = self.space.architecture(hp)
        return None if architecture is None else architecture.layers[-1].kind

    def declare_hyperparameters(self, hp):
        """Registers every hyperparameter of the space, those of dormant scopes too, and those of the augmentation.

        Args:
            hp: keras_tuner.HyperParameters.
        """
        self.space.declare(hp)
        if self.augment is not None:
            self.augment.declare(hp)

    def architecture(self, hp):
        """The network of a set of values, not built.

        Args:
            hp: keras_tuner.HyperParameters, declared.

        Returns:
            `space.Architecture`.
        """
        return self.space.architecture(hp)

    def training_values(self, hp):
        """What a set of values says of the training alone: trials of one network are not the same where it differs.

        Args:
            hp: keras_tuner.HyperParameters, declared.

        Returns:
            dict of name to value, JSON-able: the augmentations that are not off.
        """
        return {} if self.augment is None else self.augment.read(hp)

    def describe(self):
        """What is left open, for a person.

        Returns:
            str: each choice of the space with its values and its condition, the number of assignments, an example; of a
            space that does not say, its name; then the choices of the augmentation.
        """
        said = self.space.describe() if hasattr(self.space, "describe") else repr(self.space)
        return said if self.augment is None else f"{said}\n{self.augment.describe()}"

    def build(self, hp):
        """Declares, builds, compiles.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            keras.Model, compiled.

        Raises:
            UserError: no loss was given for a network that does not end in a classifier.
        """
        self.declare_hyperparameters(hp)
        architecture = self.space.architecture(hp)
        model = build_model(architecture)
        loss = self._usual_loss(architecture) if self.loss is None else self.loss
        model.compile(optimizer=self._new_optimizer(hp), loss=loss, metrics=self._new_metrics(loss))
        return model

    def fit(self, hp, model, *args, **kwargs):
        """Trains the model by `model.fit`, with rate and batch-normalization momentum suited to the number of steps.

        The rate is set only on the optimizer chosen here, and no more once a callback sets another. Training samples
        are augmented as the values say (see `augmented_fit`).

        Args:
            hp: keras_tuner.HyperParameters.
            model: keras.Model of `build`.
            *args: as for `model.fit`.
            **kwargs: as for `model.fit`.

        Returns:
            keras History.
        """
        arguments = inspect.signature(model.fit).bind(*args, **kwargs).arguments
        self._suit_loss(model, label_shape(arguments))
        scale = self._target_scale(model, arguments)
        if scale is None:
            return self._fit(hp, model, arguments)
        head = model.layers[-1]
        scale.remove_from(head)
        # NOTE: metrics of the user's would be in another unit; they come back with the unit.
        metrics = scale.metrics() if self.metrics is None else None
        model.compile(optimizer=model.optimizer, loss=model.loss, metrics=metrics)
        history = self._fit(hp, model, arguments | scale.applied_to(arguments))
        scale.put_into(head)
        model.compile(optimizer=model.optimizer, loss=model.loss, metrics=self._new_metrics(model.loss))
        return history

    def _fit(self, hp, model, arguments):
        if isinstance(arguments.get("x"), Batches):
            arguments["x"].epoch = arguments.get("initial_epoch") or 0  # they may have been another trial's
        self._suit_length(hp, model, arguments)
        values = self.training_values(hp)
        if not values:
            return model.fit(**arguments)
        return fit_augmented(model, arguments, values, self._metrics_of(model), self.augment.standardization)

    def _rate_share(self, hp):
        """The share of the usual learning rate that the networks of some values are trained with."""
        return 1.0

    def _suit_length(self, hp, model, arguments):
        if (plan := FitPlan.of(arguments)) is None:
            return
        _set_momentum(model, batch_norm_momentum(plan.num_steps))
        callbacks = arguments.get("callbacks") or []
        callbacks = callbacks if isinstance(callbacks, (list, tuple, keras.callbacks.CallbackList)) else [callbacks]
        if _is_own(model.optimizer) and not isinstance(callbacks, keras.callbacks.CallbackList):
            peak = peak_learning_rate(plan.batch_size) * self._rate_share(hp)
            rate = CosineRate(plan.steps_per_epoch, plan.num_epochs, peak)
            # First, so that the rate a user's callback sets stands.
            arguments["callbacks"] = [rate, *callbacks]

    def _new_optimizer(self, hp):
        if self.optimizer is None:
            return keras.optimizers.Adam(_CONSTANT_RATE * self._rate_share(hp), name=_OPTIMIZER_NAME)
        if isinstance(self.optimizer, keras.optimizers.Optimizer):
            return type(self.optimizer).from_config(self.optimizer.get_config())
        return keras.optimizers.get(self.optimizer)

    def _target_scale(self, model, arguments):
        """The scale of the numbers to predict; None for classes, a loss of the user's, or data that stream."""
        if self.loss is not None or model.loss != _NUMBER_LOSS:
            return None
        return TargetScale.of_arguments(arguments)

    def _new_metrics(self, loss=None):
        if self.metrics is None:
            return usual_metrics() if loss == _NUMBER_LOSS else ["accuracy"]
        return [
            type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric
            for metric in self.metrics
        ]

    def _usual_loss(self, architecture):
        last = architecture.layers[-1]
        if last.kind == "regressor":
            return _NUMBER_LOSS
        if last.kind not in ("classifier", "pixel_classifier"):
            raise UserError(
                f"`loss` must be given for a network that does not end in a classifier. Received: loss=None and a last "
                f"layer of kind {last.kind!r}. Pass for example loss='mse'."
            )
        return _LOSSES[last.params["activation"]]

    def _suit_loss(self, model, labels):
        is_chosen = self.loss is None and model.loss == _SPARSE_LOSS
        if not is_chosen or labels is None or len(labels) != 2 or labels[1] != model.output_shape[-1]:
            return
        metrics = self._metrics_of(model)()
        model.compile(optimizer=model.optimizer, loss="categorical_crossentropy", metrics=metrics)

    def _metrics_of(self, model):
        """Who makes the metrics anew that a model is compiled with now: a tuner may have compiled it with its own."""
        told = model.get_compile_config()["metrics"] if self.metrics is None else None
        if not told:
            return functools.partial(self._new_metrics, model.loss)
        return functools.partial(keras.saving.deserialize_keras_object, told)


class BuildFunction(keras_tuner.HyperModel):
    """A `build(hp)` function as a hypermodel.

    Args:
        function: function of `keras_tuner.HyperParameters` that returns a compiled keras.Model.
    """

    def __init__(self, function):
        self.function = function
        super().__init__()

    def build(self, hp):
        """Calls the function.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            keras.Model.

        Raises:
            UserError: the function returned something else.
        """
        return require_model(self.function(hp))


def require_model(built):
    """Passes on what a `build(hp)` returned, if it is a model.

    Args:
        built: any object.

    Returns:
        keras.Model, the same object.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(built, keras.Model):
        raise UserError(f"`build(hp)` must return a keras.Model. Received: {built!r}. Did you forget `return model`?")
    return built


def as_hypermodel(obj):
    """Makes a hypermodel of whatever says what to search.

    Args:
        obj: keras_tuner.HyperModel, which is returned as it is; a space with `declare(hp)` and `architecture(hp)`; or a
            function `build(hp)` that returns a compiled keras.Model.

    Returns:
        keras_tuner.HyperModel.

    Raises:
        UserError: none of these, a class, or a single Keras model.
    """
    if isinstance(obj, keras_tuner.HyperModel):
        return obj
    is_known = not isinstance(obj, (type, keras.layers.Layer))
    if is_known and is_space(obj):
        return HardwareHyperModel(obj)
    if is_known and callable(obj):
        return BuildFunction(obj)
    raise UserError(
        "A search takes one of hwkeras.spaces, a keras_tuner.HyperModel, or a function build(hp) that returns a "
        f"compiled keras.Model. Received: {obj!r}. Of a class pass an instance; a single model goes to compress or "
        "benchmark."
    )


def is_space(obj):
    """Whether an object has the two methods of a space.

    Args:
        obj: any object.

    Returns:
        bool.
    """
    return callable(getattr(obj, "declare", None)) and callable(getattr(obj, "architecture", None))


def _is_own(optimizer):
    # Mixed precision wraps the optimizer given.
    return getattr(optimizer, "inner_optimizer", optimizer).name == _OPTIMIZER_NAME


def _set_momentum(model, momentum):
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
