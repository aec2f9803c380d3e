"""What importing tfmot must not do, each in a process of its own."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

LIGHT = """
import sys
import hwkeras.compress
heavy = {"tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "numpy"} & set(sys.modules)
assert not heavy, heavy
assert "twin" in dir(hwkeras.compress)
try:
    hwkeras.compress.nothing
except AttributeError as error:
    assert "has no attribute 'nothing'" in str(error)
else:
    raise SystemExit("no AttributeError")
"""

WHOLE = """
import os, subprocess, sys
import numpy as np
{first}
import keras
import hwkeras.compress
from hwkeras.compress import twin
x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
y = np.arange(32) % 2
def searched():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(x, y, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    return model
model = searched()
result = hwkeras.compress(model, "prune=0.5", (x, y), epochs=1, batch_size=8)
assert type(result.model).__module__.startswith("tf_keras"), type(result.model)
import tensorflow as tf
assert tf.keras.__version__.startswith("3."), tf.keras.__version__
assert os.environ.get("TF_USE_LEGACY_KERAS") == {variable!r}, os.environ.get("TF_USE_LEGACY_KERAS")
assert type(searched()).__module__.startswith("keras.")
child = "import tensorflow as tf; print(tf.keras.__version__)"
version = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout
assert version.startswith("3."), version
"""


def assert_runs(code, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    kept.update(environment, PYTHONPATH=str(ROOT), TF_CPP_MIN_LOG_LEVEL="3")
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_importing_the_room_loads_nothing_heavy():
    assert_runs(LIGHT)


@pytest.mark.parametrize("first", ["", "import tensorflow as tf"], ids=["keras_first", "tensorflow_first"])
def test_the_process_and_its_children_stay_on_keras_3(first):
    assert_runs(WHOLE.format(first=first, variable=None))


def test_a_variable_of_the_user_is_put_back():
    assert_runs(WHOLE.format(first="", variable="0"), TF_USE_LEGACY_KERAS="0")


SEARCHES = """
import os, pathlib, sys, tempfile
{first}
import hwkeras as hw
import keras, numpy as np
sys.path.insert(0, {tests!r})
from tiny_space import space
rng = np.random.default_rng(0)
x = rng.random((80, 8, 8, 1)).astype("float32")
y = np.arange(80) % 10
before = dict(os.environ)
def search(name):
    folder = pathlib.Path(tempfile.mkdtemp()) / name
    tuner = hw.HardwareTuner(space, max_trials=1, seed=0, directory=folder, device="fake", precision=("int8",))
    tuner.search(x, y, validation_data=(x, y), epochs=1, batch_size=16)
    return tuner
assert search("first").front()
model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
result = hw.compress(model, "prune=0.5+int8_qat", (x, y), epochs=1, batch_size=16)
returned = __import__("hwkeras.compress").compress.return_weights(hw.twin(model), model)
assert isinstance(returned, keras.Model)
import tensorflow as tf
assert tf.keras.__version__.startswith("3."), tf.keras.__version__
assert tf.keras.Model is keras.Model
changed = {{name for name in before | dict(os.environ) if before.get(name) != os.environ.get(name)}}
assert not changed - {{"TF_CPP_MIN_LOG_LEVEL", "TF2_BEHAVIOR"}}, changed
assert search("second").front()
assert isinstance(tf.keras.Sequential([]), keras.Model)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    ["", "import tensorflow as tf", "import hwkeras.compress\nhwkeras.compress.twin"],
    ids=["hwkeras_first", "tensorflow_first", "compress_first"],
)
def test_a_second_search_works_after_a_compression(first):
    assert_runs(SEARCHES.format(first=first, tests=str(ROOT / "tests" / "cli")))
