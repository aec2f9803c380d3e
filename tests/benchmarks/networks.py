"""The networks of the measuring benchmarks: six known ones, random small CNNs, and one that grows by some percent.

The files are made once, untrained, by `hwkeras.convert`, and kept in a folder as `resnet8.int8.tflite` and the like.
"""

import pathlib

import numpy as np

from hwkeras.convert import PRECISIONS
from hwkeras.files import write_atomically

KNOWN = ("mobilenet_v2", "mobilenet_v3_small", "resnet8", "ds_cnn", "mlp", "conv1d")
NUM_RANDOM = 40
RANDOM_PRECISIONS = ("float32", "int8")


def known_files(folder):
    """The six known networks in four precisions; makes what is missing.

    Args:
        folder: path-like.

    Returns:
        dict of name, such as `"resnet8.int8"`, to pathlib.Path.
    """
    return {key: path for name in KNOWN for key, path in _files(folder, name, PRECISIONS, _known(name)).items()}


def random_files(folder, num_networks=NUM_RANDOM):
    """Random small CNNs in two precisions; makes what is missing.

    Args:
        folder: path-like.
        num_networks: int. Defaults to `40`.

    Returns:
        dict of name, such as `"random07.float32"`, to pathlib.Path.
    """
    made = {}
    for number in range(num_networks):
        made.update(_files(folder, f"random{number:02d}", RANDOM_PRECISIONS, lambda seed=number: _random_cnn(seed)))
    return made


def taller_files(folder, rows, precisions=RANDOM_PRECISIONS):
    """The same small CNN for an image of so many rows, to which its work is proportional; makes what is missing.

    Args:
        folder: path-like.
        rows: int.
        precisions: sequence of str. Defaults to float32 and int8.

    Returns:
        dict of name, such as `"rows40.int8"`, to pathlib.Path.
    """
    return _files(folder, f"rows{rows}", precisions, lambda: _taller(rows))


def _files(folder, name, precisions, make_model):
    paths = {f"{name}.{precision}": pathlib.Path(folder) / f"{name}.{precision}.tflite" for precision in precisions}
    if not all(path.exists() for path in paths.values()):
        from hwkeras.convert import convert_untrained
        from hwkeras.convert import import_tensorflow

        import_tensorflow()
        import keras

        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
        for precision, flatbuffer in convert_untrained(make_model(), precisions).items():
            write_atomically(paths[f"{name}.{precision}"], flatbuffer)
    return paths


def _known(name):
    return {
        "mobilenet_v2": _mobilenet_v2,
        "mobilenet_v3_small": _mobilenet_v3_small,
        "resnet8": _resnet8,
        "ds_cnn": _ds_cnn,
        "mlp": _mlp,
        "conv1d": _conv1d,
    }[name]


def _mobilenet_v2():
    import keras

    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=2)


def _mobilenet_v3_small():
    import keras

    return keras.applications.MobileNetV3Small((96, 96, 3), weights=None, classes=2)


def _resnet8():
    """The ResNet-8 of MLPerf Tiny: 32x32x3, three stages of 16, 32 and 64 filters."""
    from keras import Input
    from keras import Model
    from keras import layers

    def convolution(x, filters, kernel, strides, with_relu=True):
        x = layers.Conv2D(filters, kernel, strides=strides, padding="same")(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x) if with_relu else x

    inputs = Input((32, 32, 3))
    x = convolution(inputs, 16, 3, 1)
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        branch = convolution(convolution(x, filters, 3, strides), filters, 3, 1, with_relu=False)
        shortcut = x if strides == 1 else layers.Conv2D(filters, 1, strides=strides)(x)
        x = layers.ReLU()(layers.Add()([shortcut, branch]))
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(10, activation="softmax")(x))


def _ds_cnn():
    """The keyword-spotting network of MLPerf Tiny: 49x10 features, four separable blocks of 64."""
    from keras import Input
    from keras import Model
    from keras import layers

    inputs = Input((49, 10, 1))
    x = layers.Conv2D(64, (10, 4), strides=2, padding="same")(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for _ in range(4):
        x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(64, 1)(x)))
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(12, activation="softmax")(x))


def _mlp():
    from keras import Input
    from keras import Sequential
    from keras import layers

    hidden = [layers.Dense(units, activation="relu") for units in (256, 128)]
    return Sequential([Input((784,)), *hidden, layers.Dense(10, activation="softmax")])


def _conv1d():
    from keras import Input
    from keras import Sequential
    from keras import layers

    blocks = []
    for filters in (16, 32, 64):
        blocks += [layers.Conv1D(filters, 5, padding="same", activation="relu"), layers.MaxPooling1D(2)]
    head = [layers.GlobalAveragePooling1D(), layers.Dense(6, activation="softmax")]
    return Sequential([Input((256, 6)), *blocks, *head])


def _random_cnn(seed):
    """Two to five convolutions of random width, kernel and stride on 16x16 to 48x48, some of them separable."""
    from keras import Input
    from keras import Model
    from keras import layers

    rng = np.random.default_rng(seed)
    size = int(rng.choice([16, 24, 32, 48]))
    inputs = Input((size, size, int(rng.choice([1, 3]))))
    x = inputs
    for number in range(rng.integers(2, 6)):
        filters = int(rng.choice([8, 12, 16, 24, 32, 48, 64]))
        strides = 2 if number in (0, 2) or rng.random() < 0.3 else 1
        kernel = int(rng.choice([3, 5]))
        if number and rng.random() < 0.4:
            x = layers.ReLU(6)(layers.DepthwiseConv2D(kernel, strides=strides, padding="same")(x))
            x = layers.Conv2D(filters, 1)(x)
        else:
            x = layers.Conv2D(filters, kernel, strides=strides, padding="same")(x)
        x = layers.ReLU(6)(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(10, activation="softmax")(x))


def _taller(rows):
    from keras import Input
    from keras import Sequential
    from keras import layers

    body = [layers.Conv2D(width, 3, padding="same", activation="relu") for width in (16, 24, 16)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return Sequential([Input((rows, 24, 3)), *body, *head])
