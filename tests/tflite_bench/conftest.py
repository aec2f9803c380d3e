"""A clock that runs by what is done, and real files."""

import pathlib

import pytest

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "tflite"


class Machine:
    """Time that passes only in invokes and pauses; each model takes the next of its times."""

    def __init__(self):
        self.now_ns = 0
        self.visits = []
        self.pauses_s = []

    def clock_ns(self):
        return self.now_ns

    def sleep(self, seconds):
        self.pauses_s.append(seconds)
        self.now_ns += round(seconds * 1e9)

    def model(self, name, milliseconds):
        """A callable that takes `milliseconds(number_of_the_round)` each time; a round ends with a pause."""

        def invoke():
            visit = (len(self.pauses_s), name)
            if not self.visits or self.visits[-1] != visit:
                self.visits.append(visit)
            self.now_ns += round(milliseconds(1 + len(self.pauses_s)) * 1e6)

        return invoke


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def model_path():
    path = SHARED / "tflm" / "hello_world_int8.tflite"
    if not path.exists():
        pytest.skip("../shared/data/tflite is absent")
    return path
