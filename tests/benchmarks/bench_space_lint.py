"""Fifty networks of every ready-made space, checked as `hwkeras lint-space` does; the tests check a few of each.

Spaces have their default choices and small inputs: what is wrong with a layer does not depend on the picture's size.
Printed for each space: networks converted, findings by check, the first finding whole, minutes.

python tests/benchmarks/bench_space_lint.py [SPACE ...] [--samples 50]
"""

import argparse
import collections
import json
import time

import keras

import hwkeras as hw
from hwkeras.convert import import_tensorflow
from hwkeras.search.space_lint import lint_space
from hwkeras.space import NAMED_NETWORKS

FRONT_END = {"sample_rate": 8000, "frame": 256, "hop": 160, "low_hz": 60, "high_hz": 4000} | {
    "mean": (-9.0,) * 20,
    "deviation": (2.0,) * 20,
}


def backbone():
    """A network of another task with branches that come together."""
    inputs = x = keras.Input((16, 16, 3))
    for filters in (8, 16, 16):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
        x = keras.layers.Add()([x, keras.layers.BatchNormalization()(x)])
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs)


SPACES = {
    "image": lambda: hw.spaces.Image((16, 16, 1), 4),
    "image_branched": lambda: hw.spaces.Image((16, 16, 3), 4, layer_types=("fire", "inception", "dense_block")),
    "cells": lambda: hw.spaces.Cells((16, 16, 1), 4, cells=(1, 2)),
    "nasnet": lambda: hw.spaces.Nasnet((12, 12, 1), 4, filters=(4, 8)),
    "layer_list": lambda: hw.SearchSpace((16, 16, 1), (4,)),
    "dict": lambda: hw.spaces.FromDict({"filters": [8, 16], "dense_units": [0, 32]}, (16, 16, 1), 4),
    "sequence": lambda: hw.spaces.Sequence((64, 6), 5),
    "sequence_heads": lambda: hw.spaces.Sequence((16, 6), 5, heads=("gru", "lstm", "attention_pool")),
    "audio": lambda: hw.spaces.Audio((32, 20, 1), 5, backbones=("2d", "1d")),
    "audio_front_end": lambda: hw.spaces.Audio((4000,), 5, front_end=FRONT_END),
    "audio_streaming": lambda: hw.spaces.Audio((32, 20, 1), 5, streaming=True),
    "segmentation": lambda: hw.spaces.Segmentation((32, 32, 3), 4),
    "transfer": lambda: hw.spaces.Transfer(backbone(), (16, 16, 3), 4),
    "text": lambda: hw.spaces.Text(24, 400, 2),
    "tabular": lambda: hw.spaces.Tabular((9,), 3),
    "tabular_regression": lambda: hw.spaces.Tabular((9,), 1),
    "two_tower": lambda: hw.spaces.TwoTower(40, 60),
} | {name: lambda name=name: hw.spaces.Named(name, (32, 32, 3), 4) for name in NAMED_NETWORKS}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spaces", nargs="*", metavar="SPACE", help=", ".join(SPACES))
    parser.add_argument("--samples", type=int, default=50)
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.spaces) - set(SPACES))
    if unknown:
        parser.error(f"a space is one of {', '.join(SPACES)}. Received: {unknown[0]}")
    import_tensorflow()
    for name in arguments.spaces or SPACES:
        start = time.perf_counter()
        report = lint_space(SPACES[name](), arguments.samples, seed=1)
        print(
            json.dumps(
                {
                    "space": name,
                    "networks": report.num_samples,
                    "converted": len(report.sizes),
                    "findings": dict(collections.Counter(each.check for each in report.findings)),
                    "first": str(report).split("\n")[1] if report.findings else "",
                    "minutes": round((time.perf_counter() - start) / 60, 1),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
