"""The ready-made space for texts: a table of words, an encoder of convolutions or attention or none, a head."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.kinds import NORMALIZATIONS
from hwkeras.space.law import CLASSES
from hwkeras.space.law import COUNT
from hwkeras.space.law import FLAG
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import RATE
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace

ENCODERS = ("conv", "attention", "none")
CONV_TYPES = ("conv", "separable_conv", "residual")
POOLINGS = ("max", "average", "attention")
_POSITION_KERNEL = 3

_CHOICE_LAWS = {
    "embedding_units": POSITIVE,
    "projections": COUNT,
    "embedding_dropout_rates": RATE,
    "encoders": one_of(ENCODERS),
    "conv_types": one_of(CONV_TYPES),
    "depths": POSITIVE,
    "widths": POSITIVE,
    "kernels": POSITIVE,
    "strides": POSITIVE,
    "attention_depths": POSITIVE,
    "attention_heads": POSITIVE,
    "ffn_units": COUNT,
    "normalizations": one_of(NORMALIZATIONS),
    "positions": FLAG,
    "activations": one_of(ACTIVATIONS),
    "poolings": one_of(POOLINGS),
    "dense_units": COUNT,
    "dropout_rates": RATE,
}


@dataclass(frozen=True)
class TextSpace(MenuSpace):
    """Text classifiers: a table of words, an encoder, a pooling over the text, a head.

    The input is a row of token numbers, int32, as `data.Tokenizer` makes them. The rows of the table are handled as an
    image of one row, so that convolutions over words are the two-dimensional operators that every TFLite runtime has
    kernels for; attention is made of dense layers, matrix products and a softmax. Where attention finds no places, a
    depthwise convolution tells it what stands beside what (Chu et al., arXiv:2102.10882).

    Every argument from `embedding_units` on is a tuple of values to choose from; a single value is fixed. Two
    assignments describe one network only where they differ in the activation and no layer has one.

    Args:
        length: int, tokens of a text.
        vocabulary: int, how many numbers a token may have: `Tokenizer.num_ids`.
        num_classes: int, classes; 1 for a regression, one number that is predicted.
        embedding_units: columns of the table, which is most of a text network's file: 4000 words of 16 columns are
            62.5 KiB in int8. Defaults to `(8, 16, 24)`.
        projections: channels that the table is brought to by a matrix, a factorized table; 0 for none. Defaults to
            `(0, 32)`.
        embedding_dropout_rates: dropout behind the table, 0 for none. Defaults to `(0.0, 0.2, 0.4)`.
        encoders: `"conv"`, `"attention"`, or `"none"`: pooling alone, which knows no order of words (Joulin et al.,
            arXiv:1607.01759). Defaults to all three.
        conv_types: the kind of convolution blocks. Defaults to `("conv", "separable_conv", "residual")`.
        depths: convolution blocks. Defaults to `(1, 2)`.
        widths: their output channels. Defaults to `(16, 32, 48)`.
        kernels: words that a convolution sees. Defaults to `(3, 5)`.
        strides: stride of the first block. Defaults to `(1, 2)`.
        attention_depths: attention blocks. Defaults to `(1, 2)`.
        attention_heads: heads, which must divide the channels: each of `projections`, or of `embedding_units`. Defaults
            to `(1, 2, 4)`.
        ffn_units: units at each word between attention blocks, 0 for none. Defaults to `(32, 0, 64)`.
        normalizations: of attention and the units behind it: `"batch"`, which costs nothing in the file, or `"layer"`,
            seven operators each. Defaults to both.
        positions: whether attention is told what stands beside what. Defaults to `(True, False)`.
        activations: the activation everywhere. Defaults to `("relu", "hard_swish")`.
        poolings: over the words: `"max"`, `"average"` or `"attention"`. Defaults to all three.
        dense_units: units of a dense layer before the classifier, 0 for none. Defaults to `(0, 16, 32)`.
        dropout_rates: dropout before the classifier, 0 for none. Defaults to `(0.0, 0.2, 0.4)`.

    Raises:
        UserError: an argument breaks its law.
    """

    length: int
    vocabulary: int
    num_classes: int
    embedding_units: tuple = (8, 16, 24)
    projections: tuple = (0, 32)
    embedding_dropout_rates: tuple = (0.0, 0.2, 0.4)
    encoders: tuple = ENCODERS
    conv_types: tuple = CONV_TYPES
    depths: tuple = (1, 2)
    widths: tuple = (16, 32, 48)
    kernels: tuple = (3, 5)
    strides: tuple = (1, 2)
    attention_depths: tuple = (1, 2)
    attention_heads: tuple = (1, 2, 4)
    ffn_units: tuple = (32, 0, 64)
    normalizations: tuple = NORMALIZATIONS
    positions: tuple = (True, False)
    activations: tuple = ("relu", "hard_swish")
    poolings: tuple = POOLINGS
    dense_units: tuple = (0, 16, 32)
    dropout_rates: tuple = (0.0, 0.2, 0.4)

    def __post_init__(self):
        object.__setattr__(self, "length", POSITIVE.apply("length", self.length))
        object.__setattr__(self, "vocabulary", POSITIVE.apply("vocabulary", self.vocabulary))
        object.__setattr__(self, "num_classes", CLASSES.apply("num_classes", self.num_classes))
        for name, law in _CHOICE_LAWS.items():
            object.__setattr__(self, name, law.apply_all(name, getattr(self, name)))
        self._verify_heads()
        self.__dict__["_menu"] = Menu(self._choices())

    def _verify_heads(self):
        if "attention" not in self.encoders:
            return
        plain = self.embedding_units if 0 in self.projections else ()
        for channels in (*plain, *filter(None, self.projections)):
            for heads in self.attention_heads:
                if channels % heads:
                    raise UserError(
                        "Each of `attention_heads` must divide the channels that attention gets, those of "
                        f"`embedding_units` or `projections`. Received: {heads} heads for {channels} channels."
                    )

    @property
    def input_shape(self):
        """(length,)."""
        return (self.length,)

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def _choices(self):
        yield Choice("activation", self.activations)
        yield Choice("embedding/units", self.embedding_units)
        yield Choice("embedding/projection", self.projections)
        yield Choice("embedding/dropout", self.embedding_dropout_rates)
        yield Choice("encoder", self.encoders)
        conv, attention = ((("encoder", (name,)),) for name in ("conv", "attention"))
        yield Choice("conv/type", self.conv_types, None, conv)
        yield Choice("conv/depth", self.depths, None, conv)
        yield Choice("conv/width", self.widths, None, conv)
        yield Choice("conv/kernel", self.kernels, None, conv)
        yield Choice("conv/stride", self.strides, None, conv)
        yield Choice("attention/positions", self.positions, None, attention)
        yield Choice("attention/depth", self.attention_depths, None, attention)
        yield Choice("attention/heads", self.attention_heads, None, attention)
        yield Choice("attention/ffn", self.ffn_units, None, attention)
        yield Choice("attention/normalization", self.normalizations, None, attention)
        yield Choice("pooling", self.poolings)
        yield Choice("head/dense_units", self.dense_units)
        yield Choice("head/dropout", self.dropout_rates)

    def _network(self, values):
        draft = Draft(self.input_shape, dtype="int32")
        units, projection = values["embedding/units"], values["embedding/projection"]
        draft.append("words", "embedding", vocabulary=self.vocabulary, units=units, projection=projection)
        if values["embedding/dropout"]:
            draft.append("words_dropout", "dropout", rate=values["embedding/dropout"])
        draft.append("row", "reshape", shape=(1, *draft.shape))
        if values["encoder"] == "conv":
            self._append_convolutions(draft, values)
        elif values["encoder"] == "attention":
            self._append_attention(draft, values)
        _append_pooling(draft, values["pooling"])
        if values["head/dense_units"]:
            draft.append("dense", "dense", units=values["head/dense_units"], activation=values["activation"])
        if values["head/dropout"]:
            draft.append("dropout", "dropout", rate=values["head/dropout"])
        draft.append_head(self.num_classes)
        return draft.finish()

    def _append_convolutions(self, draft, values):
        for block in range(1, values["conv/depth"] + 1):
            draft.append(
                f"conv{block}",
                values["conv/type"],
                filters=values["conv/width"],
                kernel=self._extent(values["conv/kernel"]),
                stride=values["conv/stride"] if block == 1 else 1,
                activation=values["activation"],
            )

    def _append_attention(self, draft, values):
        if values["attention/positions"]:
            source = draft.last
            places = draft.append(
                "positions", "depthwise_conv", kernel=self._extent(_POSITION_KERNEL), activation="linear"
            )
            draft.append("positions_add", "add", (source, places))
        for block in range(1, values["attention/depth"] + 1):
            draft.append(
                f"attention{block}",
                "attention",
                heads=values["attention/heads"],
                ffn=values["attention/ffn"],
                activation=values["activation"],
                normalization=values["attention/normalization"],
            )

    def _extent(self, kernel):
        return (1, kernel if self.length > 1 else 1)


def _append_pooling(draft, pooling):
    if pooling == "max":
        draft.append("pool", "max_pool", size=draft.shape[:2])
        draft.append("flatten", "flatten")
    else:
        draft.append_average(is_weighed=pooling == "attention")
