"""The picture: valid XML that holds the numbers it was given, at the places they belong."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from hwkeras.errors import UserError
from hwkeras.report import front_svg

SVG = "{http://www.w3.org/2000/svg}"


def parse(svg):
    return ElementTree.fromstring(svg)


def marks(svg, kind=None):
    groups = [group for group in parse(svg).iter(f"{SVG}g") if group.get("data-x")]
    return [group for group in groups if kind is None or group.get("class") == kind]


def texts(svg):
    return ["".join(text.itertext()) for text in parse(svg).iter(f"{SVG}text")]


def elements(svg, kind):
    return [element for element in parse(svg).iter() if element.get("class") == kind]


def staircase(svg):
    """The drawing of the line; the other one is the legend's."""
    (line,) = [element.get("d") for element in elements(svg, "hwk-front") if "23V14H" not in element.get("d")]
    return line


def center(mark):
    """The middle of a diamond or square, from its corners."""
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", mark.find(f"{SVG}path").get("d"))]
    xs, ys = numbers[0::2], numbers[1::2]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def test_every_candidate_with_both_numbers_is_drawn_once(results):
    svg = front_svg(results["candidates"], results["front"])
    drawn = sorted(
        (mark.get("data-trial"), float(mark.get("data-x")), float(mark.get("data-y"))) for mark in marks(svg)
    )
    known = [c for c in results["candidates"] if c["metrics"]["latency_ms"] is not None]
    assert drawn == sorted((c["trial"], c["metrics"]["latency_ms"], c["metrics"]["accuracy"]) for c in known)
    assert len(marks(svg, "hwk-member")) == 2


def test_a_tooltip_tells_the_numbers_with_units(results):
    svg = front_svg(results["candidates"], results["front"])
    told = [mark.find(f"{SVG}title").text for mark in marks(svg, "hwk-member")]
    assert told[1] == "trial 01, int8\nLatency 0.1875 ms\nAccuracy 0.9375\nconv16k3s2 | global_pool | dense10"


def test_places_follow_the_numbers(entry):
    front = [entry("00", "int8", 0.5, 1.0), entry("01", "int8", 0.6, 2.0), entry("02", "int8", 0.7, 3.0)]
    points = [center(mark) for mark in marks(front_svg(front, front))]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert x0 < x1 < x2 and y0 > y1 > y2


def test_a_range_over_ten_is_logarithmic(entry):
    front = [entry("00", "int8", 0.5, 0.1), entry("01", "int8", 0.6, 1.0), entry("02", "int8", 0.7, 10.0)]
    svg = front_svg(front, front)
    xs = [center(mark)[0] for mark in marks(svg)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert "Latency (ms), logarithmic" in texts(svg)
    assert "Latency (ms)" in texts(front_svg(front[:1], front[:1]))


def test_the_front_is_a_staircase_through_its_members(results):
    svg = front_svg(results["candidates"], results["front"])
    path = staircase(svg)
    moves = re.findall(r"([MHV])([\d. ]+)", path)
    assert [letter for letter, _ in moves] == ["M", "V", "H", "V", "H"]
    (x0, y0), (x1, y1) = [center(mark) for mark in marks(svg, "hwk-member")]
    values = [float(number) for _, numbers in moves for number in numbers.split()]
    assert values == pytest.approx([x0, 398, y0, x1, y1, 736], abs=0.11)


def test_with_three_objectives_the_line_leaves_out_who_is_worse_in_these_two(entry):
    front = [entry("00", "int8", 0.5, 1.0), entry("01", "int8", 0.4, 2.0, size_bytes=9), entry("02", "int8", 0.7, 3.0)]
    svg = front_svg(front, front)
    path = staircase(svg)
    assert path.count("V") == 2
    assert "01" not in texts(svg) and {"00", "02"} <= set(texts(svg))
    assert len(marks(svg, "hwk-member")) == 3


def test_limits_are_dashed_lines_with_their_text(results):
    svg = front_svg(results["candidates"], results["front"], limits=["latency=0.9ms", "accuracy=0.7", "size=60KiB"])
    assert len(elements(svg, "hwk-limit")) == 2
    assert {"limit latency=0.9ms", "limit accuracy=0.7000"} <= set(texts(svg))
    assert "stroke-dasharray" in svg


def test_candidates_outside_a_limit_are_hollow(results):
    svg = front_svg(results["candidates"], results["front"], limits=["size=60KiB"])
    (hollow,) = marks(svg, "hwk-hollow")
    assert hollow.get("data-y") == "0.94"
    assert hollow.find(f"{SVG}title").text.endswith("outside size=60KiB")
    assert "outside a limit" in texts(svg)
    assert "outside a limit" not in texts(front_svg(results["candidates"], results["front"]))


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("latency=500ms", "limit latency=500ms \N{RIGHTWARDS ARROW}"),
        ("accuracy=0.01", "\N{DOWNWARDS ARROW} limit accuracy=0.0100"),
    ],
)
def test_a_far_limit_is_told_at_the_edge(results, limit, text):
    svg = front_svg(results["candidates"], results["front"], limits=[limit])
    assert text in texts(svg) and not elements(svg, "hwk-limit")


def test_limits_beyond_the_other_edges(entry):
    front = [entry("00", "int8", 0.10, 100.0), entry("01", "int8", 0.11, 110.0)]
    svg = front_svg(front, front, limits=["latency=1ms", "accuracy=0.9"])
    assert {"\N{LEFTWARDS ARROW} limit latency=1ms", "\N{UPWARDS ARROW} limit accuracy=0.9000"} <= set(texts(svg))


def test_the_legend_names_what_occurs(results):
    seen = texts(front_svg(results["candidates"], results["front"], best=results["best"]))
    assert {"int8", "float32", "front", "best"} <= set(seen) and "float16" not in seen
    svg = front_svg(results["candidates"], [], best=results["best"])
    assert not {"front", "best"} & set(texts(svg)) and not elements(svg, "hwk-ring")


def test_the_best_is_ringed(results):
    svg = front_svg(results["candidates"], results["front"], best=results["best"])
    plotted = [ring for ring in elements(svg, "hwk-ring") if ring.get("r") == "11.5"]
    x, y = center(marks(svg, "hwk-member")[1])
    assert [(float(ring.get("cx")), float(ring.get("cy"))) for ring in plotted] == [pytest.approx((x, y), abs=0.2)]


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8", "int4"])
def test_every_precision_has_a_mark(entry, precision):
    svg = front_svg([entry("00", precision, 0.5, 1.0)], [])
    (mark,) = marks(svg)
    color = "other" if precision == "int4" else precision
    assert mark.find(f"{SVG}path").get("class") == f"hwk-mark {color}"
    assert color in texts(svg)


def test_other_metrics_and_directions(entry):
    front = [entry("00", "int8", 0.5, 1.0, size_bytes=1024), entry("01", "int8", 0.7, 0.5, size_bytes=8192)]
    svg = front_svg(front, front, x="size_bytes", y="latency_ms")
    assert {"Size (KiB)", "Latency (ms)"} <= set(texts(svg))
    path = staircase(svg)
    assert " 58V" in path, "less is better upwards: the line comes from the top"


def test_it_is_accessible(results):
    root = parse(front_svg(results["candidates"], results["front"]))
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith("Accuracy against Latency: 4 candidates drawn, 2 of them on the front")
    assert "prefers-color-scheme:dark" in root.find(f"{SVG}style").text


def test_nothing_to_draw_says_so():
    svg = front_svg([], [])
    assert "No candidate has both numbers." in texts(svg) and not marks(svg)


def test_one_point_is_a_picture(entry):
    front = [entry("00", "int8", 0.5, 1.0)]
    svg = front_svg(front, front, limits=["latency=1ms"])
    assert len(marks(svg)) == 1 and "nan" not in svg.split("</style>")[1]


def test_names_are_escaped(entry):
    evil = '"><script>alert(1)</script>&'
    front = [entry(evil, evil, 0.5, 1.0, architecture=evil)]
    svg = front_svg(front, front)
    assert "<script" not in svg
    (mark,) = marks(svg)
    assert mark.get("data-trial") == evil and evil in mark.find(f"{SVG}title").text


def test_a_limit_that_is_none_is_refused(results):
    with pytest.raises(UserError, match="A limit is written NAME=QUANTITY"):
        front_svg(results["candidates"], results["front"], limits=["fast"])
