"""The ready-made space for sounds: pictures of log-mel energies, or waveforms that the network makes pictures of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields

from hwkeras.space.draft import Draft
from hwkeras.space.image import ImageSpace
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import Law


def _waveform(value):
    (num_samples,) = value
    return (POSITIVE.normalize(num_samples),)


_WAVEFORM_SHAPE = Law("(num_samples,), a positive integer, where the network computes the pictures", _waveform)


@dataclass(frozen=True)
class AudioSpace(ImageSpace):
    """Sound classifiers: those of `ImageSpace` on pictures of log-mel energies.

    With the front end outside, pictures come in, of `data.LogMel`; with the front end inside, waveforms, of which the
    network's first layer computes the same pictures, in float32 in every precision. It takes no training and some 40 KB
    of the file (at 8 kHz; most of it the sums of the bands), and it keeps the network from being compressed by a
    recipe; the arguments are otherwise those of `ImageSpace`.

    Args:
        input_shape: (frames, bands, 1); with the front end inside (num_samples,).
        num_classes: int; 1 for a regression, one number that is predicted.
        front_end: mapping of the parameters of kind `"log_mel"`: the front end is inside. Defaults to `None`, outside.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int, ...]
    num_classes: int
    front_end: Mapping | None = field(default=None, hash=False)

    def __post_init__(self):
        if self.front_end is None:
            super().__post_init__()
            return
        shape = _WAVEFORM_SHAPE.apply("input_shape", self.input_shape)
        draft = _heard(shape, self.front_end)
        given = {each.name: getattr(self, each.name) for each in fields(ImageSpace) if each.name != "input_shape"}
        image = ImageSpace(draft.shape, **given)
        for name in given:
            self._set(name, getattr(image, name))
        self._set("input_shape", shape)
        self._set("front_end", dict(draft.finish().layers[-1].params))
        self.__dict__["_image"] = image
        self.__dict__["_menu"] = image.menu

    def _network(self, values):
        if self.front_end is None:
            return super()._network(values)
        draft = _heard(self.input_shape, self.front_end)
        self._image.append_to(draft, values)
        return draft.finish()


def _heard(shape, front_end):
    """A network that has heard, and does not know yet what of it."""
    draft = Draft(shape)
    draft.append("log_mel", "log_mel", **front_end)
    return draft
