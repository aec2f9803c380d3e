"""Who a proposal is: equal architectures have equal names, whatever hyperparameters led to them."""

from __future__ import annotations

import hashlib
import json

from hwkeras.oracles.fidelity import architecture_hyperparameters


class Naming:
    """Names the networks of a hypermodel.

    Args:
        hypermodel: keras_tuner.HyperModel; one of ours knows its `architecture(hp)`, others are named by their values.
    """

    def __init__(self, hypermodel):
        self._hypermodel = hypermodel

    def architecture(self, hp):
        """The architecture of a proposal.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            Architecture, or None where the hypermodel is somebody else's.
        """
        return self._hypermodel.architecture(hp) if hasattr(self._hypermodel, "architecture") else None

    def identity(self, hp):
        """A hash that is equal for equal networks.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            str, hexadecimal.
        """
        architecture = self.architecture(hp)
        if architecture is not None:
            return architecture.hash
        return hashlib.sha256(json.dumps(hp.values, sort_keys=True).encode()).hexdigest()

    def summary(self, hp):
        """One line for a person.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            str.
        """
        architecture = self.architecture(hp)
        if architecture is not None:
            return architecture.summary()
        return " ".join(f"{name}={value}" for name, value in hp.values.items()) or "default"

    def of_trial(self, trial):
        """Who a trial is, as candidates and events say it.

        Args:
            trial: keras_tuner Trial.

        Returns:
            dict with `trial`, `architecture` and `architecture_hash`, all str.
        """
        hp = architecture_hyperparameters(trial.hyperparameters)
        return {"trial": trial.trial_id, "architecture": self.summary(hp), "architecture_hash": self.identity(hp)}
