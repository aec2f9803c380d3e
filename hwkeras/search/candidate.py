"""A deployed candidate: one trained architecture in one precision, with what was measured on its bytes."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field

from hwkeras.convert import PRECISIONS


@dataclass(frozen=True)
class Candidate:
    """What a search hands over for one trained network in one precision.

    Args:
        trial: str, the id of the trial that trained it.
        precision: str, one of `hwkeras.convert.PRECISIONS`, or the recipe that compressed the network.
        metrics: dict of metric name to float, all of the bytes in `file`, beside Keras' own `val_*`.
        architecture: str, one line for a person; the hyperparameters where the model is the user's own.
        architecture_hash: str, equal for equal architectures.
        file: str, path of the `.tflite` file, relative to the run's directory.
        measurement: dict, `Measurement.to_json()` of the file.
        status: str, `"ok"`, or why the candidate cannot be shipped. Defaults to `"ok"`.
    """

    trial: str
    precision: str
    metrics: dict
    architecture: str
    architecture_hash: str
    file: str
    measurement: dict = field(default_factory=dict)
    status: str = "ok"

    @property
    def is_compressed(self):
        """bool, whether a recipe trained the network further."""
        return self.precision not in PRECISIONS

    def to_json(self):
        """Returns a JSON-able dict; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, document):
        """Reads what `to_json` wrote.

        Args:
            document: dict.

        Returns:
            Candidate.
        """
        return cls(**document)
