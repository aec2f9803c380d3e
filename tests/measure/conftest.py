"""Real `.tflite` files, files made by the converter, and files written field by field."""

import json
import pathlib
import warnings

import pytest

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "tflite"


@pytest.fixture(scope="session")
def reference():
    """The reference figures by file name; skips where the data is absent."""
    path = SHARED / "reference.json"
    if not path.exists():
        pytest.skip("../shared/data/tflite is absent")
    return json.loads(path.read_text())


@pytest.fixture
def real_file():
    """Returns a function from a file's name to its bytes; skips where the data is absent."""

    def read(name):
        if not (SHARED / name).exists():
            pytest.skip(f"{name} is not in ../shared/data/tflite")
        return (SHARED / name).read_bytes()

    return read


@pytest.fixture(scope="session")
def made_files():
    """Small files of the converter by name: one network in three precisions, a product, a transposed convolution."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        kernel = tf.constant(0.5, shape=(3, 3, 4, 8))
        dense = tf.Variable(tf.random.stateless_normal((64 * 8, 10), seed=(0, 1)))

        def network(x):
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
            return tf.matmul(tf.reshape(x, (1, -1)), dense)

        def product(x):
            return tf.matmul(x, tf.transpose(tf.sin(x), (0, 2, 1)))

        def transposed(x):
            return tf.nn.conv2d_transpose(x, tf.ones((3, 3, 6, 4)), (1, 16, 16, 6), 2)

        image = (1, 8, 8, 4)
        return {
            "float32": _convert(tf, network, image),
            "float16": _convert(tf, network, image, float16=True),
            "dynamic": _convert(tf, network, image, dynamic=True),
            "product": _convert(tf, product, (2, 5, 7)),
            "transposed": _convert(tf, transposed, image),
        }


def _convert(tf, function, shape, float16=False, dynamic=False):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(concrete)])
    if float16 or dynamic:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if float16:
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


class FileWriter:
    """Writes a `.tflite` file field by field, valid or not, through the schema's own objects."""

    def __init__(self):
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema

        self.flatbuffers = flatbuffers
        self.schema = schema
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.model.subgraphs = []
        self.subgraph()

    def subgraph(self):
        graph = self.schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        self.model.subgraphs.append(graph)
        return graph

    def tensor(self, shape, dtype="FLOAT32", data=None, graph=0, **fields):
        tensor = self.schema.TensorT()
        tensor.name = f"t{len(self.model.subgraphs[graph].tensors)}"
        tensor.shape = list(shape)
        tensor.type = getattr(self.schema.TensorType, dtype)
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = list(data)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        for name, value in fields.items():
            setattr(tensor, name, value)
        self.model.subgraphs[graph].tensors.append(tensor)
        return len(self.model.subgraphs[graph].tensors) - 1

    def operator(self, op, inputs, outputs, custom=None):
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, op) if isinstance(op, str) else op
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom
        self.model.operatorCodes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        self.model.subgraphs[0].operators.append(operator)
        return operator

    def ends(self, inputs, outputs):
        self.model.subgraphs[0].inputs, self.model.subgraphs[0].outputs = list(inputs), list(outputs)

    def bytes(self):
        builder = self.flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


@pytest.fixture
def writer():
    return FileWriter()
