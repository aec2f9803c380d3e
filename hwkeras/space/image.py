"""The ready-made space for images: a stem, stages of blocks, a head."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.branches import BRANCHED
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.law import CLASSES
from hwkeras.space.law import COUNT
from hwkeras.space.law import FLAG
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import RATE
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace
from hwkeras.space.stage import FURTHER_LAYER_TYPES
from hwkeras.space.stage import LAYER_TYPES
from hwkeras.space.stage import Stage

HEADS = ("global_pool", "flatten")
_RECURRENT = ("gru", "lstm")
# Heads that a space holds only where they are named.
FURTHER_HEADS = ("attention_pool", *_RECURRENT)
# A flatten head averages down to this many rows and columns first: more would put most weights into one dense layer.
_FLATTEN_EXTENT = 4
# A recurrent head averages down to this many steps first: its file holds a dozen operators for each.
_RECURRENT_STEPS = 8
# Without `resolutions` given, an input is halved only where this many rows and columns remain.
_LEAST_HALF = 8

_CHOICE_LAWS = {
    "layer_types": one_of((*LAYER_TYPES, *FURTHER_LAYER_TYPES)),
    "depths": POSITIVE,
    "widths": POSITIVE,
    "kernels": POSITIVE,
    "strides": POSITIVE,
    "expansions": POSITIVE,
    "squeeze_excite": FLAG,
    "skips": FLAG,
    "activations": one_of(ACTIVATIONS),
    "resolutions": POSITIVE,
    "stem_widths": POSITIVE,
    "stem_strides": POSITIVE,
    "stem_kernels": POSITIVE,
    "heads": one_of((*HEADS, *FURTHER_HEADS)),
    "dense_units": COUNT,
    "dropout_rates": RATE,
    "recurrent_units": POSITIVE,
}


@dataclass(frozen=True)
class ImageSpace(MenuSpace):
    """Image classifiers: optional average pooling of the input, a convolution stem, stages of blocks, a head.

    Every argument from `layer_types` on is a tuple of values to choose from; a single value is fixed. The defaults of
    the choices (the first architecture) switch on as many conditional choices as can be, as keras-tuner builds one
    network for each dormant scope when a tuner is made.

    Two assignments describe one network only where a stage goes on as the stage before it (the same type, width and
    kernel, stride 1, no shortcuts between blocks): such architectures have one `hash`.

    Args:
        input_shape: (height, width, channels). Where height or width is 1, kernels are 1 in that direction.
        num_classes: int; 1 for a regression, one number that is predicted.
        stages: int, the most stages. Defaults to `3`.
        min_stages: int, stages beyond this many may be absent (depth 0), the last ones first. Defaults to `1`.
        layer_types: the kind of a stage's blocks. `"parallel_conv"` is a kxk and a 1x1 convolution side by side,
            concatenated. Defaults to `stage.LAYER_TYPES`; `"fire"`, `"inception"` and `"dense_block"` may be named too
            (`space.branches`).
        depths: blocks in a stage. Defaults to `(1, 2, 3)`.
        widths: output channels of a stage. Defaults to `(8, 16, 24, 32, 48, 64)`.
        kernels: kernel extents. Defaults to `(3, 5)`.
        strides: strides of a stage's first block. Defaults to `(1, 2)`.
        expansions: channels inside an inverted bottleneck over those outside. Defaults to `(2, 4, 6)`.
        squeeze_excite: whether bottleneck and residual blocks weigh their channels (Hu et al.,
            10.1109/CVPR.2018.00745). Defaults to `(False, True)`.
        skips: whether blocks after a stage's first have a shortcut; in a residual stage all blocks. Defaults to
            `(True, False)`.
        activations: the activation everywhere. Defaults to `("relu", "relu6", "hard_swish")`.
        resolutions: factors by which the input is averaged down first; each must divide height and width, where they
            are not 1. Defaults to `None`: `(1, 2)` where 2 divides and leaves 8 rows and columns, else `(1,)`.
        stem_widths: channels of the stem. Defaults to `(8, 16)`.
        stem_strides: strides of the stem. Defaults to `(1, 2)`.
        stem_kernels: kernel extents of the stem. Defaults to `(3,)`.
        heads: how the last map becomes a vector: `"global_pool"`, or `"flatten"` after averaging down to at most 4x4.
            Defaults to both. `"attention_pool"`, the mean of all positions, each weighed by what a dense layer says of
            it, `"gru"` and `"lstm"` may be named too: the last state of a recurrent layer that walks down the rows (of
            a single row along its columns), averaged down to at most 8 steps of at most 4 columns. Recurrent heads
            convert in every precision, at some 3 KB of an int8 file for each step; quantization-aware training leaves
            them in float and calibrates them afterwards.
        dense_units: units of a dense layer before the classifier, 0 for none. Defaults to `(0, 32, 64)`.
        dropout_rates: dropout before the classifier, 0 for none. Defaults to `(0.0, 0.1, 0.2)`.
        recurrent_units: units of a recurrent head. Defaults to `(8, 16, 32)`.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    stages: int = 3
    min_stages: int = 1
    layer_types: tuple = LAYER_TYPES
    depths: tuple = (1, 2, 3)
    widths: tuple = (8, 16, 24, 32, 48, 64)
    kernels: tuple = (3, 5)
    strides: tuple = (1, 2)
    expansions: tuple = (2, 4, 6)
    squeeze_excite: tuple = (False, True)
    skips: tuple = (True, False)
    activations: tuple = ("relu", "relu6", "hard_swish")
    resolutions: tuple | None = None
    stem_widths: tuple = (8, 16)
    stem_strides: tuple = (1, 2)
    stem_kernels: tuple = (3,)
    heads: tuple = HEADS
    dense_units: tuple = (0, 32, 64)
    dropout_rates: tuple = (0.0, 0.1, 0.2)
    recurrent_units: tuple = (8, 16, 32)

    def __post_init__(self):
        self._set("input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
        self._set("num_classes", CLASSES.apply("num_classes", self.num_classes))
        self._set("stages", POSITIVE.apply("stages", self.stages))
        self._set("min_stages", COUNT.apply("min_stages", self.min_stages))
        if not 1 <= self.min_stages <= self.stages:
            raise UserError(
                f"`min_stages` must be from 1 to `stages`. Received: min_stages={self.min_stages}, "
                f"stages={self.stages}."
            )
        if self.resolutions is None:
            self._set("resolutions", self._usual_resolutions())
        for name, law in _CHOICE_LAWS.items():
            self._set(name, law.apply_all(name, getattr(self, name)))
        self._verify_resolutions()
        self._verify_branched_widths()
        self.__dict__["_stages"] = tuple(Stage(number, self) for number in range(1, self.stages + 1))
        self.__dict__["_menu"] = Menu(self._choices())

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    def _usual_resolutions(self):
        is_halved = all(extent % 2 == 0 and extent // 2 >= _LEAST_HALF for extent in self._extents())
        return (1, 2) if is_halved else (1,)

    def _extents(self):
        """Rows and columns, where there are several; of a single pixel, one."""
        return [extent for extent in self.input_shape[:2] if extent > 1] or [1]

    def _verify_resolutions(self):
        height, width, _ = self.input_shape
        for factor in self.resolutions:
            if any(extent % factor for extent in self._extents()):
                common = math.gcd(*self._extents())
                usable = ", ".join(str(number) for number in range(1, common + 1) if common % number == 0)
                raise UserError(
                    f"Each of `resolutions` must divide height and width of the input. Received: {factor} for "
                    f"{height}x{width}. Usable here: {usable}."
                )

    def _verify_branched_widths(self):
        for layer_type in self.layer_types:
            _, least = BRANCHED.get(layer_type, (None, 1))
            if min(self.widths) < least:
                raise UserError(
                    f"`widths` must be {least} or more with layer type {layer_type!r}, which divides them between its "
                    f"branches. Received: widths={self.widths}."
                )

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def _network(self, values):
        draft = Draft(self.input_shape)
        self.append_to(draft, values)
        return draft.finish()

    def append_to(self, draft, values):
        """Appends all layers but the input to a draft whose last layer has the space's input shape.

        Args:
            draft: Draft.
            values: dict of choice name to value, the active ones.
        """
        if values["resolution"] > 1:
            draft.append("resolution", "average_pool", size=self.kernel_extent(values["resolution"]))
        draft.append(
            "stem",
            "conv",
            filters=values["stem/width"],
            kernel=self.kernel_extent(values["stem/kernel"]),
            stride=values["stem/stride"],
            activation=values["activation"],
        )
        for stage in self._stages:
            stage.append(draft, values)
        self._append_head(draft, values)

    def kernel_extent(self, kernel):
        """A kernel fitted to the input: 1 in a direction in which the input has one row or column.

        Args:
            kernel: int.

        Returns:
            Tuple of two ints.
        """
        height, width, _ = self.input_shape
        return (kernel if height > 1 else 1, kernel if width > 1 else 1)

    def _choices(self):
        yield Choice("resolution", self.resolutions)
        yield Choice("activation", self.activations)
        yield Choice("stem/width", self.stem_widths)
        yield Choice("stem/stride", self.stem_strides)
        yield Choice("stem/kernel", self.stem_kernels)
        for stage in self._stages:
            yield from stage.choices()
        yield Choice("head/type", self.heads)
        yield Choice("head/recurrent_units", self.recurrent_units, None, (("head/type", _RECURRENT),))
        yield Choice("head/dense_units", self.dense_units)
        yield Choice("head/dropout", self.dropout_rates)

    def _append_head(self, draft, values):
        head = values["head/type"]
        if head in ("global_pool", "attention_pool"):
            draft.append_average(is_weighed=head == "attention_pool")
        elif head == "flatten":
            _append_average(draft, (_FLATTEN_EXTENT, _FLATTEN_EXTENT))
            draft.append("flatten", "flatten")
        else:
            _append_recurrent(draft, head, values["head/recurrent_units"])
        if values["head/dense_units"]:
            draft.append("dense", "dense", units=values["head/dense_units"], activation=values["activation"])
        if values["head/dropout"]:
            draft.append("dropout", "dropout", rate=values["head/dropout"])
        draft.append_head(self.num_classes)


def _append_average(draft, most):
    """Averages down to at most so many rows and columns."""
    size = tuple(math.ceil(extent / limit) for extent, limit in zip(draft.shape, most, strict=False))
    if size != (1, 1):
        draft.append("pool", "average_pool", size=size, padding="same")


def _append_recurrent(draft, kind, units):
    if draft.shape[0] == 1:
        _append_average(draft, (1, _RECURRENT_STEPS))
    else:
        _append_average(draft, (_RECURRENT_STEPS, _FLATTEN_EXTENT))
        rows, columns, channels = draft.shape
        draft.append("steps", "reshape", shape=(1, rows, columns * channels))
    draft.append(kind, kind, units=units)
