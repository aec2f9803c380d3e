"""A front end that stays float: converted apart from the rest of its model, and joined with it into one file.

What a fully quantized file cannot hold, such as energies over ten orders of magnitude, is computed in float32 in every
precision; the rest of the model, the body, is of the precision asked for.
"""

from __future__ import annotations

from hwkeras.convert.file_objects import pack
from hwkeras.convert.file_objects import unpack
from hwkeras.convert.reasons import failure_reason
from hwkeras.errors import ConversionError

_PREFIX = "front_"


def split(model):
    """Splits a model behind its front end.

    Args:
        model: built Keras 3 model. Its front end is a layer of its own (of no model within it) with the attribute
            `stays_float = True`.

    Returns:
        tuple `(front, body)` of `keras.Model`, which share the layers of the model; or None without such a layer, or
        with nothing behind it.

    Raises:
        ConversionError: the layer does not stand between the model's only input and everything else.
    """
    import keras

    layer = next((layer for layer in model.layers if getattr(layer, "stays_float", False)), None)
    if layer is None or layer is model.layers[-1]:
        return None
    inputs = getattr(model, "inputs", None) or ()
    try:
        if len(inputs) != 1 or layer.input is not inputs[0]:
            raise ValueError("it does not take the model's only input")
        return keras.Model(layer.input, layer.output), keras.Model(layer.output, list(model.outputs))
    except (AttributeError, ValueError) as error:  # Keras' words for a layer called twice, or an input with other users
        raise ConversionError(
            "A layer that stays float must stand between the model's only input and everything else. Received: layer "
            f"{layer.name!r} elsewhere ({failure_reason(error)[:-1]}). Compute what it computes outside the model."
        ) from error


def joined_paths(front, body):
    """What the names in a joined file stand for.

    Args:
        front: dict, `Frozen.node_paths` of the front end.
        body: dict, the same of the body.

    Returns:
        dict as theirs.
    """
    return {f"{_PREFIX}{name}": path for name, path in front.items()} | body


def join(front, body):
    """One file of two: what comes out of the first goes into the second, quantized where that takes integers.

    Args:
        front: bytes of a `.tflite` file of one float32 input and one float32 output.
        body: bytes of a `.tflite` file of one input of the same shape.

    Returns:
        bytes.
    """
    from ai_edge_litert import schema_py_generated as schema

    first, second = unpack(front), unpack(body)
    _Joint(schema, first, second).join()
    return pack(second)


class _Joint:
    """Moves everything of a front end's file to the head of a body's."""

    def __init__(self, schema, front, body):
        self._schema = schema
        self._front, self._body = front, body
        self._source, self._target = front.subgraphs[0], body.subgraphs[0]

    def join(self):
        """Changes the body's file."""
        (given,), (made,), (taken,) = self._source.inputs, self._source.outputs, self._target.inputs
        operators = []
        float32 = self._schema.TensorType.FLOAT32
        places = {made: taken} if self._target.tensors[taken].type == float32 else {}
        for place, tensor in enumerate(self._source.tensors):
            if place not in places:
                places[place] = len(self._target.tensors)
                self._target.tensors.append(self._moved(tensor, is_input=place == given))
        for operator in self._source.operators:
            operator.opcodeIndex = self._code(self._front.operatorCodes[operator.opcodeIndex])
            operator.inputs = [places.get(place, -1) for place in operator.inputs]
            operator.outputs = [places[place] for place in operator.outputs]
            operators.append(operator)
        if places[made] != taken:
            operators.append(self._quantize(places[made], taken))
        self._target.operators = operators + self._target.operators
        self._target.inputs = [places[given]]
        for signature in self._body.signatureDefs or ():
            signature.inputs = [self._named(places[given])]

    def _moved(self, tensor, is_input):
        buffer = self._front.buffers[tensor.buffer]
        # Buffer 0 is that of all tensors without constants.
        tensor.buffer = 0 if buffer.data is None else len(self._body.buffers)
        if tensor.buffer:
            self._body.buffers.append(buffer)
        if not is_input:
            tensor.name = _PREFIX.encode() + tensor.name
        return tensor

    def _code(self, code):
        """The place of an operator's code among the body's."""
        for place, known in enumerate(self._body.operatorCodes):
            if (known.builtinCode, known.version) == (code.builtinCode, code.version):
                return place
        self._body.operatorCodes.append(code)
        return len(self._body.operatorCodes) - 1

    def _quantize(self, source, target):
        code, operator = self._schema.OperatorCodeT(), self._schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = self._schema.BuiltinOperator.QUANTIZE
        code.version = 1
        operator.opcodeIndex = self._code(code)
        operator.inputs, operator.outputs = [source], [target]
        operator.builtinOptionsType = self._schema.BuiltinOptions.QuantizeOptions
        operator.builtinOptions = self._schema.QuantizeOptionsT()
        return operator

    def _named(self, place):
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = self._target.tensors[place].name, place
        return entry
