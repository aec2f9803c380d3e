"""A clock that runs by what is done, a runtime that does what a file says, and real files."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import tflite_bench
from tflite_bench.job import Job
from tflite_bench.visits import Visit

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "tflite"
FOLDER = pathlib.Path(tflite_bench.__file__).resolve().parent

# It lies where the timing process looks for the first of its runtimes, and takes any content for a model.
RUNTIME = """
import os
import resource
import signal

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Interpreter:
    num_loaded = {}

    def __init__(self, model_content, num_threads):
        self.content = model_content
        self.num_loaded[model_content] = self.num_loaded.get(model_content, 0) + 1
        if model_content == b"refused":
            raise ValueError("not a model")

    def allocate_tensors(self):
        if self.content == b"custom op":
            raise RuntimeError("unresolved")

    def get_input_details(self):
        return []

    def get_output_details(self):
        return []

    def invoke(self):
        what, _, when = self.content.decode("latin-1").partition(" in visit ")
        if when and self.num_loaded[self.content] <= int(when):
            return
        if what.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, what))
        elif what == "abort":
            os.abort()
        elif what == "bad_alloc":
            os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\\n")
            os.abort()
        elif what == "exit":
            os._exit(3)
        elif what == "hang":
            while True:
                signal.pause()
        elif what == "memory":
            bytearray(1 << 33)
        elif what == "fail":
            raise RuntimeError("out of luck")
        elif what == "chatter":
            os.write(1, b'{"chatter": "native"}\\n')
            print("python")
"""


class Machine:
    """Time that passes only in invokes, visits and pauses.

    Attributes:
        now_ns: int, what the clock says.
        pauses_s: list of float, the pauses asked for.
        visits: list of (position, number of the visit to it).
        canary_ms: function of the time in seconds, what the canary takes then.
        guard: function of the time in seconds, what the guard takes then, in canaries.
    """

    def __init__(self):
        self.now_ns = 0
        self.pauses_s = []
        self.visits = []
        self.canary_ms = lambda now_s: 0.1
        self.guard = lambda now_s: 0.5

    def clock_ns(self):
        return self.now_ns

    @property
    def now_s(self):
        return self.now_ns / 1e9

    def sleep(self, seconds):
        self.pauses_s.append(seconds)
        self.now_ns += round(seconds * 1e9)

    def invoke(self, milliseconds):
        """A callable that takes so long each time; or as a function of the number of its calls says."""
        calls = []

        def invoke():
            calls.append(1)
            taken_ms = milliseconds(len(calls)) if callable(milliseconds) else milliseconds
            self.now_ns += round(taken_ms * 1e6)

        return invoke

    def visiting(self, *models, takes_s=0.01):
        """A function from a position to a Visit of one turn; a model is a function of the number of its visit to ms."""

        def visit(position):
            number = sum(index == position for index, _ in self.visits)
            self.visits.append((position, number))
            canary_ms, at_s = self.canary_ms(self.now_s), self.now_s
            guard = self.guard(at_s)
            self.now_ns += round(takes_s * 1e9)
            least_ms = models[position](number)
            return Visit(at_s, [least_ms, least_ms * 2], [[least_ms, canary_ms]], guard)

        return visit

    def probe(self):
        return self.canary_ms(self.now_s), self.guard(self.now_s)


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def model_path():
    path = SHARED / "tflm" / "hello_world_int8.tflite"
    if not path.exists():
        pytest.skip("../shared/data/tflite is absent")
    return path


@pytest.fixture
def made_up_runtime(tmp_path, monkeypatch):
    """Whatever process a test starts finds the runtime of this file before any other."""
    package = tmp_path / "runtime" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "interpreter.py").write_text(RUNTIME)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


@pytest.fixture
def files(tmp_path):
    """The function that writes contents and returns their paths."""

    def write(*contents):
        paths = []
        for number, content in enumerate(contents):
            paths.append(str(tmp_path / f"{number}.tflite"))
            pathlib.Path(paths[-1]).write_bytes(content)
        return paths

    return write


@pytest.fixture
def quick():
    """The function (paths, fields) -> Job that is over soon, and whose rounds do not depend on the load."""

    def job(paths, **fields):
        given = {"burst_ms": 0, "bursts": 1, "gap_ms": 0, "max_rounds": 3, "warmup": 0, "canary": False, **fields}
        return Job(models=tuple(str(path) for path in paths), **given)

    return job


@pytest.fixture
def bench():
    """The function (arguments, job, folder, cwd) -> completed process of the folder that is run as a program."""

    def run(*arguments, job=None, folder=FOLDER, cwd=None):
        return subprocess.run(
            [sys.executable, str(folder), *arguments],
            input=None if job is None else json.dumps(job),
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=120,
            check=False,
        )

    return run
