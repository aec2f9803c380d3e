"""What a trial costs the oracle itself as trials add up, in windows, and the last window over the first one.

python tests/benchmarks/bench_oracle_state.py [--oracle evolution] [--trials 10000] [--window 1000] [--verbose]

The candidates come from a table of 4^10 = 1,048,576, so that none of it is the search for the last ones left. Files are
written as in any search; nothing is trained.
"""

import argparse
import contextlib
import io
import json
import statistics
import tempfile
import time

import keras_tuner as kt

import hwkeras as hw

_NUM_GENES = 10
_NUM_OPTIONS = 4


def table_space():
    """Ten choices of four."""
    space = kt.HyperParameters()
    for position in range(_NUM_GENES):
        space.Choice(f"gene_{position}", list(range(_NUM_OPTIONS)))
    return space


def cost(hp):
    """What is known before training: wider is slower, the early genes the most."""
    return {"latency_ms": 1.0 + sum((_NUM_GENES - i) * hp.get(f"gene_{i}") for i in range(_NUM_GENES))}


def metrics(hp):
    """What training would say: wider is better, with neighbors that get in each other's way."""
    genes = [hp.get(f"gene_{i}") for i in range(_NUM_GENES)]
    clashes = sum(one == other for one, other in zip(genes, genes[1:], strict=False))
    return {"accuracy": 0.5 + sum(genes) / 100 - clashes / 50, **cost(hp)}


def milliseconds(name, num_trials, verbose):
    """Time spent in the oracle, one entry a trial; and how long a reload of the whole project takes, in seconds."""
    with tempfile.TemporaryDirectory() as directory:
        oracles = []
        for _ in range(2):
            oracles.append(
                hw.oracles.get(name)(
                    ["accuracy", "latency_ms"],
                    max_trials=num_trials,
                    seed=0,
                    hyperparameters=table_space(),
                    cost_model=cost,
                )
            )
            oracles[-1].verbose = int(verbose)
            oracles[-1]._set_project_dir(directory, "project")
        spent = []
        for _ in range(num_trials):
            start = time.thread_time()
            trial = oracles[0].create_trial("tuner0")
            created = time.thread_time()
            measured = metrics(trial.hyperparameters)
            told = time.thread_time()
            oracles[0].update_trial(trial.trial_id, measured)
            trial.status = "COMPLETED"
            oracles[0].end_trial(trial)
            spent.append(1000 * (created - start + time.thread_time() - told))
        start = time.thread_time()
        oracles[1].reload()
        return spent, time.thread_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", default="evolution")
    parser.add_argument("--trials", type=int, default=10000)
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--verbose", action="store_true", help="with keras-tuner's own table, which is not shown")
    arguments = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):
        spent, reload_s = milliseconds(arguments.oracle, arguments.trials, arguments.verbose)
    windows = [spent[start : start + arguments.window] for start in range(0, len(spent), arguments.window)]
    means = [statistics.fmean(window) for window in windows]
    medians = [statistics.median(window) for window in windows]
    for index, (mean, median) in enumerate(zip(means, medians, strict=True)):
        first = index * arguments.window
        print(
            f"trials {first + 1:6d} to {first + len(windows[index]):6d}: mean {mean:6.2f} ms, median {median:6.2f} ms"
        )
    report = {"last_over_first_mean": means[-1] / means[0], "last_over_first_median": medians[-1] / medians[0]}
    print(json.dumps({name: round(value, 3) for name, value in {**report, "reload_s": reload_s}.items()}))


if __name__ == "__main__":
    main()
