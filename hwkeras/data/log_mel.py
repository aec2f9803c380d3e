"""Sound as a picture: the logarithm of mel-spaced band energies, frame by frame, by numpy alone."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass

import numpy as np

from hwkeras.errors import UserError

# Energies below this are silence; waveforms lie in [-1, 1].
FLOOR = 1e-6


def mel_bands(frame, sample_rate, num_mels, low_hz, high_hz):
    """Triangular bands, evenly spaced in mel.

    Args:
        frame: int, samples that frequencies are told from.
        sample_rate: int.
        num_mels: int, bands.
        low_hz: float, where the first band begins.
        high_hz: float, where the last band ends.

    Returns:
        float array of shape (num_mels, frame // 2 + 1): the weights of each triangle, 1 at its top.
    """
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (low_hz, high_hz))
    corners = 700 * (10 ** (np.linspace(low, high, num_mels + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(frame, 1 / sample_rate)
    left, top, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - left) / (top - left), (right - frequencies) / (right - top)
    return np.maximum(0.0, np.minimum(rising, falling))


def hann_window(frame):
    """The window that weighs a frame.

    Args:
        frame: int, samples.

    Returns:
        float array of shape (frame,), in [0, 1].
    """
    return np.hanning(frame + 1)[:-1]


@dataclass(frozen=True)
class LogMel:
    """The front end of a sound classifier; a device computes the same, or the network itself (`spaces.Audio`).

    A waveform is cut or padded with zeros to `seconds`; each frame is weighed by a Hann window and becomes energies of
    triangular bands, evenly spaced in mel (O'Shaughnessy, 1987: 2595 log10(1 + f / 700)), of which the natural
    logarithm is taken.

    Args:
        sample_rate: int, samples a second.
        seconds: float, the length of what is classified. Defaults to `1.0`.
        frame_ms: float, length of a frame. Defaults to `32.0`.
        hop_ms: float, from one frame's begin to the next one's. Defaults to `20.0`.
        num_mels: int, bands. Defaults to `32`.
        low_hz: float, where the first band begins. Defaults to `60.0`.
        high_hz: float, where the last band ends. Defaults to `None`, half the sample rate.

    Raises:
        UserError: a number that is not positive, a frame longer than the sound, or bands narrower than the frames tell.
    """

    sample_rate: int
    seconds: float = 1.0
    frame_ms: float = 32.0
    hop_ms: float = 20.0
    num_mels: int = 32
    low_hz: float = 60.0
    high_hz: float | None = None

    def __post_init__(self):
        for name in ("sample_rate", "seconds", "frame_ms", "hop_ms", "num_mels", "low_hz"):
            if not getattr(self, name) > 0:
                raise UserError(f"`{name}` must be positive. Received: {name}={getattr(self, name)!r}.")
        if self.high_hz is None:
            object.__setattr__(self, "high_hz", self.sample_rate / 2)
        if not self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise UserError(
                "`high_hz` must lie above `low_hz` and not above half the sample rate. Received: "
                f"low_hz={self.low_hz:g}, high_hz={self.high_hz:g}, sample_rate={self.sample_rate}."
            )
        if self.num_samples < self.frame:
            raise UserError(
                f"A sound must hold one frame at least. Received: seconds={self.seconds:g}, frame_ms={self.frame_ms:g}."
            )
        if not self._bands().any(axis=1).all():
            raise UserError(
                "Every band must hold a frequency that the frames tell apart. Received: "
                f"num_mels={self.num_mels} with frames of {self.frame_ms:g} ms. Take fewer bands or longer frames."
            )

    @property
    def num_samples(self):
        """int, samples of what is classified."""
        return round(self.seconds * self.sample_rate)

    @property
    def shape(self):
        """(frames, bands, 1), of what a network sees."""
        return (1 + (self.num_samples - self.frame) // self.hop, self.num_mels, 1)

    @property
    def frame(self):
        """int, samples of a frame."""
        return round(self.frame_ms * self.sample_rate / 1000)

    @property
    def hop(self):
        """int, samples from one frame's begin to the next one's."""
        return max(1, round(self.hop_ms * self.sample_rate / 1000))

    def fit_length(self, waveform):
        """Cuts a waveform or pads it with zeros, at its end.

        Args:
            waveform: array of shape (num_samples,).

        Returns:
            array of shape (self.num_samples,), of the same dtype.
        """
        cut = np.asarray(waveform)[: self.num_samples]
        return np.pad(cut, (0, self.num_samples - len(cut)))

    def __call__(self, waveforms):
        """Computes the pictures.

        Args:
            waveforms: float array of shape (n, num_samples), in [-1, 1].

        Returns:
            float32 array of shape (n, frames, bands, 1).
        """
        window = hann_window(self.frame)
        bands = self._bands()
        pictures = np.empty((len(waveforms), *self.shape), np.float32)
        for place, waveform in enumerate(waveforms):
            frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), self.frame)[:: self.hop]
            energy = np.abs(np.fft.rfft(frames * window)) ** 2 / np.sum(window**2)
            pictures[place, ..., 0] = np.log(energy @ bands.T + FLOOR)
        return pictures

    def to_json(self):
        """The numbers as a dict of JSON values, for the manifest."""
        return asdict(self)

    def _bands(self):
        return mel_bands(self.frame, self.sample_rate, self.num_mels, self.low_hz, self.high_hz)
