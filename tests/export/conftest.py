"""One tiny trained network, converted once, a bundle of it, and a meter that answers at once."""

import dataclasses
import datetime
import hashlib

import numpy as np
import pytest

from hwkeras.export import BundleSource
from hwkeras.export import write_bundle
from hwkeras.measure import Measurement
from hwkeras.space import Architecture
from hwkeras.space import Layer

ENVIRONMENT = {
    "cpu_model": "Cortex-A72",
    "num_usable_cores": 4,
    "runtime": "ai_edge_litert",
    "runtime_version": "2.3.0",
}
NUM_CLASSES = 3
LAYERS = (
    Layer("image", "input", (), {"shape": (6, 6, 1)}),
    Layer("stem", "conv", ("image",), {"filters": 4}),
    Layer("flat", "flatten", ("stem",), {}),
    Layer("head", "classifier", ("flat",), {"classes": NUM_CLASSES}),
)


def measurement_of(flatbuffer, latency_ms=0.2, status="ok", environment=ENVIRONMENT, num_threads=1, message=""):
    """A measurement as a device would give it."""
    is_measured = latency_ms is not None
    return Measurement(
        sha256=hashlib.sha256(flatbuffer).hexdigest(),
        latency_ms=latency_ms,
        sustained_ms=latency_ms,
        p90_ms=latency_ms,
        rounds=({"num_invokes": 10, "min_ms": latency_ms}, {"num_invokes": 9, "min_ms": latency_ms}),
        status=status,
        partitions=1 if is_measured else None,
        first_ms=1.0 if is_measured else None,
        load_ms=2.0,
        environment=dict(environment),
        num_threads=num_threads,
        message=message,
    )


class ScriptedMeter:
    """Answers with the given latencies, one a call; the last one for ever. An error among them is raised."""

    def __init__(self, *answers, **fields):
        self.answers = list(answers)
        self.fields = fields
        self.calls = 0

    def measure(self, flatbuffers):
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return tuple(measurement_of(content, answer, **self.fields) for content in flatbuffers)

    def describe(self):
        return {"device": "scripted", "cpu": ENVIRONMENT["cpu_model"], **ENVIRONMENT}


@pytest.fixture(scope="session")
def measured():
    """The function `measurement_of`."""
    return measurement_of


@pytest.fixture(scope="session")
def scripted():
    """The class `ScriptedMeter`."""
    return ScriptedMeter


@pytest.fixture(scope="session")
def trained():
    """(keras model, x, y): three classes, sorted, told apart by which third of the image is bright."""
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(NUM_CLASSES), 40)
    x = rng.random((len(y), 6, 6, 1)).astype("float32") * 0.5
    for index, label in enumerate(y):
        x[index, 2 * label : 2 * label + 2] += 0.5
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(NUM_CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=4, batch_size=16, verbose=0)
    return model, x, y


@pytest.fixture(scope="session")
def converted(trained):
    """dict of precision to bytes."""
    from hwkeras.convert import convert_all

    model, x, _ = trained
    return {name: file.flatbuffer for name, file in convert_all(model, ("float32", "int8"), x).items()}


@pytest.fixture(scope="session")
def source(trained, converted):
    """The int8 file with everything a search knows of it."""
    from hwkeras.measure import analyze

    model, x, y = trained
    flatbuffer = converted["int8"]
    analysis = analyze(flatbuffer)
    return BundleSource(
        flatbuffer=flatbuffer,
        precision="int8",
        model=model,
        metrics={"accuracy": 0.975, "latency_ms": 0.2, "val_accuracy": np.float32(0.5), **analysis.metrics()},
        measurement=measurement_of(flatbuffer),
        analysis=analysis,
        architecture=Architecture(LAYERS),
        hyperparameters={"width": np.int64(4), "activation": "relu", "se": False},
        seed=0,
        data_fingerprint="8f3a91c2",
        preprocessing={"scale": 1 / 255},
        class_names=("top", "middle", "bottom"),
        limits=("latency=5ms", "size=200KiB"),
        check_x=x,
        check_y=y,
    )


@pytest.fixture
def variant(source):
    """A function that returns the source with some fields changed."""
    return lambda **changes: dataclasses.replace(source, **changes)


@pytest.fixture
def bundle(source, tmp_path):
    """A bundle of the source, created at noon."""
    noon = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.timezone.utc)
    return write_bundle(tmp_path / "bundle", source, clock=lambda: noon)
