"""Architecture and recipe searched together, against search first and compress after, at equal trained epochs: digits.

`joint` is a search with recipes: networks near the front are compressed as they come, and the oracle learns from what
that gave. `after` spends two thirds of the epochs on a plain search and the rest on compressing its front, from the
most accurate on, in every recipe. Both may train the same number of epochs in all, those of recipes included, and every
file is scored on test images that neither saw. Printed for each seed: the hypervolume of (error, gzipped size) as
shares of an error of .2 and of 24 KiB, the best accuracy, and how many files the front has.

python tests/benchmarks/bench_joint_search.py [--seeds 3] [--total-epochs 240] [--epochs 8]
"""

import argparse
import gzip
import json
import pathlib
import tempfile

import numpy as np

import hwkeras as hw
from hwkeras.convert import import_tensorflow
from hwkeras.convert import score
from hwkeras.oracles import pareto
from hwkeras.search import Compression
from hwkeras.search.journal import Journal

import_tensorflow()

RECIPES = ("int8_qat", "prune=0.5+int8_qat")
MOST_ERROR, MOST_BYTES = 0.2, 24 * 1024
BATCH_SIZE = 32


def data(seed):
    """Digits: 900 to train on, 400 to validate, 497 to test; the same test for all seeds."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = (images.reshape(-1, 8, 8, 1) / 16).astype("float32")[order], labels.astype("int64")[order]
    mixed = np.random.default_rng(seed).permutation(1300)
    return (x[mixed[:900]], y[mixed[:900]]), (x[mixed[900:]], y[mixed[900:]]), (x[1300:], y[1300:])


def tuner_for(seed, directory, total_epochs, compression=None):
    space = hw.spaces.Image(
        (8, 8, 1), 10, stages=2, depths=(1, 2), widths=(8, 16, 24, 32), resolutions=(1,), dropout_rates=(0.0,)
    )
    return hw.HardwareTuner(
        space,
        objectives=["accuracy", "gzip_bytes"],
        limits=["size=64KiB"],
        precision=("int8",),
        device="fake",
        compression=compression,
        max_trials=1000,
        max_total_epochs=total_epochs,
        seed=seed,
        directory=directory,
        progress=None,
    )


def searched(tuner, train, valid, epochs):
    tuner.search(*train, validation_data=valid, epochs=epochs, batch_size=BATCH_SIZE)
    journal = Journal(tuner.run.directory / "journal.jsonl")
    ended, compressed = journal.read("finished"), journal.read("front_compressed")
    files = [(tuner.run.directory / candidate.file).read_bytes() for candidate in tuner.candidates()]
    return files, sum(event["epochs"] for event in ended + compressed), len(ended)


def joint(seed, directory, parts, arguments):
    compression = Compression(RECIPES, epochs=arguments.recipe_epochs)
    return searched(
        tuner_for(seed, directory, arguments.total_epochs, compression), *parts, arguments.epochs
    )  # fmt: skip


def after(seed, directory, parts, arguments):
    tuner = tuner_for(seed, directory, round(arguments.total_epochs * 2 / 3))
    files, spent, num_trials = searched(tuner, *parts, arguments.epochs)
    for candidate in tuner.front():
        model = tuner.load_model(tuner.oracle.get_trial(candidate.trial))
        for recipe in RECIPES:
            if spent >= arguments.total_epochs:
                return files, spent, num_trials
            result = hw.compress(
                model,
                recipe,
                parts[0],
                validation_data=parts[1],
                epochs=arguments.recipe_epochs,
                batch_size=BATCH_SIZE,
            )
            files.append(result.tflite)
            spent += sum(max(map(len, history.values())) for history in result.report.history.values())
    return files, spent, num_trials


def summary(files, test):
    points = np.array([[1 - score(content, *test), len(gzip.compress(content, mtime=0))] for content in files])
    losses = points / [MOST_ERROR, MOST_BYTES]
    able = losses[(losses < 1).all(axis=1)]
    return {
        "hypervolume": round(float(pareto.hypervolume(able.reshape(-1, 2), np.ones(2))), 4),
        "best_accuracy": round(float(1 - points[:, 0].min()), 4),
        "on_front": int(pareto.nondominated(losses).sum()),
        "files": len(files),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--total-epochs", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--recipe-epochs", type=int, default=2)
    arguments = parser.parse_args()
    found = {"joint": [], "after": []}
    for seed in range(arguments.seeds):
        *parts, test = data(seed)
        for name, search in (("joint", joint), ("after", after)):
            with tempfile.TemporaryDirectory() as directory:
                files, epochs, num_trials = search(seed, pathlib.Path(directory) / "run", parts, arguments)
                told = summary(files, test)
            found[name].append(told["hypervolume"])
            print(
                json.dumps({"seed": seed, "search": name, "trials": num_trials, "epochs": epochs, **told}), flush=True
            )
    print(json.dumps({name: round(float(np.mean(values)), 4) for name, values in found.items()}))


if __name__ == "__main__":
    main()
