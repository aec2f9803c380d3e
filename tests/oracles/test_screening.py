import math

from hwkeras.objectives import Limit
from hwkeras.oracles.screening import Screening


def screening(*limits):
    return Screening([Limit.parse(limit) for limit in limits])


def test_within_the_limits():
    screen = screening("size=1KiB", "latency=5ms")
    assert screen.accepts({"a": 1}, {"size_bytes": 1024, "latency_ms": 5.0})
    assert screen.accepts({"a": 2}, {}), "what is not known cannot be held against a candidate"
    assert (screen.num_rejected, screen.near_misses) == (0, [])
    assert screen.nearest == {"size_bytes": 1024.0, "latency_ms": 5.0}


def test_near_misses_are_kept_by_violation():
    screen = screening("size=1KiB")
    for size in (4096, 2048, 3072, 2048):
        assert not screen.accepts({"size": size}, {"size_bytes": size})
    assert [miss["values"]["size"] for miss in screen.near_misses] == [2048, 3072, 4096]
    assert screen.least_violation == 1.0
    assert screen.num_rejected == 4


def test_only_the_nearest_are_kept():
    screen = screening("size=1B")
    for size in range(100, 1, -1):
        screen.accepts({"size": size}, {"size_bytes": size})
    assert len(screen.near_misses) == 16
    assert screen.near_misses[0]["values"] == {"size": 2}


def test_what_cannot_be_built_or_measured():
    screen = screening("size=1KiB")
    assert not screen.accepts({}, None)
    assert not screen.accepts({}, {"size_bytes": math.nan})
    assert (screen.num_rejected, screen.num_unbuildable, screen.near_misses) == (2, 1, [])
    assert screen.explain(2) == (
        "No candidate can be measured in 2 draws: the cost model gave no usable metrics for any of them. "
        "Widen the space, or check that its models can be built and converted."
    )


def test_names_the_limit_that_binds_and_the_nearest_value():
    screen = screening("size=1KiB", "latency=5ms")
    screen.accepts({"a": 1}, {"size_bytes": 8000, "latency_ms": 1.0})
    screen.accepts({"a": 2}, {"size_bytes": 5325, "latency_ms": 2.0})
    assert screen.explain(64) == (
        "No candidate lies within the limits in 64 draws: size=1KiB binds; the smallest size seen is 5.2 KiB. "
        "Raise the limit or widen the space."
    )


def test_names_every_limit_that_binds_alone():
    screen = screening("size=1KiB", "latency=5ms")
    screen.accepts({"a": 1}, {"size_bytes": 2048, "latency_ms": 6.0})
    assert (
        "size=1KiB binds; the smallest size seen is 2 KiB and latency=5ms binds; the smallest latency seen is 6 ms"
        in screen.explain(1)
    )


def test_limits_that_bind_only_together():
    screen = screening("size=1KiB", "latency=5ms")
    screen.accepts({"a": 1}, {"size_bytes": 512, "latency_ms": 6.0})
    screen.accepts({"a": 2}, {"size_bytes": 4096, "latency_ms": 2.0})
    assert "size=1KiB and latency=5ms bind together; the nearest candidate has size 512 B, latency 6 ms" in (
        screen.explain(2)
    )


def test_a_limit_from_below():
    screen = screening("accuracy=0.9")
    screen.accepts({"a": 1}, {"accuracy": 0.5})
    screen.accepts({"a": 2}, {"accuracy": 0.7})
    assert "accuracy=0.9000 binds; the largest accuracy seen is 0.7000" in screen.explain(2)


def test_state_round_trip_judges_by_the_limits_of_today():
    before = screening("size=1KiB")
    for size in (4096, 2048):
        before.accepts({"size": size}, {"size_bytes": size})
    same, looser = screening("size=1KiB"), screening("size=2KiB")
    same.set_state(before.get_state())
    looser.set_state(before.get_state())
    assert same.get_state() == before.get_state()
    assert [miss["values"]["size"] for miss in looser.near_misses] == [4096]
