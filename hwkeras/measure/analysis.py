"""Static analysis: what a `.tflite` file costs, from its bytes alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.measure.graph import SUBGRAPH_ROLES
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.macs import count_macs
from hwkeras.measure.macs import is_counted
from hwkeras.measure.macs import window
from hwkeras.measure.memory import peak_live_bytes
from hwkeras.measure.model_file import naming_file
from hwkeras.measure.model_file import read_model
from hwkeras.measure.resources import resource_bytes

_ALWAYS_WEIGHTS = ("FLOAT", "BFLOAT", "COMPLEX", "INT2", "INT4", "UINT4", "INT8", "UINT8", "INT16")


@dataclass(frozen=True)
class OpCost:
    """What one operator costs.

    Args:
        op: str, its name in the schema such as `"CONV_2D"`.
        macs: int, multiply-accumulates.
        weight_bytes: int, bytes of the constants it reads, as stored.
        output_bytes: int, bytes it writes.
        input_bytes: int, bytes of the activations it reads, each counted once. Defaults to `0`.
        kernel: tuple of int, (height, width) of a convolution's or a pooling's window; empty for others.
        stride: tuple of int, (height, width); empty for others.
        dtype: str, the type of its first output such as `"INT8"`; empty without an output.
        name: str, the name of its first output; empty without an output.
    """

    op: str
    macs: int
    weight_bytes: int
    output_bytes: int
    input_bytes: int = 0
    kernel: tuple = ()
    stride: tuple = ()
    dtype: str = ""
    name: str = ""

    def __post_init__(self):
        # Back from JSON they are lists.
        object.__setattr__(self, "kernel", tuple(self.kernel))
        object.__setattr__(self, "stride", tuple(self.stride))


@dataclass(frozen=True)
class SubgraphCost:
    """What one run of a further subgraph costs. How often it runs is not known from the file.

    Args:
        name: str.
        role: str, what runs it, such as `"WHILE body"`; `"entry point"` when no operator does.
        macs: int, multiply-accumulates of one run, without the subgraphs that it runs itself.
        peak_ram_bytes: int, the most bytes of its activations alive at once.
        num_ops: int.
    """

    name: str
    role: str
    macs: int
    peak_ram_bytes: int
    num_ops: int


@dataclass(frozen=True)
class Analysis:
    """What a `.tflite` file costs, known without running it. The figures are of the first subgraph.

    Args:
        size_bytes: int, the file.
        macs: int, multiply-accumulates of one inference with unknown dimensions (the batch) as 1.
        params: int, number of weights and biases: elements of constant tensors that are of a floating or small integer
            type, or quantized. Shapes, axes and indices (integers without a scale) are not among them.
        weight_bytes: int, bytes of all constant tensors, shapes and axes included.
        peak_ram_bytes: int, the most bytes of activations alive at once (see `memory.peak_live_bytes`).
        ops: tuple of `OpCost`, in order of execution.
        uncounted: tuple of str, what the figures leave out: the operators whose multiply-accumulates are not counted,
            by name; then statements about subgraphs, variables and sparse tensors.
        subgraphs: tuple of `SubgraphCost`, one for each subgraph behind the first. Defaults to none.
    """

    size_bytes: int
    macs: int
    params: int
    weight_bytes: int
    peak_ram_bytes: int
    ops: tuple[OpCost, ...]
    uncounted: tuple[str, ...]
    subgraphs: tuple[SubgraphCost, ...] = ()

    @property
    def op_histogram(self):
        """How often each operator occurs, as dict of str to int, the most frequent first."""
        counts = Counter(op.op for op in self.ops)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def metrics(self):
        """The figures under the metric names of `hwkeras.objectives`.

        Returns:
            dict of str to int: `size_bytes`, `peak_ram_bytes`, `macs`, `params`.
        """
        return {name: getattr(self, name) for name in ("size_bytes", "peak_ram_bytes", "macs", "params")}

    def to_json(self):
        """The analysis as plain data for JSON.

        Returns:
            dict.
        """
        return {
            **asdict(self),
            "ops": [asdict(op) for op in self.ops],
            "op_histogram": self.op_histogram,
            "uncounted": list(self.uncounted),
            "subgraphs": [asdict(subgraph) for subgraph in self.subgraphs],
        }


def analyze(model):
    """Analyzes a `.tflite` file without running it.

    Values of weights are not read: `weights.analyze_weights` does that.

    Args:
        model: bytes of the file, or its path as str or `os.PathLike`.

    Returns:
        Analysis.

    Raises:
        UserError: no such file.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
    """
    data = read_model(model)
    with naming_file(model):
        return _analysis(data, read_graphs(data))


def is_weight(tensor):
    """Whether a constant counts as a parameter of the model.

    Args:
        tensor: `Tensor`.

    Returns:
        bool, False for activations and for shapes, axes and indices: integers without a scale.
    """
    return tensor.data_bytes > 0 and (tensor.is_quantized or tensor.dtype.startswith(_ALWAYS_WEIGHTS))


def _analysis(data, graphs):
    main = graphs[0]
    ops = tuple(_op_cost(operator, main.tensors) for operator in main.operators)
    constants = [tensor for graph in graphs for tensor in graph.tensors if tensor.data_bytes]
    subgraphs = _subgraphs(graphs)
    return Analysis(
        size_bytes=len(data),
        macs=sum(op.macs for op in ops),
        params=sum(tensor.num_elements for tensor in constants if is_weight(tensor)),
        weight_bytes=sum(tensor.data_bytes for tensor in constants),
        peak_ram_bytes=peak_live_bytes(main),
        ops=ops,
        uncounted=_uncounted(graphs, subgraphs),
        subgraphs=subgraphs,
    )


def _op_cost(operator, tensors):
    read = {index for index in operator.inputs if index >= 0}
    written = [index for index in dict.fromkeys(operator.outputs) if index >= 0]
    first = tensors[written[0]] if written else None
    macs = count_macs(operator, tensors)
    kernel, stride = window(operator, tensors)
    return OpCost(
        op=operator.op,
        macs=macs,
        weight_bytes=sum(tensors[index].data_bytes for index in read),
        output_bytes=sum(tensors[index].num_bytes for index in written),
        input_bytes=sum(tensors[index].num_bytes for index in read if not tensors[index].data_bytes),
        kernel=kernel,
        stride=stride,
        dtype=first.dtype if first else "",
        name=first.name if first else "",
    )


def _subgraphs(graphs):
    if len(graphs) == 1:
        return ()
    roles = {}
    for graph in graphs:
        for operator in graph.operators:
            for role in SUBGRAPH_ROLES.get(operator.op, ()):
                roles.setdefault(operator.options[role], {})[f"{operator.op} {role}"] = None
    return tuple(
        SubgraphCost(
            name=graph.name,
            role=", ".join(roles.get(index, ("entry point",))),
            macs=sum(count_macs(operator, graph.tensors) for operator in graph.operators),
            peak_ram_bytes=peak_live_bytes(graph),
            num_ops=len(graph.operators),
        )
        for index, graph in enumerate(graphs)
        if index
    )


def _uncounted(graphs, subgraphs):
    main = graphs[0]
    notes = []
    for index, subgraph in enumerate(subgraphs, start=1):
        inside = _not_counted(graphs[index])
        notes.append(
            f"subgraph {index} ({subgraph.role}): {subgraph.macs} MACs and {subgraph.peak_ram_bytes} bytes of RAM each "
            f"time it runs, how often is unknown; its constants are counted"
            f"{'; MACs unknown of ' + ', '.join(inside) if inside else ''}"
        )
    variable_bytes = sum(tensor.num_bytes for graph in graphs for tensor in graph.tensors if tensor.is_variable)
    if variable_bytes:
        notes.append(f"variable tensors: {variable_bytes} bytes of RAM kept between invokes")
    notes.extend(_resource_note(graphs))
    num_sparse = sum(tensor.is_sparse for graph in graphs for tensor in graph.tensors)
    if num_sparse:
        notes.append(f"{num_sparse} sparse tensors: zeros counted in params and macs, index bytes not in weight_bytes")
    return (*_not_counted(main), *notes)


def _not_counted(graph):
    return sorted({operator.op for operator in graph.operators if not is_counted(operator.op)})


def _resource_note(graphs):
    sizes = resource_bytes(graphs)
    if not sizes:
        return
    unknown = sum(size is None for size in sizes.values())
    known = sum(size or 0 for size in sizes.values())
    note = f"{len(sizes)} resource variables: {known} bytes of RAM kept between invokes"
    yield f"{note}, {unknown} of unknown size" if unknown else note
