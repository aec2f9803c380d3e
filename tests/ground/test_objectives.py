import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.objectives import METRICS
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.objectives import total_violation


def test_limits_are_read_as_the_command_line_writes_them():
    assert Limit.parse("latency=5ms") == Limit("latency_ms", 5.0)
    assert Limit.parse("size=200KiB") == Limit("size_bytes", 204800.0)
    assert Limit.parse("peak_ram=256KiB") == Limit("peak_ram_bytes", 262144.0)
    assert Limit.parse("macs=3M") == Limit("macs", 3e6)
    assert Limit.parse("accuracy=0.9") == Limit("accuracy", 0.9)
    assert Limit.parse("size_bytes=10B") == Limit("size_bytes", 10.0)


def test_limits_and_objectives_on_a_device():
    limit = Limit.parse("latency@pi4=8ms")
    assert limit == Limit("latency_ms@pi4", 8.0) and limit.device == "pi4" and str(limit) == "latency@pi4=8ms"
    assert limit.violation({"latency_ms": 80.0, "latency_ms@pi4": 8.0}) == 0
    assert limit.violation({"latency_ms": 8.0, "latency_ms@pi4": 12.0}) == pytest.approx(0.5)
    assert Limit.parse("p90=8ms") == Limit("p90_ms", 8.0) and Limit.parse("p90=8ms").device is None
    assert Limit.parse("latency@ssh://pi@10.0.0.7?key=a=8ms") == Limit("latency_ms@ssh://pi@10.0.0.7?key=a", 8.0)
    assert Objective.parse("latency@pi4") == Objective.parse("latency_ms@pi4") == Objective("latency_ms@pi4", "min")
    assert Objective.parse("p90@ssh://pi@10.0.0.7:22") == Objective("p90_ms@ssh://pi@10.0.0.7:22", "min")
    with pytest.raises(UserError, match=r"`latency_ms@pi4` is better min\. Received: direction='max'"):
        Objective("latency_ms@pi4", "max")
    for wrong in ("accuracy@pi4=0.9", "latency@=8ms", "speed@pi4=8ms"):
        with pytest.raises(UserError, match="A limit is written NAME=QUANTITY"):
            Limit.parse(wrong)


def test_what_is_read_off_the_file_holds_on_every_device():
    limit = Limit.parse("peak_ram@pi4=96KiB")
    assert limit.violation({"peak_ram_bytes": 97 * 1024}) > 0
    assert limit.violation({"peak_ram_bytes": 96 * 1024}) == 0
    assert limit.violation({}) == 0


def test_metrics_know_devices_and_list_without_them():
    assert METRICS["latency_ms@pi4"].unit == "ms" and METRICS["latency_ms@pi4"].limit_name == "latency@pi4"
    assert "size_bytes@pi4" in METRICS and "accuracy@pi4" not in METRICS and "val_loss" not in METRICS
    assert METRICS.get("nothing", 3) == 3
    assert not any("@" in name for name in METRICS)
    with pytest.raises(KeyError):
        METRICS["nothing@pi4"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("speed=5ms", r"A limit is written NAME=QUANTITY with NAME one of accuracy, f1, auc.* Received: 'speed=5ms'"),
        ("latency", r"A limit is written NAME=QUANTITY"),
        ("latency=5parsec", r"unknown unit 'parsec'"),
        ("size=0KiB", r"positive and finite"),
    ],
)
def test_a_wrong_limit_says_why(spec, said):
    with pytest.raises(UserError, match=said):
        Limit.parse(spec)


def test_a_limit_checks_its_values():
    with pytest.raises(UserError, match=r"A limit is on one of accuracy.* Received: metric='speed'"):
        Limit("speed", 1.0)
    with pytest.raises(UserError, match=r"`bound` must be positive and finite\. Received: bound=-1"):
        Limit("macs", -1)


@given(st.sampled_from(sorted(METRICS)), st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_violation_is_zero_exactly_inside(metric, bound, value):
    limit = Limit(metric, bound)
    inside = value <= bound if METRICS[metric].direction == "min" else value >= bound
    assert (limit.violation({metric: value}) == 0) == inside


def test_violation_of_the_unknown_and_of_nan():
    limits = [Limit("size_bytes", 100), Limit("latency_ms", 1)]
    assert total_violation(limits, {}) == 0
    assert total_violation(limits, {"size_bytes": 150, "latency_ms": 3}) == pytest.approx(2.5)
    assert total_violation(limits, {"latency_ms": math.nan}) == math.inf


@given(st.sampled_from(sorted(METRICS)), st.integers(1, 10**6))
def test_a_printed_limit_is_read_back(metric, bound):
    limit = Limit(metric, float(bound))
    if METRICS[metric].unit != "fraction":
        again = Limit.parse(str(limit))
        assert again.metric == metric
        assert again.bound == pytest.approx(bound, rel=1e-3)


def test_objectives():
    assert Objective.parse("accuracy") == Objective("accuracy", "max")
    assert Objective.parse("latency") == Objective("latency_ms", "min")
    assert Objective.parse("val_loss") == Objective("val_loss", "min")
    assert Objective.parse("val_accuracy") == Objective("val_accuracy", "max")
    assert Objective.parse("val_auc:max") == Objective("val_auc", "max")
    assert Objective("accuracy", "max").loss(0.9) == -0.9
    assert Objective("latency_ms", "min").loss(math.nan) == math.inf


def test_a_keras_tuner_objective_is_taken_as_it_is():
    import keras_tuner as kt

    assert Objective.parse(kt.Objective("latency_ms", "min")) == Objective("latency_ms", "min")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Objective.parse("speed"), r"An objective is one of accuracy, .* Received: 'speed'"),
        (lambda: Objective("accuracy", "min"), r"`accuracy` is better max\. Received: direction='min'"),
        (lambda: Objective("val_auc", "up"), r"`direction` must be 'min' or 'max'\. Received: direction='up'"),
    ],
)
def test_a_wrong_objective_says_why(make, said):
    with pytest.raises(UserError, match=said):
        make()
