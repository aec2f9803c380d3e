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
# # A space of your own
#
# Author: the hwkeras developers<br>
# Date created: 2026/11/22<br>
# Last modified: 2026/11/22<br>
# Description: From a build function to typed layers whose cost is known before anything is built.
#
# ## Introduction
#
# Any `build(hp)` that returns a compiled Keras model can be searched. Of typed layers the search knows more: the cost
# of a network is bounded before it is built, and values that can never fit a limit are taken out of the space.
#
# ## Setup
#
# Digits drawn in the air with a wand (160 points of two coordinates) where the data lie beside the repository, else
# strokes made here: the code says which.

# %%
import os
import pathlib

import keras
import numpy as np

import hwkeras as hw
from hwkeras.convert import score
from hwkeras.search.space_lint import lint_space
from hwkeras.space import Choice
from hwkeras.space import Draft
from hwkeras.space import Menu

here = pathlib.Path(globals().get("__file__", "notebook")).resolve()
repository = pathlib.Path(os.environ.get("HWKERAS_REPOSITORY", here.parents[1]))
strokes = repository.parent / "shared" / "data" / "magic_wand_digits.npz"


def drawn():
    with np.load(strokes) as arrays:
        return arrays["x"], arrays["y"].astype(int)


def made(number=800):
    """Four figures, each drawn at a tempo of its own."""
    rng = np.random.default_rng(0)
    y, tempo, turn = rng.integers(0, 4, number), rng.uniform(0.8, 1.2, (number, 1)), rng.normal(0, 0.2, (number, 1))
    phase = np.linspace(0, 2 * np.pi, 160)[None] * tempo
    across, up = np.sin(phase * (1 + y[:, None] % 2) + turn), np.cos(phase * (1 + y[:, None] // 2) + turn)
    return (np.stack([across, up], axis=2) + rng.normal(0, 0.05, (number, 160, 2))).astype("float32"), y


print("data:", "strokes of a wand" if strokes.is_file() else "strokes made here")
x, y = drawn() if strokes.is_file() else made()
is_test = np.arange(len(x)) % 5 == 0
np.savez("strokes.npz", x_train=x[~is_test], y_train=y[~is_test], x_test=x[is_test], y_test=y[is_test])
data = hw.load_dataset("strokes.npz", kind="sequence")

# %% [markdown]
# ## 1. A function, tried out
#
# The linter draws networks and checks that each builds, converts, answers as Keras does, and can be compressed. On the
# command line: `hwkeras lint-space my_space.py:build`.


# %%
def build(hp):
    layers = [keras.Input(data.input_shape), keras.layers.Reshape((160, 2, 1))]
    layers += [keras.layers.Conv2D(hp.Choice("filters", [4, 8]), (9, 2), strides=(4, 2), activation="relu")]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(data.num_classes, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


print(lint_space(build, 2, precisions=["float32", "int8"]))

# %% [markdown]
# ## 2. Typed layers
#
# A space is an object with `declare(hp)` and `architecture(hp)`. `Menu` holds the choices, `reach` is asked for only
# with a second branch; `Draft` writes the network, and refuses what does not fit together at once.


# %%
class Strokes:
    """Convolutions over time in one branch, or in two of different reach."""

    def __init__(self, input_shape, num_classes):
        self.input_shape, self.num_classes = input_shape, num_classes
        self.menu = Menu(
            [Choice("width", (8, 12, 16)), Choice("blocks", (1, 2, 3)), Choice("branches", (2, 1))]
            + [Choice("reach", (9, 15), conditions=(("branches", (2,)),))]
        )

    def declare(self, hp):
        self.menu.declare(hp)

    def architecture(self, hp):
        chosen, draft = self.menu.read(hp), Draft(self.input_shape)
        draft.append("row", "reshape", shape=(1, *self.input_shape))
        draft.append("stem", "conv", filters=chosen["width"], kernel=(1, 9), stride=2)
        for number in range(chosen["blocks"]):
            source, shared = (draft.last,), {"filters": chosen["width"], "stride": 2}
            near = draft.append(f"near{number}", "separable_conv", source, kernel=(1, 3), **shared)
            if chosen["branches"] == 2:
                far = draft.append(f"far{number}", "separable_conv", source, kernel=(1, chosen["reach"]), **shared)
                draft.append(f"both{number}", "concat", (near, far))
        draft.append("pool", "global_average_pool")
        draft.append_head(self.num_classes)
        return draft.finish()


space = Strokes(data.input_shape, data.num_classes)
print(lint_space(space, 2, precisions=["float32", "int8"]))

# %% [markdown]
# ## 3. The search

# %%
tuner = hw.HardwareTuner(
    space, limits=["size=10KiB"], precision="int8", max_trials=4, seed=0, directory="runs/strokes", overwrite=True
)
tuner.search(data.x_train, data.y_train, validation_data=(data.x_valid, data.y_valid), epochs=12, batch_size=32)
best = tuner.best()
content = (tuner.run.directory / best.file).read_bytes()
print("accuracy on strokes that no network saw:", round(score(content, data.x_test, data.y_test), 3))

# %% [markdown]
# ## Takeaways
#
# - Try a space out before a search: a layer that does not convert is found in seconds, not at night. In pytest:
#   `hwkeras.testing.SpaceConformance`.

# %%
print("chosen:", best.architecture, f"{best.metrics['size_bytes'] / 1024:.1f} KiB, {best.metrics['latency_ms']:.3f} ms")
