"""The ready-made space for sequences: sensors, motion, medical signals; convolutions over time."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields

from hwkeras.space.draft import Draft
from hwkeras.space.image import HEADS
from hwkeras.space.image import ImageSpace
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import Law
from hwkeras.space.menu_space import MenuSpace


def _steps_and_channels(value):
    steps, channels = (POSITIVE.normalize(number) for number in value)
    return steps, channels


SEQUENCE_SHAPE = Law("(steps, channels), two positive integers", _steps_and_channels)
# What an image space calls its choices: all but the input are handed on.
_OWN = ("input_shape",)


@dataclass(frozen=True)
class SequenceSpace(MenuSpace):
    """Sequence classifiers: a convolution stem, stages of blocks over time, a head.

    A sequence is handled as an image of one row, so that convolutions over time are the two-dimensional operators that
    every TFLite runtime has kernels for, int8 and quantization-aware training included. The arguments from
    `num_classes` on are those of `ImageSpace`, with defaults that suit signals: longer kernels and strides.

    Args:
        input_shape: (steps, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        stages: see `ImageSpace`. Defaults to `3`.
        min_stages: see `ImageSpace`. Defaults to `1`.
        layer_types: see `ImageSpace`. Defaults to `("conv", "separable_conv", "residual", "inverted_bottleneck")`.
        depths: see `ImageSpace`. Defaults to `(1, 2)`.
        widths: see `ImageSpace`. Defaults to `(8, 16, 24, 32, 48)`.
        kernels: see `ImageSpace`. Defaults to `(3, 5, 9)`.
        strides: see `ImageSpace`. Defaults to `(1, 2, 4)`.
        expansions: see `ImageSpace`. Defaults to `(2, 4)`.
        squeeze_excite: see `ImageSpace`. Defaults to `(False, True)`.
        skips: see `ImageSpace`. Defaults to `(True, False)`.
        activations: see `ImageSpace`. Defaults to `("relu", "relu6", "hard_swish")`.
        resolutions: see `ImageSpace`, factors of the steps. Defaults to `None`.
        stem_widths: see `ImageSpace`. Defaults to `(8, 16)`.
        stem_strides: see `ImageSpace`. Defaults to `(1, 2)`.
        stem_kernels: see `ImageSpace`. Defaults to `(3, 5, 9)`.
        heads: see `ImageSpace`. Defaults to `("global_pool", "flatten")`; `"attention_pool"`, `"gru"` and `"lstm"` may
            be named too.
        dense_units: see `ImageSpace`. Defaults to `(0, 32)`.
        dropout_rates: see `ImageSpace`. Defaults to `(0.0, 0.2, 0.4)`.
        recurrent_units: see `ImageSpace`. Defaults to `(8, 16, 32)`.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int, int]
    num_classes: int
    stages: int = 3
    min_stages: int = 1
    layer_types: tuple = ("conv", "separable_conv", "residual", "inverted_bottleneck")
    depths: tuple = (1, 2)
    widths: tuple = (8, 16, 24, 32, 48)
    kernels: tuple = (3, 5, 9)
    strides: tuple = (1, 2, 4)
    expansions: tuple = (2, 4)
    squeeze_excite: tuple = (False, True)
    skips: tuple = (True, False)
    activations: tuple = ("relu", "relu6", "hard_swish")
    resolutions: tuple | None = None
    stem_widths: tuple = (8, 16)
    stem_strides: tuple = (1, 2)
    stem_kernels: tuple = (3, 5, 9)
    heads: tuple = HEADS
    dense_units: tuple = (0, 32)
    dropout_rates: tuple = (0.0, 0.2, 0.4)
    recurrent_units: tuple = (8, 16, 32)

    def __post_init__(self):
        object.__setattr__(self, "input_shape", SEQUENCE_SHAPE.apply("input_shape", self.input_shape))
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _OWN}
        image = ImageSpace((1, *self.input_shape), **given)
        for name in given:
            object.__setattr__(self, name, getattr(image, name))
        self.__dict__["_image"] = image
        self.__dict__["_menu"] = image.__dict__["_menu"]

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def _network(self, values):
        draft = Draft(self.input_shape)
        draft.append("row", "reshape", shape=(1, *self.input_shape))
        self._image.append_to(draft, values)
        return draft.finish()
