"""The arena by its planner, against layouts worked out by hand and against what TFLite-Micro really took."""

import json
import pathlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.hardware import estimate_arena
from hwkeras.hardware.arena import planned_bytes

TFLITE = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "tflite"


def test_nothing_needs_nothing():
    assert planned_bytes([]) == 0


def test_buffers_that_never_meet_share_a_place():
    assert planned_bytes([(64, 0, 1), (64, 2, 3)]) == 64
    assert planned_bytes([(64, 0, 1), (64, 1, 2)]) == 128


def test_the_greedy_planner_leaves_a_hole():
    # 100 meets 60, 60 meets 70: 60 must lie above both, though 160 bytes at most are alive at once.
    assert planned_bytes([(96, 0, 1), (64, 1, 2), (80, 2, 3)]) == 160
    # The last of equals is placed first, so the first finds the place below it too small.
    assert planned_bytes([(48, 0, 1), (32, 1, 2), (32, 2, 3), (64, 3, 4)]) == 128


buffers = st.lists(
    st.tuples(st.integers(1, 100), st.integers(0, 10), st.integers(0, 4)).map(lambda b: (b[0], b[1], b[1] + b[2])),
    max_size=12,
)


@given(buffers)
def test_between_the_peak_and_the_sum(given_buffers):
    alive = [sum(size for size, first, last in given_buffers if first <= time <= last) for time in range(16)]
    assert max(alive) <= planned_bytes(given_buffers) <= sum(size for size, _, _ in given_buffers)


def tensor(num_bytes, shape=(1,), dtype="INT8", data_bytes=0, is_variable=False):
    return SimpleNamespace(
        num_bytes=num_bytes, shape=shape, dtype=dtype, data_bytes=data_bytes, is_variable=is_variable
    )


def test_tail_by_hand():
    convolution = SimpleNamespace(op="CONV_2D", inputs=(0, 1, -1), outputs=(2,))
    memory = SimpleNamespace(op="SVDF", inputs=(2, 3), outputs=(4,))
    tensors = (
        tensor(30),
        tensor(72, (8, 3, 3, 1), data_bytes=72),
        tensor(100),
        tensor(20, is_variable=True),
        tensor(10),
    )
    graph = SimpleNamespace(tensors=tensors, operators=(convolution, memory), inputs=(0,), outputs=(4,))
    arena = estimate_arena(graph)
    assert arena.tail_bytes == 800 + 5 * 40 + 2 * 128 + 8 * 8 + 32
    assert arena.head_bytes == 144  # 32 and 112 meet, then 112 and 16
    assert arena.total_bytes == arena.head_bytes + arena.tail_bytes
    assert (arena.unknown, arena.label) == (("SVDF",), "estimate")


@pytest.mark.parametrize(("dtype", "head_bytes"), [("INT8", 112 + 32 + 80), ("FLOAT32", 112 + 32)])
def test_quantized_means_are_summed_aside(dtype, head_bytes):
    mean = SimpleNamespace(op="MEAN", inputs=(0,), outputs=(1,))
    tensors = (tensor(100, (1, 5, 20), dtype), tensor(20, (1, 20), dtype))
    graph = SimpleNamespace(tensors=tensors, operators=(mean,), inputs=(0,), outputs=(1,))
    assert estimate_arena(graph).head_bytes == head_bytes
    assert estimate_arena(graph).to_json()["total_bytes"] == estimate_arena(graph).total_bytes


@pytest.mark.skipif(not (TFLITE / "reference.json").exists(), reason="needs the shared reference files")
def test_against_the_real_arena_of_the_reference_files():
    from hwkeras.measure.graph import read_graphs

    slack = {}
    for name, figures in json.loads((TFLITE / "reference.json").read_text()).items():
        if "tflm_arena" not in figures:
            continue
        arena = estimate_arena(read_graphs((TFLITE / name).read_bytes())[0])
        real = figures["tflm_arena"]
        assert arena.tail_bytes >= real["tail"], name
        if not arena.unknown:
            assert arena.head_bytes == real["head"], name
            slack[name] = (arena.total_bytes - real["total"]) / real["total"]
    assert len(slack) >= 10
    assert sorted(slack.values())[len(slack) // 2] < 0.1
