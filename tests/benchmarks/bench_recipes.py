"""Recipes from one trained float model, on Fashion-MNIST and on spoken digits: size, download, latency, accuracy.

The network has separable and plain convolutions of up to 256 channels, as it was best on validation data. Every recipe
starts from the same float model and fine-tunes on the same training data; accuracy is that of the bytes on test data
that no training saw; all files are measured in one job at the end. Printed are a table in Markdown, and the ratios to
int8 that recipes are judged by.

What a recipe gains depends on the network. Of a separable one alone, scales and biases, which no pruning makes smaller
to download, are a tenth of the file: half of its weights pruned, it came to .76 of the download. A residual one of up
to 128 channels takes .03 ms, most of it not for multiplying: half of its channels made it 1.13 times as fast.

python tests/benchmarks/bench_recipes.py fashion|speech [--epochs 8] [--recipe-epochs 4] [--first 11] [--out DIR]

The first six recipes are those that are judged by a ratio. With --out the float model and the files are kept, and a
second run goes on with what is missing.
"""

import argparse
import gzip
import json
import pathlib
import tempfile

import keras
import numpy as np

import hwkeras as hw
from hwkeras.convert import convert
from hwkeras.convert import import_tensorflow
from hwkeras.convert import score
from hwkeras.data import LogMel
from hwkeras.measure.devices import open_meter

import_tensorflow()

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
RECIPES = (
    "int8",
    "dynamic",
    "float16",
    "int8_qat",
    "prune=0.5+int8_qat",
    "channels=0.5+int8",
    "prune=0.8+int8_qat",
    "prune=2:4+int8_qat",
    "cluster=16+int8_qat",
    "prune=0.5+cluster=16+int8_qat",
    "channels=0.5+distill+int8_qat",
)


def fashion():
    """Images of 28x28 in [0, 1]: 17,000 to train on, 3,000 to validate, 10,000 to test."""
    with np.load(DATA / "fashion_mnist_20k.npz") as arrays:
        x, y = arrays["x_train"][..., None].astype("float32") / 255, arrays["y_train"].astype("int64")
        test = arrays["x_test"][..., None].astype("float32") / 255, arrays["y_test"].astype("int64")
    return (x[3000:], y[3000:]), (x[:3000], y[:3000]), test


def speech():
    """Log-mel pictures of spoken digits; the official split: takes 0 to 4 test, takes 5 to 9 validate."""
    with np.load(DATA / "fsdd.npz") as arrays:
        audio, starts, labels, takes = (arrays[name] for name in ("audio", "offsets", "label", "take"))
    front_end = LogMel(8000, 0.8)
    sounds = [audio[start:end] / np.float32(32768) for start, end in zip(starts[:-1], starts[1:], strict=True)]
    pictures = front_end([front_end.fit_length(sound) for sound in sounds])
    labels = labels.astype("int64")
    is_test, is_valid = takes < 5, (takes >= 5) & (takes < 10)
    seen = pictures[~is_test & ~is_valid]
    pictures = ((pictures - seen.mean(axis=(0, 1))) / seen.std(axis=(0, 1))).astype("float32")
    return tuple((pictures[part], labels[part]) for part in (~is_test & ~is_valid, is_valid, is_test))


def activated(x, layer):
    return keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.9)(layer(x)))


def conv(x, filters, stride=1, kernel=3):
    return activated(x, keras.layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False))


def separable(x, filters, stride=1):
    x = activated(x, keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False))
    return conv(x, filters, kernel=1)


def network(shape):
    image = keras.Input(shape)
    x = conv(separable(separable(conv(image, 64, 2), 256, 2), 256), 128)
    x = keras.layers.Dropout(0.4)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))


def trained(train, valid, epochs, path):
    """The float model, trained or read."""
    if path.exists():
        return keras.models.load_model(path)
    keras.utils.set_random_seed(0)
    model = network(train[0].shape[1:])
    steps = epochs * -(-len(train[0]) // 64)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    best = keras.callbacks.EarlyStopping("val_accuracy", patience=epochs, restore_best_weights=True)
    model.fit(*train, validation_data=valid, epochs=epochs, batch_size=64, callbacks=[best], verbose=2)
    hw.reestimate_batch_statistics(model, train[0])
    model.save(path)
    return model


def files(model, recipes, train, valid, epochs, directory):
    """The bytes of each recipe, by its name."""
    found = {"float32": convert(model, "float32").flatbuffer}
    for recipe in recipes:
        path = directory / f"{recipe.replace(':', '-')}.tflite"
        if not path.exists():
            keras.utils.set_random_seed(0)
            result = hw.compress(model, recipe, train, validation_data=valid, epochs=epochs, batch_size=64)
            path.write_bytes(result.tflite)
            print(result.report, flush=True)
        found[recipe] = path.read_bytes()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("fashion", "speech"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--recipe-epochs", type=int, default=4)
    parser.add_argument("--first", type=int, default=len(RECIPES), choices=range(6, len(RECIPES) + 1))
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    directory = arguments.out or pathlib.Path(tempfile.mkdtemp())
    directory.mkdir(parents=True, exist_ok=True)
    train, valid, test = {"fashion": fashion, "speech": speech}[arguments.task]()
    model = trained(train, valid, arguments.epochs, directory / "float.keras")
    recipes = RECIPES[: arguments.first]
    found = files(model, recipes, train, valid, arguments.recipe_epochs, directory)
    measurements = open_meter("local").measure(list(found.values()))
    rows = {}
    print("| recipe | KiB | gzip KiB | latency ms | accuracy |\n|---|---:|---:|---:|---:|")
    for (recipe, content), measurement in zip(found.items(), measurements, strict=True):
        size, packed, accuracy = len(content), len(gzip.compress(content, mtime=0)), score(content, *test)
        rows[recipe] = {"gzip": packed, "latency_ms": measurement.latency_ms, "accuracy": accuracy}
        told = f"{size / 1024:.1f} | {packed / 1024:.1f} | {measurement.latency_ms:.4f} | {accuracy:.4f}"
        print(f"| {recipe} | {told} |" + ("" if measurement.ok else f" {measurement.status}"))
    whole, pruned, narrow = rows["int8"], rows["prune=0.5+int8_qat"], rows["channels=0.5+int8"]
    exact = rows["float32"]["accuracy"]
    print(
        json.dumps(
            {
                "task": arguments.task,
                "int8_qat minus int8, points": 100 * (rows["int8_qat"]["accuracy"] - whole["accuracy"]),
                "int8_qat minus float, points": 100 * (rows["int8_qat"]["accuracy"] - exact),
                "prune=0.5+int8_qat minus float, points": 100 * (pruned["accuracy"] - exact),
                "prune=0.5+int8_qat gzip to int8": pruned["gzip"] / whole["gzip"],
                "channels=0.5+int8 times as fast as int8": whole["latency_ms"] / narrow["latency_ms"],
                "channels=0.5+int8 minus int8, points": 100 * (narrow["accuracy"] - whole["accuracy"]),
            }
        )
    )


if __name__ == "__main__":
    main()
