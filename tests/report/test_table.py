"""The front in the terminal: any width, with and without a terminal."""

import io

import pytest
from rich.console import Console

from hwkeras.report import print_front

VALUES = ["00", "01", "int8", "0.8125", "0.9375", "0.0625 ms", "0.1875 ms"]


def printed(results, width=200, **options):
    file = io.StringIO()
    print_front(results, Console(file=file, width=width, **options))
    return file.getvalue()


@pytest.mark.parametrize("width", [20, 30, 44, 60, 80, 100, 120, 200])
def test_the_objectives_are_there_whole_at_any_width(results, width):
    text = printed(results, width)
    assert all(value in text for value in VALUES), text
    assert all(len(line.rstrip()) <= width for line in text.splitlines()), text


def test_a_wide_table_is_exactly_this(results):
    architecture = "conv16k3s2 | global_pool | dense10"
    lines = [line.rstrip() for line in printed(results).splitlines()]
    assert lines == [
        "   Trial  Precision  Accuracy    Latency   Size  Peak RAM     MACs  Parameters  Architecture",
        f"   00     int8         0.8125  0.0625 ms  4 KiB     2 KiB  123.5 k         789  {architecture}",
        f"*  01     int8         0.9375  0.1875 ms  4 KiB     2 KiB  123.5 k         789  {architecture}",
        "3 trials, 1 proposal rejected before training, 2 on the front, 3 min 07 s",
    ]


def test_what_does_not_fit_is_left_out_from_the_right(results):
    assert "Architecture" not in printed(results, 90)
    header = printed(results, 60).splitlines()[0]
    assert "Size" in header and "MACs" not in header


def test_a_very_narrow_terminal_gets_lines(results):
    lines = [line.rstrip() for line in printed(results, 24).splitlines()]
    assert lines[:3] == ["  00 int8", "  Accuracy 0.8125", "  Latency 0.0625 ms"]
    assert "* 01 int8" in lines


def test_a_pipe_gets_no_escape_codes(results):
    assert "\x1b" not in printed(results)
    assert "\x1b[1;32m" in printed(results, force_terminal=True, color_system="standard")


def test_standard_output_is_the_default(results, capsys):
    print_front(results)
    assert "0.9375" in capsys.readouterr().out


def test_names_are_no_markup(results):
    results["front"][0]["trial"] = "[red]00"
    results["front"][0]["architecture"] = "[/bold] :smile:"
    text = printed(results)
    assert "[red]00" in text and "[/bold] :smile:" in text


def test_an_empty_front_says_so(results):
    results.update(front=[], best=None)
    assert printed(results).splitlines() == [
        "The front is empty: no candidate lies within the limits.",
        "3 trials, 1 proposal rejected before training, 0 on the front, 3 min 07 s",
    ]


def test_a_metric_that_is_missing_is_a_dash(results):
    results["front"][0]["metrics"]["latency_ms"] = None
    assert printed(results).splitlines()[1].split()[3] == "-"
