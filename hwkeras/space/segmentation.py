"""The ready-made space for a class at every pixel: an encoder that halves maps, a decoder that enlarges them again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.kinds import INTERPOLATIONS
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import Law
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace

BLOCK_TYPES = ("inverted_bottleneck", "conv", "separable_conv", "residual")
SKIPS = ("concat", "add", "none")
TRANSPOSED = "transposed"
UPSAMPLINGS = (*INTERPOLATIONS, TRANSPOSED)
_EXPANDING = "inverted_bottleneck"
# How often maps are halved where nobody says, as far as the sides of the input are divisible.
_USUAL_LEVELS = (3, 2, 1)
_USUAL_STRIDES = (1, 2)


def _share(value):
    if isinstance(value, (bool, str)) or not 0.0 < value <= 1.0:
        raise ValueError
    return float(value)


_CHOICE_LAWS = {
    "levels": POSITIVE,
    "output_strides": POSITIVE,
    "block_types": one_of(BLOCK_TYPES),
    "depths": POSITIVE,
    "widths": POSITIVE,
    "kernels": POSITIVE,
    "expansions": POSITIVE,
    "activations": one_of(ACTIVATIONS),
    "decoder_widths": Law("in (0, 1]", _share),
    "skips": one_of(SKIPS),
    "upsamplings": one_of(UPSAMPLINGS),
}


@dataclass(frozen=True)
class SegmentationSpace(MenuSpace):
    """Networks that classify every pixel of an image: an encoder and a decoder with connections between their levels.

    The form is that of U-Net (Ronneberger et al., 10.1007/978-3-319-24574-4_28). Each level of the encoder halves
    height and width; each level of the decoder doubles them, takes up what the encoder had there, and is one block. The
    connection is a concatenation as in U-Net, or an addition as in LinkNet (Chaurasia and Culurciello,
    10.1109/VCIP.2017.8305148).

    Every argument from `levels` on is a tuple of values to choose from; a single value is fixed.

    Args:
        input_shape: (height, width, channels).
        num_classes: int; 1 for two classes of which the one output is the probability of class 1.
        levels: how often maps are halved. Defaults to `None`: of `(3, 2, 1)` those for which the sides of the input are
            divisible.
        output_strides: 1 for answers at every pixel, 2 for answers at every second row and column, which are spread
            over all of them by bilinear interpolation: the widest maps are then a quarter as large. Defaults to `None`:
            `(1, 2)` where the sides are divisible by 8, else `(1,)`.
        block_types: the kind of all blocks. Defaults to `BLOCK_TYPES`.
        depths: blocks of a level of the encoder. Defaults to `(1, 2)`.
        widths: channels of a level of the encoder. Defaults to `(8, 16, 24, 32, 48)`.
        kernels: kernel extents of a level, in encoder and decoder. Defaults to `(3, 5)`.
        expansions: channels inside an inverted bottleneck over those outside. Defaults to `(2, 4)`.
        activations: the activation everywhere. Defaults to `("relu", "relu6", "hard_swish")`.
        decoder_widths: channels of a level of the decoder over those of the encoder there. Defaults to `(1.0, 0.5)`.
        skips: how the decoder takes up what the encoder had. Defaults to `("concat", "add", "none")`.
        upsamplings: how maps are doubled: `"nearest"` and `"bilinear"` after a 1x1 convolution, or `"transposed"`, a
            transposed 2x2 convolution. Defaults to all three.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    levels: tuple | None = None
    output_strides: tuple | None = None
    block_types: tuple = BLOCK_TYPES
    depths: tuple = (1, 2)
    widths: tuple = (8, 16, 24, 32, 48)
    kernels: tuple = (3, 5)
    expansions: tuple = (2, 4)
    activations: tuple = ("relu", "relu6", "hard_swish")
    decoder_widths: tuple = (1.0, 0.5)
    skips: tuple = SKIPS
    upsamplings: tuple = UPSAMPLINGS

    def __post_init__(self):
        self._set("input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
        self._set("num_classes", POSITIVE.apply("num_classes", self.num_classes))
        common = math.gcd(*self.input_shape[:2])
        if self.output_strides is None:
            self._set("output_strides", _USUAL_STRIDES if common % 8 == 0 else (1,))
        self._set("output_strides", _CHOICE_LAWS["output_strides"].apply_all("output_strides", self.output_strides))
        if self.levels is None:
            most = max(self.output_strides)
            self._set("levels", tuple(level for level in _USUAL_LEVELS if common % (most * 2**level) == 0) or (1,))
        for name, law in _CHOICE_LAWS.items():
            self._set(name, law.apply_all(name, getattr(self, name)))
        self._verify_sides()
        self.__dict__["_menu"] = Menu(self._choices())

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    def _verify_sides(self):
        height, width, _ = self.input_shape
        factor = math.lcm(*self.output_strides) * 2 ** max(self.levels)
        if height % factor or width % factor:
            larger = [math.ceil(side / factor) * factor for side in (height, width)]
            raise UserError(
                f"Height and width of the input must be divisible by {factor}, for levels={self.levels} and "
                f"output_strides={self.output_strides}. Received: {height}x{width}. Pass fewer levels, or images (and "
                f"masks) of {larger[0]}x{larger[1]}."
            )

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    @property
    def answer(self):
        """str, what a network of the space answers."""
        return f"{max(2, self.num_classes)} classes for every pixel"

    def _choices(self):
        yield Choice("levels", self.levels, max(self.levels))
        yield Choice("output_stride", self.output_strides)
        yield Choice("type", self.block_types)
        yield Choice("expansion", self.expansions, None, (("type", (_EXPANDING,)),))
        yield Choice("activation", self.activations)
        yield Choice("skip", self.skips)
        yield Choice("upsampling", self.upsamplings)
        yield Choice("decoder_width", self.decoder_widths)
        for level in range(max(self.levels) + 1):
            where = (("levels", tuple(number for number in self.levels if number >= level)),)
            usual = self.widths[min(level, len(self.widths) - 1)]
            yield Choice(f"level{level}/width", self.widths, usual, where)
            yield Choice(f"level{level}/depth", self.depths, None, where)
            yield Choice(f"level{level}/kernel", self.kernels, None, where)

    def _network(self, values):
        draft = Draft(self.input_shape)
        ends = [_append_level(draft, level, values) for level in range(values["levels"] + 1)]
        for level in range(values["levels"] - 1, -1, -1):
            _append_decoder(draft, level, values, ends[level])
        draft.append(
            "classifier",
            "pixel_classifier",
            classes=self.num_classes,
            activation="sigmoid" if self.num_classes == 1 else "softmax",
            factor=values["output_stride"],
        )
        return draft.finish()


def _append_level(draft, level, values):
    """A level of the encoder; the first one begins with a convolution, which may stride, the others with a halving."""
    filters = values[f"level{level}/width"]
    for block in range(1, values[f"level{level}/depth"] + 1):
        is_first = block == 1
        kind = "conv" if level == 0 and is_first else values["type"]
        stride = 1 if not is_first else values["output_stride"] if level == 0 else 2
        _append_block(draft, f"level{level}_block{block}", kind, values, level, filters, stride, not is_first)
    return draft.last


def _append_decoder(draft, level, values, end):
    """The level of the decoder that takes up the `end` of the encoder's."""
    width = values[f"level{level}/width"]
    filters = max(1, round(width * values["decoder_width"]))
    enlarged = width if values["skip"] == "add" else filters
    name = f"up{level}"
    if values["upsampling"] == TRANSPOSED:
        draft.append(name, "transposed_conv", filters=enlarged)
    else:
        # In front of the enlargement, where it costs a quarter.
        draft.append(f"{name}_point", "conv", filters=enlarged, kernel=1, activation=values["activation"])
        draft.append(name, "upsample", interpolation=values["upsampling"])
    if values["skip"] != "none":
        draft.append(f"{name}_{values['skip']}", values["skip"], (name, end))
    _append_block(draft, f"{name}_block", values["type"], values, level, filters)


def _append_block(draft, name, kind, values, level, filters, stride=1, is_repeated=False):
    params = {"filters": filters, "kernel": values[f"level{level}/kernel"], "stride": stride}
    if kind == _EXPANDING:
        params |= {"expansion": values["expansion"], "skip": is_repeated}
    draft.append(name, kind, activation=values["activation"], **params)
