"""The directory of a search: what was asked, whose data it was, what came out."""

from __future__ import annotations

import datetime
import io
import json
import pathlib

import numpy as np

from hwkeras.errors import UserError
from hwkeras.files import write_atomically
from hwkeras.files import write_json

SCHEMA = 1
NUM_CHECK_SAMPLES = 64
# By what it is called where it differs, what a run keeps: results could not be compared else.
_KEPT = {
    "another data set": lambda settings: settings.get("data_fingerprint"),
    "other precisions": lambda settings: settings.get("precisions"),
    "another share of the training data": lambda settings: settings.get("economy", {}).get("train_share", 1.0),
}


class Run:
    """A run's directory: `search.json` (what was asked), `check.npz` (samples to verify exports with), `results.json`.

    Args:
        directory: str or PathLike.
    """

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._settings = self.directory / "search.json"

    def open(self, settings):
        """Writes the settings of a run; one that goes on keeps its data and precisions, the rest may have changed.

        Args:
            settings: dict, JSON-able, with the keys `data_fingerprint` and `precisions`; `economy`, where it is there,
                has the key `train_share`.

        Raises:
            UserError: the directory belongs to another data set, another share of it, or to other precisions.
        """
        stamp = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        known = self.settings() or {"schema": SCHEMA, "created": stamp} | settings
        for law, of in _KEPT.items():
            if of(known) != of(settings):
                raise UserError(
                    f"A run goes on with what it was started with. Received: {self.directory}, which belongs to {law} "
                    f"({_short(of(known))}, not {_short(of(settings))}). Choose another directory."
                )
        write_json(self._settings, known | settings)

    def settings(self):
        """The settings `open` wrote.

        Returns:
            dict, or None for a new directory.

        Raises:
            UserError: the file is not what `open` wrote.
        """
        if not self._settings.exists():
            return None
        try:
            return json.loads(self._settings.read_text())
        except ValueError as error:
            raise UserError(
                f"`search.json` of a run must be JSON. Received: {self._settings} that is not ({error}). "
                "Choose another directory."
            ) from error

    def save_check_samples(self, x_valid, y_valid):
        """Keeps some validation samples, so that exports can be verified without the data set.

        Args:
            x_valid: array of shape (num_samples, ...); anything else is not kept.
            y_valid: array of shape (num_samples, ...).
        """
        if not isinstance(x_valid, np.ndarray) or (self.directory / "check.npz").exists():
            return
        buffer = io.BytesIO()
        # Spread evenly: data sorted by class would give samples of the first class only.
        chosen = np.unique(np.linspace(0, len(x_valid) - 1, NUM_CHECK_SAMPLES).astype(int))
        np.savez_compressed(buffer, x=x_valid[chosen], y=np.asarray(y_valid)[chosen])
        write_atomically(self.directory / "check.npz", buffer.getvalue())

    def check_samples(self):
        """Returns the arrays `save_check_samples` kept, `(x, y)`, or `(None, None)`."""
        path = self.directory / "check.npz"
        if not path.exists():
            return None, None
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["x"], arrays["y"]

    def save_results(self, results):
        """Writes `results.json`.

        Args:
            results: dict, JSON-able.
        """
        write_json(self.directory / "results.json", results)


def _short(value):
    return f"{value[:12]}..." if isinstance(value, str) else value
