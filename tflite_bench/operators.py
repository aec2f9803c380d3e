"""The operators of a `.tflite` file by name, as far as the profile of a model needs them."""

from __future__ import annotations

from dataclasses import dataclass

_ACTIVATION_OPTIONS = {
    "ADD": "AddOptions",
    "SUB": "SubOptions",
    "MUL": "MulOptions",
    "DIV": "DivOptions",
}


@dataclass(frozen=True)
class Operator:
    """One operator of the main graph.

    Args:
        name: str, its name in the schema such as `"CONV_2D"`.
        inputs: tuple of int, indices of tensors; -1 for one that is absent.
        outputs: tuple of int.
        tensor: str, name of the first tensor it writes.
        has_activation: bool, whether an elementwise operator has an activation fused to it.
    """

    name: str
    inputs: tuple
    outputs: tuple
    tensor: str = ""
    has_activation: bool = False


def read_operators(content):
    """Reads the operators of the main graph.

    The bytes are followed wherever they point: call it only in a process that may die.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        tuple of `Operator`, in the order of the file; None where the schema of the format is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError:
        return None
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    model = schema.Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    codes = [names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "UNKNOWN") for code in codes]
    graph = model.Subgraphs(0)
    return tuple(_operator(schema, graph, graph.Operators(index), codes) for index in range(graph.OperatorsLength()))


def _operator(schema, graph, table, codes):
    name = codes[table.OpcodeIndex()]
    outputs = tuple(table.Outputs(index) for index in range(table.OutputsLength()))
    return Operator(
        name=name,
        inputs=tuple(table.Inputs(index) for index in range(table.InputsLength())),
        outputs=outputs,
        tensor=(graph.Tensors(outputs[0]).Name() or b"").decode("utf-8", "replace") if outputs else "",
        has_activation=_has_activation(schema, name, table),
    )


def _has_activation(schema, name, table):
    union = table.BuiltinOptions()
    if union is None or name not in _ACTIVATION_OPTIONS:
        return False
    options = getattr(schema, _ACTIVATION_OPTIONS[name])()
    options.Init(union.Bytes, union.Pos)
    return options.FusedActivationFunction() != schema.ActivationFunctionType.NONE
