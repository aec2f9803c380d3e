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


@pytest.fixture(scope="session")
def converted_nets():
    """Files of the converter by `"network.precision"`, chosen for what XNNPACK takes of them and what not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        wanted = (
            (_squeeze_and_excite, (1, 8, 8, 4), ("float32", "float16", "dynamic", "int8")),
            (_element_wise, (1, 8, 8, 4), ("float32", "int8")),
            (_shape_changes, (1, 8, 8, 4), ("float32",)),
            (_products, (1, 8, 8, 4), ("dynamic", "int8", "int16")),
            (_wide_depthwise, (1, 8, 8, 4), ("dynamic",)),
            (_shape_at_run_time, (None, None, 8, 4), ("float32",)),
            (_branches, (1, 8, 8, 4), ("float32",)),
            (_loop, (1, 8, 8, 4), ("float32",)),
        )
        return {
            f"{network.__name__.strip('_')}.{precision}": _convert(
                tf, lambda x, network=network: network(tf, x), shape, **{precision: precision != "float32"}
            )
            for network, shape, precisions in wanted
            for precision in precisions
        }


def _normal(*shape):
    import numpy as np

    return (0.3 * np.random.default_rng(0).normal(size=shape)).astype("float32")


def _squeeze_and_excite(tf, x):
    x = tf.nn.bias_add(tf.nn.conv2d(x, _normal(3, 3, 4, 8), 1, "SAME"), tf.ones(8))
    x = x * tf.nn.relu6(x + 3) / 6
    scale = tf.sigmoid(tf.nn.conv2d(tf.reduce_mean(x, (1, 2), keepdims=True), _normal(1, 1, 8, 8), 1, "SAME"))
    return tf.nn.softmax(tf.matmul(tf.reshape(x * scale, (-1, 512)), _normal(512, 10)))


def _element_wise(tf, x):
    x = tf.exp(-tf.abs(x)) + tf.tanh(x) * tf.nn.elu(x) + tf.nn.leaky_relu(x, 0.1) + tf.sqrt(tf.abs(x) + 1)
    return tf.maximum(x, 0.5) + tf.nn.max_pool2d(x, 3, 1, "SAME") + tf.nn.avg_pool2d(x, 3, 1, "SAME") + x / 3.3


def _shape_changes(tf, x):
    parts = (
        tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))[:, 1:-1, 1:-1, :],
        x[:, ::2, ::2, :],
        tf.transpose(x, (0, 3, 1, 2)),
        tf.concat([x] * 4, 3),
        tf.concat([x] * 6, 3),
        tf.nn.depth_to_space(tf.nn.space_to_depth(x, 2), 2),
        tf.image.resize(x, (16, 16)),
        tf.image.resize(x, (16, 16), "nearest"),
        tf.math.multiply(*tf.split(x, 2, 3)),
    )
    return [tf.reduce_sum(part, (1, 2, 3)) for part in parts]


def _products(tf, x):
    rows = tf.reshape(x, (1, 4, 64))
    wide = tf.matmul(tf.reshape(tf.matmul(rows, rows, transpose_b=True), (1, 16)), _normal(16, 256))
    return tf.matmul(wide, _normal(256, 64))


def _wide_depthwise(tf, x):
    x = tf.nn.conv2d(x, _normal(1, 1, 4, 128), 1, "SAME")
    return tf.nn.conv2d(
        tf.nn.depthwise_conv2d(x, _normal(3, 3, 128, 1), [1, 1, 1, 1], "SAME"),
        _normal(1, 1, 128, 32),
        1,
        "SAME",
    )


def _shape_at_run_time(tf, x):
    return tf.reshape(tf.nn.relu(x), tf.stack([tf.shape(x)[1], -1]))


def _branches(tf, x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.relu(x) + 1.0, lambda: x * 2.0)


def _loop(tf, x):
    kernel = _normal(3, 3, 4, 4)
    steps = tf.while_loop(
        lambda i, y: i < 5, lambda i, y: (i + 1, tf.nn.conv2d(y, kernel, 1, "SAME")), (0, tf.nn.relu(x))
    )
    return steps[1] * 3.0


def _convert(tf, function, shape, float16=False, dynamic=False, int8=False, int16=False, float32=False):
    import numpy as np
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(concrete)])
    if float16 or dynamic or int8 or int16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if float16:
        converter.target_spec.supported_types = [tf.float16]
    if int8 or int16:
        rng = np.random.default_rng(0)
        converter.representative_dataset = lambda: ([rng.normal(size=shape).astype("float32")] for _ in range(4))
        sets = tf.lite.OpsSet
        int16_set = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS_INT8 if int8 else int16_set]
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

    def quantized(self, scales=(0.5,), zero_points=(0,), axis=0):
        quantization = self.schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint, quantization.quantizedDimension = [*scales], [*zero_points], axis
        return quantization

    def options(self, operator, name, **fields):
        """Gives an operator the options of a kind such as `"Conv2DOptions"`."""
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
        operator.builtinOptions = getattr(self.schema, f"{name}T")()
        for field, value in fields.items():
            setattr(operator.builtinOptions, field, value)

    def operator(self, op, inputs, outputs, custom=None, graph=0):
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, op) if isinstance(op, str) else op
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom
        self.model.operatorCodes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        self.model.subgraphs[graph].operators.append(operator)
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


@pytest.fixture(scope="session")
def new_writer():
    """Makes a `FileWriter` for each file of one test."""
    return FileWriter
