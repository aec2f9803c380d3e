"""Do five processes measure the same on a busy machine? Six known networks and 40 random ones, both cores filled.

python tests/benchmarks/bench_repeatability.py --work /tmp/repeatability [--processes 5] [--nets 40] [--quick]

Makes six networks in four precisions and random small CNNs in float32 and int8 (kept in --work), starts two busy
processes, and measures all files in separate processes through `LocalMeter`. Prints, beside the same for the mean, the
median and the least of the very same invokes, and for `litert-benchmark` (of the LiteRT wheel; it takes a process a
file, so it makes fewer passes, --litert-passes, and it rounds to 0.01 ms):

- the spread of each file over the processes, largest over least minus 1: median and 90th percentile over the files;
- Kendall's tau between the orders that two processes give the random networks, the least over all pairs of processes.

It must hold for `latency_ms`: median <= 1%, 90th percentile <= 4%, tau >= 0.99. Exit code 1 where it does not.
"""

import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from busy import busy_cores
from networks import RANDOM_PRECISIONS
from networks import known_files
from networks import random_files
from scipy.stats import kendalltau

MOST_MEDIAN, MOST_P90, LEAST_TAU = 0.01, 0.04, 0.99
_STATISTICS = ("latency_ms", "mean of invokes", "median of invokes", "least invoke")
# One pass, in a process of its own: reads paths on stdin, writes for each file what each statistic says.
_PASS = """
import json, pathlib, sys
import numpy as np
from hwkeras.measure.local import LocalMeter
batches = json.load(sys.stdin)
answer = {}
for batch in batches:
    measurements = LocalMeter().measure([pathlib.Path(path).read_bytes() for path in batch.values()])
    for name, measured in zip(batch, measurements):
        counts = [entry["num_invokes"] for entry in measured.rounds]
        answer[name] = {
            "latency_ms": measured.latency_ms,
            "mean of invokes": float(np.average([entry["mean_ms"] for entry in measured.rounds], weights=counts)),
            "median of invokes": float(np.median([entry["median_ms"] for entry in measured.rounds])),
            "least invoke": min(entry["min_ms"] for entry in measured.rounds),
            "status": measured.status,
            "interval": [measured.low_ms, measured.high_ms],
            "canary": measured.environment["canary"]["typical_ms"],
            "num_rounds": len(measured.rounds),
        }
print(json.dumps(answer))
"""


def main():
    """Runs the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the files")
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--nets", type=int, default=40, help="random networks")
    parser.add_argument("--busy", type=int, default=2, help="busy processes")
    parser.add_argument("--litert-passes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="3 processes, 8 random networks, no litert-benchmark")
    options = parser.parse_args()
    if options.quick:
        options.processes, options.nets, options.litert_passes = 3, 8, 0
    known, random = known_files(options.work), random_files(options.work, options.nets)
    with busy_cores(options.busy):
        passes = [_timed(f"pass {n + 1}", _measure, [known, *_by_precision(random)]) for n in range(options.processes)]
        litert = [_timed(f"litert-benchmark {n + 1}", _litert, known | random) for n in range(options.litert_passes)]
    _tell(passes)
    holds = _report({name: [_values(each, name) for each in passes] for name in _STATISTICS}, options.nets)
    if len(litert) > 1:
        _report({"litert-benchmark min": [_values(each, "min") for each in litert],
                 "litert-benchmark avg": [_values(each, "avg") for each in litert]}, options.nets)  # fmt: skip
    return 0 if holds else 1


def _by_precision(files):
    return [
        {name: path for name, path in files.items() if name.endswith(f".{precision}")}
        for precision in RANDOM_PRECISIONS
    ]


def _timed(name, function, *arguments):
    begin = time.monotonic()
    result = function(*arguments)
    print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
    return result


def _measure(batches):
    paths = json.dumps([{name: str(path) for name, path in batch.items()} for batch in batches])
    done = subprocess.run([sys.executable, "-c", _PASS], input=paths, text=True, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _litert(files):
    """What the script of the LiteRT wheel says of each file, in ms; it needs a process for each."""
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        for name, path in files.items():
            command = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model"]
            command += [f"--model={path}", f"--result_json={result}"]
            subprocess.run(command, check=True, capture_output=True)
            latency = json.loads(result.read_text())
            answers[name] = {key: _find(latency, key) for key in ("min", "avg")}
    return answers


def _find(document, key):
    """The inference time under a name such as `inference_min_ms`, wherever the script puts it."""
    for name, value in document.items():
        if isinstance(value, dict):
            found = _find(value, key)
            if found is not None:
                return found
        elif key in name and "warmup" not in name and isinstance(value, (int, float)):
            return max(float(value), 0.005)
    return None


def _values(answer, name):
    return {file: entry[name] for file, entry in answer.items()}


def _tell(passes):
    statuses = [entry["status"] for each in passes for entry in each.values()]
    print("status:", {status: statuses.count(status) for status in sorted(set(statuses))})
    rounds = [entry["num_rounds"] for each in passes for entry in each.values()]
    print(f"rounds: {min(rounds)} to {max(rounds)}, mean {np.mean(rounds):.1f}")
    print("canary:", [round(next(iter(each.values()))["canary"], 4) for each in passes])
    covered = []
    for file in passes[0]:
        center = np.median([each[file]["latency_ms"] for each in passes])
        covered += [each[file]["interval"][0] <= center <= each[file]["interval"][1] for each in passes]
    print(f"intervals that hold the median of the passes: {np.mean(covered):.1%}")


def _report(passes_by_statistic, num_nets):
    """Prints a line a statistic; returns whether the first holds what it must."""
    print(f"{'statistic':<22} {'spread median':>13} {'p90':>8} {'six: median':>12} {'p90':>8}  tau float32  tau int8")
    first_holds = None
    for name, passes in passes_by_statistic.items():
        files = list(passes[0])
        table = np.array([[each[file] for each in passes] for file in files])
        spread = table.max(axis=1) / table.min(axis=1) - 1
        of_six = spread[[not file.startswith("random") for file in files]]
        taus = [_least_tau(passes, precision) for precision in RANDOM_PRECISIONS] if num_nets > 1 else [1.0]
        figures = [np.median(spread), np.quantile(spread, 0.9), np.median(of_six), np.quantile(of_six, 0.9)]
        shown = f"{figures[0]:>13.2%} {figures[1]:>8.2%} {figures[2]:>12.2%} {figures[3]:>8.2%}"
        print(f"{name:<22} {shown}  {'     '.join(f'{tau:.4f}' for tau in taus)}")
        if first_holds is None:
            first_holds = figures[0] <= MOST_MEDIAN and figures[1] <= MOST_P90 and min(taus) >= LEAST_TAU
    return first_holds


def _least_tau(passes, precision):
    files = [file for file in passes[0] if file.startswith("random") and file.endswith(f".{precision}")]
    orders = [[each[file] for file in files] for each in passes]
    return min((kendalltau(a, b).statistic for a, b in itertools.combinations(orders, 2)), default=1.0)


if __name__ == "__main__":
    sys.exit(main())
