"""What each augmentation does to accuracy when data are few: Fashion-MNIST, 2,000 training samples, one network.

Printed for each: accuracy on 4,000 other pictures, mean and spread over a few seeds, and the difference to none. The
augmentations for sequences are compared on watch_har, whose test subjects are not among the training subjects.

python tests/benchmarks/bench_augmentation.py [--epochs 30] [--seeds 3] [--only flip mixup]
"""

import argparse
import pathlib
import time

import keras
import keras_tuner
import numpy as np

import hwkeras as hw
from hwkeras.build import reestimate_batch_statistics
from hwkeras.space import Augmentation

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
NUM_TRAINING, NUM_TEST = 2000, 4000
# For pictures of clothes; the last one is what is usually combined.
PICTURES = [
    {},
    {"flip": True},
    {"crop": 0.125},
    {"cutout": 0.25},
    {"cutout": 0.5},
    {"mixup": 0.2},
    {"time_mask": 0.2},
    {"frequency_mask": 0.2},
    {"time_warp": 0.1},
    {"noise": 0.1},
    {"scale": 0.1},
    {"flip": True, "crop": 0.125},
    {"flip": True, "crop": 0.125, "cutout": 0.25, "mixup": 0.2},
]
SEQUENCES = [
    {},
    {"crop": 0.125},
    {"mixup": 0.2},
    {"time_mask": 0.2},
    {"time_warp": 0.1},
    {"noise": 0.1},
    {"scale": 0.1},
    {"rotate": 0.1},
    {"scale": 0.1, "noise": 0.1, "time_warp": 0.1},
]


def pictures():
    """A space of one network, the standardization of its inputs, training and test arrays."""
    with np.load(DATA / "fashion_mnist_20k.npz") as known:
        x, y = known["x_train"], known["y_train"].astype(np.int64)
    x = (x.reshape(-1, 28, 28, 1) / 255).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))[: NUM_TRAINING + NUM_TEST]
    one = dict(stages=2, min_stages=2, layer_types="residual", depths=1, widths=24, kernels=3, strides=2, skips=True)
    rest = dict(squeeze_excite=False, activations="relu", resolutions=1, stem_widths=16, stem_strides=1)
    head = dict(heads="global_pool", dense_units=0, dropout_rates=0.0)
    space = hw.spaces.Image((28, 28, 1), 10, **one, **rest, **head)
    train, test = order[:NUM_TRAINING], order[NUM_TRAINING:]
    return space, None, (x[train], y[train]), (x[test], y[test])


def sequences():
    """As `pictures`, of motion; every fifth subject is for the test."""
    with np.load(DATA / "watch_har.npz") as known:
        x, y = known["x"].astype(np.float32), known["y"].astype(np.int64)
        is_test = np.isin(known["subject"], np.unique(known["subject"])[::5])
    mean, deviation = x[~is_test].mean(axis=(0, 1)), x[~is_test].std(axis=(0, 1))
    x = (x - mean) / deviation
    space = hw.spaces.Sequence(x.shape[1:], int(y.max()) + 1)
    return space, (mean, deviation), (x[~is_test], y[~is_test]), (x[is_test], y[is_test])


def accuracy(space, augment, train, test, epochs, seed):
    """Of one training; the network is the space's first."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    space.augment = augment
    hp = keras_tuner.HyperParameters()
    model = space.build(hp)
    space.fit(hp, model, *train, batch_size=64, epochs=epochs, verbose=0)
    reestimate_batch_statistics(model, train[0])
    return model.evaluate(*test, verbose=0, return_dict=True)["accuracy"]


def compare(title, data, augmentations, epochs, seeds):
    space, standardization, train, test = data()
    print(f"{title}: {len(train[0])} training samples, {len(test[0])} for the test, {epochs} epochs, {seeds} seeds")
    base = None
    for values in augmentations:
        began = time.perf_counter()
        found = [
            accuracy(space, Augmentation(values, standardization), train, test, epochs, seed) for seed in range(seeds)
        ]
        seconds = (time.perf_counter() - began) / seeds
        base = np.mean(found) if base is None else base
        name = ", ".join(f"{key} {value}" for key, value in values.items()) or "none"
        spread = f"{np.mean(found):.4f} (+- {np.std(found):.4f})"
        print(f"  {name:50} {spread}  {np.mean(found) - base:+.4f}  {seconds:5.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=None, help="names of augmentations; none is always there")
    asked = parser.parse_args()
    for title, data, augmentations in (
        ("Fashion-MNIST", pictures, PICTURES),
        ("watch_har", sequences, SEQUENCES),
    ):
        wanted = [each for each in augmentations if asked.only is None or set(each) <= set(asked.only)]
        compare(title, data, wanted, asked.epochs, asked.seeds)


if __name__ == "__main__":
    main()
