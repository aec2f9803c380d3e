"""The operators of a `.tflite` file, read from its schema."""

from __future__ import annotations

_CUSTOM = 32


def operator_names(flatbuffer):
    """Lists the operators of the main graph and of the bodies it calls, in the order of execution.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        tuple of str such as `("CONV_2D", "SOFTMAX")`; a custom operator appears as `"CUSTOM:<its name>"`.
    """
    from ai_edge_litert import schema_py_generated as schema

    by_code = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model = schema.Model.GetRootAs(flatbuffer, 0)
    codes = [model.OperatorCodes(k) for k in range(model.OperatorCodesLength())]
    names = [_name(code, by_code) for code in codes]
    graphs = [model.Subgraphs(k) for k in range(model.SubgraphsLength())]
    return tuple(names[graph.Operators(k).OpcodeIndex()] for graph in graphs for k in range(graph.OperatorsLength()))


def _name(code, by_code):
    # Files older than opcode 127 keep the operator in the deprecated byte.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == _CUSTOM:
        return f"CUSTOM:{(code.CustomCode() or b'').decode()}"
    return by_code[number]
