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


def assert_runs(code, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    kept.update(environment, PYTHONPATH=str(ROOT), TF_CPP_MIN_LOG_LEVEL="3")
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_importing_the_room_loads_nothing_heavy():
    assert_runs(LIGHT)


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
# Children are given these, and a user may have set the variable that tfmot sets.
changed = {{name for name in before | dict(os.environ) if before.get(name) != os.environ.get(name)}}
assert not changed - {{"TF_CPP_MIN_LOG_LEVEL", "TF2_BEHAVIOR"}}, changed
assert search("second").front()
assert isinstance(tf.keras.Sequential([]), keras.Model)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "environment"),
    [
        ("", {"TF_USE_LEGACY_KERAS": "0"}),
        ("import tensorflow as tf", {}),
        ("import hwkeras.compress\nhwkeras.compress.twin", {}),
    ],
    ids=["hwkeras_first_variable_set", "tensorflow_first", "compress_first"],
)
def test_a_second_search_works_after_a_compression(first, environment):
    assert_runs(SEARCHES.format(first=first, tests=str(ROOT / "tests" / "cli")), **environment)
