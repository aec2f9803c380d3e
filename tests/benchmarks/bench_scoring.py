"""How much faster batched scoring is than one sample at a time: `python tests/benchmarks/bench_scoring.py`."""

import time

import keras
import numpy as np

from hwkeras.convert import convert_all
from hwkeras.convert import predict
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.scoring import _rows

NUM_SAMPLES = 2000
ROUNDS = 3


def _network(with_flatten):
    layers = keras.layers
    inputs = keras.Input((28, 28, 1))
    x = layers.ReLU(6)(layers.Conv2D(16, 3, strides=2, padding="same")(inputs))
    x = layers.ReLU(6)(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.ReLU(6)(layers.Conv2D(32, 1)(x))
    x = layers.Flatten()(x) if with_flatten else layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _one_by_one(flatbuffer, x):
    runner = Runner(flatbuffer)
    (rows,) = _rows(runner, x)
    return np.concatenate([runner.run([rows[i : i + 1]])[0] for i in range(len(rows))])


def _best_s(function, *arguments):
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    """Prints one line for each network and precision."""
    x = np.random.default_rng(0).random((NUM_SAMPLES, 28, 28, 1), np.float32)
    for with_flatten in (False, True):
        model = _network(with_flatten)
        for precision, file in convert_all(model, calibration=x).items():
            single, batched = _best_s(_one_by_one, file.flatbuffer, x), _best_s(predict, file.flatbuffer, x)
            name = "flatten" if with_flatten else "pooled"
            print(f"{name:8s} {precision:8s} one by one / predict = {single / batched:5.2f}  ({batched:.3f} s)")


if __name__ == "__main__":
    main()
