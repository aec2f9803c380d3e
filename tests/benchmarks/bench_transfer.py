"""Latencies of a second device from one proxy and ten samples, beside the log-linear map, on a table of latencies.

python tests/benchmarks/bench_transfer.py [--table ../shared/data/nb201_dev.csv.gz] [--repeats 50] [--samples 10]

A table has a column `arch` and columns `lat_DEVICE` in milliseconds. Devices are compared within a class: by --classes
cpu=a,b:gpu=c,d, else by their names. Networks without a path from input to output and times of 0 ms are left out.
"""

import argparse
import csv
import gzip
import itertools
import pathlib
import re

import numpy as np

from hwkeras.measure.latency_transfer import choose_samples
from hwkeras.measure.latency_transfer import transfer_table

TABLE = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "nb201_dev.csv.gz"
CLASSES = {
    "cpu": r"silver|gold|xeon|core|i[3579]|epyc|cpu",
    "phone": r"samsung|pixel|essential|phone|mi\d|oneplus|huawei|honor",
    "gpu": r"titan|ti_|\d{4}ti|rtx|gtx|gpu|tesla|v100|a100|jetson",
}
MEASURES = ("MAPE", "in 10%", "Spearman", "coverage")


def read_table(path):
    """Architectures as str and latencies as dict of device to array."""
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)
    with opened as file:
        rows = list(csv.DictReader(file))
    devices = [name for name in rows[0] if name.startswith("lat_")]
    latencies = {name[4:]: np.array([float(row[name] or "nan") for row in rows]) for name in devices}
    return [row["arch"] for row in rows], latencies


def operators_of(arch):
    """(name, source, target) of each operator of a cell written as `|op~source|+|op~source|op~source|`."""
    nodes = [[entry for entry in node.split("|") if entry] for node in arch.split("+")]
    return [(*edge.rsplit("~", 1), number + 1) for number, node in enumerate(nodes) for edge in node]


def live_operators(arch):
    """Names of the operators on a path from the first node to the last."""
    edges = [(name, int(source), target) for name, source, target in operators_of(arch) if name != "none"]
    last = arch.count("+") + 1
    reached, needed = {0}, {last}
    for _, source, target in sorted(edges, key=lambda edge: edge[2]):
        reached |= {target} if source in reached else set()
    for _, source, target in sorted(edges, key=lambda edge: -edge[2]):
        needed |= {source} if target in needed else set()
    return [name for name, source, target in edges if source in reached and target in needed]


def features_of(archs):
    """Operators of each kind, all and those on a path; and which networks have a path. Else: words of each kind."""
    if all("~" in arch for arch in archs[:10]):
        every = [[name for name, *_ in operators_of(arch)] for arch in archs]
        live = [live_operators(arch) for arch in archs]
        return np.hstack([counts_of(every), counts_of(live)]), np.array([bool(names) for names in live])
    words = [re.findall(r"\w+", arch) for arch in archs]
    return counts_of(words), np.ones(len(archs), bool)


def counts_of(names):
    kinds = sorted({name for row in names for name in row} - {"none"})
    return np.array([[row.count(kind) for kind in kinds] for row in names], np.float64)


def log_linear(proxy, chosen, latencies):
    slope, offset = np.polyfit(np.log(proxy[chosen]), np.log(latencies), 1)
    return np.exp(offset + slope * np.log(proxy))


def ranks(values):
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[places]


def judge(predicted, truth, low=None, high=None):
    errors = np.abs(predicted / truth - 1)
    inside = np.nan if low is None else np.mean((low <= truth) & (truth <= high))
    return errors.mean(), (errors <= 0.1).mean(), np.corrcoef(ranks(predicted), ranks(truth))[0, 1], inside


def compare(proxy, truth, features, arguments, is_random):
    """Means over the repeats: (log-linear, transfer), each of `MEASURES`, on the networks not measured."""
    results = []
    for repeat in range(arguments.repeats):
        rng = np.random.default_rng([arguments.seed, repeat])
        if is_random:
            chosen = rng.choice(len(proxy), arguments.samples, replace=False)
        else:
            chosen = np.array(choose_samples(proxy, features, arguments.samples, seed=repeat))
        rest = np.setdiff1d(np.arange(len(proxy)), chosen)
        ours = transfer_table(proxy, features, chosen, truth[chosen])
        results.append(
            (
                judge(log_linear(proxy, chosen, truth[chosen])[rest], truth[rest]),
                judge(ours.latency_ms[rest], truth[rest], ours.low_ms[rest], ours.high_ms[rest]),
            )
        )
    return np.mean(results, axis=0)


def classes_of(devices, given):
    if given:
        return {part.split("=")[0]: part.split("=")[1].split(",") for part in given.split(":")}
    return {name: [device for device in devices if re.search(law, device)] for name, law in CLASSES.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=pathlib.Path, default=TABLE)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", default="")
    parser.add_argument("--quick", action="store_true", help="5 repeats")
    arguments = parser.parse_args()
    arguments.repeats = 5 if arguments.quick else arguments.repeats
    archs, latencies = read_table(arguments.table)
    features, has_path = features_of(archs)
    print(f"{arguments.samples} samples, means of {arguments.repeats} repeats; log-linear map / transfer")
    for is_random in (True, False):
        pairs = []
        print(f"\nsamples picked {'at random' if is_random else 'by choose_samples'}, the same for both")
        print(f"{'proxy':>16} -> {'device':16}" + "".join(f"{name:>16}" for name in MEASURES))
        for name, devices in classes_of(latencies, arguments.classes).items():
            for proxy, device in itertools.permutations(devices, 2):
                usable = has_path & (latencies[proxy] > 0) & (latencies[device] > 0)
                result = compare(
                    latencies[proxy][usable], latencies[device][usable], features[usable], arguments, is_random
                )
                cells = "".join(f"{before:8.3f}{after:8.3f}" for before, after in result.T)
                print(f"{proxy:>16} -> {device:16}{cells}  {name}", flush=True)
                pairs.append(result)
        pairs = np.array(pairs)
        print(f"{'mean':>36}" + "".join(f"{before:8.3f}{after:8.3f}" for before, after in pairs.mean(axis=0).T))
        better = (pairs[:, 1, 0] < pairs[:, 0, 0], *(pairs[:, 1, i] > pairs[:, 0, i] for i in (1, 2)))
        print(
            "better on " + ", ".join(f"{m} {b.sum()} of {len(pairs)}" for m, b in zip(MEASURES, better, strict=False))
        )


if __name__ == "__main__":
    main()
