"""Bare TensorFlow operations in a legacy Keras model, as Keras 3 operations; those alone are ever run from a file."""

from keras import ops

# TensorFlow's public name -> the same with TensorFlow's parameter names, as the model's file calls it.
LEGACY_OPERATIONS = {
    "__operators__.add": lambda x, y, name=None: ops.add(x, y),
    "concat": lambda values, axis, name=None: ops.concatenate(values, axis=axis),
    "expand_dims": lambda input, axis, name=None: ops.expand_dims(input, axis),
    "linalg.matmul": lambda a, b, name=None: ops.matmul(a, b),
    "math.abs": lambda x, name=None: ops.abs(x),
    "math.add": lambda x, y, name=None: ops.add(x, y),
    "math.divide": lambda x, y, name=None: ops.divide(x, y),
    "math.exp": lambda x, name=None: ops.exp(x),
    "math.maximum": lambda x, y, name=None: ops.maximum(x, y),
    "math.minimum": lambda x, y, name=None: ops.minimum(x, y),
    "math.multiply": lambda x, y, name=None: ops.multiply(x, y),
    "math.negative": lambda x, name=None: ops.negative(x),
    "math.reduce_max": lambda input_tensor, axis=None, keepdims=False, name=None: ops.max(
        input_tensor, axis=axis, keepdims=keepdims
    ),
    "math.reduce_mean": lambda input_tensor, axis=None, keepdims=False, name=None: ops.mean(
        input_tensor, axis=axis, keepdims=keepdims
    ),
    "math.reduce_sum": lambda input_tensor, axis=None, keepdims=False, name=None: ops.sum(
        input_tensor, axis=axis, keepdims=keepdims
    ),
    "math.sigmoid": lambda x, name=None: ops.sigmoid(x),
    "math.square": lambda x, name=None: ops.square(x),
    "math.subtract": lambda x, y, name=None: ops.subtract(x, y),
    "math.tanh": lambda x, name=None: ops.tanh(x),
    "math.truediv": lambda x, y, name=None: ops.true_divide(x, y),
    "nn.relu": lambda features, name=None: ops.relu(features),
    "nn.relu6": lambda features, name=None: ops.relu6(features),
    "nn.softmax": lambda logits, axis=-1, name=None: ops.softmax(logits, axis=-1 if axis is None else axis),
    "reshape": lambda tensor, shape, name=None: ops.reshape(tensor, shape),
    "transpose": lambda a, perm, conjugate=False, name=None: ops.transpose(a, perm),
}
