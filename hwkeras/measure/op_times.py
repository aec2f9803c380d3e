"""The profile of a model as a value: the time of each operator, and sums of it."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass

UNKNOWN = "unknown"


@dataclass(frozen=True)
class OpTime:
    """The time of one operator, or of one kernel that a delegate runs.

    Args:
        index: int, its position in the order of execution.
        op: str, the operator's name in the schema such as `"CONV_2D"`; `"unknown"` where a kernel may belong to more
            than one.
        kernel: str, what the delegate calls it; None for an operator that no delegate runs, or where nobody told.
        tensor: str, the name of what the operator writes; None where unknown.
        layer: str, the layer of the model; None where unknown.
        time_ms: float.
        share: float in [0, 1], of the sum of all.
        delegated: bool, whether a delegate runs it; None where nobody told.
    """

    index: int
    op: str
    kernel: str | None
    tensor: str | None
    layer: str | None
    time_ms: float
    share: float
    delegated: bool | None


@dataclass(frozen=True)
class Share:
    """The time of several operators.

    Args:
        name: str, of the operator type or the layer.
        time_ms: float.
        share: float in [0, 1].
        num_ops: int, how many operators or kernels.
    """

    name: str
    time_ms: float
    share: float
    num_ops: int


@dataclass(frozen=True)
class Profile:
    """Where the time of one `.tflite` file goes on one device.

    Args:
        ops: tuple of `OpTime`, in order of execution.
        total_ms: float, the sum of the operators as measured, not brought to the latency.
        latency_ms: float, the meter's headline for the whole file.
        method: `"profiler"`, or `"difference"` between growing beginnings of the graph.
        resolution_ms: float, the step of the clock that timed the operators; 0 for that of the meter.
        device: str.
        num_threads: int.
        message: str, what to know about these numbers. Defaults to `""`.
    """

    ops: tuple[OpTime, ...]
    total_ms: float
    latency_ms: float
    method: str
    resolution_ms: float
    device: str
    num_threads: int
    message: str = ""

    @property
    def coverage(self):
        """The sum of the operators as a share of the latency."""
        return self.total_ms / self.latency_ms

    def by_op(self):
        """The time of each type of operator.

        Returns:
            tuple of `Share`, the largest first.
        """
        return self._grouped(lambda op: op.op)

    def by_layer(self):
        """The time of each layer.

        Returns:
            tuple of `Share`, the largest first; what has no known layer is `"unknown"`.
        """
        return self._grouped(lambda op: op.layer or UNKNOWN)

    def to_json(self):
        """The profile as plain data for JSON.

        Returns:
            dict, with `coverage`, `by_op` and `by_layer`.
        """
        sums = {"by_op": self.by_op(), "by_layer": self.by_layer()}
        return {
            **asdict(self),
            "ops": [asdict(op) for op in self.ops],
            "coverage": self.coverage,
            **{name: [asdict(share) for share in shares] for name, shares in sums.items()},
        }

    def _grouped(self, name_of):
        groups = {}
        for op in self.ops:
            groups.setdefault(name_of(op), []).append(op)
        shares = [
            Share(name, sum(op.time_ms for op in ops), sum(op.share for op in ops), len(ops))
            for name, ops in groups.items()
        ]
        return tuple(sorted(shares, key=lambda share: -share.time_ms))
