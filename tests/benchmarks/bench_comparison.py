"""Does `compare` tell a 5% slower network apart, and leave a file and itself alone? On a busy machine.

python tests/benchmarks/bench_comparison.py --work /tmp/comparison [--jobs 100] [--busy 2] [--quick]

A/A: the same file under two names, in one job each, over files from 3 us to 0.5 ms. 5%: a small CNN and the same for an
image with more rows, of which the one is taken whose ratio is nearest to 1.05 in long runs. It must hold: at least 97
of 100 "not distinguishable", at least 90 of 100 told apart, in the right direction. Exit code 1 where it does not.
"""

import argparse
import collections
import itertools
import math
import pathlib
import statistics
import sys

from busy import busy_cores
from networks import known_files
from networks import taller_files

from hwkeras.measure.comparison import compare
from hwkeras.measure.local import LocalMeter

LEAST_SAME, LEAST_TOLD_APART = 0.97, 0.90
AIM = 1.05
BASE_ROWS, OTHER_ROWS = 40, (41, 42, 43, 44)
FILES = ("mlp.int8", "conv1d.float32", "ds_cnn.int8", "resnet8.float32", "mobilenet_v2.float32")
_LONG_ROUNDS, _LONG_JOBS = 20, 3


def main():
    """Runs the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the files")
    parser.add_argument("--jobs", type=int, default=100, help="of each kind")
    parser.add_argument("--busy", type=int, default=2, help="busy processes")
    parser.add_argument("--rounds", type=int, default=3, help="least rounds of a job")
    parser.add_argument("--quick", action="store_true", help="10 jobs of each kind")
    options = parser.parse_args()
    num_jobs = 10 if options.quick else options.jobs
    known = known_files(options.work)
    rows = {number: taller_files(options.work, number) for number in (BASE_ROWS, *OTHER_ROWS)}
    with busy_cores(options.busy):
        slower = {precision: _slower(rows, precision) for precision in ("float32", "int8")}
        same = _same({name: known[name] for name in FILES}, num_jobs, options.rounds)
        apart = _apart(rows, slower, num_jobs, options.rounds)
    return 0 if same >= LEAST_SAME and apart >= LEAST_TOLD_APART else 1


def _slower(rows, precision):
    """The rows whose file is nearest to 5% slower, from long runs."""
    numbers = (BASE_ROWS, *OTHER_ROWS)
    files = [rows[number][f"rows{number}.{precision}"].read_bytes() for number in numbers]
    meter = LocalMeter(rounds=_LONG_ROUNDS, max_rounds=_LONG_ROUNDS)
    ratios = collections.defaultdict(list)
    for _ in range(_LONG_JOBS):
        base, *others = meter.measure(files)
        for number, other in zip(OTHER_ROWS, others, strict=True):
            ratios[number].append(compare(other, base).ratio)
    middles = {number: statistics.median(values) for number, values in ratios.items()}
    print(f"{precision}: ratios of long runs:", {n: [round(r, 4) for r in values] for n, values in ratios.items()})
    chosen = min(middles, key=lambda number: abs(math.log(middles[number] / AIM)))
    print(f"{precision}: {chosen} rows against {BASE_ROWS} is {middles[chosen]:.4f}", flush=True)
    return chosen


def _same(files, num_jobs, rounds):
    verdicts, overlaps, by_file = [], [], collections.Counter()
    for _, (name, path) in zip(range(num_jobs), itertools.cycle(files.items()), strict=False):
        a, b = LocalMeter(rounds=rounds).measure([path.read_bytes()] * 2)
        verdict = compare(a, b).verdict
        verdicts.append(verdict == "not distinguishable")
        overlaps.append(a.low_ms <= b.high_ms and b.low_ms <= a.high_ms)
        by_file[name] += not verdicts[-1]
    share = statistics.mean(verdicts)
    print(f"A/A: {share:.0%} of {num_jobs} not distinguishable; told apart: {dict(+by_file)}")
    print(f"A/A: {statistics.mean(overlaps):.0%} of {num_jobs} pairs of intervals overlap", flush=True)
    return share


def _apart(rows, slower, num_jobs, rounds):
    told, ratios = [], []
    for _, (precision, number) in zip(range(num_jobs), itertools.cycle(slower.items()), strict=False):
        paths = rows[number][f"rows{number}.{precision}"], rows[BASE_ROWS][f"rows{BASE_ROWS}.{precision}"]
        comparison = compare(*LocalMeter(rounds=rounds).measure([path.read_bytes() for path in paths]))
        told.append(comparison.verdict == "slower")
        ratios.append(comparison.ratio)
    share = statistics.mean(told)
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}, median {statistics.median(ratios):.3f}"
    print(f"5% slower: {share:.0%} of {num_jobs} told apart; ratios {spread}", flush=True)
    return share


if __name__ == "__main__":
    sys.exit(main())
