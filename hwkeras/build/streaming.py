"""A network that was trained on whole windows, hearing them frame by frame: what it must remember goes in and out.

Rybakov et al., "Streaming Keyword Spotting on Mobile Devices", 2020, 10.21437/Interspeech.2020-1003.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import keras
import numpy as np
from keras import layers

from hwkeras.build.blocks import Style
from hwkeras.build.model import block_outputs
from hwkeras.errors import UserError


class StreamingModel:
    """A trained network of `spaces.Audio(..., streaming=True)`, made to take a few frames at a time.

    It computes each frame once: what convolutions need of earlier frames, and what the mean is taken over, are states
    that go in and come out beside the frames. After as many frames as a window has, beginning with states of zeros, the
    answer is that of the trained network for this window; from then on it is that for the last window, with what was
    heard before it in place of zeros.

    Args:
        architecture: `space.Architecture` whose second layer is of kind `"frames"`.
        model: keras.Model that was built of it, trained; its weights are copied.

    Attributes:
        model: keras.Model: inputs are the frames, (batch, num_frames, bands, 1), and the states; outputs are the answer
            and the new states, in the order in which they go in. `hwkeras.convert.convert` takes it like any model.
        num_frames: int, how many frames go in at once: the stride of the whole network.

    Raises:
        UserError: a network of another kind, or weights of another network.
    """

    def __init__(self, architecture, model):
        kinds = [layer.kind for layer in architecture.layers]
        if "frames" not in kinds:
            raise UserError(
                "A network that hears frame by frame comes from spaces.Audio(..., streaming=True). Received: "
                f"{architecture.summary()}."
            )
        self.num_frames = _stride(architecture)
        first, *others = architecture.layers
        _, *rest = first.params["shape"]
        start = replace(first, params={**first.params, "shape": (self.num_frames, *rest)})
        style = _StreamingStyle(shapes=architecture.output_shapes())
        tensors = block_outputs(replace(architecture, layers=(start, *others)), style)
        taken, given = zip(*style.states, strict=True)
        self.model = keras.Model([tensors[first.name], *taken], [tensors[others[-1].name], *given])
        for layer in self.model.layers:
            if layer.weights:
                layer.set_weights(model.get_layer(layer.name).get_weights())

    def begin(self):
        """The states before anything was heard.

        Returns:
            list of float32 arrays of zeros, of batch 1.
        """
        return [np.zeros((1, *tensor.shape[1:]), "float32") for tensor in self.model.inputs[1:]]

    def steps(self, x):
        """What goes in, step by step, while windows are heard from their beginnings; to calibrate a conversion by.

        Args:
            x: float array of shape (num_windows, frames, bands, channels).

        Returns:
            list of float32 arrays, one an input, of shape (num_windows * num_steps, ...).
        """
        steps = [step for window in x for step in self._steps_of(window)]
        return [np.concatenate(parts) for parts in zip(*steps, strict=True)]

    def frames(self, window):
        """The frames of a window as they go in, silence after the last ones where the window ends in between.

        Args:
            window: float array of shape (frames, bands, channels).

        Yields:
            float32 arrays of shape (1, num_frames, bands, channels).
        """
        window = np.pad(np.asarray(window, "float32"), ((0, -len(window) % self.num_frames), (0, 0), (0, 0)))
        for start in range(0, len(window), self.num_frames):
            yield window[None, start : start + self.num_frames]

    def _steps_of(self, window):
        states = self.begin()
        for frames in self.frames(window):
            step = [frames, *states]
            yield step
            states = [np.asarray(state) for state in self.model(step, training=False)[1:]]


@dataclass(frozen=True)
class _StreamingStyle(Style):
    """What was heard before goes in beside the frames.

    Args:
        shapes: dict of layer name to its shape in the whole network.
        states: list of pairs of Keras tensors, of a state as it goes in and as it comes out.
    """

    shapes: dict = field(default_factory=dict)
    states: list = field(default_factory=list)

    def surrounded(self, x, width, name):
        """The last columns that were heard stand before the new ones; see `Style.surrounded`."""
        return (x, "same") if width == 1 else (self._remembered(x, width - 1, name), "valid")

    def whole(self, x, layer):
        """As many columns as a window has, the new ones last; see `Style.whole`."""
        number = self.shapes[layer.inputs[0]][1] - x.shape[2]
        return self._remembered(x, number, layer.name) if number > 0 else x

    def _remembered(self, x, number, name):
        state = keras.Input((x.shape[1], number, x.shape[3]), name=f"{name}_past")
        joined = layers.Concatenate(axis=2, name=f"{name}_heard")([state, x])
        self.states.append((state, layers.Cropping2D(((0, 0), (x.shape[2], 0)), name=f"{name}_kept")(joined)))
        return joined


def _stride(architecture):
    """How many frames a column of the last map stands for."""
    strides = {}
    for layer in architecture.layers:
        own = layer.params.get("stride") or layer.params.get("size") or 1
        own = own if isinstance(own, int) else own[1]
        strides[layer.name] = own * max((strides[name] for name in layer.inputs), default=1)
    return max(strides.values())
