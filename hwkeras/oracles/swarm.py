"""Particle swarm: candidates fly toward the best they found themselves and toward the best the swarm found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from keras_tuner.engine import hyperparameters as kinds

from hwkeras.errors import UserError
from hwkeras.oracles import pareto
from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle

# How often a particle draws again when it has drawn what was tried before; each time it strays a little more.
_MAX_REDRAWS = 16
# The last probability below one: keras-tuner's values are defined on [0, 1).
_BELOW_ONE = math.nextafter(1.0, 0.0)


class SwarmOracle(HardwareOracle):
    """Particle swarm optimization (Kennedy and Eberhart, 1995, DOI 10.1109/ICNN.1995.488968) on mixed spaces.

    1. A particle has a position and a velocity a hyperparameter. `Choice` and `Boolean`: a probability for each
       option, from which a value is drawn, as in Integer and Categorical PSO (Strasser et al., 2016,
       DOI 10.1145/2908812.2908935). `Int` and `Float`: a place in [0, 1], on the scale of its `sampling`.
    2. Trial n belongs to particle n modulo `swarm_size`. The first trial of a particle is drawn at random. When a
       trial ends, its particle moves: velocity = `inertia` * velocity + `memory_pull` * r1 * (its own best -
       position) + `leader_pull` * r2 * (leader - position), with r1 and r2 uniform in [0, 1) a hyperparameter.
       Particles do not wait for each other. A trial that fails moves nobody.
    3. The leader is the best trial so far. With several objectives it is drawn from the front, the less crowded of
       two, and of a particle's old and new best that do not dominate each other one is kept by chance: MOPSO (Coello
       et al., 2004, DOI 10.1109/TEVC.2004.826067). Within the limits comes before outside of them.
    4. Position and velocity of a hyperparameter that is inactive in a trial stay as they are.
    5. Each value strays from its position with a probability of `turbulence`, and more where a particle draws what
       was tried before: so a swarm that has come together goes on searching around its leader.

    All movements follow from the completed trials in the order they ended and from the seed; nothing else is stored.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        swarm_size: int, 2 or more, or None for a fifth of `max_trials`, between 5 and 20. Defaults to `None`.
        inertia: float in [0, 1), the share of its velocity that a particle keeps. Defaults to `0.73`.
        memory_pull: float, 0 or more, toward a particle's own best. Defaults to `1.5`.
        leader_pull: float, 0 or more, toward the leader; the usual one is 1.5, and with trials as few as
            here more is better. Defaults to `3.0`.
        turbulence: float in [0, 1], or None for one hyperparameter a candidate on average. Defaults to `None`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a number out of range.
    """

    def __init__(
        self,
        objectives,
        limits=(),
        swarm_size=None,
        inertia=0.73,
        memory_pull=1.5,
        leader_pull=3.0,
        turbulence=None,
        **arguments,
    ):
        super().__init__(objectives, limits, **arguments)
        if swarm_size is None:
            swarm_size = 20 if self.max_trials is None else min(20, max(5, self.max_trials // 5))
        self.swarm_size = check_at_least("swarm_size", swarm_size, 2)
        if not 0 <= inertia < 1:
            raise UserError(f"`inertia` must be in [0, 1). Received: inertia={inertia!r}. The usual one is 0.73.")
        for name, pull in (("memory_pull", memory_pull), ("leader_pull", leader_pull)):
            if not 0 <= pull < math.inf:
                raise UserError(
                    f"`{name}` must be finite, 0 or more. Received: {name}={pull!r}. Pass 1.5, or 0 for none."
                )
        if turbulence is not None and not 0 <= turbulence <= 1:
            raise UserError(
                f"`turbulence` must be in [0, 1]. Received: turbulence={turbulence!r}. "
                "Pass None for one hyperparameter a candidate."
            )
        self.inertia = inertia
        self.memory_pull = memory_pull
        self.leader_pull = leader_pull
        self.turbulence = turbulence
        self._swarm = _Swarm()

    def propose(self, rng):
        """Draws from the position of the particle whose turn it is.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        observations = self.observations()
        swarm = self._replayed(observations)
        # The trial to come has the next number; `trials` also counts those that run or failed.
        number = max(len(self.trials), 1 + max((int(each.trial_id) for each in observations), default=-1))
        particle = swarm.particles.get(number % self.swarm_size)
        if particle is None:
            return sampling.sample(self.hyperparameters, rng)
        rate = self.turbulence
        if rate is None:
            rate = 1.0 / max(1, len(particle.positions))
        for redraw in range(_MAX_REDRAWS):
            values = self._draw(particle, rate + (1.0 - rate) * redraw / _MAX_REDRAWS, rng)
            if _as_key(values) not in swarm.tried:
                break
        return values

    def _draw(self, particle, rate, rng):
        """Values of the active hyperparameters, each near its position or, with the given rate, anywhere."""
        values = {}
        for row, gene in enumerate(self.hyperparameters.space):
            if gene.name in values or not all(condition.is_active(values) for condition in gene.conditions):
                continue
            position = particle.positions.get(row)
            if position is None or rng.random() < rate:
                values[gene.name] = gene.prob_to_value(float(rng.random()))
            elif _is_categorical(gene):
                values[gene.name] = sampling.options(gene)[rng.choice(len(position), p=position)]
            else:
                values[gene.name] = gene.prob_to_value(min(float(position[0]), _BELOW_ONE))
        return values

    # The flight, replayed from the completed trials.

    def _replayed(self, observations):
        """The swarm after some observations; goes on from the last call where these are the same and more."""
        if self._swarm.seen != observations[: len(self._swarm.seen)]:
            self._swarm = _Swarm()
        for observation in observations[len(self._swarm.seen) :]:
            self._observe(self._swarm, observation)
        return self._swarm

    def _observe(self, swarm, observation):
        number = int(observation.trial_id)
        # From the seed and the number alone, so that a swarm rebuilt after a reload flies the same way.
        rng = np.random.default_rng([self.seed, number, 1])
        found = _Found(
            self.losses([observation])[0], observation.violation, _encode(self.hyperparameters, observation.values)
        )
        swarm.seen.append(observation)
        swarm.tried.add(_as_key(observation.values))
        swarm.archive = _front([*swarm.archive, found])
        particle = swarm.particles.setdefault(number % self.swarm_size, _Particle())
        particle.best = found if particle.best is None else _better(particle.best, found, rng)
        self._move(particle, found, _leader(swarm.archive, rng), rng)

    def _move(self, particle, found, leader, rng):
        for row, place in found.places.items():
            pulls = rng.random(2) * (self.memory_pull, self.leader_pull)
            position = particle.positions.get(row)
            if position is None:
                # Nothing is known of the other options yet, so the first pulls decide, not the first draw.
                position = np.full(len(place), 1.0 / len(place)) if len(place) > 1 else place
            elif len(place) == 1:
                position = place  # A value may have strayed from its position: the particle is where it was tried.
            velocity = self.inertia * particle.velocities.get(row, np.zeros(len(place)))
            for pull, target in zip(pulls, (particle.best, leader), strict=True):
                velocity += pull * (target.places.get(row, position) - position)
            particle.positions[row], particle.velocities[row] = _flown(position, velocity)


@dataclass(frozen=True)
class _Found:
    """A trial as particles remember it: its losses, its violation, and a target for each active row of the space."""

    losses: np.ndarray
    violation: float
    places: dict


@dataclass
class _Particle:
    positions: dict = field(default_factory=dict)
    velocities: dict = field(default_factory=dict)
    best: _Found | None = None


@dataclass
class _Swarm:
    particles: dict = field(default_factory=dict)
    archive: list = field(default_factory=list)
    tried: set = field(default_factory=set)
    seen: list = field(default_factory=list)


def _is_categorical(gene):
    return isinstance(gene, (kinds.Choice, kinds.Boolean))


def _as_key(values):
    return tuple(sorted(values.items()))


def _encode(space, values):
    """The place of each value that can vary, by the row of the space: one-hot for options, else one number."""
    rows = {id(gene): row for row, gene in enumerate(space.space)}
    places = {}
    for gene in sampling.live(space, values):
        # A space may have grown since: an old trial lacks the new rows.
        if gene.name not in values or sampling.num_options(gene) == 1:
            continue
        value = values[gene.name]
        if _is_categorical(gene):
            places[rows[id(gene)]] = np.array([float(option == value) for option in sampling.options(gene)])
        else:
            places[rows[id(gene)]] = np.array([min(max(float(gene.value_to_prob(value)), 0.0), 1.0)])
    return places


def _flown(position, velocity):
    """Position and velocity after one move, inside the space."""
    moved = position + velocity
    if len(position) > 1:
        kept = np.clip(moved, 0.0, 1.0)
        moved = kept / kept.sum() if kept.sum() > 0 else np.full(len(kept), 1.0 / len(kept))
        return moved, np.clip(velocity, -1.0, 1.0)
    # A particle that hits a wall stays there, and flies on from rest.
    kept = np.clip(moved, 0.0, 1.0)
    return kept, np.where(kept == moved, velocity, 0.0)


def _front(found):
    """The best by constrained domination; the least violation while nothing lies within the limits."""
    rank = pareto.ranks([each.losses for each in found], [each.violation for each in found])
    return [each for each, level in zip(found, rank, strict=True) if level == 0]


def _better(old, new, rng):
    """The one that dominates; by chance where none does."""
    rank = pareto.ranks([old.losses, new.losses], [old.violation, new.violation])
    if rank[0] == rank[1]:
        return new if rng.random() < 0.5 else old
    return old if rank[0] < rank[1] else new


def _leader(archive, rng):
    """The less crowded of two members drawn by chance."""
    pair = rng.integers(len(archive), size=2)
    crowding = pareto.crowding_distance([each.losses for each in archive])
    return archive[max(pair, key=lambda index: crowding[index])]
