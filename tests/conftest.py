"""Shared by all tests: TensorFlow silenced before it is imported, the shared data found or skipped."""

import os
import pathlib
import tempfile

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # A process for each processor: threads of TensorFlow's own take half as much time again, for waking each other.
    for pool in ("INTRAOP", "INTEROP"):
        os.environ.setdefault(f"TF_NUM_{pool}_THREADS", "1")

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory):
    """No test reads or writes the cache, the device list or the pool of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "devices.json").write_text('{"version": 1, "devices": {}}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWKERAS_CACHE", str(folder / "cache"))
        patch.setenv("HWKERAS_STATE", str(folder / "state"))
        patch.setenv("HWKERAS_DEVICES", str(folder / "devices.json"))
        # The lock of this machine lies in the temporary folder: no test waits for somebody else's measurement, and
        # those that run side by side wait for each other's.
        temporary = tmp_path_factory.getbasetemp()
        temporary = (temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary) / "tmp"
        temporary.mkdir(exist_ok=True)
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", str(temporary))
        yield folder


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data sets beside the project."""
    path = SHARED / "data"
    if not path.is_dir():
        pytest.skip(f"needs the shared data sets at {path}")
    return path


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's digits in [0, 1], shuffled: x float32 (1797, 8, 8, 1), y int64 (1797,)."""
    import numpy as np
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return (images.reshape(-1, 8, 8, 1) / 16).astype("float32")[order], labels.astype("int64")[order]


def sample(space, rng):
    """Returns keras_tuner.HyperParameters with random values of the active hyperparameters alone."""
    import keras_tuner

    declared = keras_tuner.HyperParameters()
    space.declare(declared)
    hp = keras_tuner.HyperParameters()
    for parameter in declared.space:
        hp.merge([parameter])
        if hp.is_active(parameter):
            hp.values[parameter.name] = parameter.random_sample(rng.randrange(2**31))
    return hp


@pytest.fixture(scope="session")
def draw():
    """The function (space, random.Random) -> hyperparameters, drawn as keras-tuner's random search draws them."""
    return sample
