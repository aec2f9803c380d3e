"""Small networks of every family channel pruning knows, each with the groups of channels that belong together."""

import keras
import numpy as np

L = keras.layers
# A family is a function of no arguments that gives (model, groups). A group is (number of channels, places), a place
# (layer name, where the group's channels begin in it).


def at_start(count, names):
    return count, [(name, 0) for name in names.split()]


def conv(x, filters, name, kernel=3, strides=1, activation="relu"):
    x = L.Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=name)(x)
    x = L.BatchNormalization(name=f"{name}_bn")(x)
    return L.Activation(activation, name=f"{name}_{activation}")(x)


def head(x, classes=3):
    return L.Dense(classes, activation="softmax", name="head")(L.GlobalAveragePooling2D(name="pool")(x))


def plain():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="first")(image)
    x = L.LeakyReLU(name="leaky")(L.MaxPooling2D(name="max")(L.ZeroPadding2D(name="pad")(x)))
    x = L.Dropout(0.5, name="drop")(conv(x, 12, "second", activation="hard_silu"))
    model = keras.Model(image, head(L.PReLU(shared_axes=[1, 2], name="prelu")(x)))
    return model, [at_start(8, "first"), at_start(12, "second second_bn")]


def residual():
    image = keras.Input((8, 8, 3), name="image")
    stem = conv(image, 8, "stem")
    x = L.Add(name="add")([stem, conv(conv(stem, 4, "inner"), 8, "outer", activation="linear")])
    x = L.ReLU(name="relu")(x)
    down = conv(conv(x, 12, "down", strides=2), 12, "last", activation="linear")
    x = L.Add(name="add_down")([conv(x, 12, "shortcut", kernel=1, strides=2, activation="linear"), down])
    groups = ["inner inner_bn", "down down_bn", "last last_bn shortcut shortcut_bn"]
    model = keras.Model(image, head(x))
    return model, [
        at_start(8, "stem stem_bn outer outer_bn"),
        *(at_start(n, names) for n, names in zip((4, 12, 12), groups, strict=True)),
    ]


def inverted_bottleneck():
    image = keras.Input((8, 8, 3), name="image")
    stem = conv(image, 8, "stem")
    x = conv(stem, 16, "expand", kernel=1, activation="relu6")
    x = L.DepthwiseConv2D(3, padding="same", use_bias=False, name="depth")(x)
    x = L.ReLU(6.0, name="depth_relu6")(L.BatchNormalization(name="depth_bn")(x))
    y = L.GlobalAveragePooling2D(keepdims=True, name="squeeze_pool")(x)
    y = L.Conv2D(4, 1, activation="relu", name="squeeze")(y)
    y = L.Conv2D(16, 1, activation="hard_sigmoid", name="excite")(y)
    x = conv(L.Multiply(name="gate")([x, y]), 8, "project", kernel=1, activation="linear")
    model = keras.Model(image, head(L.Add(name="add")([stem, x])))
    return model, [
        at_start(8, "stem stem_bn project project_bn"),
        at_start(16, "expand expand_bn depth depth_bn excite"),
        at_start(4, "squeeze"),
    ]


def dense_gate():
    """Squeeze-excite as keras.applications writes it: dense layers, and a reshape for broadcasting."""
    image = keras.Input((8, 8, 3), name="image")
    x = conv(image, 16, "stem")
    y = L.Dense(4, activation="relu", name="squeeze")(L.GlobalAveragePooling2D(name="squeeze_pool")(x))
    y = L.Reshape((1, 1, 16), name="broadcast")(L.Dense(16, activation="sigmoid", name="excite")(y))
    model = keras.Model(image, head(L.Multiply(name="gate")([y, x])))
    return model, [at_start(16, "stem stem_bn excite"), at_start(4, "squeeze")]


def inception():
    image = keras.Input((8, 8, 3), name="image")
    stem = conv(image, 8, "stem")
    pooled = L.MaxPooling2D(3, 1, padding="same", name="branch_pool")(stem)
    parts = [conv(stem, 4, "one", kernel=1), conv(stem, 12, "three"), conv(pooled, 8, "pooled")]
    x = L.BatchNormalization(name="bn")(L.Concatenate(name="concat")(parts))
    model = keras.Model(image, head(conv(x, 8, "mix", kernel=1)))
    places = {"one": (4, 0), "three": (12, 4), "pooled": (8, 16)}
    groups = [(size, [(name, 0), (f"{name}_bn", 0), ("bn", first)]) for name, (size, first) in places.items()]
    return model, [at_start(8, "stem stem_bn"), at_start(8, "mix mix_bn"), *groups]


def dense_connections():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, name="stem")(image)
    groups = [(8, [("stem", 0), ("norm0", 0), ("norm1", 0), ("norm2", 0)])]
    for number in range(2):
        y = L.ReLU(name=f"relu{number}")(L.BatchNormalization(name=f"norm{number}")(x))
        y = L.Conv2D(4, 3, padding="same", name=f"grow{number}")(y)
        x = L.Concatenate(name=f"concat{number}")([x, y])
        later = [(f"norm{after}", 8 + 4 * number) for after in range(number + 1, 3)]
        groups.append((4, [(f"grow{number}", 0), *later]))
    model = keras.Model(image, head(L.ReLU(name="relu")(L.BatchNormalization(name="norm2")(x))))
    return model, groups


def separable():
    image = keras.Input((8, 8, 3), name="image")
    x = L.SeparableConv2D(8, 3, depth_multiplier=2, activation="relu", name="first")(image)
    x = L.SeparableConv2D(12, 3, depth_multiplier=2, activation="relu6", name="second")(x)
    return keras.Model(image, head(x)), [at_start(8, "first"), at_start(12, "second")]


def depth_multiplier():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, name="stem")(image)
    x = L.ReLU(name="relu")(L.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(x))
    return keras.Model(image, head(L.Conv2D(8, 1, name="mix")(x))), [at_start(8, "stem depth"), at_start(8, "mix")]


def grouped():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="stem")(image)
    x = L.Conv2D(16, 3, groups=2, activation="relu", name="grouped")(x)
    model = keras.Model(image, head(x))
    return model, [(4, [("stem", 0), ("stem", 4)]), (8, [("grouped", 0), ("grouped", 8)])]


def transposed():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, 2, padding="same", activation="relu", name="down")(image)
    up = L.Conv2DTranspose(12, 3, 2, padding="same", activation="relu", name="up")(x)
    other = L.UpSampling2D(name="upsample")(L.Conv2D(12, 1, activation="relu", name="other")(x))
    x = L.Cropping2D(1, name="crop")(L.Average(name="mean")([up, other]))
    groups = [at_start(8, "down"), at_start(12, "up other")]
    return keras.Model(image, L.Conv2D(3, 1, name="map")(x)), groups


def one_dimensional():
    signal = keras.Input((32, 2), name="signal")
    x = L.Conv1D(8, 5, padding="same", use_bias=False, name="first")(signal)
    x = L.ReLU(name="relu")(L.BatchNormalization(name="first_bn")(x))
    x = L.DepthwiseConv1D(3, name="depth")(L.SpatialDropout1D(0.1, name="drop")(x))
    x = L.SeparableConv1D(12, 3, activation="relu", name="separable")(L.MaxPooling1D(name="max")(x))
    x = L.Conv1DTranspose(8, 3, 2, activation="relu", name="up")(x)
    x = L.Dense(3, name="head")(L.GlobalMaxPooling1D(name="pool")(x))
    model = keras.Model(signal, x)
    return model, [at_start(8, "first first_bn depth"), at_start(12, "separable"), at_start(8, "up")]


def flatten_head():
    image = keras.Input((8, 8, 3), name="image")
    x = L.MaxPooling2D(4, name="max")(conv(image, 8, "stem"))
    x = L.Dense(12, activation="relu", name="hidden")(L.Flatten(name="flatten")(x))
    x = L.Reshape((-1,), name="flat_already")(x)
    return keras.Model(image, L.Dense(3, name="head")(x)), [at_start(8, "stem stem_bn"), at_start(12, "hidden")]


def reshaped():
    """Rows of channels folded into one axis and back to none, by sizes that are written down."""
    signal = keras.Input((8, 2), name="signal")
    x = L.Conv1D(8, 3, padding="same", activation="relu", name="first")(signal)
    x = L.Dense(8, activation="relu", name="second")(L.Reshape((4, 16), name="pairs")(x))
    x = L.Dense(4, name="third")(L.Reshape((32,), name="flat")(L.Permute((1, 2), name="still")(x)))
    x = L.Conv1D(4, 1, name="fourth")(L.RepeatVector(2, name="repeat")(x))
    model = keras.Model(signal, L.Flatten(name="flatten")(L.Conv1D(2, 2, name="head")(x)))
    return model, [at_start(8, "first"), at_start(8, "second"), at_start(4, "third"), at_start(4, "fourth")]


def mlp():
    model = keras.Sequential(
        [
            keras.Input((6,), name="features"),
            L.Dense(16, activation="relu", name="first"),
            L.BatchNormalization(name="norm"),
            L.Dense(8, activation="gelu", name="second"),
            L.Dense(3, activation="softmax", name="head"),
        ],
        name="mlp",
    )
    return model, [at_start(16, "first norm"), at_start(8, "second")]


def several_inputs():
    """Two inputs, two outputs, in dicts; one layer reads both branches."""
    left, right = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    shared = L.Dense(8, activation="relu", name="shared")
    one = shared(L.Dense(8, activation="relu", name="one")(left))
    two = shared(L.Dense(8, activation="relu", name="two")(right))
    x = L.Subtract(name="subtract")([L.Maximum(name="maximum")([one, two]), L.Minimum(name="minimum")([one, two])])
    out = {"a": L.Dense(2, name="head_a")(x), "b": L.Dense(3, name="head_b")(L.Concatenate(name="both")([one, two]))}
    model = keras.Model({"left": left, "right": right}, out)
    return model, [at_start(8, "one two"), at_start(8, "shared")]


def nested():
    """A functional tower called twice and a Sequential inside it; the places of its layers are the inner names."""
    patch = keras.Input((8, 8, 3), name="patch")
    block = keras.Sequential([keras.Input((8, 8, 8)), L.Conv2D(12, 3, activation="relu", name="inner")], name="block")
    tower = keras.Model(patch, block(conv(patch, 8, "stem")), name="tower")
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    x = L.Concatenate(name="both")([tower(left), tower(right)])
    return keras.Model([left, right], head(x)), [at_start(8, "stem stem_bn"), at_start(12, "inner")]


def bare_operations():
    """A hard sigmoid written as arithmetic, as in keras.applications' MobileNetV3."""
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, name="stem")(image)
    y = L.ReLU(6.0, name="relu6")(L.Conv2D(8, 1, name="gate")(x) + 3.0) * (1.0 / 6.0)
    return keras.Model(image, head(x * y)), [at_start(8, "stem gate")]


def tokens():
    token = keras.Input((7,), dtype="int32", name="token")
    x = L.Dense(8, activation="relu", name="hidden")(L.Embedding(11, 12, mask_zero=True, name="embedding")(token))
    x = L.Dense(3, name="head")(L.GlobalAveragePooling1D(name="pool")(x))
    return keras.Model(token, x), [at_start(12, "embedding"), at_start(8, "hidden")]


FAMILIES = {
    family.__name__: family
    for family in (
        plain,
        residual,
        inverted_bottleneck,
        dense_gate,
        inception,
        dense_connections,
        separable,
        depth_multiplier,
        grouped,
        transposed,
        one_dimensional,
        flatten_head,
        reshaped,
        mlp,
        several_inputs,
        nested,
        bare_operations,
        tokens,
    )
}


def all_layers(model):
    """The layers of a model and of the models nested in it, by name."""
    found = {}
    for layer in model.layers:
        found.update(all_layers(layer) if isinstance(layer, keras.Model) else {layer.name: layer})
    return found


def randomize(model, rng):
    """Gives every weight random values, variances positive ones."""
    for layer in all_layers(model).values():
        for weight in layer.weights:
            values = rng.normal(0, 0.4, weight.shape)
            weight.assign(np.abs(values) + 0.5 if "variance" in weight.name else values)


def silence(layer, channels):
    """Sets to zero all that makes some output channels of a layer; of a depthwise one, all that comes of an input."""
    is_depthwise = isinstance(layer, L.DepthwiseConv1D | L.DepthwiseConv2D)
    for weight in layer.weights:
        if weight.name in ("depthwise_kernel", "moving_mean", "moving_variance", "alpha"):
            continue
        values = np.array(weight)
        if weight.name == "kernel" and (is_depthwise or isinstance(layer, L.Conv1DTranspose | L.Conv2DTranspose)):
            values[..., channels, :] = 0
        elif is_depthwise:
            values.reshape(-1, layer.depth_multiplier)[channels] = 0
        else:
            values[..., channels] = 0
        weight.assign(values)


def random_inputs(model, rng, count=4):
    """Values for each input of a model, in the structure it takes."""

    def values(tensor):
        shape = (count, *tensor.shape[1:])
        return rng.integers(0, 11, shape) if "int" in tensor.dtype else rng.normal(size=shape).astype("float32")

    return keras.tree.map_structure(values, model.input if not isinstance(model, keras.Sequential) else model.inputs[0])


def outputs_of(model, inputs):
    """All outputs as one vector."""
    outputs = keras.tree.flatten(model(inputs, training=False))
    return np.concatenate([np.ravel(output) for output in outputs])
