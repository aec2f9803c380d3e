"""The drawing of an architecture: valid XML, every layer once, no box on another, every edge downwards."""

import json
import random
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.report import architecture_svg
from hwkeras.report.labels import Box
from hwkeras.report.layered import lay_out
from hwkeras.space import Architecture
from hwkeras.space import CellSpace
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space import Layer
from hwkeras.space import LayerListSpace
from hwkeras.space import NasnetSpace
from hwkeras.space import SequenceSpace
from hwkeras.space import TabularSpace
from hwkeras.space import TextSpace
from hwkeras.space import TwoTowerSpace
from hwkeras.space import named_network
from hwkeras.space.cost import least_cost

SVG = "{http://www.w3.org/2000/svg}"
EVERY_BLOCK = ("parallel_conv", "fire", "inception", "dense_block", "conv", "residual", "inverted_bottleneck")
SPACES = {
    "image": ImageSpace((16, 16, 1), 4, layer_types=EVERY_BLOCK, stages=2),
    "cells": CellSpace((8, 8, 3), 10, stages=2),
    "nasnet": NasnetSpace((8, 8, 1), 4, stages=2, kept=("none", "previous", "block1")),
    "layer_list": LayerListSpace(),
    "sequence": SequenceSpace((32, 3), 5),
    "text": TextSpace(12, 50, 2),
    "tabular": TabularSpace((7,), 3),
    "two_tower": TwoTowerSpace(30, 20),
}


class Values:
    def __init__(self, values):
        self.values = values


def drawn(space, rng):
    """An architecture of random values of the active choices."""
    chosen = {}
    for choice in space.choices:
        if all(chosen.get(parent) in allowed for parent, allowed in choice.conditions):
            chosen[choice.name] = rng.choice(choice.values)
    return space.architecture(Values(chosen))


class Drawing:
    """Reads a drawing: boxes by layer, texts by layer, lines by (from, to)."""

    def __init__(self, svg):
        self.root = ElementTree.fromstring(svg)
        layers = [group for group in self.root.iter(f"{SVG}g") if group.get("data-layer") is not None]
        self.names = [group.get("data-layer") for group in layers]
        self.boxes = {group.get("data-layer"): self._box(group) for group in layers}
        self.texts = {group.get("data-layer"): [text.text for text in group.iter(f"{SVG}text")] for group in layers}
        self.lines = {
            (path.get("data-from"), path.get("data-to")): path.get("d") for path in self.root.iter(f"{SVG}path")
        }

    @staticmethod
    def _box(group):
        x, y = map(float, re.findall(r"-?[\d.]+", group.get("transform")))
        frame = group.find(f"{SVG}rect[@class='hwka-frame']")
        return Box(x, y, x + float(frame.get("width")), y + float(frame.get("height")))

    def points(self, edge):
        """The ends of the pieces of a line; x of an upright piece is that of the one before."""
        points = []
        for command, numbers in re.findall(r"([MVC])([-\d. ]+)", self.lines[edge]):
            values = list(map(float, numbers.split()))
            points.append((points[-1][0], values[0]) if command == "V" else tuple(values[-2:]))
        return points


def require_sound(architecture):
    drawing = Drawing(architecture_svg(architecture))
    assert drawing.names == [layer.name for layer in architecture.layers]
    boxes = list(drawing.boxes.values())
    by_top = sorted(boxes, key=lambda box: box.top)
    assert not [
        (one, other) for place, one in enumerate(by_top) for other in by_top[place + 1 :] if one.overlaps(other)
    ]
    width, height = float(drawing.root.get("width")), float(drawing.root.get("height"))
    assert all(box.left >= 0 and box.top >= 0 and box.right < width and box.bottom < height for box in boxes)
    assert set(drawing.lines) == {(source, layer.name) for layer in architecture.layers for source in layer.inputs}
    for source, target in drawing.lines:
        require_line(drawing, source, target)
    return drawing


def require_line(drawing, source, target):
    """It leaves below its source, never turns up, arrives above its target, and crosses no box."""
    points = drawing.points((source, target))
    rows = [y for _, y in points]
    assert rows == sorted(rows) and rows[0] < rows[-1]
    one, other = drawing.boxes[source], drawing.boxes[target]
    assert points[0] == (pytest.approx((one.left + one.right) / 2, abs=0.2), pytest.approx(one.bottom, abs=0.2))
    assert points[-1] == (pytest.approx((other.left + other.right) / 2, abs=0.2), pytest.approx(other.top, abs=0.2))
    for (x, top), (to_x, bottom) in zip(points, points[1:], strict=False):
        if x == to_x and bottom - top > 0.5:
            piece = Box(x - 0.1, top + 0.2, x + 0.1, bottom - 0.2)
            assert not [name for name, box in drawing.boxes.items() if box.overlaps(piece)]


@pytest.mark.parametrize("name", SPACES)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_networks_of_every_space_are_drawn_without_overlap_and_downwards(name, seed):
    require_sound(drawn(SPACES[name], random.Random(seed)))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "squeezenet", "nasnet_a_mobile"])
def test_well_known_networks_are_drawn(name):
    require_sound(named_network(name, (32, 32, 3), 10))


def small():
    draft = Draft((8, 8, 3))
    draft.append("stem", "conv", filters=4, kernel=(3, 1), stride=2, activation="relu6")
    draft.append("left", "conv", ("stem",), filters=4, kernel=1, activation="linear", batch_norm=False, skip=True)
    draft.append("right", "max_pool", ("stem",), size=3, stride=1, padding="same")
    draft.append("both", "concat", ("left", "right"))
    draft.append("pool", "global_average_pool")
    draft.append("dropout", "dropout", rate=0.25)
    draft.append("classifier", "classifier", classes=5)
    return draft.finish()


def test_a_box_tells_kind_parameters_shape_and_cost():
    texts = Drawing(architecture_svg(small())).texts
    assert texts["input"] == ["input", "8 x 8 x 3"]
    assert texts["stem"] == ["conv", "4 filters, 3x1, stride 2", "relu6", "4 x 4 x 4", "576 MACs, 36 weights"]
    assert texts["left"] == [
        "conv", "4 filters, 1x1, shortcut", "no batch norm", "4 x 4 x 4", "256 MACs, 16 weights",
    ]  # fmt: skip
    assert texts["right"] == ["max pool", "3x3, stride 1", "padding same", "4 x 4 x 4"]
    assert texts["both"] == ["concat", "4 x 4 x 8"]
    assert texts["dropout"] == ["dropout", "rate 0.25", "8"]
    assert texts["classifier"] == ["classifier", "5 classes, softmax", "5", "40 MACs, 40 weights"]


def test_vectors_and_sequences_have_no_rows_and_columns():
    draft = Draft((6,))
    draft.append("half", "slice", begin=3, size=3)
    draft.append("gate", "dense", units=1, activation="linear")
    texts = Drawing(architecture_svg(draft.finish())).texts
    assert texts["half"] == ["slice", "begin 3, size 3", "3"]
    assert texts["gate"] == ["dense", "1 unit", "1", "3 MACs, 3 weights"]


def test_branches_lie_side_by_side():
    boxes = Drawing(architecture_svg(small())).boxes
    assert boxes["left"].top < boxes["right"].bottom and boxes["right"].top < boxes["left"].bottom
    middle = (boxes["stem"].left + boxes["stem"].right) / 2
    outer = [(boxes[name].left + boxes[name].right) / 2 for name in ("left", "right")]
    assert min(outer) < middle < max(outer)


def test_the_head_and_the_description_tell_the_whole():
    drawing = Drawing(architecture_svg(small(), title="trial 3"))
    cost = least_cost(small())
    head = drawing.root.find(f"{SVG}title").text
    assert head == f"trial 3: 8 layers, {cost.macs} MACs, {cost.params} weights"
    assert drawing.root.find(f"{SVG}text").text == head
    told = drawing.root.find(f"{SVG}desc").text
    assert told.startswith("From 8 x 8 x 3 to 5: conv4k3x1s2 relu6 | ")
    assert drawing.root.get("role") == "img"


def test_the_costs_of_the_boxes_are_the_whole_cost():
    titles = Drawing(architecture_svg(small())).texts
    numbers = [re.fullmatch(r"(\d+) MACs, (\d+) weights", lines[-1]) for lines in titles.values()]
    sums = [sum(int(match[place]) for match in numbers if match) for place in (1, 2)]
    assert sums == [least_cost(small()).macs, least_cost(small()).params]


def test_an_architecture_may_come_as_json():
    assert architecture_svg(json.loads(json.dumps(small().to_json()))) == architecture_svg(small())
    with pytest.raises(UserError, match="An architecture in JSON must hold format=1 and layers. Received: {'layers'"):
        architecture_svg({"layers": []})


def test_titles_are_escaped():
    svg = architecture_svg(small(), title="<script>alert(1)</script>&\"'")
    assert "<script" not in svg
    assert Drawing(svg).root.find(f"{SVG}title").text.startswith("<script>alert(1)</script>&\"': 8 layers")


def test_a_layer_added_to_itself_has_one_line():
    layers = [Layer("input", "input", (), {"shape": (4, 4, 2)}), Layer("twice", "add", ("input", "input"))]
    drawing = Drawing(architecture_svg(Architecture(layers)))
    assert list(drawing.lines) == [("input", "twice")]


def test_nothing_is_loaded_from_elsewhere():
    svg = architecture_svg(small())
    assert set(re.findall(r"https?://[^\s\"'<]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in svg and " id=" not in svg  # several drawings are in one page


def crossings(layout):
    """Pairs of lines between the same two rows whose ends are in another order below than above."""
    gaps = {}
    for (source, _), points in layout.lines.items():
        for (x, top), (to_x, bottom) in zip(points[1::2], points[2::2], strict=False):
            gaps.setdefault((top, bottom), set()).add((x, to_x, source if x == to_x else ""))
    pairs = [(one, other) for lines in gaps.values() for one in lines for other in lines]
    return sum((one[0] - other[0]) * (one[1] - other[1]) < 0 for one, other in pairs) // 2


def test_lines_that_need_not_cross_do_not():
    names = ["top", *"abcd", *"dcba".upper(), "end"]
    edges = [("top", name) for name in "abcd"] + [(name, name.upper()) for name in "abcd"]
    edges += [(name, "end") for name in "ABCD"]
    assert crossings(lay_out(dict.fromkeys(names, (50.0, 20.0)), edges)) == 0


def test_a_chain_is_straight():
    layout = lay_out({"a": (50.0, 20.0), "b": (90.0, 20.0), "c": (70.0, 40.0)}, [("a", "b"), ("b", "c")])
    assert {round((box.left + box.right) / 2, 6) for box in layout.boxes.values()} == {45.0}
    assert layout.width == 90.0
    assert layout.boxes["c"].bottom == layout.height


def test_an_edge_that_skips_rows_has_a_lane_of_its_own():
    sizes = dict.fromkeys("abcd", (60.0, 20.0))
    layout = lay_out(sizes, [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    beside = {x for x, _ in layout.lines["a", "d"][2:-2]}
    assert all(not layout.boxes[name].left - 1 < x < layout.boxes[name].right + 1 for x in beside for name in "bc")
