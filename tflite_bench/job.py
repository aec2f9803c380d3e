"""A job: which models to time and how, as a versioned JSON object."""

from __future__ import annotations

import math
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
        rounds: int, least number of rounds. Defaults to `3`, which is also the minimum.
        max_rounds: int, most rounds, at least `rounds`. Defaults to `8`.
        burst_ms: float, least time of a visit, and at least 10 invokes. Defaults to `20`.
        gap_ms: float, pause between rounds. Defaults to `100`.
        warmup: int, invokes before each visit that are not timed. Defaults to `3`.
        agree_within: float, share: rounds go on until the two best of every model are this close. Defaults to `0.02`.
        seed: int, of the order and the inputs. Defaults to `0`.
        max_seconds: float, budget after which no further visit begins once every model has one. Defaults to `60`.

    Raises:
        JobError: a value of the wrong type or outside its range.
    """

    models: tuple
    num_threads: int = 1
    rounds: int = 3
    max_rounds: int = 8
    burst_ms: float = 20.0
    gap_ms: float = 100.0
    warmup: int = 3
    agree_within: float = 0.02
    seed: int = 0
    max_seconds: float = 60.0

    def __post_init__(self):
        if not isinstance(self.models, tuple) or not all(isinstance(path, str) for path in self.models):
            raise JobError(f"`models` must be a list of paths. Received: models={self.models!r}.")
        for name, least in (("num_threads", 1), ("rounds", 3), ("max_rounds", 3), ("warmup", 0), ("seed", 0)):
            _check(name, getattr(self, name), int, least)
        for name in ("burst_ms", "gap_ms", "agree_within", "max_seconds"):
            _check(name, getattr(self, name), (int, float), 0)
        if self.max_rounds < self.rounds:
            raise JobError(
                f"`max_rounds` must be at least `rounds`. Received: rounds={self.rounds}, max_rounds={self.max_rounds}."
            )

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
        return cls(**{**values, "models": tuple(values["models"])})


def _check(name, value, kinds, least):
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value) or value < least:
        what = "an integer" if kinds is int else "a number"
        raise JobError(f"`{name}` must be {what} of at least {least}. Received: {name}={value!r}.")
