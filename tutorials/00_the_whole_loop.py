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
# # The whole loop: from a data set to a model that ships
#
# Author: the hwkeras developers<br>
# Date created: 2026/11/21<br>
# Last modified: 2026/11/21<br>
# Description: Search a space of image networks, choose from the front, export, verify.
#
# ## Introduction
#
# A network that will run on a device is not done when it is accurate. It has to fit the flash, its activations have to
# fit the RAM, and it has to answer in time, and all of that is true of the `.tflite` file, not of the Keras model.
# `hwkeras` searches with the file in hand: what is scored and timed are the bytes that ship.
#
# ## Setup

# %%
import tempfile
from pathlib import Path

import keras_tuner as kt

import hwkeras as hw

runs = Path(tempfile.mkdtemp())
data = hw.load_dataset("digits", seed=0)  # 8x8 images of ten digits; a fifth is kept for validation
print(data.x_train.shape, data.x_valid.shape, data.num_classes)

# %% [markdown]
# ## 1. What may vary
#
# A space says which networks there are: layer types, depth and width of each stage, kernels, the head. Everything has a
# default for the input's size; here it is narrowed to keep this tutorial short. A space is a `kt.HyperModel`.

# %%
space = hw.spaces.Image(
    input_shape=data.input_shape,
    num_classes=data.num_classes,
    stages=2,
    layer_types=("conv", "separable_conv", "inverted_bottleneck"),
    depths=(1, 2),
    widths=(8, 16, 24),
    kernels=(3,),
)
hp = kt.HyperParameters()
space.declare_hyperparameters(hp)
print(len(hp.space), "hyperparameters; the first network:", space.architecture(hp).summary())

# %% [markdown]
# ## 2. Search within limits
#
# The limits are those of a small board. Size, RAM and latency are known before a network is trained: one outside the
# limits is turned away and costs no trial. `search` takes what `model.fit` takes.

# %%
tuner = hw.HardwareTuner(
    space,
    objectives=["accuracy", "latency_ms"],
    limits=["size=40KiB", "peak_ram=32KiB", "latency=5ms"],
    precision=("float32", "int8"),
    max_trials=4,
    seed=0,
    directory=runs / "first",
)
tuner.search(
    data.x_train,
    data.y_train,
    validation_data=(data.x_valid, data.y_valid),
    epochs=12,
    batch_size=64,
)

# %% [markdown]
# ## 3. Choose
#
# The front holds the files that no other one beats in both objectives. `best` takes the most accurate within a limit.
# Without any limit, here or in the search, it takes the knee of the front.

# %%
for candidate in tuner.front():
    metrics = candidate.metrics
    print(
        f"{candidate.precision:8} accuracy {metrics['accuracy']:.4f}  {metrics['latency_ms'] * 1000:6.1f} us  "
        f"{metrics['size_bytes'] / 1024:5.1f} KiB  {candidate.architecture}"
    )
best = tuner.best(size="30KiB")
print("chosen:", best.precision, best.architecture)
assert best.metrics["accuracy"] > 0.8

# %% [markdown]
# ## 4. Ship
#
# A bundle holds the file, the Keras model, a C array for microcontrollers, and a manifest with every number, how it was
# measured, and the hash of every file. `verify` re-hashes, re-analyzes, re-runs and re-measures.

# %%
bundle = tuner.export(runs / "bundle", best)
print(sorted(path.name for path in bundle.iterdir()))
verification = hw.verify(bundle, latency_tolerance=2.0)  # the default, 0.25, asks for a quiet machine
for check in verification.checks:
    print("ok  " if check.ok else "FAIL", check.name)
assert verification.ok

# %% [markdown]
# ## 5. Only the latency, in a tuner you already have
#
# `LatencyCallback` needs nothing else of hwkeras: any keras-tuner search can minimize what the device will see.

# %%
random = kt.RandomSearch(
    space, objective=kt.Objective("latency_ms", "min"), max_trials=2, seed=0, directory=runs, project_name="plain"
)
random.search(
    data.x_train,
    data.y_train,
    validation_data=(data.x_valid, data.y_valid),
    epochs=1,
    verbose=0,
    callbacks=[hw.LatencyCallback(precision="int8")],
)
print("fastest:", random.oracle.get_best_trials(1)[0].score, "ms")

# %% [markdown]
# ## Takeaways
#
# - A limit is kept by construction: nothing that breaks it is trained.
# - Accuracy and latency belong to a file, in a precision. Int8 is not always faster: look at the front.
# - A run can be killed and goes on: make the tuner again with the same directory.
