"""A `.tflite` file cut after each of its operators: the growing beginnings of one graph, each a file of its own."""

from __future__ import annotations

from hwkeras.errors import UserError
from hwkeras.measure.graph import read_graphs


def prefixes(flatbuffer):
    """Cuts a file after its first operator, its second, and so on.

    What later operators would have read, and what the graph gives that is there already, become the outputs of the
    piece. Constants that a piece does not read are left out of it.

    Args:
        flatbuffer: bytes of a `.tflite` file of one subgraph.

    Returns:
        list of bytes, one file an operator; the last has all operators.

    Raises:
        ModelFileError: not a `.tflite` file, truncated or corrupt.
        UserError: further subgraphs, or no operator.
    """
    graphs = read_graphs(flatbuffer)
    if len(graphs) > 1 or not graphs[0].operators:
        raise UserError(
            "A graph is cut when it is one, with operators. "
            f"Received: {len(graphs)} subgraphs, {len(graphs[0].operators)} operators. "
            "Profile it with method='profiler' where the runtime has one."
        )
    return _cut(flatbuffer, graphs[0])


def _cut(flatbuffer, graph):
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    # Signatures name outputs that may be gone.
    model.signatureDefs, model.metadata, model.metadataBuffer = None, None, None
    subgraph, pieces = model.subgraphs[0], []
    # The longest first: each further piece only leaves out more.
    for number in range(len(graph.operators), 0, -1):
        subgraph.operators = subgraph.operators[:number]
        subgraph.outputs = _outputs(graph, number)
        _drop_unread(model, graph.operators[:number])
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        pieces.append(bytes(builder.Output()))
    return pieces[::-1]


def _drop_unread(model, operators):
    read = {tensor for operator in operators for tensor in operator.inputs if tensor >= 0}
    kept = {model.subgraphs[0].tensors[tensor].buffer for tensor in read}
    for index, buffer in enumerate(model.buffers):
        if index not in kept:
            buffer.data = None


def _outputs(graph, number):
    """Indices of the tensors that are written by the first operators and wanted after them."""
    written = [tensor for operator in graph.operators[:number] for tensor in operator.outputs]
    later = {tensor for operator in graph.operators[number:] for tensor in operator.inputs}
    wanted = [tensor for tensor in written if tensor in later or tensor in graph.outputs]
    return wanted or list(graph.operators[number - 1].outputs)
