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
# # A keyword spotter: sounds as pictures
#
# Author: the hwkeras developers<br>
# Date created: 2026/11/22<br>
# Last modified: 2026/11/22<br>
# Description: From waveforms to a network of a few KiB that tells spoken digits apart, front end included.
#
# ## Introduction
#
# A sound of a second is thousands of samples; what tells words apart is how its energy lies over frequencies and
# changes with time. `kind="audio"` turns waveforms into such pictures (`hwkeras.data.LogMel`), one way for training and
# for the device, and writes the numbers into the manifest. The rest is a search over image networks.
#
# ## Setup
#
# The Free Spoken Digit Dataset where it lies beside the repository, else tones made here: the code says which.

# %%
import os
import pathlib

import numpy as np

import hwkeras as hw

RATE = 8000
here = pathlib.Path(globals().get("__file__", "notebook")).resolve()
repository = pathlib.Path(os.environ.get("HWKERAS_REPOSITORY", here.parents[1]))
recordings = repository.parent / "shared" / "data" / "fsdd.npz"


def spoken():
    """The first second of each recording; takes below 5 are the official test part."""
    with np.load(recordings) as arrays:
        sounds, ends = arrays["audio"], arrays["offsets"]
        cut = [sounds[a:b][:RATE] for a, b in zip(ends[:-1], ends[1:], strict=True)]
        x = np.stack([np.pad(sound, (0, RATE - len(sound))) for sound in cut])
        return x, arrays["label"], arrays["take"] < 5


def tones(number=600):
    """Ten tones that glide up or down, in noise."""
    rng = np.random.default_rng(0)
    y, time = rng.integers(0, 10, number), np.arange(RATE) / RATE
    start, slope = 300 + 200 * (y % 5), np.where(y < 5, 600, -200)
    phase = 2 * np.pi * (start[:, None] * time + slope[:, None] * time**2 / 2)
    x = rng.uniform(0.05, 0.5, (number, 1)) * np.sin(phase) + rng.normal(0, 0.05, (number, RATE))
    return (x * 32000).clip(-32768, 32767).astype("int16"), y, np.arange(number) % 5 == 0


print("data:", "spoken digits" if recordings.is_file() else "tones made here")
x, y, held_out = spoken() if recordings.is_file() else tones()
parts = {"x_train": x[~held_out], "y_train": y[~held_out], "x_test": x[held_out], "y_test": y[held_out]}
np.savez("sounds.npz", **parts, sample_rate=RATE)

# %% [markdown]
# ## 1. Waveforms become pictures
#
# A folder of class folders with `.wav` files is read the same way.

# %%
data = hw.load_dataset("sounds.npz", kind="audio")
front_end = data.preprocessing["front_end"]
print(data.input_shape, "from", front_end["num_mels"], "bands, a frame each", front_end["hop_ms"], "ms")

# %% [markdown]
# ## 2. The search
#
# On the command line: `hwkeras search sounds.npz --space audio --limit size=40KiB --limit peak_ram=64KiB`. Three
# networks of a small space are enough here.

# %%
space = hw.spaces.Image(
    data.input_shape, data.num_classes, stages=2, depths=(1, 2), widths=(8, 16, 24), layer_types=("conv", "residual")
)
tuner = hw.HardwareTuner(
    space,
    limits=["size=40KiB", "peak_ram=64KiB", "latency=1ms"],
    precision="int8",
    max_trials=3,
    seed=0,
    directory="runs/audio",
    overwrite=True,
)
valid = (data.x_valid, data.y_valid)
tuner.search(data.x_train, data.y_train, validation_data=valid, epochs=6, batch_size=32)
best = tuner.best()

# %% [markdown]
# ## 3. On sounds nobody has seen
#
# The score of the bytes that ship, on the test part.

# %%
from hwkeras.convert import score

content = (tuner.run.directory / best.file).read_bytes()
print("test accuracy of the int8 file:", round(score(content, data.x_test, data.y_test), 3))
bundle = tuner.export("keyword_bundle", best, overwrite=True)
print(sorted(path.name for path in bundle.iterdir()))

# %% [markdown]
# ## Takeaways
#
# - The front end is part of what ships: its numbers stand in the manifest, `hwkeras.data.LogMel` computes it anywhere.
# - A limit on RAM turns networks away before they are trained.
# - Voices that nobody has heard are harder: name the speakers as `groups_train`, and search with `--folds 5` and
#   `--augment loudness`.

# %%
print("chosen:", f"{best.metrics['size_bytes'] / 1024:.1f} KiB,", f"{best.metrics['latency_ms']:.3f} ms")
