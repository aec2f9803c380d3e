"""Names of a graph's nodes that depend on nothing but the graph.

Keras numbers layers by a counter of the process (`conv2d_37`), and the converter writes those names, joined for every
fused operator, into the file: a quarter of a small `.tflite`. The same network built twice would differ in bytes, so a
size limit could not be screened. With short names counted within the graph the size is a function of the network alone.
"""

from __future__ import annotations

import hashlib
import re


def rename_nodes(graph_def, kept):
    """Renames nodes to `n0`, `n1`, ... and library functions to `f0_<hash>`, `f1_<hash>`, ..., in place.

    TensorFlow keeps one table of functions for the process and refuses a second one of the same name, so their names
    carry a hash of what they do; it has a fixed length.

    Args:
        graph_def: `tf.compat.v1.GraphDef`, a frozen graph.
        kept: collection of str, node names (the inputs) that stay.

    Returns:
        dict of old to new node name, of the main graph.
    """
    del graph_def.library.gradient[:]  # Training is over; entries would quote old names.
    names = _rename(graph_def.node, frozenset(kept))
    for function in graph_def.library.function:
        inner = _rename(function.node_def, frozenset())
        for table in (function.ret, function.control_ret):
            for result, reference in list(table.items()):
                table[result] = _renamed(reference, inner)
    _rename_functions(graph_def, [f"f{k}" for k in range(len(graph_def.library.function))])
    digest = hashlib.sha256(graph_def.library.SerializeToString(deterministic=True)).hexdigest()[:16]
    _rename_functions(graph_def, [f"f{k}_{digest}" for k in range(len(graph_def.library.function))])
    return names


def layer_paths(graph_def, table, layers):
    """Tells which layer of the model each node comes from, before the nodes are renamed.

    Keras opens a scope of a layer's name around what the layer does, and TensorFlow, which has seen the name by then,
    appends a number to it: `dense_1/MatMul` is of the layer `dense`, `dense_1_1/MatMul` of `dense_1`.

    Args:
        graph_def: `tf.compat.v1.GraphDef` with its old names.
        table: dict of old to new node name, as `rename_nodes` returns it.
        layers: dict of the names of the model's layers, each to such a dict of the layers within it.

    Returns:
        dict of new node name to the path of its layer and TensorFlow's name of the operation, `"net/dense/MatMul"`;
        nodes outside all layers are not in it.
    """
    paths = {}
    for node in graph_def.node:
        layer_path = _layer_path(node.name.split("/")[:-1], layers)
        if layer_path:
            paths[node.name] = "/".join([*layer_path, node.op])
        elif node.op == "Identity" and node.input and node.input[0].partition(":")[0] in paths:
            paths[node.name] = paths[node.input[0].partition(":")[0]]  # An output of the model.
    return {table[name]: path for name, path in paths.items()}


def _layer_path(scopes, layers):
    """The names of the layers that the scopes of a node stand for, from the outside in."""
    path = []
    for scope in scopes:
        numberless = re.sub(r"_\d+$", "", scope)
        name = numberless if numberless in layers else scope
        if name in layers:
            path.append(name)
            layers = layers[name]
    return path


def _rename_functions(graph_def, names):
    table = {function.signature.name: name for function, name in zip(graph_def.library.function, names, strict=True)}
    for function in graph_def.library.function:
        function.signature.name = table[function.signature.name]
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    for node in (node for body in bodies for node in body):
        for attribute in node.attr.values():
            for called in (attribute.func, *attribute.list.func):
                if called.name in table:
                    called.name = table[called.name]


def _rename(nodes, kept):
    names = {node.name: node.name if node.name in kept else f"n{k}" for k, node in enumerate(nodes)}
    for node in nodes:
        node.name = names[node.name]
        node.input[:] = [_renamed(reference, names) for reference in node.input]
        node.attr.pop("_class", None)  # Colocation hints quote old names and mean nothing in a file.
    return names


def _renamed(reference, names):
    """`^node`, `node`, `node:1` or `node:output:0`; what is no node (a function's argument) stays."""
    mark = "^" if reference.startswith("^") else ""
    base, colon, rest = reference.removeprefix("^").partition(":")
    return f"{mark}{names.get(base, base)}{colon}{rest}"
