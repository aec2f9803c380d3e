"""Resource variables: state that a model keeps between invokes outside its tensors."""

from __future__ import annotations

# Which input of an operator is the variable, and which of its tensors tells the size.
_VALUES = {"READ_VARIABLE": ("outputs", 0), "ASSIGN_VARIABLE": ("inputs", 1)}


def resource_bytes(graphs):
    """Size of each resource variable, by the largest tensor that is read from it or assigned to it.

    Args:
        graphs: tuple of `Graph`, those of one file.

    Returns:
        dict of (container, name) to int, bytes; None where no operator of the same subgraph tells the size.
    """
    sizes = {}
    for graph in graphs:
        handles = {
            operator.outputs[0]: (operator.options["container"], operator.options["shared_name"])
            for operator in graph.operators
            if operator.op == "VAR_HANDLE" and operator.outputs
        }
        for name in handles.values():
            sizes.setdefault(name, None)
        for operator in graph.operators:
            name = handles.get(operator.inputs[0]) if operator.inputs else None
            num_bytes = _value_bytes(operator, graph.tensors)
            if name is not None and num_bytes is not None:
                sizes[name] = max(sizes[name] or 0, num_bytes)
    return sizes


def _value_bytes(operator, tensors):
    side, position = _VALUES.get(operator.op, ("inputs", len(operator.inputs)))
    indices = getattr(operator, side)
    if position >= len(indices) or indices[position] < 0:
        return None
    return tensors[indices[position]].num_bytes
