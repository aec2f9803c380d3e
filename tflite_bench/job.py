"""A job: which models to time and how, as a versioned JSON object."""

from __future__ import annotations

import math
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields

from tflite_bench import VERSION


class JobError(ValueError):
    """A job that cannot be read; the message says the law, what came, the way out."""


@dataclass(frozen=True)
class Job:
    """What to time.

    Args:
        models: tuple of str, paths of `.tflite` files; the same path may come twice. May be empty, for the environment.
        num_threads: int. Defaults to `1`.
        affinity: tuple of int, the CPUs to run on. Defaults to `None`, all that the process may use.
        rounds: int, least number of rounds, at least 3. Defaults to `3`.
        max_rounds: int, most rounds, at least `rounds`. Defaults to `12`.
        bursts: int, visits of a round to a model that loads and runs quickly; fewer for others. Defaults to `6`.
        burst_ms: float, least time of the invokes of a round, over its visits. Defaults to `20`.
        gap_ms: float, least time from one round's beginning to the next one's; it passes between the visits, in which
            other models have their turn. Defaults to `100`.
        warmup: int, most invokes before each visit that are not timed; at least one is made. Defaults to `3`.
        agree_within: float, share: rounds go on until the two best of every model are this close. Defaults to `0.02`.
        seed: int, of the order and the inputs. Defaults to `0`.
        max_seconds: float, after which no further visit begins once every model has one. Defaults to `60`.
        model_seconds: float, after which a model that is being loaded, or visited once, counts as hung. Defaults to
            `30`. A job ends within `max_seconds + model_seconds`, and what it takes to start Python.
        memory_limit_bytes: int, address space that a model may take beyond that of the bare runtime. Defaults to
            `None`, all there is.
        canary: bool, whether the canary is visited, too. Defaults to `True`.
        lock: str, path of the file that is locked during the job; beside it `canary.json` keeps how fast the device
            was when it was first used (`references`). Defaults to `None`, no lock and no memory.
        lock_seconds: float, longest wait for the lock. Defaults to `300`.
        output_values: int, values shown of each output. Defaults to `16`.

    Raises:
        JobError: a value of the wrong type or outside its range.
    """

    models: tuple
    num_threads: int = 1
    affinity: tuple | None = None
    rounds: int = 3
    max_rounds: int = 12
    bursts: int = 6
    burst_ms: float = 20.0
    gap_ms: float = 100.0
    warmup: int = 3
    agree_within: float = 0.02
    seed: int = 0
    max_seconds: float = 60.0
    model_seconds: float = 30.0
    memory_limit_bytes: int | None = None
    canary: bool = True
    lock: str | None = None
    lock_seconds: float = 300.0
    output_values: int = 16

    def __post_init__(self):
        if not isinstance(self.models, tuple) or not all(isinstance(path, str) for path in self.models):
            raise JobError(f"`models` must be a list of paths. Received: models={self.models!r}.")
        for name, least in _INTEGERS.items():
            _check(name, getattr(self, name), int, least)
        for name, least in _NUMBERS.items():
            _check(name, getattr(self, name), (int, float), least)
        if self.max_rounds < self.rounds:
            raise JobError(
                f"`max_rounds` must be at least `rounds`. Received: rounds={self.rounds}, max_rounds={self.max_rounds}."
            )
        if self.memory_limit_bytes is not None:
            _check("memory_limit_bytes", self.memory_limit_bytes, int, 1)
        if self.lock is not None and not (isinstance(self.lock, str) and self.lock):
            raise JobError(f"`lock` must be a path or null. Received: lock={self.lock!r}.")
        if not isinstance(self.canary, bool):
            raise JobError(f"`canary` must be true or false. Received: canary={self.canary!r}.")
        _check_affinity(self.affinity)

    @classmethod
    def from_json(cls, data):
        """Reads a job.

        Args:
            data: dict, with `version` and the fields above.

        Returns:
            Job.

        Raises:
            JobError: another version, an unknown field, no models, a value outside its range.
        """
        if not isinstance(data, dict):
            raise JobError(f"A job is a JSON object. Received: {type(data).__name__}.")
        if data.get("version") != VERSION:
            raise JobError(f"`version` must be {VERSION}. Received: version={data.get('version')!r}.")
        values = {name: value for name, value in data.items() if name != "version"}
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise JobError(f"A job has the fields {', '.join(known)}. Received: {unknown[0]}.")
        if not isinstance(values.get("models"), list):
            raise JobError(f"`models` must be a list of paths. Received: models={values.get('models')!r}.")
        if isinstance(values.get("affinity"), list):
            values["affinity"] = tuple(values["affinity"])
        return cls(**{**values, "models": tuple(values["models"])})

    def to_json(self):
        """The job as plain data for JSON; `from_json` reads it back equal.

        Returns:
            dict.
        """
        return {"version": VERSION, **asdict(self)}


_INTEGERS = {
    "num_threads": 1, "rounds": 3, "max_rounds": 3, "bursts": 1, "warmup": 0, "seed": 0, "output_values": 0,
}  # fmt: skip
_NUMBERS = {
    "burst_ms": 0, "gap_ms": 0, "agree_within": 0, "max_seconds": 0, "model_seconds": 0.001, "lock_seconds": 0,
}  # fmt: skip


def _check(name, value, kinds, least):
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value) or value < least:
        what = "an integer" if kinds is int else "a number"
        raise JobError(f"`{name}` must be {what} of at least {least}. Received: {name}={value!r}.")


def _check_affinity(affinity):
    if affinity is None:
        return
    if not isinstance(affinity, tuple) or not affinity or not all(type(cpu) is int and cpu >= 0 for cpu in affinity):
        received = list(affinity) if isinstance(affinity, tuple) else affinity
        raise JobError(f"`affinity` must be a list of CPU numbers or null. Received: affinity={received!r}.")
