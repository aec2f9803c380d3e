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
# # Measure on a device: a latency that can be trusted
#
# Author: the hwkeras developers<br>
# Date created: 2026/11/22<br>
# Last modified: 2026/11/22<br>
# Description: Time `.tflite` files, compare two of them, look inside one, estimate for a board that is not here.
#
# ## Introduction
#
# The mean of fifty runs says more of the neighbors of a process than of the network. `hwkeras` visits all files of a
# job in a random order, round after round, with a pause between, in turn with a reference network, the canary. It takes
# the least times of each turn, at the canary's usual speed, and drops rounds in which the canary was disturbed. The
# same works on this machine, over ssh, over adb, and needs nothing of the search.
#
# ## Setup
#
# Two networks that differ by one layer, converted; any `.tflite` file will do.

# %%
import hwkeras as hw
from hwkeras.convert import convert_untrained

keras = hw.keras


def network(filters):
    layers = [keras.Input((28, 28, 1)), keras.layers.Conv2D(filters, 3, strides=2, activation="relu")]
    layers += [keras.layers.DepthwiseConv2D(3, activation="relu"), keras.layers.Conv2D(32, 1, activation="relu")]
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])


small = convert_untrained(network(16), ["float32", "int8"])
large = convert_untrained(network(32), ["float32", "int8"])

# %% [markdown]
# ## 1. One file
#
# `latency_ms` is the undisturbed case, `sustained_ms` the median of the rounds as they came, `spread` how far the two
# best rounds lie apart. `status` is `ok`, or says why the figure should not be trusted (`noisy`, `throttled`,
# `unstable`), or why there is none (`timeout`, `crashed:SIGABRT`, `out_of_memory`, `error`, `lost`). The raw rounds and
# the environment are kept.

# %%
measurement = hw.benchmark(small["int8"], device="local", num_threads=1)
print(f"{measurement.latency_ms:.4f} ms, sustained {measurement.sustained_ms:.4f} ms, {measurement.status}")
print(len(measurement.rounds), "rounds on", measurement.environment["cpu_model"])

# %% [markdown]
# ## 2. Two files: faster, slower, or not distinguishable
#
# Only files of one job are compared: they met the same neighbors. The same file twice cannot be told apart, and that is
# what `compare` says.

# %%
meter = hw.open_meter("local")
first, again, larger = meter.measure([small["int8"], small["int8"], large["int8"]])
print("the same file:", hw.compare(first, again).verdict)
print("twice the filters:", hw.compare(larger, first).verdict)

# %% [markdown]
# ## 3. Where the time goes
#
# The time of each operator, from the runtime's own profiler where it can be had.

# %%
profile = hw.profile(large["float32"])
for op in sorted(profile.ops, key=lambda op: -op.time_ms)[:4]:
    print(f"{op.share:6.1%}  {op.op}")

# %% [markdown]
# ## 4. Other devices
#
# The name of a device is all that changes. Over ssh and adb the bench folder and the files are pushed once, under the
# hash of their bytes; the device needs Python with numpy and a TFLite runtime, or a `benchmark_model` binary of yours.
#
#     hwkeras bench model.tflite --device ssh://pi@raspberrypi.local
#     hwkeras bench model.tflite --device adb://0123456789
#     hwkeras devices
#
# Several devices of a kind go into `~/.config/hwkeras/devices.json`, `{"version": 1, "devices": {"rpi4":
# ["ssh://pi@a", "ssh://pi@b"]}}`, and `--device rpi4` takes whichever is free. A fake device answers with latencies
# that follow from the bytes, to try things out:

# %%
fake = hw.open_meter("fake")
print("fake:", [round(m.latency_ms, 4) for m in fake.measure([small["int8"], large["int8"]])])

# %% [markdown]
# ## 5. A board that is not here
#
# The hardware database knows what fits and estimates a latency. An estimate is always labelled as one.

# %%
board = hw.open_meter("stm32f746")
(estimate,) = board.measure([small["int8"]])
print(f"{estimate.latency_ms:.3f} ms on a Cortex-M7, {estimate.source}")
assert estimate.source == "estimated" and measurement.source == "measured"

# %% [markdown]
# ## Takeaways
#
# - A latency comes with its rounds, its spread, its status and its environment; without them it is a rumor.
# - Compare files that were measured side by side.
# - An estimate decides what is worth trying, a measurement what ships.

# %%
fastest = min(("small", first), ("large", larger), key=lambda pair: pair[1].latency_ms)[0]
print("chosen:", fastest)
