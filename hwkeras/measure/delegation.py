"""Which operators the interpreter hands to XNNPACK, which it keeps, and why; and what other accelerators leave alone.

A network that is cut into many partitions pays for each cut: an int8 MobileNetV3 with 19 `HARD_SWISH` that XNNPACK does
not take was measured at twice the latency of its float32 twin.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.measure.graph import read_graphs
from hwkeras.measure.model_file import naming_file
from hwkeras.measure.model_file import read_model
from hwkeras.measure.xnnpack import Nodes

# The operators that the GPU delegate's documentation lists, float precision.
_GPU_OPS = frozenset(
    {
        "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXP", "FULLY_CONNECTED",
        "LOGISTIC", "LSTM", "MAX_POOL_2D", "MAXIMUM", "MINIMUM", "MUL", "PAD", "PRELU", "RELU", "RELU6", "RESHAPE",
        "RESIZE_BILINEAR", "SOFTMAX", "STRIDED_SLICE", "SUB", "TRANSPOSE_CONV",
    }
)  # fmt: skip
_SOURCES = {
    "gpu": "https://github.com/google-ai-edge/LiteRT/blob/main/tflite/delegates/gpu/README.md",
    "edge_tpu": "https://coral.ai/docs/edgetpu/models-intro",
    "ethos_u": "https://pypi.org/project/ethos-u-vela",
}
_CONTROL_FLOW = frozenset({"IF", "WHILE", "CALL_ONCE"})


@dataclass(frozen=True)
class OpDelegation:
    """Whether XNNPACK takes one operator.

    Args:
        index: int, position in the order of execution.
        op: str, its name in the schema.
        is_delegated: bool, None where it is unknown.
        reason: str, why it is not taken or why that is unknown; empty for one that is taken.
    """

    index: int
    op: str
    is_delegated: bool | None
    reason: str


@dataclass(frozen=True)
class Hint:
    """What the documentation of an accelerator says of operators of this file.

    Args:
        target: str, `"gpu"`, `"edge_tpu"` or `"ethos_u"`.
        op: str, name of the operators.
        num_ops: int, how many of them.
        reason: str, why they are expected to stay on the CPU.
        source: str, address of the documentation.
    """

    target: str
    op: str
    num_ops: int
    reason: str
    source: str


@dataclass(frozen=True)
class Delegation:
    """How the first subgraph of a file is divided between XNNPACK and the interpreter.

    Args:
        ops: tuple of `OpDelegation`, all operators in order of execution.
        partitions: tuple of tuples of int, the operators of each part that XNNPACK takes, by index; None where one
            operator is unknown.
        hints: tuple of `Hint`. Of operators without a hint nothing is known, not that they run there.
    """

    ops: tuple[OpDelegation, ...]
    partitions: tuple[tuple[int, ...], ...] | None
    hints: tuple[Hint, ...]

    @property
    def num_partitions(self):
        """How many parts XNNPACK takes; 1 is best, None is unknown."""
        return None if self.partitions is None else len(self.partitions)

    @property
    def undelegated(self):
        """The operators that XNNPACK leaves, and those of which it is unknown, as tuple of `OpDelegation`."""
        return tuple(op for op in self.ops if op.is_delegated is not True)

    def to_json(self):
        """The findings as plain data for JSON.

        Returns:
            dict.
        """
        return {
            "xnnpack_partitions": self.num_partitions,
            "undelegated": [asdict(op) for op in self.undelegated],
            "hints": [asdict(hint) for hint in self.hints],
        }


def analyze_delegation(model):
    """Finds what XNNPACK takes of a file, by rules and without running it.

    Args:
        model: bytes of a `.tflite` file, or its path as str or `os.PathLike`.

    Returns:
        Delegation.

    Raises:
        UserError: no such file.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
    """
    data = read_model(model)
    with naming_file(model):
        graph = read_graphs(data, details=True)[0]
    ops = _ops(graph, Nodes(graph, data))
    is_known = all(op.is_delegated is not None for op in ops)
    return Delegation(ops, _partitions(graph, ops) if is_known else None, tuple(_hints(graph)))


def _ops(graph, nodes):
    """An operator that unpacks constants is taken unless one that is not taken reads what it unpacks."""
    refusals = {}
    readers = {}
    unpacking = set(nodes.unpacked.values())
    for position, operator in enumerate(graph.operators):
        if position in unpacking:
            continue
        refusals[position] = nodes.refusal(operator)
        if refusals[position] != "":
            for index in operator.inputs:
                readers.setdefault(nodes.unpacked.get(index), operator.op)
    found = []
    for position, operator in enumerate(graph.operators):
        reason = refusals.get(position, f"{readers[position]} reads it" if position in readers else "")
        unknown = "taken under conditions that are not read here"
        found.append(
            OpDelegation(
                position, operator.op, None if reason is None else not reason, unknown if reason is None else reason
            )
        )
    return tuple(found)


def _partitions(graph, ops):
    """Divides the operators as the interpreter does: all of one side that can run, then all of the other, in turns."""
    waits, readers = _dependencies(graph)
    can_run = {True: [], False: []}
    for position, number in enumerate(waits):
        if not number:
            can_run[ops[position].is_delegated].append(position)
    side = not can_run[False] or (can_run[True] and can_run[True][0] < can_run[False][0])
    partitions, num_done, done_tensors = [], 0, set()
    while can_run[True] or can_run[False]:
        side = bool(side) if can_run[bool(side)] else not side
        part = []
        while can_run[side]:
            position = can_run[side].pop()
            part.append(position)
            made = {("after", position), *graph.operators[position].outputs} - done_tensors
            done_tensors |= made
            for tensor in made:
                for reader in readers.get(tensor, ()):
                    waits[reader] -= 1
                    if not waits[reader]:
                        can_run[ops[reader].is_delegated].append(reader)
        num_done += len(part)
        if side:
            partitions.append(tuple(sorted(part)))
        side = not side
    return tuple(partitions) if num_done == len(ops) else None  # operators that wait for each other have no order


def _dependencies(graph):
    """For each operator the number of things it waits for; for each thing its readers.

    It waits for the tensors that others write, and operators on resources and control flow wait for the one before.
    """
    written = {index for operator in graph.operators for index in operator.outputs if index >= 0}
    waits, readers, before = [], {}, None
    for position, operator in enumerate(graph.operators):
        things = written.intersection(operator.inputs)
        if _has_side_effects(graph, operator):
            if before is not None:
                things.add(("after", before))
            before = position
        waits.append(len(things))
        for thing in things:
            readers.setdefault(thing, []).append(position)
    return waits, readers


def _has_side_effects(graph, operator):
    indices = (*operator.inputs, *operator.outputs)
    return operator.op in _CONTROL_FLOW or any(
        index >= 0 and graph.tensors[index].dtype == "RESOURCE" for index in indices
    )


def _hints(graph):
    counts = Counter()
    for operator in graph.operators:
        dtypes = {graph.tensors[index].dtype for index in operator.outputs if index >= 0}
        if operator.op not in _GPU_OPS:
            counts["gpu", operator.op, "not in the documented list of operators"] += 1
        if not dtypes <= {"INT8", "UINT8"}:
            counts["edge_tpu", operator.op, f"{_named(dtypes)}; only models fully quantized to 8 bits are taken"] += 1
        if not dtypes <= {"INT8", "UINT8", "INT16", "INT32"}:
            counts["ethos_u", operator.op, f"{_named(dtypes)}; only operators quantized to 8 or 16 bits are taken"] += 1
    for (target, op, reason), num_ops in sorted(counts.items()):
        yield Hint(target, op, num_ops, reason, _SOURCES[target])


def _named(dtypes):
    return f"{', '.join(sorted(dtypes)).lower()} output"
