"""Which networks may be trained, and in which precisions: every verdict is in the journal once."""

from __future__ import annotations

import keras_tuner as kt


class Admission:
    """Keeps what the screen said of each network.

    A trial that goes on after a restart is deployed as it was accepted: a latency measured again may differ.

    Args:
        journal: `Journal`.
        naming: `Naming`.
        tell: callable `(event, **facts)`, the search's progress.
    """

    def __init__(self, journal, naming, tell):
        self._journal = journal
        self._naming = naming
        self._tell = tell
        accepted = journal.read("accepted")
        self._feasible = {event["identity"]: tuple(event["precisions"]) for event in accepted}
        self._costs = {event["identity"]: (event.get("metrics", {}), event.get("sources", {})) for event in accepted}
        # Those of an earlier run are screened again: other limits may let them in.
        self._rejected = {event.get("identity", event["architecture"]) for event in journal.read("rejected")}

    @property
    def num_rejected(self):
        """int, networks that were turned away before training."""
        return len(self._rejected)

    def on_screened(self, hp, screened):
        """Takes note of a network that was screened.

        Args:
            hp: keras_tuner.HyperParameters.
            screened: `Screened`.
        """
        identity = self._naming.identity(hp)
        if identity in self._feasible:
            return
        architecture = self._naming.summary(hp)
        facts = {"architecture": architecture, "sources": dict(screened.sources)}
        if screened.feasible:
            metrics = screened.known_metrics()
            self._costs[identity] = metrics, facts["sources"]
            self._journal.write("accepted", identity=identity, precisions=screened.feasible, metrics=metrics, **facts)
        else:
            if identity not in self._rejected:
                self._journal.write("rejected", identity=identity, metrics=screened.known_metrics(), **facts)
            self._rejected.add(identity)
            self._tell("rejected", architecture=architecture, metrics=screened.metrics)
        self._feasible[identity] = screened.feasible

    def costs(self, identity):
        """What is known of a network since it was accepted.

        Args:
            identity: str, of `Naming`.

        Returns:
            dict of precision to dict of metric name to float; dict of precision, with the device where it is not the
            first, to where the latency is from (see `Screened`). Both are empty for a network that was not accepted.
        """
        return self._costs.get(identity, ({}, {}))

    def on_unbuildable(self, hp, message):
        """Takes note of a network that cannot be built or converted.

        Args:
            hp: keras_tuner.HyperParameters.
            message: str, why.
        """
        self._journal.write("unbuildable", architecture=self._naming.summary(hp), message=message)

    def precisions(self, hp, screen):
        """The precisions a network may be deployed in.

        Args:
            hp: keras_tuner.HyperParameters.
            screen: `Screen`, asked where the network was never screened.

        Returns:
            tuple of str, not empty.

        Raises:
            keras_tuner.errors.FailedTrialError: there is none.
        """
        identity = self._naming.identity(hp)
        if identity not in self._feasible:
            screen.screen(hp)
        if not self._feasible.get(identity):
            raise kt.errors.FailedTrialError("No precision of this network lies within the limits.")
        return self._feasible[identity]
