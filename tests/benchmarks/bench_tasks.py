"""One command on each of the real data sets: the int8 file that a search chose, on data it never saw.

Every set is written as an `.npz` in the split that `shared/data/README.md` names and given to `hwkeras search` as a
user would; the file it calls best is scored on the test part, which the search does not look at. Printed for each: test
accuracy and what was asked, size, peak RAM, latency, and minutes.

python tests/benchmarks/bench_tasks.py [fsdd fsdd_theo watch_har magic_wand gun_point italy basic_motions fashion]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from hwkeras.convert import score
from hwkeras.data import load_dataset

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Task:
    """A data set, how it is searched, and what is asked of the file.

    Args:
        arrays: function of nothing that yields the arrays of an `.npz`, one for each fold.
        kind: str, of `load_dataset`.
        least: float, the accuracy asked, the mean over the folds.
        options: tuple of str, of `hwkeras search`.
    """

    arrays: object
    kind: str
    least: float
    options: tuple = field(default=())


def shared(name):
    with np.load(DATA / name) as arrays:
        return {key: arrays[key] for key in arrays.files}


def split(x, y, is_test, **more):
    train = {f"{name}_train": values[~is_test] for name, values in more.items()}
    return {"x_train": x[~is_test], "y_train": y[~is_test], "x_test": x[is_test], "y_test": y[is_test], **train}


def spoken(is_test_of, names_speakers=False):
    known = shared("fsdd.npz")
    sounds = np.zeros((len(known["label"]), 8000), np.int16)
    for row, start, end in zip(sounds, known["offsets"][:-1], known["offsets"][1:], strict=True):
        row[: end - start] = known["audio"][start:end][:8000]
    groups = {"groups": known["speaker"]} if names_speakers else {}
    yield split(sounds, known["label"], is_test_of(known), **groups) | {"sample_rate": 8000}


def watches():
    known = shared("watch_har.npz")
    people = np.unique(known["subject"])
    for fold in range(5):
        unseen = np.isin(known["subject"], people[fold::5])
        yield split(known["x"].astype("float32"), known["y"], unseen, groups=known["subject"])


def wands():
    known = shared("magic_wand_digits.npz")
    is_test = np.zeros(len(known["y"]), bool)
    is_test[np.random.default_rng(0).permutation(len(is_test))[:200]] = True
    yield split(known["x"], known["y"], is_test)


def archive(name):
    known = shared(name)
    yield {key: known[key] for key in ("x_train", "y_train", "x_test", "y_test")}


SMALL = ("--space", "sequence", "--precision", "int8", "--batch-size", "8", "--epochs", "60", "--limit", "size=20KiB")
SMALL += ("--folds", "5", "--objective", "log_loss", "--objective", "latency", "--objective", "size")
TASKS = {
    "fsdd": Task(
        lambda: spoken(lambda known: known["take"] < 5),
        "audio",
        0.96,
        ("--space", "audio", "--precision", "int8", "--minutes", "13", "--epochs", "15", "--trials", "12")
        + ("--limit", "size=40KiB", "--limit", "peak_ram=64KiB", "--limit", "latency=1ms"),
    ),
    "fsdd_theo": Task(
        lambda: spoken(lambda known: known["speaker"] == "theo", names_speakers=True),
        "audio",
        0.0,  # to be reported
        ("--space", "audio", "--precision", "int8", "--minutes", "13", "--epochs", "15", "--trials", "8")
        + ("--limit", "size=40KiB", "--limit", "peak_ram=64KiB", "--limit", "latency=1ms")
        + ("--folds", "5", "--augment", "loudness", "--objective", "accuracy"),
    ),
    "watch_har": Task(
        watches,
        "sequence",
        0.82,
        ("--space", "sequence", "--precision", "int8", "--limit", "size=20KiB", "--epochs", "25", "--batch-size", "32")
        + ("--trials", "8", "--folds", "4", "--augment", "rotate", "--objective", "accuracy"),
    ),
    "magic_wand": Task(
        wands,
        "sequence",
        0.97,
        ("--space", "sequence", "--precision", "int8", "--limit", "size=10KiB", "--epochs", "40", "--batch-size", "32")
        + ("--trials", "8"),
    ),
    "gun_point": Task(lambda: archive("GunPoint.npz"), "sequence", 0.940, (*SMALL, "--trials", "8")),
    "italy": Task(lambda: archive("ItalyPowerDemand.npz"), "sequence", 0.970, (*SMALL, "--trials", "8")),
    "basic_motions": Task(lambda: archive("BasicMotions.npz"), "sequence", 0.925, (*SMALL, "--trials", "8")),
    "fashion": Task(
        lambda: archive("fashion_mnist_20k.npz"),
        "image",
        0.905,
        ("--space", "resnet8", "--precision", "int8", "--limit", "size=100KiB", "--minutes", "23", "--epochs", "18")
        + ("--trials", "8", "--augment", "flip", "--objective", "accuracy"),
    ),
}


def run(task, arrays, directory):
    """What a search of one fold came to."""
    file = directory / "data.npz"
    np.savez(file, **arrays)
    hwkeras = str(pathlib.Path(sys.executable).with_name("hwkeras"))
    command = [hwkeras, "search", str(file), "--out", str(directory / "run"), "--json"]
    start = time.perf_counter()
    said = subprocess.run([*command, *task.options], stdout=subprocess.PIPE, text=True, check=True).stdout
    minutes = (time.perf_counter() - start) / 60
    best, data = json.loads(said)["best"], load_dataset(file, kind=task.kind)
    content = pathlib.Path(best["file"]).read_bytes()
    metrics = best["metrics"]
    return {
        "accuracy": round(score(content, data.x_test, data.y_test), 4),
        "validation": round(metrics["accuracy"], 4),
        "size_kib": round(metrics["size_bytes"] / 1024, 1),
        "peak_ram_kib": round(metrics["peak_ram_bytes"] / 1024, 1),
        "latency_ms": round(metrics["latency_ms"], 4),
        "minutes": round(minutes, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), metavar="TASK", help=", ".join(TASKS))
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.tasks) - set(TASKS))
    if unknown:
        parser.error(f"a task is one of {', '.join(TASKS)}. Received: {unknown[0]}")
    for name in arguments.tasks:
        task, found = TASKS[name], []
        for arrays in task.arrays():
            with tempfile.TemporaryDirectory() as directory:
                found.append(run(task, arrays, pathlib.Path(directory)))
            print(json.dumps({"task": name, "fold": len(found)} | found[-1]), flush=True)
        mean = round(float(np.mean([fold["accuracy"] for fold in found])), 4)
        print(json.dumps({"task": name, "accuracy": mean, "asked": task.least, "folds": len(found)}), flush=True)


if __name__ == "__main__":
    main()
