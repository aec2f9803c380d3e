"""What a backbone of other classes is worth: five classes of Fashion-MNIST learned from a few samples.

python tests/benchmarks/bench_transfer_learning.py [--samples 300] [--backbone-samples 3000] [--trials 3]

A small network learns classes 0 to 4. Then the other five are learned from few samples: by the same network from the
start, and by a search over the backbone for each way of training it. Printed is the accuracy of the int8 file that each
would ship, on the test samples of those five classes, and its errors as a share of those from the start.
"""

import argparse
import pathlib
import tempfile
import time

import keras
import keras_tuner as kt
import numpy as np

import hwkeras as hw
from hwkeras.convert import score
from hwkeras.space import Draft
from hwkeras.space import OneArchitecture

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "fashion_mnist_20k.npz"
CONVOLUTIONS = ((12, 1), (16, 2), (24, 1), (32, 2), (48, 1))


def of_classes(known, split, wanted, num_samples=None):
    """Images in [0, 1] and labels from 0 of some classes."""
    images, labels = known[f"x_{split}"], known[f"y_{split}"]
    chosen = np.flatnonzero(np.isin(labels, wanted))[:num_samples]
    return images[chosen, ..., None].astype("float32") / 255, labels[chosen].astype("int64") - wanted[0]


def from_the_start():
    """A plain network, as a space of one."""
    draft = Draft((28, 28, 1))
    for number, (filters, stride) in enumerate(CONVOLUTIONS):
        draft.append(f"conv{number}", "conv", filters=filters, kernel=3, stride=stride)
    draft.append("pool", "global_average_pool")
    draft.append_head(5)
    return hw.HardwareHyperModel(OneArchitecture(draft.finish()))


def trained(data, epochs):
    """The network, trained."""
    space, hp = from_the_start(), kt.HyperParameters()
    model = space.build(hp)
    space.fit(hp, model, *data, epochs=epochs, batch_size=32, verbose=0)
    hw.reestimate_batch_statistics(model, data[0])
    return model


def searched(space, data, trials, asked):
    """The candidate whose int8 file is the most accurate on a fifth of the samples, and the file."""
    with tempfile.TemporaryDirectory() as directory:
        options = {"precision": "int8", "device": "fake", "objectives": ["accuracy"], "oracle": "random"}
        run = pathlib.Path(directory) / "run"
        tuner = hw.HardwareTuner(space, max_trials=trials, seed=asked.seed, directory=run, progress=None, **options)
        tuner.search(*data, epochs=asked.epochs, batch_size=16)
        best = max(tuner.candidates(), key=lambda candidate: candidate.metrics["accuracy"])
        return best, (run / best.file).read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--backbone-samples", type=int, default=3000)
    parser.add_argument("--backbone-epochs", type=int, default=6)
    parser.add_argument("--trials", type=int, default=3, help="networks for each way of training")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with np.load(DATA) as known:
        others = of_classes(known, "train", range(5), asked.backbone_samples)
        few = of_classes(known, "train", range(5, 10), asked.samples)
        test = of_classes(known, "test", range(5, 10))
    keras.utils.set_random_seed(asked.seed)
    backbone = trained(others, asked.backbone_epochs)
    spaces = {"from the start": from_the_start()}
    for way in ("frozen", "top", "all"):
        spaces[way] = hw.spaces.Transfer(backbone, (28, 28, 1), 5, training=way, dense_units=0)
    print(f"{'':16}{'accuracy':>10}{'errors':>9}{'seconds':>9}  the network")
    errors_from_the_start = None
    for name, space in spaces.items():
        began = time.perf_counter()
        best, file = searched(space, few, asked.trials if name in ("frozen", "top", "all") else 1, asked)
        accuracy = score(file, *test)
        errors_from_the_start = errors_from_the_start or 1 - accuracy
        share, seconds = (1 - accuracy) / errors_from_the_start, time.perf_counter() - began
        print(f"{name:16}{accuracy:10.3f}{share:9.2f}{seconds:9.0f}  {best.architecture}", flush=True)


if __name__ == "__main__":
    main()
