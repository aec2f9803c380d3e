"""Static analysis: what a `.tflite` file costs, from its bytes alone."""

from __future__ import annotations

import os
from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.errors import ModelFileError
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.macs import count_macs
from hwkeras.measure.macs import is_counted
from hwkeras.measure.memory import peak_live_bytes
from hwkeras.measure.model_file import read_model

_ALWAYS_WEIGHTS = ("FLOAT", "BFLOAT", "COMPLEX", "INT2", "INT4", "UINT4", "INT8", "UINT8", "INT16")


@dataclass(frozen=True)
class OpCost:
    """What one operator costs.

    Args:
        op: str, its name in the schema such as `"CONV_2D"`.
        macs: int, multiply-accumulates.
        weight_bytes: int, bytes of the constants it reads, as stored.
        output_bytes: int, bytes it writes.
    """

    op: str
    macs: int
    weight_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Analysis:
    """What a `.tflite` file costs, known without running it. The first subgraph is analyzed.

    Args:
        size_bytes: int, the file.
        macs: int, multiply-accumulates of one inference with unknown dimensions (the batch) as 1.
        params: int, number of weights and biases: elements of constant tensors that are of a floating or small integer
            type, or quantized. Shapes, axes and indices (integers without a scale) are not among them.
        weight_bytes: int, bytes of all constant tensors, shapes and axes included.
        peak_ram_bytes: int, the most bytes of activations alive at once (see `memory.peak_live_bytes`).
        ops: tuple of `OpCost`, in order of execution.
        uncounted: tuple of str, what the figures leave out: the operators whose multiply-accumulates are not counted,
            by name; then statements about subgraphs, variable and sparse tensors.
    """

    size_bytes: int
    macs: int
    params: int
    weight_bytes: int
    peak_ram_bytes: int
    ops: tuple[OpCost, ...]
    uncounted: tuple[str, ...]

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
        return {**asdict(self), "ops": [asdict(op) for op in self.ops], "uncounted": list(self.uncounted)}


def analyze(model):
    """Analyzes a `.tflite` file without running it.

    Args:
        model: bytes of the file, or its path as str or `os.PathLike`.

    Returns:
        Analysis.

    Raises:
        UserError: no such file.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
    """
    data = read_model(model)
    try:
        return _analysis(data, read_graphs(data))
    except ModelFileError as error:
        if isinstance(model, str | os.PathLike):
            raise ModelFileError(f"{os.fspath(model)}: {error}") from error
        raise


def _analysis(data, graphs):
    main = graphs[0]
    ops = tuple(_op_cost(operator, main.tensors) for operator in main.operators)
    constants = [tensor for graph in graphs for tensor in graph.tensors if tensor.data_bytes]
    return Analysis(
        size_bytes=len(data),
        macs=sum(op.macs for op in ops),
        params=sum(tensor.num_elements for tensor in constants if _is_weight(tensor)),
        weight_bytes=sum(tensor.data_bytes for tensor in constants),
        peak_ram_bytes=peak_live_bytes(main),
        ops=ops,
        uncounted=_uncounted(graphs),
    )


def _op_cost(operator, tensors):
    read = {index for index in operator.inputs if index >= 0}
    written = {index for index in operator.outputs if index >= 0}
    return OpCost(
        op=operator.op,
        macs=count_macs(operator, tensors),
        weight_bytes=sum(tensors[index].data_bytes for index in read),
        output_bytes=sum(tensors[index].num_bytes for index in written),
    )


def _is_weight(tensor):
    return tensor.is_quantized or tensor.dtype.startswith(_ALWAYS_WEIGHTS)


def _uncounted(graphs):
    main = graphs[0]
    names = sorted({operator.op for operator in main.operators if not is_counted(operator.op)})
    variable_bytes = sum(tensor.num_bytes for tensor in main.tensors if tensor.is_variable)
    num_sparse = sum(tensor.is_sparse for tensor in main.tensors)
    notes = []
    if len(graphs) > 1:
        notes.append(f"{len(graphs) - 1} further subgraphs: their operators and RAM; their constants are counted")
    if variable_bytes:
        notes.append(f"variable tensors: {variable_bytes} bytes of RAM kept between invokes")
    if num_sparse:
        notes.append(f"{num_sparse} sparse tensors: zeros counted in params and macs, index bytes not in weight_bytes")
    return (*names, *notes)
