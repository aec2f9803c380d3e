"""Peak memory of loading a folder of pictures and one epoch on it: streamed, and in memory.

python tests/benchmarks/bench_stream.py [--pictures 4000] [--size 96]

Each case runs in a process of its own. What it takes to import TensorFlow and to train on one batch is told apart; the
ratio is of what comes on top of that.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

BATCH_SIZE = 32
NUM_CLASSES = 4
CASES = ("base", "streamed", "in_memory")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(one_epoch(arguments.folder, arguments.case)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(pathlib.Path(folder), arguments.pictures, arguments.size)
        found = {case: in_own_process(folder, case) for case in CASES}
    base = found["base"]["peak_bytes"]
    on_top = {case: found[case]["peak_bytes"] - base for case in CASES[1:]}
    facts = {
        "pictures": arguments.pictures,
        "mib_as_float32": round(arguments.pictures * arguments.size**2 * 3 * 4 / 2**20),
        "peak_mib": {case: round(found[case]["peak_bytes"] / 2**20) for case in CASES},
        "peak_mib_above_base": {case: round(number / 2**20) for case, number in on_top.items()},
        "streamed_to_in_memory": round(on_top["streamed"] / on_top["in_memory"], 3),
        "seconds": {case: found[case]["seconds"] for case in CASES},
    }
    print(json.dumps(facts, indent=1))


def write_pictures(folder, number, size):
    rng = np.random.default_rng(0)
    for index in range(number):
        label = index % NUM_CLASSES
        pixels = rng.integers(40 * label, 40 * label + 100, (size // 8, size // 8, 3), np.uint8)
        path = folder / str(label) / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((size, size)).save(path)


def in_own_process(folder, case):
    command = [sys.executable, __file__, "--folder", folder, "--case", case]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_epoch(folder, case):
    import hwkeras as hw
    from hwkeras.build import Batches
    from hwkeras.convert import import_tensorflow

    import_tensorflow()
    import keras

    start = time.perf_counter()
    with Image.open(next(pathlib.Path(folder).rglob("*.jpg"))) as picture:
        shape = (picture.height, picture.width, 3)
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(8, 3, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(NUM_CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    if case == "base":
        model.fit(np.zeros((BATCH_SIZE, *shape), np.float32), np.zeros(BATCH_SIZE), verbose=0)
    else:
        dataset = hw.load_dataset(folder, stream=case == "streamed")
        x, y = dataset.x_train, dataset.y_train
        arguments = (Batches(x, y, BATCH_SIZE),) if case == "streamed" else (x, y, BATCH_SIZE)
        model.fit(*arguments, validation_data=(dataset.x_valid, dataset.y_valid), verbose=0)
    scale = 1 if sys.platform == "darwin" else 1024  # macOS tells bytes, Linux KiB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return {"peak_bytes": peak, "seconds": round(time.perf_counter() - start, 1)}


if __name__ == "__main__":
    main()
