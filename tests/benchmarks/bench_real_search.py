"""The default search against keras-tuner's random one on real training: Fashion-MNIST, equal wall-clock, two limits.

Three searches over the same space, side by side, each in a process of its own: they share the processors, so whatever
else the machine does disturbs them alike. The second and third go on until the first has ended, and a trial that began
in time counts:

- `pareto`: `HardwareTuner` as it is.
- `random`: `keras_tuner.RandomSearch` with our training and our re-estimation of batch statistics.
- `plain`: `keras_tuner.RandomSearch` as most use it: Adam at 1e-3, Keras' own batch normalization, no limit known.

Of the last two every trained network is converted afterwards, to float32 and int8, which their users would not do; that
costs them no time. All files are scored on test images that no search saw and measured by the same meter. Printed for
each: trials, files within the limits, the best accuracy among them, the hypervolume of (error, latency, size) as shares
of the limits, and what converting only the best of validation to int8 would have given. The hypervolume up to an error
of 1 is that of the tiniest networks, which nobody ships; a second one counts from the error of a logistic regression on
the same pixels.

python tests/benchmarks/bench_real_search.py [--seeds 3] [--trials 20] [--epochs 3] [--samples 20000] [--out FILE]

With --out every file's figures are kept, with the values of its trial, and a second run goes on with the seeds
that are missing.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import keras
import keras_tuner as kt
import numpy as np
from sklearn.linear_model import LogisticRegression

import hwkeras as hw
from hwkeras.build import reestimate_batch_statistics
from hwkeras.convert import convert_all
from hwkeras.convert import import_tensorflow
from hwkeras.convert import score
from hwkeras.convert import take_samples
from hwkeras.measure.devices import open_meter
from hwkeras.oracles import pareto

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "fashion_mnist_20k.npz"
SIZE_KIB, LATENCY_MS = 60, 1.0
PRECISIONS = ("float32", "int8")
ARMS = ("pareto", "random", "plain")
BATCH_SIZE = 64


class Data:
    """Training images of an archive, validation images (a third as many, at most 4,000), test images."""

    def __init__(self, file, samples):
        with np.load(file) as arrays:
            x, y = _images(arrays["x_train"]), arrays["y_train"].astype("int64")
            self.test = (_images(arrays["x_test"]), arrays["y_test"].astype("int64"))
        number = min(samples // 3, 4000)
        self.train, self.valid = (x[number:samples], y[number:samples]), (x[:number], y[:number])


def _images(pixels):
    return pixels[..., None].astype("float32") / 255


def space():
    return hw.spaces.Image(input_shape=(28, 28, 1), num_classes=10, stages=2, depths=(1, 2), widths=(8, 16, 24, 32, 48))


class Ours(kt.HyperModel):
    """The space with our `fit`, batch statistics re-estimated before the network is scored."""

    def __init__(self, data):
        super().__init__()
        self._space, self._data = space(), data

    def build(self, hp):
        return self._space.build(hp)

    def fit(self, hp, model, *args, **kwargs):
        self._space.fit(hp, model, *args, **kwargs)
        reestimate_batch_statistics(model, self._data.train[0])
        return {"val_accuracy": model.evaluate(*self._data.valid, verbose=0, return_dict=True)["accuracy"]}


class Plain(kt.HyperModel):
    """The space as somebody writes it who knows nothing of short trainings."""

    def __init__(self, data):
        super().__init__()
        self._space = space()

    def build(self, hp):
        model = self._space.build(hp)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.99
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


class TimedRandomSearch(kt.RandomSearch):
    """Ends with the trial during which a file appears."""

    def __init__(self, hypermodel, until, seed, directory):
        self._until = until
        super().__init__(
            hypermodel, kt.Objective("val_accuracy", "max"), max_trials=10_000, seed=seed, directory=str(directory)
        )

    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        if self._until.exists():
            self.oracle.max_trials = len(self.oracle.trials)


def searched_by_random(arm, data, arguments, directory):
    """All files of a random search, with the validation accuracy of their networks."""
    hypermodel = {"random": Ours, "plain": Plain}[arm](data)
    start = time.perf_counter()
    tuner = TimedRandomSearch(hypermodel, arguments.until, arguments.seed, directory)
    tuner.search(
        *data.train, validation_data=data.valid, epochs=arguments.epochs, batch_size=BATCH_SIZE, verbose=0
    )  # fmt: skip
    seconds = time.perf_counter() - start
    calibration = take_samples(data.train[0], 200)
    found = []
    trials = [trial for trial in tuner.oracle.trials.values() if trial.status == "COMPLETED"]
    for trial in trials:
        keras.backend.clear_session()
        model = tuner.load_model(trial)
        if arm == "random":
            reestimate_batch_statistics(model, data.train[0])
        converted = convert_all(model, PRECISIONS, calibration)
        known = trial.metrics.get_best_value("val_accuracy")
        values = trial.hyperparameters.values
        found += [(converted[precision].flatbuffer, precision, known, values) for precision in PRECISIONS]
    return found, len(trials), seconds


def searched_by_pareto(data, arguments, directory):
    """All files of our search that were deployed."""
    start = time.perf_counter()
    tuner = hw.HardwareTuner(
        space(),
        limits=[f"size={SIZE_KIB}KiB", f"latency={LATENCY_MS:g}ms"],
        precision=PRECISIONS,
        max_trials=arguments.trials,
        seed=arguments.seed,
        directory=f"{directory}/run",
    )
    tuner.search(*data.train, validation_data=data.valid, epochs=arguments.epochs, batch_size=BATCH_SIZE)
    seconds = time.perf_counter() - start
    if arguments.until:
        arguments.until.touch()
    print(json.dumps({name: round(spent) for name, spent in tuner.stage_seconds.items()}), file=sys.stderr)
    found = [
        (
            (tuner.run.directory / each.file).read_bytes(),
            each.precision,
            each.metrics["accuracy"],
            tuner.oracle.get_trial(each.trial).hyperparameters.values,
        )
        for each in tuner.candidates()
        if each.status == "ok"
    ]
    return found, len(tuner.oracle.end_order), seconds


def judged(found, data):
    """Every file on the test images and on this machine."""
    meter = open_meter("local")
    measurements = []
    for start in range(0, len(found), 8):
        measurements += meter.measure([content for content, *_ in found[start : start + 8]])
    rows = []
    for (content, precision, known, values), measurement in zip(found, measurements, strict=True):
        rows.append(
            {
                "precision": precision,
                "validation": round(known, 4),
                "accuracy": round(score(content, *data.test), 4),
                "size_kib": round(len(content) / 1024, 1),
                "latency_ms": round(measurement.latency_ms, 4),
                "values": values,
            }
        )
    return rows


def linear_error(data):
    """The error of a logistic regression on the test images."""
    (x, y), (x_test, y_test) = data.train, data.test
    classifier = LogisticRegression(max_iter=100, tol=0.01).fit(x.reshape(len(x), -1), y)
    return 1 - classifier.score(x_test.reshape(len(x_test), -1), y_test)


def summary(rows, error):
    """What a search came to."""
    within = [row for row in rows if row["size_kib"] <= SIZE_KIB and row["latency_ms"] <= LATENCY_MS]
    losses = [[1 - r["accuracy"], r["latency_ms"] / LATENCY_MS, r["size_kib"] / SIZE_KIB] for r in within]
    losses = np.array(losses).reshape(-1, 3)
    int8 = [row for row in rows if row["precision"] == "int8"]
    return {
        "files_within_limits": len(within),
        "best_accuracy": max((row["accuracy"] for row in within), default=None),
        "best_of_validation": max(within, key=lambda row: row["validation"], default=None),
        "hypervolume": round(float(pareto.hypervolume(losses, np.ones(3))), 4),
        "hypervolume_beyond_linear": round(float(pareto.hypervolume(losses, np.array([error, 1, 1])) / error), 4),
        "int8_of_best": max(int8, key=lambda row: row["validation"], default=None),
    }


def run_arm(arguments):
    import_tensorflow()
    data = Data(arguments.data, arguments.samples)
    with tempfile.TemporaryDirectory() as directory:
        if arguments.arm == "pareto":
            found, num_trials, seconds = searched_by_pareto(data, arguments, directory)
        else:
            found, num_trials, seconds = searched_by_random(arguments.arm, data, arguments, directory)
        facts = {"arm": arguments.arm, "seed": arguments.seed, "trials": num_trials, "seconds": round(seconds, 1)}
        rows = judged(found, data)
        print(json.dumps(facts | summary(rows, linear_error(data)) | {"files": rows}), flush=True)


def started(arm, seed, until, arguments):
    """One search in a process of its own."""
    command = [sys.executable, __file__, "--arm", arm, "--seed", str(seed), "--until", until]
    command += ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs)]
    command += ["--data", str(arguments.data), "--samples", str(arguments.samples)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def searched_side_by_side(seed, arguments):
    """What each arm found; nothing of a seed counts before all have ended."""
    results = []
    with tempfile.TemporaryDirectory() as directory:
        searches = {arm: started(arm, seed, f"{directory}/ended", arguments) for arm in ARMS}
        for arm, search in searches.items():
            said, _ = search.communicate()
            if search.returncode:
                raise SystemExit(f"The search of arm {arm} failed with exit code {search.returncode}.")
            results.append(json.loads(said.strip().splitlines()[-1]))
            print(json.dumps({name: value for name, value in results[-1].items() if name != "files"}), flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=20_000, help="of the training part, validation included")
    parser.add_argument("--data", type=pathlib.Path, default=DATA)
    parser.add_argument("--out", type=pathlib.Path, help="JSON Lines, one a search")
    parser.add_argument("--arm", choices=ARMS, help="one search only, in this process")
    parser.add_argument("--seed", type=int, default=0, help="of --arm")
    parser.add_argument("--until", type=pathlib.Path, help="of --arm: a file that `pareto` makes when it has ended")
    arguments = parser.parse_args()
    if arguments.arm:
        return run_arm(arguments)
    kept = arguments.out.read_text().splitlines() if arguments.out and arguments.out.exists() else []
    found = [json.loads(line) for line in kept]
    for seed in sorted(set(range(arguments.seeds)) - {each["seed"] for each in found}):
        found += searched_side_by_side(seed, arguments)
        if arguments.out:
            arguments.out.write_text("".join(json.dumps(each) + "\n" for each in found))
    for name in ("hypervolume", "hypervolume_beyond_linear", "best_accuracy"):
        of_arms = {arm: [each[name] or 0.0 for each in found if each["arm"] == arm] for arm in ARMS}
        print(json.dumps({f"mean_{name}": {arm: round(float(np.mean(each)), 4) for arm, each in of_arms.items()}}))


if __name__ == "__main__":
    main()
