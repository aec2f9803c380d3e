"""The two canaries of a job: the one that tells the clock of the core, and the guard that tells of its neighbors."""

from __future__ import annotations

import hashlib
import os
import pathlib
import statistics

from tflite_bench.gating import Reference
from tflite_bench.gating import typical
from tflite_bench.references import key_of
from tflite_bench.references import reference_of
from tflite_bench.subjects import Subject

_FOLDER = os.path.dirname(os.path.abspath(__file__))
PATHS = (os.path.join(_FOLDER, "canary.tflite"), os.path.join(_FOLDER, "canary_int8.tflite"))
# They are loaded anew after so many visits.
_VISITS = 4
_INVOKES = 3
_PROBES = 5


class Canaries:
    """What is run beside the models.

    Args:
        subjects: sequence of Subject: the canary, the guard; the guard may be absent, or both.
        clock_ns: callable that returns nanoseconds as int.

    Attributes:
        known: Reference, what is known of the device from earlier jobs; empty at first.
    """

    def __init__(self, subjects, clock_ns):
        self._subjects = tuple(subjects)
        self._clock_ns = clock_ns
        self._invokes = ()
        self._num_visits = 0
        self._canary_ms = []
        self._guards = []
        self.known = Reference()

    @property
    def sha256(self):
        """Hex digest of the canaries; None without any."""
        if not self._subjects:
            return None
        return hashlib.sha256(b"".join(subject.content for subject in self._subjects)).hexdigest()

    @property
    def reference(self):
        """The usual speed: what is known, else what this job has seen so far."""
        canary_ms, guard = self.known
        return Reference(
            typical(self._canary_ms) if canary_ms is None else canary_ms,
            typical(self._guards) if guard is None else guard,
        )

    def open_for_visit(self):
        """Loads them at another place in memory, every few visits."""
        if self._num_visits % _VISITS == 0:
            # NOTE: the interpreters are kept by what is bound to them.
            self._invokes = tuple(subject.open().invoke for subject in self._subjects)
        self._num_visits += 1

    def canary_ms(self):
        """The least of a few invokes of the canary; None without one."""
        return self._least_ms(self._invokes[0]) if self._invokes else None

    def guard(self, canary_ms):
        """The guard, in canaries.

        Args:
            canary_ms: float, of just before or after.

        Returns:
            float; None without a guard.
        """
        return self._least_ms(self._invokes[1]) / canary_ms if len(self._invokes) > 1 else None

    def probe(self):
        """How fast the device is now.

        Returns:
            tuple of `canary_ms` and `guard`, as `Reference.accepts` takes them.
        """
        canary_ms = [self.canary_ms() for _ in range(_PROBES)]
        guards = [self.guard(each_ms) for each_ms in canary_ms]
        return tuple(None if None in values else statistics.median(values) for values in (canary_ms, guards))

    def note(self, canary_ms, guard):
        """Takes account of a visit.

        Args:
            canary_ms: float, median of the canary; None without one.
            guard: float, the guard in canaries; None without one.
        """
        self._canary_ms.append(canary_ms)
        self._guards.append(guard)

    def to_json(self):
        """What the answer says of them.

        Returns:
            dict; None without a canary.
        """
        if not self._subjects:
            return None
        seen = [canary_ms for canary_ms in self._canary_ms if canary_ms is not None]
        return {
            "sha256": self.sha256,
            "best_ms": min(seen) if seen else None,
            "typical_ms": typical(seen),
            "reference_ms": self.reference.canary_ms,
            "guard": typical(self._guards),
            "guard_reference": self.reference.guard,
        }

    def _least_ms(self, invoke):
        """The least of a few invokes; the first, which brings its caches back, does not count."""
        invoke()
        times_ns = []
        for _ in range(_INVOKES):
            begin_ns = self._clock_ns()
            invoke()
            times_ns.append(self._clock_ns() - begin_ns)
        return min(times_ns) / 1e6


def canaries_of(runtime, environment, references, seed, rng, clock_ns):
    """The canaries of this folder, and what is known of them on this device.

    Args:
        runtime: Runtime.
        environment: dict, see `references.key_of`.
        references: dict, see `references.read_references`.
        seed: int, of the inputs.
        rng: np.random.Generator, of their places in memory.
        clock_ns: callable that returns nanoseconds as int.

    Returns:
        Canaries.
    """
    # NOTE: the guard may be absent, where a folder was copied without it.
    contents = [pathlib.Path(path).read_bytes() for path in PATHS if os.path.exists(path)]
    canaries = Canaries([Subject(content, runtime, 1, seed, rng) for content in contents], clock_ns)
    canaries.known = reference_of(references.get(key_of(str(canaries.sha256), environment)))
    return canaries
