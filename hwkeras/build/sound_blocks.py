"""The front end of a sound classifier inside the network: waveforms in, pictures of log-mel energies out."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from hwkeras.data.log_mel import FLOOR
from hwkeras.data.log_mel import hann_window
from hwkeras.data.log_mel import mel_bands
from hwkeras.space.shapes import fourier_factors


@keras.saving.register_keras_serializable("hwkeras")
class LogMelPicture(keras.layers.Layer):
    """Computes what `data.LogMel` computes, standardized band by band, of operators that every TFLite runtime has.

    The Fourier transform is one of two steps (Cooley & Tukey, 10.1090/S0025-5718-1965-0178586-1), with n = n1 second +
    n2 and k = k1 + first k2: a depthwise convolution, which also weighs by the Hann window, and a convolution. Of a
    frame of 256 samples they hold 5,632 numbers, where one step holds 66,048. All numbers are constants: nothing here
    is trained, pruned or inherited.

    Args:
        sample_rate: int.
        frame: int, samples of a frame.
        hop: int, samples from one frame's begin to the next one's.
        low_hz: float, where the first band begins.
        high_hz: float, where the last band ends.
        mean: sequence of float, what is taken away of each band.
        deviation: sequence of float, what each band is divided by.
        **options: of `keras.layers.Layer`.

    Attributes:
        stays_float: True. Energies span ten orders of magnitude, an 8-bit integer two: `hwkeras.convert` leaves the
            layer in float32 in every precision.
    """

    stays_float = True

    def __init__(self, sample_rate, frame, hop, low_hz, high_hz, mean, deviation, **options):
        super().__init__(**{"dtype": "float32", **options})
        self._numbers = {
            "sample_rate": sample_rate,
            "frame": frame,
            "hop": hop,
            "low_hz": low_hz,
            "high_hz": high_hz,
            "mean": [float(value) for value in mean],
            "deviation": [float(value) for value in deviation],
        }
        self._factors = fourier_factors(frame)

    def call(self, waveforms):
        """Computes the pictures.

        Args:
            waveforms: tensor of shape (batch, num_samples), in [-1, 1].

        Returns:
            Tensor of shape (batch, frames, bands, 1).
        """
        mean, deviation = (np.array(self._numbers[name], "float32") for name in ("mean", "deviation"))
        bands = self._band_matrix().astype("float32")
        energies = ops.matmul(self._spectra(self._frames(waveforms)), bands)
        pictures = (ops.log(energies + FLOOR) - mean) / deviation
        return ops.expand_dims(pictures, -1)

    def compute_output_shape(self, input_shape):
        """The shape of the pictures.

        Args:
            input_shape: tuple `(batch, num_samples)`.

        Returns:
            tuple `(batch, frames, bands, 1)`.
        """
        return (input_shape[0], self._num_frames(input_shape[1]), len(self._numbers["mean"]), 1)

    def get_config(self):
        """The arguments that make this layer again."""
        return {**super().get_config(), **self._numbers}

    def _num_frames(self, num_samples):
        return 1 + (num_samples - self._numbers["frame"]) // self._numbers["hop"]

    def _frames(self, waveforms):
        """Frames of shape (batch, frames, frame): whole rows of a hop's length side by side, and what is over."""
        frame, hop = self._numbers["frame"], self._numbers["hop"]
        num_samples = waveforms.shape[1]
        num_frames, (whole, over) = self._num_frames(num_samples), divmod(frame, hop)
        num_rows = num_frames + whole - (0 if over else 1)
        # The last row may end behind the sound, of which no frame then takes the end, or before it.
        missing = max(0, num_rows * hop - num_samples)
        padded = ops.pad(waveforms, [[0, 0], [0, missing]]) if missing else waveforms
        rows = ops.reshape(padded[:, : num_rows * hop], (-1, num_rows, hop))
        parts = [rows[:, place : place + num_frames] for place in range(whole)]
        parts += [rows[:, whole : whole + num_frames, :over]] if over else []
        return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def _spectra(self, frames):
        """Energies of shape (batch, frames, kept * second), from k1 and k2."""
        (first, second), num_frames = self._factors, frames.shape[1]
        kept = first // 2 + 1
        rows = ops.reshape(frames, (-1, num_frames * first, 1, second))
        inner, outer = (kernel.astype("float32") for kernel in self._kernels())
        y = ops.depthwise_conv(rows, inner, (first, first), "valid", "channels_last")
        y = ops.reshape(y, (-1, num_frames * second, kept, 2))
        y = ops.conv(y, outer, (second, 1), "valid", "channels_last")
        squares = ops.multiply(y, y)
        energies = squares[..., :second] + squares[..., second:]
        return ops.reshape(energies, (-1, num_frames, kept * second))

    def _kernels(self):
        """The two steps, of shapes (first, 1, second, kept * 2) and (second, 1, 2, second * 2)."""
        frame, (first, second) = self._numbers["frame"], self._factors
        places = np.arange(frame).reshape(first, second)
        window = hann_window(frame)
        # So that energies are those of a window without loss.
        window = (window / np.sqrt(np.sum(window**2))).reshape(first, second, 1)
        inner = window * np.exp(-2j * np.pi * places[..., None] * np.arange(first // 2 + 1) / frame)
        inner = np.stack([inner.real, inner.imag], axis=-1).reshape(first, 1, second, -1)
        outer = np.exp(-2j * np.pi * np.outer(np.arange(second), np.arange(second)) / second)
        of_real, of_imaginary = (np.hstack([part.real, part.imag]) for part in (outer, 1j * outer))
        return inner, np.stack([of_real, of_imaginary], axis=1)[:, None]

    def _band_matrix(self):
        """Array of shape (kept * second, bands). Of a frequency that is there twice, mirrored, the first counts."""
        numbers, frame, (first, second) = self._numbers, self._numbers["frame"], self._factors
        bands = mel_bands(frame, numbers["sample_rate"], len(numbers["mean"]), numbers["low_hz"], numbers["high_hz"]).T
        matrix, seen = [], set()
        for place in np.add.outer(np.arange(first // 2 + 1), first * np.arange(second)).reshape(-1):
            frequency = min(place, frame - place)
            matrix.append(np.zeros(bands.shape[1]) if frequency in seen else bands[frequency])
            seen.add(frequency)
        return np.stack(matrix)


def log_mel(layer, tensors, style):
    """The block of kind `"log_mel"`.

    Args:
        layer: Layer.
        tensors: list of one Keras tensor of shape (batch, num_samples).
        style: Style.

    Returns:
        Keras tensor of shape (batch, frames, bands, 1).
    """
    return LogMelPicture(**layer.params, name=layer.name)(tensors[0])
