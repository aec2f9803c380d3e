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
# # A sensor: sequences, and people nobody trained on
#
# Author: the hwkeras developers<br>
# Date created: 2026/11/22<br>
# Last modified: 2026/11/22<br>
# Description: Recognize motion from a wrist, score it on other wrists, and ship a few KiB.
#
# ## Introduction
#
# Windows of one person look alike. A network that is validated on windows of people it was trained on seems better than
# it is, and so does the search that chose it. `groups_train` says whom each window is of: nobody is then on both sides
# of the validation split.
#
# ## Setup
#
# Ten people with a smartwatch (six channels, 50 Hz, seven exercises) where the data lie beside the repository, else
# motions made here: the code says which.

# %%
import os
import pathlib

import numpy as np

import hwkeras as hw
from hwkeras.convert import score

here = pathlib.Path(globals().get("__file__", "notebook")).resolve()
repository = pathlib.Path(os.environ.get("HWKERAS_REPOSITORY", here.parents[1]))
recordings = repository.parent / "shared" / "data" / "watch_har.npz"


def watch():
    with np.load(recordings) as arrays:
        return arrays["x"].astype("float32"), arrays["y"], arrays["subject"]


def made(number=800):
    """Four motions of ten people, each with a tempo and a strength of their own."""
    rng = np.random.default_rng(0)
    y, person = rng.integers(0, 4, number), rng.integers(1, 11, number)
    tempo, strength = rng.uniform(0.8, 1.2, 11)[person], rng.uniform(0.5, 1.5, 11)[person]
    time = np.arange(128)[None] / 50 * tempo[:, None] * (1 + y[:, None] % 2) + rng.uniform(0, 1, (number, 1))
    wave = strength[:, None] * np.where(y[:, None] < 2, np.sin(6 * time), np.sign(np.sin(6 * time)))
    x = np.stack([wave, np.roll(wave, 8, axis=1)], axis=2) + rng.normal(0, 0.3, (number, 128, 2))
    return x.astype("float32"), y, person


print("data:", "watches" if recordings.is_file() else "motions made here")
x, y, person = watch() if recordings.is_file() else made()
unseen = np.isin(person, [1, 6])
train = {"x_train": x[~unseen], "y_train": y[~unseen], "groups_train": person[~unseen]}
np.savez("motion.npz", **train, x_test=x[unseen], y_test=y[unseen])

# %% [markdown]
# ## 1. Read
#
# Each channel is standardized by the training part; the manifest says by how much.

# %%
data = hw.load_dataset("motion.npz", kind="sequence")
print(data.input_shape, data.num_classes, "classes;", len(data.x_train), "to train,", len(data.x_valid), "to validate")

# %% [markdown]
# ## 2. The space
#
# Convolutions over time, as images of one row: every runtime has kernels for these.

# %%
space = hw.spaces.Sequence(data.input_shape, data.num_classes, stages=2)
print(space.describe().splitlines()[0])

# %% [markdown]
# ## 3. The search
#
# On the command line: `hwkeras search motion.npz --space sequence --limit size=20KiB`. Three networks are enough here.

# %%
tuner = hw.HardwareTuner(
    space, limits=["size=20KiB"], precision="int8", max_trials=3, seed=0, directory="runs/sensor", overwrite=True
)
valid = (data.x_valid, data.y_valid)
tuner.search(data.x_train, data.y_train, validation_data=valid, epochs=8, batch_size=32)
best = tuner.best()
content = (tuner.run.directory / best.file).read_bytes()
print("accuracy on people nobody trained on:", round(score(content, data.x_test, data.y_test), 3))

# %% [markdown]
# ## Takeaways
#
# - Say whom a sample is of, and the validation figure means something.
# - A sequence network is a two-dimensional one of height 1; compression and measurement take it as any other.

# %%
print("chosen:", f"{best.metrics['size_bytes'] / 1024:.1f} KiB,", f"{best.metrics['latency_ms']:.3f} ms")
