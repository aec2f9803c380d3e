"""A Keras 3 model as one frozen TensorFlow function of static batch 1: traced once, converted to every precision."""

from __future__ import annotations

import inspect
import os
import re
import sys
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np

from hwkeras.convert.float_front import joined_paths
from hwkeras.convert.float_front import split
from hwkeras.convert.reasons import failure_reason
from hwkeras.convert.silence import silenced
from hwkeras.errors import ConversionError
from hwkeras.errors import UserError

_AUTOMATIC_NAME = re.compile(r"(input_layer|keras_tensor|input)(_\d+)?")
_CONTROL_FLOW = frozenset({"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"})


@dataclass(frozen=True)
class Frozen:
    """A model without variables, ready for the converter.

    Args:
        function: a TensorFlow concrete function of one flat argument list, batch 1.
        input_names: tuple of str, in the order of the function's arguments and of the file's inputs.
        input_shapes: tuple of shapes without the batch dimension.
        input_dtypes: tuple of numpy dtypes.
        control_flow: tuple of str, TensorFlow's control flow operators in the graph (`While` of a recurrent layer).
        node_paths: dict of the graph's node names to where each comes from in the model, see `node_names.layer_paths`.
        parts: tuple of two Frozen, the front end that stays float and the rest, see `float_front`; None without one.
    """

    function: Any = field(repr=False)
    input_names: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    input_dtypes: tuple[np.dtype, ...]
    control_flow: tuple[str, ...] = ()
    node_paths: dict[str, str] = field(default_factory=dict, repr=False)
    parts: tuple[Frozen, Frozen] | None = field(default=None, repr=False)


def import_tensorflow():
    """Imports TensorFlow without what it prints while it loads, its C++ log kept to errors unless the user asked.

    Returns:
        the module `tensorflow`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    with silenced():  # its first lines come before it looks at the level
        import tensorflow as tf
    return tf


def freeze(model, weights=None):
    """Traces `model` in inference mode for one sample and turns every weight into a constant.

    The model is called through `stateless_call`, so neither its weights, nor its optimizer, nor its trainability are
    touched. Nodes get names that depend on the graph only (see `node_names`).

    Args:
        model: `keras.Model` of Keras 3 on the TensorFlow backend: functional, Sequential or subclassed; built.
        weights: dict of `id(variable)` to array that takes the variable's place. Defaults to `None`: its value.

    Returns:
        Frozen.

    Raises:
        UserError: not a Keras 3 model, not built, or a dimension other than the batch is not fixed.
        ConversionError: the model cannot be called with batch 1, computes in half precision, or holds weights that
            are not finite.
    """
    _require_keras_model(model)
    parts = tuple(freeze(part, weights) for part in split(model) or ()) or None
    structure, names = _input_structure(model)
    values = _values(model, weights or {})
    function, node_paths = _renamed(_trace(model, structure, names, values), names, _layers_within(model))
    _require_float32_compute(function)
    tensors = function.inputs
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for body in definition.library.function for node in body.node_def)]
    return Frozen(
        function=function,
        input_names=tuple(names),
        input_shapes=tuple(tuple(tensor.shape[1:].as_list()) for tensor in tensors),
        input_dtypes=tuple(np.dtype(tensor.dtype.as_numpy_dtype) for tensor in tensors),
        control_flow=tuple(sorted({node.op for node in nodes} & _CONTROL_FLOW)),
        node_paths=joined_paths(*(part.node_paths for part in parts)) if parts else node_paths,
        parts=parts,
    )


def _require_keras_model(model):
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "Conversion needs Keras on the TensorFlow backend. "
            f"Received: backend {keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow before importing keras."
        )
    if not isinstance(model, keras.Model):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise UserError(f"`model` must be a Keras 3 `keras.Model`. Received: {kind}. Build it with `import keras`.")


def _input_structure(model):
    """The input specifications in the structure `model` is called with, and the inputs' names, flat."""
    import keras

    structure, tensors = _declared(model)
    if structure is None:
        structure = _recorded(model)
        tensors = keras.tree.flatten(structure)
    for tensor in tensors:
        if tensor.shape is None or None in tuple(tensor.shape)[1:]:
            raise UserError(
                "Every dimension of an input but the batch must be fixed for a `.tflite` file. "
                f"Received: shape {tuple(tensor.shape)} for input {tensor.name!r}. Build the model with a fixed shape."
            )
    if isinstance(structure, dict) and len(structure) == len(tensors):
        return structure, sorted(structure)  # The order in which Keras flattens a dict.
    return structure, _names([tensor.name for tensor in tensors])


def _declared(model):
    import keras

    if not model.built or not getattr(model, "inputs", None):
        return None, None
    structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    if isinstance(structure, (list, tuple)) and len(structure) == 1:
        structure = structure[0]
    return structure, keras.tree.flatten(structure)


def _recorded(model):
    """A subclassed model's inputs, from the shapes of its first call."""
    import keras

    shapes = (model.get_build_config() or {}).get("input_shape") if model.built and model.weights else None
    if shapes is None:
        raise UserError(
            "`model` must be built before conversion: the shapes of its inputs must be known. "
            f"Received: {model.name!r}, not built or with several call arguments. "
            "Call it once on a sample, or declare a `keras.Input`."
        )
    if _is_shape(shapes):
        return keras.KerasTensor((1, *shapes[1:]), name="input")
    if isinstance(shapes, dict):
        return {key: keras.KerasTensor((1, *shape[1:]), name=key) for key, shape in shapes.items()}
    return [keras.KerasTensor((1, *shape[1:]), name=f"input_{k}") for k, shape in enumerate(shapes)]


def _is_shape(value):
    return isinstance(value, (list, tuple)) and all(size is None or isinstance(size, int) for size in value)


def _names(given):
    """The user's own input names; Keras' automatic ones count the process, not the model, and are replaced."""
    if len(given) == 1:
        return [given[0] if not _AUTOMATIC_NAME.fullmatch(given[0]) else "input"]
    return [f"input_{k}" if _AUTOMATIC_NAME.fullmatch(name) else name for k, name in enumerate(given)]


def _values(model, weights):
    values = [
        [weights[id(variable)] if id(variable) in weights else variable.numpy() for variable in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    broken = [
        variable.path
        for group, arrays in zip((model.trainable_variables, model.non_trainable_variables), values, strict=True)
        for variable, array in zip(group, arrays, strict=True)
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    if broken:
        raise ConversionError(
            f"Every weight must be finite. Received: NaN or infinity in {broken[0]} "
            f"({len(broken)} variables in all). The training diverged: lower the learning rate."
        )
    return values


def _trace(model, structure, names, values):
    """A concrete function of flat arguments; variables that Keras does not track are frozen by TensorFlow."""
    tf = import_tensorflow()
    import keras
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    flat = keras.tree.flatten(structure)
    signature = [
        tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=name)
        for tensor, name in zip(flat, _identifiers(names), strict=True)
    ]

    # `stateless_call` hands its keywords to the user's `call`, which may know no `training`: layers infer by default.
    parameters = inspect.signature(model.call).parameters.values()
    takes_mode = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
    mode = {"training": False} if takes_mode else {}

    def call(*samples):
        constants = [[tf.constant(array) for array in group] for group in values]
        outputs, _ = model.stateless_call(*constants, keras.tree.pack_sequence_as(structure, samples), **mode)
        return keras.tree.flatten(outputs)

    try:
        traced = tf.function(call, input_signature=signature, autograph=False).get_concrete_function()
        return convert_variables_to_constants_v2(traced, lower_control_flow=False)
    except Exception as error:  # Whatever a user's layer raises while it is traced belongs to this one conversion.
        raise ConversionError(
            f"The model could not be called on one sample (batch 1) in inference mode: {failure_reason(error)} "
            "Make it work as `model(x[:1], training=False)` first."
        ) from error


def _identifiers(names):
    """TensorFlow's node names allow fewer characters than Keras' names."""
    return [re.sub(r"[^A-Za-z0-9_.\-]", "_", name) for name in names]


def _layers_within(layer, around=()):
    """The names of the layers within a layer or model, each with those within it."""
    # Keras' public `layers` stops at layers that hold layers. A layer may hold the one it lies in.
    around = (*around, id(layer))
    inside = layer._flatten_layers(include_self=False, recursive=False)
    return {inner.name: _layers_within(inner, around) for inner in inside if id(inner) not in around}


def _renamed(function, names, layers):
    """The function with names that depend on the graph only, and where in the model its nodes come from."""
    from tensorflow.python.eager.wrap_function import function_from_graph_def

    from hwkeras.convert.node_names import layer_paths
    from hwkeras.convert.node_names import rename_nodes

    graph_def = function.graph.as_graph_def()
    inputs = [tensor.op.name for tensor in function.inputs]
    old = type(graph_def)()
    old.CopyFrom(graph_def)
    table = rename_nodes(graph_def, inputs)
    outputs = [f"{table[tensor.op.name]}:{tensor.value_index}" for tensor in function.outputs]
    renamed = function_from_graph_def(graph_def, [f"{name}:0" for name in inputs], outputs)
    return renamed, layer_paths(old, table, layers)


def _require_float32_compute(function):
    half = {t.dtype.name for op in function.graph.get_operations() for t in op.outputs} & {"float16", "bfloat16"}
    if half:
        raise ConversionError(
            f"A model must compute in float32 to become a `.tflite` file. Received: {', '.join(sorted(half))} compute "
            "(a mixed precision policy). Rebuild it under the policy 'float32' and copy the weights; for half the "
            "bytes pass precision='float16'."
        )
