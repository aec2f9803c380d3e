"""The ready-made space for sounds: pictures of log-mel energies, or waveforms that the network makes pictures of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.image import ImageSpace
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import Law
from hwkeras.space.law import one_of


def _waveform(value):
    (num_samples,) = value
    return (POSITIVE.normalize(num_samples),)


_WAVEFORM_SHAPE = Law("(num_samples,), a positive integer, where the network computes the pictures", _waveform)
_BACKBONES = one_of(("2d", "1d"))
# Of a network that hears frame by frame.
_LOOKING_AHEAD = {
    "squeeze_excite": (True,),
    "layer_types": ("inception",),
    "heads": ("flatten", "attention_pool", "gru", "lstm"),
}
_OF_IMAGES = tuple(each.name for each in fields(ImageSpace) if each.name != "input_shape")


@dataclass(frozen=True)
class AudioSpace(ImageSpace):
    """Sound classifiers: those of `ImageSpace` on pictures of log-mel energies.

    With the front end outside, pictures come in, of `data.LogMel`; with the front end inside, waveforms, of which the
    network's first layer computes the same pictures, in float32 in every precision. It takes no training and some 40 KB
    of the file (at 8 kHz; most of it the sums of the bands), and recipes leave it as it is; the arguments are otherwise
    those of `ImageSpace`.

    Args:
        input_shape: (frames, bands, 1); with the front end inside (num_samples,).
        num_classes: int; 1 for a regression, one number that is predicted.
        front_end: mapping of the parameters of kind `"log_mel"`: the front end is inside. Defaults to `None`, outside.
        backbones: how a picture is read: `"2d"`, as an image, or `"1d"`, as a sequence of frames whose bands are the
            channels, which takes fewer operations (Choi et al., "Temporal Convolution for Real-time Keyword Spotting on
            Mobile Devices", 2019, arXiv:1904.03814). One or a tuple to choose from. Defaults to `"2d"`.
        streaming: bool, whether networks can hear frame by frame (`hwkeras.build.StreamingModel`): of backbone `"1d"`,
            with convolutions that see the past alone. Choices that look at all frames at once are left out:
            squeeze-excite, inception blocks, and other heads than `"global_pool"`. Defaults to `False`.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int, ...]
    num_classes: int
    front_end: Mapping | None = field(default=None, hash=False)
    backbones: tuple = ("2d",)
    streaming: bool = False

    def __post_init__(self):
        if self.streaming:
            self._look_back_only()
        self._set("backbones", _BACKBONES.apply_all("backbones", self.backbones))
        if self.front_end is None:
            self._set("input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
            picture = self.input_shape
        else:
            self._set("input_shape", _WAVEFORM_SHAPE.apply("input_shape", self.input_shape))
            heard = _heard(self.input_shape, self.front_end)
            self._set("front_end", dict(heard.finish().layers[-1].params))
            picture = heard.shape
        given, images = {name: getattr(self, name) for name in _OF_IMAGES}, {}
        # "2d" first: what divides the frames and the bands of an image divides the frames of a row.
        for backbone in sorted(self.backbones, reverse=True):
            images[backbone] = ImageSpace(picture if backbone == "2d" else _row(picture), **given)
            given = {name: getattr(images[backbone], name) for name in _OF_IMAGES}
        for name, value in given.items():
            self._set(name, value)
        self.__dict__["_images"] = images
        self.__dict__["_menu"] = Menu((Choice("backbone", self.backbones), *images[self.backbones[0]].choices))

    def _look_back_only(self):
        """Leaves the choices that networks can make which hear frame by frame."""
        if self.front_end is not None:
            raise UserError(
                "A network that streams takes pictures. Received: streaming=True and a front end inside. Leave it "
                "outside."
            )
        self._set("backbones", ("1d",))
        for name, barred in _LOOKING_AHEAD.items():
            given = getattr(self, name)
            given = given if isinstance(given, (list, tuple)) else (given,)
            kept = tuple(value for value in given if value not in barred)
            if not kept:
                raise UserError(
                    f"A network that streams sees no frame that comes later. Received: streaming=True and "
                    f"{name}={given}, which do. Pass others, or leave `{name}` out."
                )
            self._set(name, kept)

    def _network(self, values):
        draft = Draft(self.input_shape)
        if self.front_end is not None:
            draft = _heard(self.input_shape, self.front_end)
        if values["backbone"] == "1d":
            row = {} if self.streaming else {"shape": _row(draft.shape)}
            draft.append("row", "frames" if self.streaming else "reshape", **row)
        self._images[values["backbone"]].append_to(draft, values)
        return draft.finish()


def _row(picture):
    """A picture as one row of frames, of as many channels as it has bands."""
    frames, bands, channels = picture
    return (1, frames, bands * channels)


def _heard(shape, front_end):
    """A network that has heard, and does not know yet what of it."""
    draft = Draft(shape)
    draft.append("log_mel", "log_mel", **front_end)
    return draft
