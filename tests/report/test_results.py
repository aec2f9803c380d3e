"""Reading the result document, and the words for its numbers."""

import json
import math

import pytest

from hwkeras.errors import UserError
from hwkeras.report import load_results
from hwkeras.report.results import column_metrics
from hwkeras.report.results import duration_text
from hwkeras.report.results import metric_text
from hwkeras.report.results import metric_title
from hwkeras.report.results import summary_line


def test_results_are_read_as_written(results, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert load_results(tmp_path) == results
    assert load_results(str(tmp_path)) == results


def test_no_results_say_what_to_run(tmp_path):
    with pytest.raises(UserError, match=f"Received: {tmp_path}, .* Run `hwkeras search --out {tmp_path}`"):
        load_results(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "results.json must be JSON. Received: .*, which is not"),
        ("[]", "reads results of schema 1. Received: schema=None"),
        ('{"schema": 2}', "Received: schema=2 in .*Use the version of hwkeras that ran the search"),
    ],
)
def test_results_of_another_form_are_refused(tmp_path, text, said):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=said):
        load_results(tmp_path)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("accuracy", 0.9375, "0.9375"),
        ("latency_ms", 0.1875, "0.1875 ms"),
        ("size_bytes", 4096, "4 KiB"),
        ("val_auc", 0.98765, "0.9877"),
        ("val_auc", None, "-"),
        ("val_auc", math.nan, "-"),
        ("latency_ms", None, "-"),
    ],
)
def test_a_metric_is_printed_with_its_unit(metric, value, text):
    assert metric_text(metric, value) == text


def test_columns_begin_with_the_objectives(results):
    results["objectives"] = ["val_auc:max", "size_bytes"]
    columns = column_metrics(results)
    assert columns == ("val_auc", "size_bytes", "accuracy", "latency_ms", "peak_ram_bytes", "macs", "params")
    assert metric_title("peak_ram_bytes") == "Peak RAM" and metric_title("val_auc") == "val_auc"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (11220, "3 h 07 min"),
    ],
)
def test_a_duration_is_printed_for_a_person(seconds, text):
    assert duration_text(seconds) == text


def test_the_summary_is_one_line(results):
    assert summary_line(results) == "3 trials, 1 proposal rejected before training, 2 on the front, 3 min 07 s"
    results.update(trials=1, rejected=0, front=[], seconds=None)
    assert summary_line(results) == "1 trial, 0 proposals rejected before training, 0 on the front"
