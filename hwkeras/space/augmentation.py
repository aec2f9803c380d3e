"""What a search may do to training samples: choices that act while a network is trained and leave no trace in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.law import FLAG
from hwkeras.space.law import Law

_PREFIX = "augment/"


def _number(most, is_most_allowed):
    def normalize(value):
        is_within = value is not True and 0 <= value <= most and (is_most_allowed or value < most)
        if isinstance(value, str) or not is_within:
            raise ValueError
        return float(value)

    return normalize


def _mean_and_deviation(value):
    mean, deviation = (tuple(float(number) for number in numbers) for numbers in value)
    if len(mean) != len(deviation) or not all(number > 0 for number in deviation):
        raise ValueError
    return mean, deviation


_STANDARDIZATION = Law("a mean and a deviation above 0 for each channel", _mean_and_deviation)
_AMOUNT = Law("a number of 0 or more", _number(float("inf"), is_most_allowed=False))
# Beyond, a picture in float32 is at its floor, or overflows.
_DECIBELS = Law("decibels in [0, 60]", _number(60.0, is_most_allowed=True))
_UP_TO_HALF = Law("a share in [0, 0.5]", _number(0.5, is_most_allowed=True))
_BELOW_HALF = Law("a share in [0, 0.5)", _number(0.5, is_most_allowed=False))
_BELOW_ONE = Law("a share in [0, 1)", _number(1.0, is_most_allowed=False))
_UP_TO_ONE = Law("a share in [0, 1]", _number(1.0, is_most_allowed=True))


@dataclass(frozen=True)
class _Kind:
    """One kind of augmentation.

    Args:
        law: Law of its values.
        usual: the value beside "off" where nobody says another.
        ranks: tuple of int, axes of the inputs it is for: 3 of images and spectrograms, 2 of sequences.
        is_moving: bool, whether a pixel may become that of another place, or of another sample, too.
        num_axes: int, channels come in groups of so many.
        num_channels: int or None, inputs have exactly so many channels. None is any number.
        standardized_axis: int or None, the axis of the inputs, that of the batch not counted, along which it undoes
            what was taken off and what was divided by.
        is_of_sounds: bool, whether inputs are log-mel pictures, which nothing tells from other pictures but that the
            mean and the deviation of each band are known.
    """

    law: Law
    usual: object
    ranks: tuple = (2, 3)
    is_moving: bool = False
    num_axes: int = 1
    num_channels: int | None = None
    standardized_axis: int | None = None
    is_of_sounds: bool = False

    def suits(self, input_shape):
        """Whether it is for inputs of a shape (tuple of int, without the batch)."""
        suits_channels = self.num_channels in (None, input_shape[-1]) and input_shape[-1] % self.num_axes == 0
        return len(input_shape) in self.ranks and suits_channels


_KINDS = {
    "flip": _Kind(FLAG, True, (3,), is_moving=True),
    "crop": _Kind(_UP_TO_HALF, 0.125, is_moving=True),
    "cutout": _Kind(_UP_TO_ONE, 0.25, (3,)),
    "mixup": _Kind(_AMOUNT, 0.2, is_moving=True),
    "time_mask": _Kind(_BELOW_ONE, 0.2),
    "frequency_mask": _Kind(_BELOW_ONE, 0.2, (3,)),
    "time_warp": _Kind(_BELOW_HALF, 0.1, is_moving=True),
    "rotate": _Kind(_UP_TO_ONE, 0.1, (2,), num_axes=3, standardized_axis=-1),
    "loudness": _Kind(_DECIBELS, 20.0, (3,), num_channels=1, standardized_axis=1, is_of_sounds=True),
    "noise": _Kind(_AMOUNT, 0.1),
    "scale": _Kind(_AMOUNT, 0.1),
}
AUGMENTATIONS = tuple(_KINDS)


@dataclass(frozen=True)
class Augmentation:
    """How training samples are changed, as choices of a search; `build.augment` does it, `fit` alone calls it.

    Each one is a hyperparameter `augment/<name>`; 0 or False is off. Only those that are named are searched.

    - `flip`: bool, half of the pictures are mirrored left to right.
    - `crop`: share of a side by which a picture (a sequence: along its steps) is shifted at most, each way, the border
      repeated into what is left open; 0.125 is "pad by 4 and crop" for 32 pixels.
    - `cutout`: side of a patch that is blanked, as a share of the picture's sides; its center may be anywhere (DeVries
      & Taylor, arXiv:1708.04552).
    - `mixup`: alpha of Beta(alpha, alpha), from which the shares of two samples are drawn that are mixed, their targets
      alike (Zhang et al., arXiv:1710.09412).
    - `time_mask`, `frequency_mask`: the most steps, or bands, that are blanked in a row, as a share of all; inputs are
      (time, bands, channels) or (steps, channels) (SpecAugment, Park et al., 10.21437/Interspeech.2019-2680).
    - `time_warp`: the most a moment is shifted along the time, as a share of it, everything before and after it
      stretched or squeezed (Park et al., too).
    - `rotate`: the most a sequence is turned in space, about an axis of any direction, as a share of half a turn; its
      channels are x, y and z of one sensor after another, such as an accelerometer's and a gyroscope's, and all are
      turned alike, as if the device were worn another way (Um et al., 2017, 10.1145/3136755.3136817).
    - `loudness`: the most decibels by which a sound is made louder or quieter, as if it were spoken nearer to the
      microphone or farther from it; inputs are the pictures of `data.LogMel`, (frames, bands, 1), and become those of
      the louder sound. The six speakers of the Free Spoken Digit Dataset differ by up to 22 dB.
    - `noise`: standard deviation of Gaussian noise, in standard deviations of the sample's channel.
    - `scale`: each channel of a sample is multiplied by a factor between 1 / (1 + scale) and 1 + scale.

    What is blanked gets the mean of the sample's channel.

    Args:
        choices: mapping of name to value or tuple of values, such as `{"flip": (False, True), "mixup": 0.2}`; a single
            value is fixed and no hyperparameter. Kept as a tuple of (name, tuple of values).
        standardization: pair of sequences of float, the mean that was taken off and the deviation that was divided by,
            of each channel for `rotate`, of each band for `loudness`; `Dataset.preprocessing` holds them. None where
            channels are as they were measured; `loudness` has to be told. Kept as two tuples. Defaults to `None`.

    Raises:
        UserError: an unknown name, a value that breaks its law, or a mean and a deviation of different lengths or not
            above 0.
    """

    choices: Mapping
    standardization: tuple | None = None
    _menu: Menu = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if not isinstance(self.choices, Mapping):
            raise UserError(
                f"`augment` is a dict of name to values. Received: augment={self.choices!r}. Pass for example "
                'augment={"flip": (False, True)}.'
            )
        known = tuple((name, _kind(name).law.apply_all(name, values)) for name, values in self.choices.items())
        object.__setattr__(self, "choices", known)
        if self.standardization is not None:
            object.__setattr__(self, "standardization", _STANDARDIZATION.apply("standardization", self.standardization))
        object.__setattr__(self, "_menu", Menu(Choice(f"{_PREFIX}{name}", values) for name, values in known))

    @classmethod
    def parse(cls, texts, standardization=None):
        """Reads what is written on a command line.

        Args:
            texts: sequence of str, `"NAME"` for "off" and the usual value, or `"NAME=V1,V2"` for "off" and these.
            standardization: see the class. Defaults to `None`.

        Returns:
            Augmentation.

        Raises:
            UserError: an unknown name, or a value that is no number or breaks its law.
        """
        choices = {}
        for text in texts:
            name, equals, values = text.partition("=")
            kind = _kind(name.strip())
            further = [_float(each, text) for each in values.split(",")] if equals else [kind.usual]
            choices.setdefault(name.strip(), [False]).extend(further)
        return cls(choices, standardization)

    def require_shape(self, input_shape):
        """Makes sure that every one is for inputs of this form.

        Args:
            input_shape: tuple of int, without the batch.

        Raises:
            UserError: one is not.
        """
        for name, _ in self.choices:
            if not _KINDS[name].suits(input_shape):
                able = ", ".join(
                    each
                    for each, kind in _KINDS.items()
                    if kind.suits(input_shape) and (self.standardization or not kind.is_of_sounds)
                )
                raise UserError(
                    f"`augment` must suit the input. Received: {name!r} for inputs of shape {tuple(input_shape)}. "
                    + (f"For these there are {able}." if able else "There is none for these; leave it away.")
                )
            self._require_standardization(name, input_shape)

    def _require_standardization(self, name, input_shape):
        kind = _KINDS[name]
        axis = kind.standardized_axis
        if kind.is_of_sounds and self.standardization is None:
            raise UserError(
                f"`{name}` is for log-mel pictures of sounds, and must know the mean and the deviation that "
                f"standardized each band. Received: no `standardization` for inputs of shape {tuple(input_shape)}. "
                f'Pass Augmentation({{"{name}": {kind.usual:g}}}, (mean, deviation)), which are in '
                "`Dataset.preprocessing` of sounds."
            )
        if axis is None or self.standardization is None:
            return
        noun = "channel" if axis == -1 else "band"
        if len(self.standardization[0]) != input_shape[axis]:
            raise UserError(
                f"`standardization` must be that of every {noun}. Received: means of "
                f"{len(self.standardization[0])} {noun}s for inputs of shape {tuple(input_shape)}."
            )

    def require_places(self):
        """Makes sure that every pixel stays where it is, as the answers for each of them do.

        Raises:
            UserError: one moves or mixes pixels.
        """
        moving = [name for name, _ in self.choices if _KINDS[name].is_moving]
        if moving:
            able = ", ".join(name for name, kind in _KINDS.items() if not kind.is_moving)
            raise UserError(
                f"`augment` must leave pixels where they are, for the masks stay. Received: {moving[0]!r} for a space "
                f"that answers for every pixel. For these there are {able}."
            )

    def declare(self, hp):
        """Registers the hyperparameters.

        Args:
            hp: keras_tuner.HyperParameters.
        """
        self._menu.declare(hp)

    def read(self, hp):
        """What is done to the samples of a trial.

        Args:
            hp: keras_tuner.HyperParameters, or anything whose `values` is a dict of name to value.

        Returns:
            dict of name, without `augment/`, to value; what is off is left out.

        Raises:
            UserError: a value is missing.
        """
        values = self._menu.read(hp)
        return {name.removeprefix(_PREFIX): value for name, value in values.items() if value}

    def describe(self):
        """What is left open, for a person.

        Returns:
            str, a line for each one.
        """
        return "\n".join(f"{_PREFIX}{name}: {', '.join(map(str, values))}" for name, values in self.choices)


def _kind(name):
    if name not in _KINDS:
        raise UserError(f"The augmentations are {', '.join(_KINDS)}. Received: {name!r}.")
    return _KINDS[name]


def _float(text, whole):
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"An augmentation is NAME, or NAME=V1,V2 with numbers. Received: {whole!r}. Write for example mixup=0.2."
        ) from None
