"""What a bundle is made of: one finished candidate with everything that is known of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np

from hwkeras.errors import UserError
from hwkeras.objectives import Limit

MODEL_NAME = "model.tflite"


@dataclass(frozen=True)
class BundleSource:
    """One candidate to export. Filled by the search, or by hand for a model from elsewhere.

    Args:
        flatbuffer: bytes, the `.tflite` file that ships.
        precision: str, `"float32"`, `"float16"`, `"dynamic"` or `"int8"`.
        model: the trained model before conversion: a `keras.Model`, the path of a `.keras` file, or such a file's
            bytes. Defaults to `None`: the bundle then holds no `model.keras`.
        metrics: dict of metric name to number, as in `objectives.METRICS`. Defaults to `{}`.
        measurement: `measure.Measurement` of exactly these bytes. Defaults to `None`, not measured.
        analysis: `measure.Analysis` of exactly these bytes. Defaults to `None`: the bytes are analyzed.
        architecture: `space.Architecture`. Defaults to `None`, not known.
        hyperparameters: dict of name to value. Defaults to `{}`.
        seed: int. Defaults to `None`, not known.
        data_fingerprint: str, of the data set trained on (`data.fingerprint`). Defaults to `None`, not known.
        preprocessing: what was done to a raw sample before it reached the model, anything JSON can hold; the key
            `"tokenizer"` of a dict, the JSON of a `data.Tokenizer`, becomes a file of its own. Defaults to `None`.
        validation_folds: int, where what `metrics` tell of the answers is cross-validated: the files judged were each
            trained without a fold, and this one on all samples. Defaults to `None`: it is of this file.
        class_names: sequence of str, by class index. Defaults to `()`.
        limits: sequence of `Limit`, or of str such as `"latency=5ms"`. Defaults to `()`.
        device: str, where it was measured, as `measure.open_meter` reads it. Defaults to `"local"`.
        check_x: float array of shape (num_samples, ...): validation samples that go along so that the outputs can
            be compared on another machine; at most 64 of them are kept. Defaults to `None`.
        check_y: int array of shape (num_samples,), their classes. Defaults to `None`.

    Raises:
        UserError: no bytes, a measurement of another file, or `check_x` and `check_y` of different lengths.
    """

    flatbuffer: bytes
    precision: str
    model: Any = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    measurement: Any = None
    analysis: Any = None
    architecture: Any = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    data_fingerprint: str | None = None
    preprocessing: Any = None
    validation_folds: int | None = None
    class_names: tuple[str, ...] = ()
    limits: tuple[Limit | str, ...] = ()
    device: str = "local"
    check_x: np.ndarray | None = None
    check_y: np.ndarray | None = None

    def __post_init__(self):
        if not isinstance(self.flatbuffer, bytes) or not self.flatbuffer:
            received = type(self.flatbuffer).__name__ if self.flatbuffer else "nothing"
            raise UserError(f"`flatbuffer` must be the bytes of a .tflite file. Received: {received}.")
        object.__setattr__(self, "limits", tuple(Limit.parse(limit) for limit in self.limits))
        self._require_model_file()
        self._require_own_measurement()
        self._require_matching_samples()

    @property
    def sha256(self):
        """str: hex digest of the bytes that ship."""
        return hashlib.sha256(self.flatbuffer).hexdigest()

    def _require_model_file(self):
        is_file = isinstance(self.model, (bytes, str, os.PathLike))
        if self.model is not None and not is_file and not hasattr(self.model, "save"):
            raise UserError(
                "`model` must be a Keras model, the path of a .keras file, or its bytes. "
                f"Received: {type(self.model).__name__}. Pass None to leave it out."
            )

    def _require_own_measurement(self):
        if self.measurement is not None and self.measurement.sha256 != self.sha256:
            raise UserError(
                f"`measurement` must be of the bytes that ship ({self.sha256[:12]}...). "
                f"Received: one of {self.measurement.sha256[:12]}.... Measure these bytes, or pass None."
            )

    def _require_matching_samples(self):
        if (self.check_x is None) != (self.check_y is None):
            raise UserError("`check_x` and `check_y` go together. Received: one of them. Pass both, or neither.")
        if self.check_x is not None and len(self.check_x) != len(self.check_y):
            raise UserError(
                "`check_x` and `check_y` must have one length. "
                f"Received: {len(self.check_x)} samples and {len(self.check_y)} classes."
            )
