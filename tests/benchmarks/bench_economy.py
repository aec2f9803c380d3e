"""What each switch of `Economy` saves: the same search with it and without, on real training, at equal epochs.

A part of Fashion-MNIST at half its resolution, one space, one limit; every search trains as many samples in all, told
in epochs of the whole part (an epoch on half of it counts half). Accuracy is that of the deployed float32 file on
validation data. Seconds are those of the processor, so that what else runs on the machine counts little. For each
switch and seed is printed, next to the plain search of that seed: the best accuracy at equal epochs; the epochs and
seconds after which the best of the plain search was reached, those of the whole search where it never was; trials begun
and stopped. The earlier run of `warm_start` is the plain search of another seed.

python tests/benchmarks/bench_economy.py [--seeds 3] [--samples 1000] [--epochs 9] [--total-epochs 90]
"""

import argparse
import json
import pathlib
import tempfile
import time

import numpy as np

import hwkeras as hw
from hwkeras.convert import import_tensorflow
from hwkeras.search import Economy

import_tensorflow()

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "fashion_mnist_20k.npz"
ARMS = {
    "plain": lambda earlier: Economy(),
    "stop_hopeless": lambda earlier: Economy(stop_hopeless=True),
    "inherit_weights": lambda earlier: Economy(inherit_weights=True),
    "train_share": lambda earlier: Economy(train_share=0.5),
    "warm_start": lambda earlier: Economy(warm_start=[earlier]),
    "zero_cost": lambda earlier: Economy(zero_cost=True),
}


class Course:
    """What a search has found after each trial; the progress of a tuner.

    Args:
        share: float, of an epoch that each of its epochs counts.
    """

    def __init__(self, share):
        self._share = share
        self._start = time.process_time()
        self.points = []

    def __call__(self, event, facts):
        if event != "trial_finished":
            return
        epochs, best = self.points[-1][::2] if self.points else (0.0, 0.0)
        accuracies = [candidate.metrics["accuracy"] for candidate in facts["candidates"]]
        spent = time.process_time() - self._start
        self.points.append((epochs + self._share * facts["epochs"], spent, max([best, *accuracies])))

    def reached(self, accuracy):
        """Epochs and seconds after which an accuracy was reached, and whether it was; else those of all."""
        for epochs, seconds, best in self.points:
            if best >= accuracy:
                return epochs, seconds, True
        return self.points[-1][0], self.points[-1][1], False


def searched(economy, data, arguments, seed, directory):
    course = Course(economy.train_share)
    space = hw.spaces.Image(input_shape=(14, 14, 1), num_classes=10, stages=2, depths=(1, 2), widths=(8, 16, 24, 32))
    total_epochs = int(arguments.total_epochs / economy.train_share)
    tuner = hw.HardwareTuner(
        space,
        objectives=["accuracy"],
        limits=["size=60KiB"],
        device="raspberry_pi_4",
        precision="float32",
        oracle=arguments.oracle,
        max_trials=total_epochs,
        max_total_epochs=total_epochs,
        economy=economy,
        seed=seed,
        directory=directory,
        progress=course,
    )
    x, y, valid = data
    tuner.search(x, y, validation_data=valid, epochs=arguments.epochs, batch_size=64)
    return tuner, course


def compared(arm, seed, tuner, course, plain):
    """What is printed of a run; `plain` is the course of the plain search of its seed."""
    epochs, seconds, is_reached = course.reached(plain.points[-1][2])
    all_epochs, all_seconds, best = course.points[-1]
    results = tuner.results()
    return {
        "arm": arm,
        "seed": seed,
        "best_accuracy": round(best, 4),
        "plain_best": round(plain.points[-1][2], 4),
        "is_plain_best_reached": is_reached,
        "epochs_to_plain_best": round(epochs, 1),
        "seconds_to_plain_best": round(seconds, 1),
        "epochs": round(all_epochs, 1),
        "seconds": round(all_seconds, 1),
        "trials": results["trials"],
        "stopped": len(results["stopped_trials"]),
        "inherited": len(results["inherited_weights"]),
    }


def summary(runs):
    """Means over the seeds, by arm."""
    names = ("best_accuracy", "epochs_to_plain_best", "seconds_to_plain_best", "epochs", "seconds", "trials")
    means = {}
    for arm in dict.fromkeys(run["arm"] for run in runs):
        own = [run for run in runs if run["arm"] == arm]
        means[arm] = {name: round(float(np.mean([run[name] for run in own])), 4) for name in names}
        means[arm]["num_reached"] = sum(run["is_plain_best_reached"] for run in own)
    return means


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--total-epochs", type=int, default=90)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--oracle", default="pareto")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--data", type=pathlib.Path, default=DATA)
    arguments = parser.parse_args()
    if "warm_start" in arguments.arms and arguments.seeds < 2:
        parser.error("warm_start learns from the plain search of another seed: --seeds must be 2 or more")
    with np.load(arguments.data) as arrays:
        x, y = arrays["x_train"][:, ::2, ::2, None].astype("float32") / 255, arrays["y_train"].astype("int64")
    number = arguments.samples
    data = (x[:number], y[:number], (x[number : number + 1000], y[number : number + 1000]))
    plain, runs = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for arm in dict.fromkeys(["plain", *arguments.arms]):
            for number in range(arguments.seeds):
                seed = arguments.first_seed + number
                other = arguments.first_seed + (number + 1) % arguments.seeds
                economy = ARMS[arm](f"{folder}/plain-{other}")
                tuner, course = searched(economy, data, arguments, seed, f"{folder}/{arm}-{seed}")
                plain.setdefault(seed, course)
                runs.append(compared(arm, seed, tuner, course, plain[seed]))
                print(json.dumps(runs[-1]), flush=True)
    print(json.dumps(summary(runs)))


if __name__ == "__main__":
    main()
