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
of the limits, and what converting only the best of validation to int8 would have given.

python tests/benchmarks/bench_real_search.py [--seeds 3] [--trials 20] [--epochs 3] [--samples 20000]
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
        found += [(converted[precision].flatbuffer, precision, known) for precision in PRECISIONS]
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
        ((tuner.run.directory / each.file).read_bytes(), each.precision, each.metrics["accuracy"])
        for each in tuner.candidates()
        if each.status == "ok"
    ]
    return found, len(tuner.oracle.end_order), seconds


def judged(found, data):
    """Every file on the test images and on this machine."""
    meter = open_meter("local")
    measurements = []
    for start in range(0, len(found), 8):
        measurements += meter.measure([content for content, _, _ in found[start : start + 8]])
    rows = []
    for (content, precision, known), measurement in zip(found, measurements, strict=True):
        rows.append(
            {
                "precision": precision,
                "validation": round(known, 4),
                "accuracy": round(score(content, *data.test), 4),
                "size_kib": round(len(content) / 1024, 1),
                "latency_ms": round(measurement.latency_ms, 4),
            }
        )
    return rows


def summary(rows):
    """What a search came to."""
    within = [row for row in rows if row["size_kib"] <= SIZE_KIB and row["latency_ms"] <= LATENCY_MS]
    losses = [[1 - r["accuracy"], r["latency_ms"] / LATENCY_MS, r["size_kib"] / SIZE_KIB] for r in within]
    volume = pareto.hypervolume(np.array(losses).reshape(-1, 3), np.ones(3))
    int8 = [row for row in rows if row["precision"] == "int8"]
    return {
        "files_within_limits": len(within),
        "best_accuracy": max((row["accuracy"] for row in within), default=None),
        "best_of_validation": max(within, key=lambda row: row["validation"], default=None),
        "hypervolume": round(float(volume), 4),
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
        print(json.dumps(facts | summary(judged(found, data))), flush=True)


def started(arm, seed, until, arguments):
    """One search in a process of its own."""
    command = [sys.executable, __file__, "--arm", arm, "--seed", str(seed), "--until", until]
    command += ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs)]
    command += ["--data", str(arguments.data), "--samples", str(arguments.samples)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=20_000, help="of the training part, validation included")
    parser.add_argument("--data", type=pathlib.Path, default=DATA)
    parser.add_argument("--arm", choices=ARMS, help="one search only, in this process")
    parser.add_argument("--seed", type=int, default=0, help="of --arm")
    parser.add_argument("--until", type=pathlib.Path, help="of --arm: a file that `pareto` makes when it has ended")
    arguments = parser.parse_args()
    if arguments.arm:
        return run_arm(arguments)
    found = {arm: [] for arm in ARMS}
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as directory:
            searches = {arm: started(arm, seed, f"{directory}/ended", arguments) for arm in ARMS}
            for arm, search in searches.items():
                said, _ = search.communicate()
                if search.returncode:
                    raise SystemExit(f"The search of arm {arm} failed with exit code {search.returncode}.")
                result = json.loads(said.strip().splitlines()[-1])
                print(json.dumps(result), flush=True)
                found[arm].append(result)
    for name in ("hypervolume", "best_accuracy"):
        means = {arm: round(float(np.mean([each[name] or 0.0 for each in found[arm]])), 4) for arm in ARMS}
        print(json.dumps({f"mean_{name}": means}))


if __name__ == "__main__":
    main()
