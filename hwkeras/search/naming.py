"""Who a proposal is: equal architectures have equal names, whatever hyperparameters led to them.

A candidate is more than its network where hyperparameters say how it is trained (`training_values` of a hypermodel,
such as augmentation): two of them with one network cost the same and are worth a trial each.
"""

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
        return _hash(hp.values)

    def candidate(self, hp):
        """A hash that is equal for equal networks that are trained alike.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            str, hexadecimal; `identity` where nothing is said of the training.
        """
        identity, training = self.identity(hp), self._training_values(hp)
        return _hash([identity, training]) if training else identity

    def _training_values(self, hp):
        known = getattr(self._hypermodel, "training_values", None)
        return known(hp) if known is not None else {}

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
        """Who a trial is, as candidates and events say it; of a network that is trained in its own way, that too.

        Args:
            trial: keras_tuner Trial.

        Returns:
            dict with `trial`, `architecture` and `architecture_hash`, all str.
        """
        hp = architecture_hyperparameters(trial.hyperparameters)
        training = ", ".join(f"{name} {value}" for name, value in self._training_values(hp).items())
        summary = f"{self.summary(hp)} + {training}" if training else self.summary(hp)
        return {"trial": trial.trial_id, "architecture": summary, "architecture_hash": self.identity(hp)}


def _hash(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
