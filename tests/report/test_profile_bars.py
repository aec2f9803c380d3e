"""The bars of a profile: valid XML whose lengths are the shares, and the tables in the terminal."""

import io
import xml.etree.ElementTree as ElementTree

import pytest
from rich.console import Console

from hwkeras.report.profile_bars import print_profile
from hwkeras.report.profile_bars import profile_svg

SVG = "{http://www.w3.org/2000/svg}"


def share(name, part):
    return {"name": name, "time_ms": 2.0 * part, "share": part, "num_ops": 1}


@pytest.fixture
def profile():
    names = ["conv2d_1", "conv2d", "a/very/deep/scope/of/a/layer/whose/name/has/no/end", "<script>&\"'", "unknown"]
    shares = [0.5, 0.25, 0.125, 0.0625, 0.0625]
    ops = [
        {"index": index, "op": "CONV_2D", "kernel": "Convolution (NHWC, F32)", "tensor": f"t{index}", "layer": name,
         "time_ms": 2.0 * part, "share": part, "delegated": True}
        for index, (name, part) in enumerate(zip(names, shares, strict=True))
    ]  # fmt: skip
    ops[-1].update(op="unknown", layer=None)
    return {
        "ops": ops,
        "by_op": [share("CONV_2D", 0.9375), share("unknown", 0.0625)],
        "by_layer": [share(*pair) for pair in zip(names, shares, strict=True)],
        "total_ms": 2.0,
        "latency_ms": 2.5,
        "coverage": 0.8,
        "method": "profiler",
        "device": "local",
        "num_threads": 1,
        "message": "The operators sum to 80% of the latency: why.",
    }


def bars(svg):
    """Triples of full name, share of the track, class."""
    found = []
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        track, bar = group.iter(f"{SVG}rect")
        name = group.find(f"{SVG}title").text.rpartition("\n")[0]
        found.append((name, float(bar.get("width")) / float(track.get("width")), bar.get("class")))
    return found


def texts(svg):
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_lengths_are_shares(profile):
    found = bars(profile_svg(profile))
    assert [(name, kind) for name, _, kind in found[:3]] == [
        ("CONV_2D", "hwkp-op"),
        ("unknown", "hwkp-op"),
        ("conv2d_1", "hwkp-layer"),
    ]
    assert [length for _, length, _ in found] == pytest.approx(
        [0.9375, 0.0625, 0.5, 0.25, 0.125, 0.0625, 0.0625], abs=1e-3
    )


def test_the_rest_is_one_bar(profile):
    name, length, kind = bars(profile_svg(profile, top=2))[-1]
    assert (name, kind) == ("3 others", "hwkp-rest") and length == pytest.approx(0.25, abs=1e-3)


def test_the_picture_tells_its_numbers(profile):
    svg = profile_svg(profile, "model.tflite")
    assert texts(svg)[0] == "model.tflite: latency 2.5 ms, operators 2 ms (80%), 1 thread"
    assert {"Time by operator", "Time by layer", "1,875.0 \N{MICRO SIGN}s", "93.8%"} <= set(texts(svg))
    assert ElementTree.fromstring(svg).get("aria-label") == texts(svg)[0]
    assert "2 threads" in profile_svg({**profile, "num_threads": 2})


def test_names_are_escaped_and_long_ones_cut_in_front(profile):
    svg = profile_svg(profile, "<b>.tflite")
    assert "<script" not in svg and "<b>" not in svg and "<script>&\"'" in texts(svg)
    (cut,) = [text for text in texts(svg) if text.startswith("\N{HORIZONTAL ELLIPSIS}")]
    assert cut.endswith("name/has/no/end") and len(cut) == 30


def test_labels_lie_within_the_picture(profile):
    for group in ElementTree.fromstring(profile_svg(profile)).iter(f"{SVG}g"):
        label, time, part = group.iter(f"{SVG}text")
        assert float(label.get("x")) - 7.0 * len(label.text) > 0
        track = group.find(f"{SVG}rect")
        assert float(track.get("x")) + float(track.get("width")) < float(time.get("x")) - 6 * len(time.text)


def test_no_operators(profile):
    empty = {**profile, "ops": [], "by_op": [], "by_layer": [], "total_ms": 0.0, "coverage": 0.0}
    assert bars(profile_svg(empty)) == []


def printed(profile, **options):
    console = Console(file=io.StringIO(), width=120, color_system=None)
    print_profile(profile, console=console, **options)
    return console.file.getvalue()


def test_the_tables(profile):
    text = printed(profile, top=3)
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["#", "Time", "Share", "Operator", "Layer"]
    assert lines[1] == ["0", "1,000.0", "\N{MICRO SIGN}s", "50.0%", "CONV_2D", "conv2d_1"]
    assert "2 others" in text and "by profiler on local" in text and profile["message"] in " ".join(text.split())


def test_a_kernel_stands_for_an_operator_nobody_knows(profile):
    line = next(line for line in printed(profile).splitlines() if line.startswith("4"))
    assert "Convolution (NHWC, F32)" in line and line.rstrip().endswith("t4")


def test_names_are_no_markup(profile):
    profile["by_op"][0]["name"] = "[red]x"
    assert "[red]x" in printed(profile)
