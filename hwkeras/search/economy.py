"""What a search may save on training: five switches, each off by default."""

from __future__ import annotations

import dataclasses
import functools
import os
from dataclasses import dataclass

import keras

from hwkeras.build.zero_cost import score
from hwkeras.convert import take_samples
from hwkeras.errors import UserError
from hwkeras.oracles.fidelity_oracle import FidelityOracle
from hwkeras.search.earlier_runs import EarlierTrial
from hwkeras.search.earlier_runs import read_earlier_runs

# Enough for the scores of an untrained network to tell networks apart, and no more than a step of training costs.
_BATCH_SIZE = 64


@dataclass(frozen=True)
class Economy:
    """Cheaper evaluation of candidates; what each switch saves depends on the data and the space.

    Args:
        stop_hopeless: bool, whether a trial ends early when its learning curve, extrapolated optimistically, cannot
            bring it onto the front (see `hopeless.HopelessTrials`). Not together with `asha` and `hyperband`, which
            stop trials by comparing them. Defaults to `False`.
        inherit_weights: bool, whether a new network starts from the weights of a completed one where most of their
            layers are alike (see `inheritance.Inheritance`). Defaults to `False`.
        train_share: float in (0, 1], the share of the training data that each trial is trained on, the same samples
            for all trials of a run and as many of each class as in the whole. Nothing is trained again on all data:
            accuracies are those of networks trained on the share, and a network that ships may gain by a training on
            everything. Defaults to `1.0`.
        warm_start: sequence of str or PathLike, directories of earlier runs from which the oracle learns. Defaults to
            `()`.
        zero_cost: bool, whether untrained networks are scored on a batch of training data, as further features for the
            oracle's model. Defaults to `False`.

    Raises:
        UserError: a share outside (0, 1], a switch that is no bool, or directories that are no paths.
    """

    stop_hopeless: bool = False
    inherit_weights: bool = False
    train_share: float = 1.0
    warm_start: tuple = ()
    zero_cost: bool = False

    def __post_init__(self):
        for name in ("stop_hopeless", "inherit_weights", "zero_cost"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"`{name}` is a switch: True or False. Received: {name}={getattr(self, name)!r}.")
        is_number = isinstance(self.train_share, (int, float)) and not isinstance(self.train_share, bool)
        if not is_number or not 0 < self.train_share <= 1:
            raise UserError(
                f"`train_share` must be in (0, 1]. Received: train_share={self.train_share!r}. For half of the "
                "training data pass train_share=0.5."
            )
        given = (self.warm_start,) if isinstance(self.warm_start, (str, os.PathLike)) else self.warm_start
        if not isinstance(given, (tuple, list)) or not all(isinstance(each, (str, os.PathLike)) for each in given):
            raise UserError(
                f"`warm_start` names directories of runs. Received: warm_start={self.warm_start!r}. For one run pass "
                "warm_start=['runs/first']."
            )
        object.__setattr__(self, "warm_start", tuple(os.fspath(directory) for directory in given))

    @classmethod
    def of(cls, asked):
        """Reads what a tuner was given.

        Args:
            asked: `Economy`, or None for none.

        Returns:
            Economy.

        Raises:
            UserError: something else.
        """
        if asked is None:
            return cls()
        if not isinstance(asked, cls):
            raise UserError(
                f"`economy` is an Economy or None. Received: economy={asked!r}. Pass for instance "
                "economy=Economy(stop_hopeless=True)."
            )
        return asked

    def to_json(self):
        """Returns dict, JSON-able, of all switches."""
        return dataclasses.asdict(self) | {"warm_start": list(self.warm_start)}

    def summary(self, data):
        """What is saved, for a person.

        Args:
            data: `TrainingData` of the search.

        Returns:
            str.
        """
        return f"each network is trained on {data.num_samples} samples, {self.train_share:.3g} of the training data"

    def check(self, oracle, journal):
        """Looks for what cannot be, before anything is written.

        Args:
            oracle: `HardwareOracle`.
            journal: `Journal` of the run, which may not be there yet.

        Raises:
            UserError: an oracle that stops trials by itself beside `stop_hopeless`, or a directory that holds no run.
        """
        if self.stop_hopeless and isinstance(oracle, FidelityOracle):
            raise UserError(
                "`stop_hopeless` ends trials by their learning curve, an oracle of several fidelities by comparing "
                f"them with each other. Received: stop_hopeless=True and oracle={type(oracle).__name__}. Leave one out."
            )
        if self.warm_start and self._kept(journal) is None:
            read_earlier_runs(self.warm_start)

    def learn(self, oracle, journal, data_fingerprint):
        """Hands the oracle what earlier runs found out.

        It is kept in the journal: a search that goes on knows the same, whatever became of those runs meanwhile.

        Args:
            oracle: `HardwareOracle`, whose space is known; its attribute `earlier` is set.
            journal: `Journal` of the run.
            data_fingerprint: str, of the data of this search.

        Raises:
            UserError: a directory that holds no run, or one of another space.
        """
        if not self.warm_start:
            return
        earlier = self._kept(journal)
        if earlier is None:
            earlier = read_earlier_runs(self.warm_start, oracle.get_space(), data_fingerprint)
            trials = [{**vars(each), "values": dict(each.values), "metrics": dict(each.metrics)} for each in earlier]
            journal.write("earlier", warm_start=list(self.warm_start), trials=trials)
        oracle.earlier = earlier

    def _kept(self, journal):
        """What was learned when this search began; None where it begins now, or is given other runs."""
        events = [event for event in journal.read("earlier") if event["warm_start"] == list(self.warm_start)]
        return [EarlierTrial(**trial) for trial in events[-1]["trials"]] if events else None

    def zero_cost_scores(self, x, seed):
        """Who scores untrained networks, on one batch of the training data.

        Args:
            x: training inputs, as for `convert.take_samples`.
            seed: int, of the scores.

        Returns:
            Callable from an untrained keras.Model to a dict of name to float (see `hwkeras.build.zero_cost`); None
            where they are not asked for.

        Raises:
            UserError: networks of several inputs.
        """
        if not self.zero_cost:
            return None
        if isinstance(x, (list, tuple, dict)):
            raise UserError(
                f"`zero_cost` scores networks of one input. Received: inputs in a {type(x).__name__}. Leave it out."
            )
        return functools.partial(score, x=take_samples(x, _BATCH_SIZE), seed=seed)

    def screened(self, hypermodel, seed):
        """What the screen builds networks with.

        Args:
            hypermodel: keras_tuner.HyperModel.
            seed: int.

        Returns:
            Object with `build(hp)`. Where untrained networks are scored, it builds the same weights each time: after a
            kill the same network has the same scores.
        """
        return _SeededBuild(hypermodel, seed) if self.zero_cost else hypermodel


class _SeededBuild:
    """Builds the same untrained weights each time.

    Args:
        hypermodel: keras_tuner.HyperModel.
        seed: int.
    """

    def __init__(self, hypermodel, seed):
        self._hypermodel = hypermodel
        self._seed = seed % 2**32

    def build(self, hp):
        """Returns keras.Model."""
        keras.utils.set_random_seed(self._seed)
        return self._hypermodel.build(hp)
