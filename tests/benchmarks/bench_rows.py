"""One command on texts and on tables: the int8 bundle that a search chose, on raw rows it never saw.

Every fifth row is held out, the others are written to a file and given to `hwkeras search` as a user would; the bundle
it calls best makes numbers of the raw rows held out by its own tokenizer or encoder, and `hwkeras verify` opens it.
Printed for each: what the file scores on those rows (f1 of spam, accuracy, or the root mean square error), what a
random forest does on the same rows of a table, what was asked, size, latency, minutes.

python tests/benchmarks/bench_rows.py [--task sms --task breast_cancer --task wine --task diabetes --task synthetic]
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.datasets import load_diabetes
from sklearn.datasets import load_wine
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.ensemble import RandomForestRegressor

from hwkeras.convert import evaluate
from hwkeras.convert import predict
from hwkeras.data import TableEncoder
from hwkeras.data import Tokenizer

MESSAGES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "sms_spam.tsv"
HWKERAS = str(pathlib.Path(sys.executable).with_name("hwkeras"))
HELD_OUT = 5


def searched(file, directory, *options):
    """The document of a search with the usual settings, and its minutes."""
    command = [HWKERAS, "search", str(file), "--precision", "int8", "--out", str(directory / "run"), "--json"]
    start = time.perf_counter()
    said = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(said), (time.perf_counter() - start) / 60


def facts(document, minutes):
    """What is told of every bundle; one that does not verify ends the benchmark."""
    bundle, metrics = pathlib.Path(document["best"]["file"]).parent, document["best"]["metrics"]
    # Beside other work a latency is not what it was.
    subprocess.run([HWKERAS, "verify", str(bundle), "--latency-tolerance", "3"], stdout=subprocess.DEVNULL, check=True)
    return {
        "size_kib": round(metrics["size_bytes"] / 1024, 1),
        "latency_ms": round(metrics["latency_ms"], 4),
        "minutes": round(minutes, 1),
        "files": sorted(file.name for file in bundle.iterdir()),
    }


def sms(directory):
    """Messages, spam or not."""
    lines = MESSAGES.read_text(encoding="utf-8").strip().split("\n")
    file = directory / "messages.tsv"
    file.write_text("\n".join(line for place, line in enumerate(lines) if place % HELD_OUT), encoding="utf-8")
    options = ("--objective", "f1", "--limit", "size=100KiB", "--trials", "6", "--epochs", "8")
    document, minutes = searched(file, directory, *options)
    bundle = pathlib.Path(document["best"]["file"]).parent
    labels, texts = zip(*(line.split("\t", 1) for line in lines[::HELD_OUT]), strict=True)
    classes = json.loads((bundle / "manifest.json").read_text())["class_names"]
    rows = Tokenizer.read(bundle / "tokenizer.json")(texts)
    y = np.array([classes.index(label) for label in labels])
    f1 = evaluate((bundle / "model.tflite").read_bytes(), rows, y, ["f1"])["f1"]
    return {"f1": round(f1, 4), "asked": 0.93, "held_out": len(y)} | facts(document, minutes)


def of_table(directory, columns, target, is_regression=False):
    """A table whose target is the last column."""
    names, number = [*columns, "target"], len(target)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), target, strict=True)]
    is_seen = np.arange(number) % HELD_OUT > 0
    file = directory / "table.csv"
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, names)
        writer.writeheader()
        writer.writerows(row for row, seen in zip(rows, is_seen, strict=True) if seen)
    objective = ("--task", "regression", "--objective", "rmse") if is_regression else ("--objective", "log_loss")
    epochs = "10" if number > 10_000 else "40"
    document, minutes = searched(file, directory, "--trials", "8", "--epochs", epochs, *objective)
    bundle = pathlib.Path(document["best"]["file"]).parent
    manifest = json.loads((bundle / "manifest.json").read_text())
    raw = [{name: row[name] for name in columns} for row, seen in zip(rows, is_seen, strict=True) if not seen]
    encoded = TableEncoder.from_json(manifest["preprocessing"]["encoder"])(raw)
    answers = predict((bundle / "model.tflite").read_bytes(), encoded)
    x = np.stack([_as_numbers(values) for values in columns.values()], axis=1)
    forest = (RandomForestRegressor if is_regression else RandomForestClassifier)(random_state=0)
    of_forest, truth = forest.fit(x[is_seen], target[is_seen]).predict(x[~is_seen]), target[~is_seen]
    if is_regression:
        errors = [float(np.sqrt(np.mean((found - truth) ** 2))) for found in (answers[:, 0], of_forest)]
        told = {"rmse": round(errors[0], 2), "forest": round(errors[1], 2), "spread": round(float(truth.std()), 2)}
    else:
        found = np.array(manifest["class_names"])[answers.argmax(1)]
        told = {"accuracy": round(float(np.mean(found == truth.astype(str))), 4)}
        told["forest"] = round(float(np.mean(of_forest == truth)), 4)
    return told | {"held_out": len(truth)} | facts(document, minutes)


def _as_numbers(values):
    return values if values.dtype.kind == "f" else np.unique(values, return_inverse=True)[1]


def known_table(directory, load, is_regression=False):
    """A table of scikit-learn, its rows in random order: some are sorted by class."""
    known = load()
    order = np.random.default_rng(0).permutation(len(known.target))
    columns = {name.replace("/", " of "): known.data[order, place] for place, name in enumerate(known.feature_names)}
    return of_table(directory, columns, known.target[order], is_regression)


def synthetic(directory):
    """Fifty thousand rows of four classes, eight of twenty numbers of use, and a column of words that is of none."""
    x, y = make_classification(50_000, 20, n_informative=8, n_classes=4, random_state=0)
    colours = np.random.default_rng(0).choice(["red", "green"], len(y))
    return of_table(directory, {f"c{place}": values for place, values in enumerate(x.T)} | {"colour": colours}, y)


TASKS = {
    "sms": sms,
    "breast_cancer": lambda directory: known_table(directory, load_breast_cancer),
    "wine": lambda directory: known_table(directory, load_wine),
    "diabetes": lambda directory: known_table(directory, load_diabetes, is_regression=True),
    "synthetic": synthetic,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", dest="tasks", action="append", choices=TASKS, help="Repeatable; all without it.")
    for name in parser.parse_args().tasks or TASKS:
        with tempfile.TemporaryDirectory() as directory:
            print(json.dumps({"task": name} | TASKS[name](pathlib.Path(directory))), flush=True)


if __name__ == "__main__":
    main()
