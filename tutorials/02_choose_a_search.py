# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Choose a search: which oracle is worth it, and when
#
# Author: the hwkeras developers<br>
# Date created: 2026/11/22<br>
# Last modified: 2026/11/22<br>
# Description: Replay every oracle on networks that are already trained, on a table and on a search of your own.
#
# ## Introduction
#
# An oracle decides what is trained next, and training is what a search costs. Which oracle spends it best need not be
# believed: a network that was trained once can be looked up. A `Simulator` lets oracles propose, answers from a table,
# and says how much of what there is to find each has found after so many trained models.
#
# ## Setup
#
# The table is that of a real conditional space: one to three stages, each with a type, a width, and, for two of the
# types, a kernel. A stage that is not there has no type, and a type that has no kernel to choose has none. Every
# network of it was trained, twice, on Fashion-MNIST at 14x14 pixels. It lies in the repository of hwkeras.

# %%
import os
import tempfile
from pathlib import Path

import keras_tuner as kt
from sklearn.datasets import load_digits

import hwkeras as hw
from hwkeras.testing.curves import comparison_text
from hwkeras.testing.curves import curves_picture
from hwkeras.testing.curves import mean_curves
from hwkeras.testing.simulator import Simulator

here = Path(globals().get("__file__", "notebook")).resolve()
repository = Path(os.environ.get("HWKERAS_REPOSITORY", here.parents[1]))
table = repository / "tests" / "data_tables" / "conditional_fashion.csv.gz"
columns = ["accuracy", "accuracy_seed0", "accuracy_seed1", "size_bytes", "macs", "latency_ms"]

# %% [markdown]
# ## 1. A front: accuracy against latency
#
# Latency, size and MACs follow from the architecture. The oracles are told them before they spend a trial, as in a
# real search. What counts is the share of the hypervolume of the true front; networks that are slower or less accurate
# than `reference` count nothing.

# %%
simulator = Simulator.from_table(
    table, ["accuracy", "latency_ms"], metrics=columns, reference={"accuracy": 0.7, "latency_ms": 2.0}
)
print(len(simulator.values), "networks,", f"{simulator.coverage():.0%} of the space; known:", *simulator.known)
replays = simulator.compare(num_trials=50, seeds=3)
print(comparison_text(replays, at=(12, 25, 50)))

# %% [markdown]
# The same as a picture: a line an oracle, the mean of its seeds.

# %%
curves_picture(replays, first_trial=5)

# %% [markdown]
# ![The share of the front's hypervolume each oracle has found, over 100 trained models, five seeds](oracles.svg)
#
# ## 2. One objective and a limit
#
# The most accurate network within 0.6 ms. Nothing outside is trained, whatever the oracle, because latency is known.
# Regret is the accuracy that is still missing.

# %%
within = Simulator.from_table(table, ["accuracy"], metrics=columns, limits=["latency=0.6ms"])
limited = within.compare(num_trials=40, seeds=2)
print(comparison_text(limited, at=(10, 20, 40)))
assert all(replay["num_infeasible"] == 0 for replay in limited)
curves_picture(limited, "regret", first_trial=5)

# %% [markdown]
# ## 3. A search of your own
#
# Any finished search can be replayed, one of plain keras-tuner too; only `objectives` must be told then. It is a coarse
# picture: a candidate that was not trained stands for the nearest that was, and with few trials all oracles look alike.
# The column `nearest` says how often that happened. Read off it whether the budget was well spent, and no more.

# %%
x, y = load_digits(return_X_y=True)


def build(hp):
    layers = [hw.keras.Input((64,)), hw.keras.layers.Rescaling(1 / 16)]
    for number in range(hp.Int("layers", 1, 3)):
        layers.append(hw.keras.layers.Dense(hp.Choice(f"units{number}", [8, 16, 32]), activation="relu"))
    model = hw.keras.Sequential([*layers, hw.keras.layers.Dense(10, activation="softmax")])
    model.compile(hw.keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


runs = Path(tempfile.mkdtemp())
tuner = kt.RandomSearch(build, "val_accuracy", max_trials=10, seed=0, directory=runs, project_name="mine")
tuner.search(x[:1000], y[:1000], validation_data=(x[1000:], y[1000:]), epochs=2, verbose=0)
mine = Simulator.from_run(runs / "mine", objectives=["val_accuracy"])
print(comparison_text(mine.compare(["random", "evolution"], num_trials=5, seeds=3), at=(2, 5)))

# %% [markdown]
# ## Which one, and when
#
# - `pareto`, the default, asks what is known before training of many candidates and trains the one it expects most of.
#   It is worth it wherever a trained model costs more than a second: a proposal costs milliseconds.
# - `evolution` needs no model of the space and costs next to nothing: for thousands of cheap trials.
# - `random` is what every other has to beat. In a space where most networks are good, or with a handful of trials, it
#   is hard to beat, and says so here. On the cells of NAS-Bench-201 that are among the fastest 30% (100 trials, ten
#   seeds, three devices) all the others came nearer to the best than it does, but for `evolution`, which was as far.
# - `hyperband` and `asha` choose how long to train. A table of finished trainings cannot judge them; they are worth it
#   where a few epochs already tell good from bad.
#
# Three seeds are few. Who is not ahead of `random` here, by the share of the front after the last trial:

# %%
means = mean_curves(replays)
behind = [oracle for oracle, shares in means.items() if oracle != "random" and shares[-1] <= means["random"][-1]]
print("not ahead of random on this table:", ", ".join(behind) or "none")
best = max(means, key=lambda oracle: means[oracle].mean())
print("chosen:", best)

# %% [markdown]
# ## Takeaways
#
# - Compare at the budget you have: the curves cross.
# - Limits on what is known before training cost no trial, with any oracle.
# - Measure on your own finished runs before you believe a ranking; an oracle of yours is a class passed to `compare`.
