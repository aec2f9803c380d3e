import hashlib
import json
import pathlib
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.space import Architecture
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space import Layer
from hwkeras.space import architecture_from_actions

ROOT = pathlib.Path(__file__).resolve().parents[2]
INPUT = Layer("input", "input", (), {"shape": (8, 8, 3)})


def fork(first, second, names=("wide", "point")):
    """Two branches, written in either order, concatenated wide first."""
    layers = {
        "wide": Layer(names[0], "conv", ("input",), {"filters": 8}),
        "point": Layer(names[1], "conv", ("input",), {"filters": 4, "kernel": 1}),
    }
    merged = Layer("merged", "concat", names)
    return Architecture((INPUT, layers[first], layers[second], merged, Layer("pool", "global_average_pool", "merged")))


def test_shapes_are_inferred():
    draft = Draft((9, 7, 3))
    draft.append("a", "conv", filters=8, stride=2)
    draft.append("b", "max_pool", size=2)
    draft.append("c", "average_pool", size=2, padding="same")
    draft.append("d", "residual", filters=4)
    draft.append("e", "concat", ("c", "d"))
    draft.append("f", "flatten")
    draft.append("g", "dropout", rate=0.1)
    draft.append("h", "dense", units=5)
    draft.append("i", "classifier", classes=2)
    architecture = draft.finish()
    assert architecture.output_shapes() == {
        "input": (9, 7, 3),
        "a": (5, 4, 8),
        "b": (2, 2, 8),
        "c": (1, 1, 8),
        "d": (1, 1, 4),
        "e": (1, 1, 12),
        "f": (12,),
        "g": (12,),
        "h": (5,),
        "i": (2,),
    }
    assert architecture.input_shape == (9, 7, 3)
    assert architecture.output_shape == (2,)


def test_hash_knows_structure_and_not_names():
    assert fork("wide", "point").hash == fork("wide", "point", names=("x", "y")).hash
    assert fork("wide", "point").hash == fork("point", "wide").hash
    shared = Architecture((INPUT, Layer("a", "conv", "input", {"filters": 8}), Layer("b", "add", ("a", "a"))))
    copied = Architecture(
        (
            INPUT,
            Layer("a", "conv", "input", {"filters": 8}),
            Layer("a2", "conv", "input", {"filters": 8}),
            Layer("b", "add", ("a", "a2")),
        )
    )
    assert shared.hash != copied.hash
    with_skip = Architecture((INPUT, Layer("a", "conv", "input", {"filters": 3, "skip": True})))
    without = Architecture((INPUT, Layer("a", "conv", "input", {"filters": 3})))
    assert with_skip.hash != without.hash


def test_hash_is_the_same_in_every_process():
    program = (
        "from hwkeras.space import architecture_from_actions as f\nprint(f(['conv', 'pool', 'fc'], (8, 8, 1), 10).hash)"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == architecture_from_actions(["conv", "pool", "fc"], (8, 8, 1), 10).hash
    # Worked out from the canonical text below, so that a change of the form is noticed.
    text = (
        '[["input",[],{"shape":[8,8,1]}],["conv",[0],{"filters":32}],["max_pool",[1],{"stride":2}],["flatten",[2],{}],'
        '["dense",[3],{"units":128}],["classifier",[4],{"classes":10}]]'
    )
    assert hashlib.sha256(text.encode()).hexdigest() == done.stdout.strip()


@given(seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_json_round_trip(seed, draw):
    space = ImageSpace((28, 28, 1), 10)
    architecture = space.architecture(draw(space, random.Random(seed)))
    read = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    assert read == architecture
    assert read.hash == architecture.hash
    assert read.summary() == architecture.summary()


def test_summary_counts_blocks_alike():
    draft = Draft((32, 32, 3))
    draft.append("stem", "conv", filters=16, stride=2)
    draft.append("a", "inverted_bottleneck", filters=24, se=True)
    draft.append("b", "inverted_bottleneck", filters=24, se=True, skip=True)
    draft.append("c", "conv", ("a",), filters=24, kernel=(3, 1), activation="relu6", batch_norm=False)
    draft.append("d", "add", ("b", "c"))
    draft.append("e", "max_pool")
    draft.append("f", "global_average_pool")
    draft.append("g", "dropout", rate=0.2)
    draft.append("h", "classifier", classes=10)
    assert draft.finish().summary() == (
        "conv16k3s2 | inverted_bottleneck24k3 e4 se | "
        "add(inverted_bottleneck24k3 e4 se skip, conv24k3x1 no_bn relu6) | max_pool2 | global_pool | "
        "dropout0.2 | dense10"
    )


def test_summary_of_branches():
    draft = Draft((8, 8, 8))
    draft.append("a", "conv", filters=8)
    for name in ("b", "c"):
        source = draft.last
        wide = draft.append(f"{name}_wide", "conv", filters=4)
        point = draft.append(f"{name}_point", "conv", (source,), filters=4, kernel=1)
        draft.append(f"{name}_concat", "concat", (wide, point))
        draft.append(f"{name}_add", "add", (source, draft.last))
    assert draft.finish().summary() == "conv8k3 | 2x concat(conv4k3, conv4k1) skip"
    # Branches that start at different layers are told by name.
    draft.append("far", "add", ("a", "b_add", "c_add"))
    assert draft.finish().summary() == ("conv8k3 | 2x concat(conv4k3, conv4k1) skip | add of a+b_add+c_add")


def test_summary_tells_what_does_not_change():
    draft = Draft((8, 8, 8))
    draft.append("stem", "conv", filters=16, stride=2)
    draft.append("a", "inverted_bottleneck", filters=24, stride=2, se=True)
    draft.append("b", "inverted_bottleneck", filters=24, se=True, skip=True)
    assert draft.finish().summary() == "conv16k3s2 | 2x inverted_bottleneck24k3s2 e4 se skip"


CONV = Layer("a", "conv", "input", {"filters": 8})


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((), r"exactly one input layer, the first. Received: kinds \[\]"),
        ((CONV, INPUT), r"exactly one input layer, the first. Received: kinds \['conv', 'input'\]"),
        ((INPUT, CONV, CONV), r"names must be unique. Received: 'a' 2 times"),
        ((INPUT, Layer("a", "flatten", "b")), r"inputs of layer 'a' must be layers before it. Received: 'b'. Known"),
        ((INPUT, CONV, Layer("b", "flatten", "input")), r"must be used by another. Received: 'a' without a user"),
        (
            (INPUT, CONV, Layer("b", "dense", "a", {"units": 3})),
            r"A dense layer must get a vector. Received: \(8, 8, 8\)",
        ),
        (
            (INPUT, Layer("f", "flatten", "input"), Layer("g", "conv", "f", {"filters": 8})),
            r"A conv layer must get \(height, width, channels\). Received: \(192,\) for layer 'g'",
        ),
        (
            (INPUT, CONV, Layer("b", "add", ("input", "a"))),
            r"An add layer must get equal shapes. Received: \[\(8, 8, 3",
        ),
        (
            (INPUT, Layer("a", "max_pool", "input"), Layer("b", "concat", ("input", "a"))),
            r"must get shapes that differ in the last axis alone. Received: \[\(8, 8, 3\), \(4, 4, 3\)\]",
        ),
        ((INPUT, Layer("a", "conv", "input", {"filters": 8, "skip": True})), r"`skip` of layer 'a' needs stride 1.*=3"),
        ((INPUT, Layer("a", "max_pool", "input", {"size": 9})), r"must not pool below 1x1. Received: size=9 on 8x8"),
        (
            (INPUT, Layer("f", "flatten", "input"), Layer("c", "classifier", "f", {"classes": 1})),
            r"softmax classifier must have 2 classes or more. Received: classes=1",
        ),
        (
            (
                INPUT,
                Layer("f", "flatten", "input"),
                Layer("c", "classifier", "f", {"classes": 3}),
                Layer("d", "dropout", "c", {"rate": 0.5}),
            ),
            r"A classifier must be the last layer. Received: 'c' before others",
        ),
        (("conv",), r"`layers` must be Layer objects. Received: 'conv'"),
    ],
)
def test_an_architecture_cannot_be_built_wrong(layers, said):
    with pytest.raises(UserError, match=said):
        Architecture(layers)


@pytest.mark.parametrize("document", [[], {"layers": []}, {"format": 2, "layers": []}])
def test_json_of_another_format_is_refused(document):
    with pytest.raises(UserError, match="An architecture in JSON must hold format=1 and layers"):
        Architecture.from_json(document)
