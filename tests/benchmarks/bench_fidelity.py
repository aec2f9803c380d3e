"""What training the promising longer saves: ASHA or Hyperband around evolution against evolution, at equal epochs.

Real training on a part of Fashion-MNIST, the same space, limit and total of epochs for all; accuracy is that of the
deployed float32 file on validation data. Accuracy is told at shares of the budget, best so far within the limit.

python tests/benchmarks/bench_fidelity.py [--seeds 3] [--samples 4000] [--epochs 9] [--total-epochs 135]
"""

import argparse
import json
import pathlib
import tempfile
import time

import numpy as np

import hwkeras as hw
from hwkeras.convert import import_tensorflow
from hwkeras.oracles import EvolutionOracle
from hwkeras.oracles.asha import AshaOracle
from hwkeras.oracles.hyperband import HyperbandOracle

import_tensorflow()

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "fashion_mnist_20k.npz"
LIMITS = ("size=60KiB",)
SHARES = (0.25, 0.5, 0.75, 1.0)


def oracle_of(name, arguments, seed):
    common = {"limits": LIMITS, "seed": seed, "max_consecutive_failed_trials": 5}
    if name == "evolution":
        return EvolutionOracle(["accuracy"], max_trials=arguments.total_epochs // arguments.epochs, **common)
    ours = {"asha": AshaOracle, "hyperband": HyperbandOracle}[name]
    return ours(
        ["accuracy"],
        inner="evolution",
        max_epochs=arguments.epochs,
        max_trials=arguments.total_epochs,
        inner_arguments={"num_random": max(3, arguments.total_epochs // arguments.epochs // 4)},
        **common,
    )


def searched(name, data, arguments, seed, directory):
    space = hw.spaces.Image(input_shape=(28, 28, 1), num_classes=10, stages=2, depths=(1, 2), widths=(8, 16, 24, 32))
    tuner = hw.HardwareTuner(
        space,
        oracle=oracle_of(name, arguments, seed),
        device="raspberry_pi_4",
        precision="float32",
        max_total_epochs=arguments.total_epochs,
        seed=seed,
        directory=directory,
        progress=None,
    )
    start = time.perf_counter()
    x, y, valid = data
    tuner.search(x, y, validation_data=valid, epochs=arguments.epochs, batch_size=64)
    return tuner, time.perf_counter() - start


def curve(tuner, total_epochs):
    """Best accuracy so far at shares of the budget, and epochs trained in all."""
    epochs, best, points = 0, 0.0, {share: 0.0 for share in SHARES}
    for trial_id in tuner.oracle.end_order:
        metrics = tuner.oracle.trials[trial_id].metrics
        epochs += metrics.get_last_value("epochs_trained")
        best = max(best, metrics.get_best_value("accuracy"))
        points = {share: best if epochs <= share * total_epochs else known for share, known in points.items()}
    return points, int(epochs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--total-epochs", type=int, default=135)
    parser.add_argument("--oracles", nargs="+", default=["asha", "hyperband", "evolution"])
    parser.add_argument("--data", type=pathlib.Path, default=DATA)
    arguments = parser.parse_args()
    with np.load(arguments.data) as arrays:
        x, y = arrays["x_train"][..., None].astype("float32") / 255, arrays["y_train"].astype("int64")
    number = arguments.samples
    data = (x[:number], y[:number], (x[number : number + 2000], y[number : number + 2000]))
    accuracies = {name: [] for name in arguments.oracles}
    for seed in range(arguments.seeds):
        for name in arguments.oracles:
            with tempfile.TemporaryDirectory() as directory:
                tuner, seconds = searched(name, data, arguments, seed, f"{directory}/run")
                points, epochs = curve(tuner, arguments.total_epochs)
            told = {share: round(accuracy, 4) for share, accuracy in points.items()}
            facts = {"oracle": name, "seed": seed, "trials": len(tuner.oracle.trials), "epochs": epochs}
            print(json.dumps(facts | {"seconds": round(seconds), "best_accuracy_at_share": told}), flush=True)
            accuracies[name].append(points[1.0])
    print(json.dumps({name: round(float(np.mean(found)), 4) for name, found in accuracies.items()}))


if __name__ == "__main__":
    main()
