"""Oracles beside Optuna's samplers on tables of trained networks: how good is the best of so many trained models?

python tests/benchmarks/bench_oracles.py [--oracles pareto evolution] [--peers tpe nsga2 gp] [--seeds 5] [--trials 200]

Two tasks a table. `front`: accuracy against latency, the share of the hypervolume found. `limit`: accuracy alone under
a latency limit at the 30th percentile, the regret. A trial is one trained model; latency is known before it, and the
oracles of hwkeras are told so. Optuna has no way to be told: it gets the limit as a constraint. It suggests the live
hyperparameters alone, as its users write it. Tables: the conditional one of this repository, and NAS-Bench-201 and
NAS-Bench-Macro where ../shared/data is.
"""

import argparse
import csv
import gzip
import json
import pathlib
import re
import time
import warnings

import numpy as np

from hwkeras.files import write_atomically
from hwkeras.objectives import Limit
from hwkeras.oracles import catalogue
from hwkeras.oracles import sampling
from hwkeras.testing.curves import comparison_text
from hwkeras.testing.curves import curves_picture
from hwkeras.testing.simulator import Simulator
from hwkeras.testing.tabulated import read_table
from hwkeras.testing.tabulated import space_of

TABLES = pathlib.Path(__file__).resolve().parents[1] / "data_tables"
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
CONDITIONAL_METRICS = ("accuracy", "accuracy_seed0", "accuracy_seed1", "size_bytes", "macs", "latency_ms")
MULTI_FIDELITY = ("asha", "hyperband")
AT = (25, 50, 100, 200)


def conditional():
    return read_table(TABLES / "conditional_fashion.csv.gz", CONDITIONAL_METRICS), "latency_ms"


def nas_bench_201():
    rows = []
    for line in read_lines(SHARED / "nb201_dev.csv.gz"):
        ops = re.findall(r"([a-z0-9_]+)~\d", line["arch"])
        # Cells without a path from input to output compute nothing.
        if float(line["cifar10_valacc_mean"]) > 10:
            metrics = {"accuracy": float(line["cifar10_valacc_mean"]) / 100, "latency_ms": float(line["lat_pixel3"])}
            rows.append(({f"edge{number}": op for number, op in enumerate(ops)}, metrics))
    return rows, "latency_ms"


def nas_bench_macro():
    rows = []
    for line in read_lines(SHARED / "nas_bench_macro_cifar10.csv.gz"):
        values = {f"layer{number}": int(block) for number, block in enumerate(line["arch"])}
        rows.append((values, {"accuracy": float(line["mean_acc"]) / 100, "params": float(line["params"])}))
    return rows, "params"


def read_lines(path):
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def tasks(rows, cheap):
    """(name, simulator) of the two tasks on a table."""
    space = space_of(rows)
    accuracy, cost = (np.array([metrics[name] for _, metrics in rows]) for name in ("accuracy", cheap))
    # Networks worse than the worst tenth, or dearer than all but the dearest hundredth, are no use to anyone.
    reference = {"accuracy": float(np.quantile(accuracy, 0.1)), cheap: float(np.quantile(cost, 0.99))}
    yield "front", Simulator(space, rows, ["accuracy", cheap], known=[cheap], reference=reference)
    limit = Limit(cheap, float(np.quantile(cost, 0.3)))
    yield "limit", Simulator(space, rows, ["accuracy"], limits=[limit], known=[cheap])


def why_not(peer):
    """Why an Optuna sampler cannot run here, or None."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        return "optuna is not installed (pip install optuna)"
    if peer == "gp":
        try:
            import torch  # noqa: F401
        except ImportError:
            return "torch is not installed, which Optuna's GP needs (pip install torch)"
    return None


def replay_peer(simulator, peer, num_trials, seed):
    """The same dict as `Simulator.replay`, of an Optuna sampler."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for category in (optuna.exceptions.ExperimentalWarning, FutureWarning):
        warnings.simplefilter("ignore", category)

    def excess(trial):
        metrics = simulator.metrics[trial.user_attrs["row"]]
        return [metrics[limit.metric] - limit.bound for limit in simulator.limits]

    constraints = {"constraints_func": excess} if simulator.limits else {}
    sampler = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed, **constraints),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed, population_size=20, **constraints),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed, **constraints),
    }[peer]()
    directions = ["maximize" if each.direction == "max" else "minimize" for each in simulator.objectives]
    study = optuna.create_study(directions=directions, sampler=sampler)
    rows, told = [], []

    def objective(trial):
        values = suggest(trial, simulator.space)
        rows.append(simulator.row_of(values))
        told.append(simulator.is_tabulated(values))
        trial.set_user_attr("row", rows[-1])
        return tuple(simulator.metrics[rows[-1]][each.metric] for each in simulator.objectives)

    start = time.perf_counter()
    study.optimize(objective, n_trials=num_trials)
    spent = time.perf_counter() - start
    outside = [any(limit.violation(simulator.metrics[row]) for limit in simulator.limits) for row in rows]
    return {
        "oracle": f"optuna:{peer}",
        "seed": seed,
        "rows": rows,
        **simulator.curves(rows),
        "num_nearest": told.count(False),
        "num_infeasible": sum(outside),
        "ms_per_trial": 1000 * spent / num_trials,
        "stopped": None,
    }


def suggest(trial, space):
    """Define-by-run: a hyperparameter is asked for only where it is live, evenly spaced numbers as numbers."""
    values = {}
    for gene in space.space:
        if gene.name in values or not all(condition.is_active(values) for condition in gene.conditions):
            continue
        options = sampling.options(gene)
        steps = set(np.diff(options).tolist()) if all(type(option) is int for option in options) else set()
        if len(steps) == 1:
            values[gene.name] = trial.suggest_int(gene.name, options[0], options[-1], step=steps.pop())
        else:
            values[gene.name] = trial.suggest_categorical(gene.name, options)
    return values


def run(simulator, args):
    replays = []
    for oracle in args.oracles:
        replays += simulator.compare([oracle], args.trials, args.seeds)
    for peer in args.peers:
        if why_not(peer) is None:
            replays += [replay_peer(simulator, peer, args.trials, seed) for seed in range(args.seeds)]
    return replays


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for name in catalogue.names() if name not in MULTI_FIDELITY]
    homes = {"conditional": conditional, "nas_bench_201": nas_bench_201, "nas_bench_macro": nas_bench_macro}
    parser.add_argument("--oracles", nargs="*", default=names)
    parser.add_argument("--peers", nargs="*", default=["tpe", "nsga2", "gp"], choices=["tpe", "nsga2", "gp"])
    parser.add_argument("--tables", nargs="*", default=list(homes), choices=list(homes))
    parser.add_argument("--tasks", nargs="*", default=["front", "limit"], choices=["front", "limit"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--json", type=pathlib.Path, help="also write all curves to this file")
    parser.add_argument("--pictures", type=pathlib.Path, help="also write a picture a task to this folder")
    args = parser.parse_args()
    for peer in args.peers:
        if why_not(peer):
            print(f"optuna:{peer} is left out: {why_not(peer)}.")
    curves = {}
    for table in args.tables:
        if table != "conditional" and not SHARED.is_dir():
            print(f"{table} is left out: there is no {SHARED}.")
            continue
        for task, simulator in tasks(*homes[table]()):
            if task not in args.tasks:
                continue
            replays = curves[f"{table}/{task}"] = run(simulator, args)
            print(f"\n{table}, {task}: {len(simulator.values)} networks, {args.seeds} seeds")
            print(comparison_text(replays, AT), flush=True)
            if args.pictures:
                picture = curves_picture(replays, "hypervolume" if task == "front" else "regret", first_trial=10)
                write_atomically(args.pictures / f"{table}_{task}.svg", picture.svg)
    if args.json:
        write_atomically(args.json, json.dumps(curves))


if __name__ == "__main__":
    main()
