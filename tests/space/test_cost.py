"""The least cost of an architecture: worked out by hand, and never above what the converted network costs."""

import random

import pytest

from hwkeras.errors import UserError
from hwkeras.space import Architecture
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space import Layer
from hwkeras.space import LayerListSpace
from hwkeras.space.cost import least_cost


def chain(shape, *layers):
    draft = Draft(shape)
    for number, (kind, params) in enumerate(layers):
        draft.append(f"layer{number}", kind, **params)
    return draft.finish()


def test_convolution_and_classifier_by_hand():
    layers = (
        ("conv", {"filters": 8, "kernel": 3, "stride": 2}),
        ("global_average_pool", {}),
        ("classifier", {"classes": 5}),
    )
    cost = least_cost(chain((8, 6, 2), *layers))
    assert cost.params == cost.size_bytes == 3 * 3 * 2 * 8 + 8 * 5
    assert cost.macs == 4 * 3 * 8 * 3 * 3 * 2 + 8 * 5
    assert cost.peak_ram_bytes == 8 * 6 * 2 + 4 * 3 * 8
    assert least_cost(chain((8, 6, 2), *layers), 4, 4).metrics() == {
        "size_bytes": 4 * cost.params,
        "peak_ram_bytes": 4 * cost.peak_ram_bytes,
        "macs": cost.macs,
        "params": cost.params,
    }


def test_inverted_bottleneck_with_shortcut_and_squeeze_by_hand():
    params = {"filters": 4, "kernel": 3, "stride": 1, "expansion": 2, "se": True, "skip": True}
    cost = least_cost(chain((4, 4, 4), ("inverted_bottleneck", params)))
    assert cost.params == 4 * 8 + 9 * 8 + 2 * (8 * 2) + 8 * 4
    assert cost.macs == 16 * 4 * 8 + 16 * 9 * 8 + 2 * (8 * 2) + 16 * 8 * 4
    # The gate is applied while the shortcut waits: 4x4x4 kept, 4x4x8 in, 8 gates, 4x4x8 out.
    assert cost.peak_ram_bytes == 64 + 128 + 8 + 128


def test_residual_keeps_its_input_or_its_projection():
    cost = least_cost(chain((4, 4, 4), ("residual", {"filters": 4, "kernel": 3, "stride": 1})))
    assert cost.peak_ram_bytes == 3 * 64
    projected = least_cost(chain((4, 4, 2), ("residual", {"filters": 4, "kernel": 3, "stride": 2})))
    assert projected.params == 9 * 2 * 4 + 9 * 4 * 4 + 2 * 4


def test_a_layer_added_to_itself_is_alive_once():
    layers = (Layer("input", "input", (), {"shape": (2, 2, 3)}), Layer("sum", "add", ("input", "input")))
    assert least_cost(Architecture(layers)).peak_ram_bytes == 12 + 12


def test_kernels_that_are_nothing_but_signs_are_free():
    cost = least_cost(chain((4, 4, 1), ("conv", {"filters": 8, "kernel": 1, "stride": 1})))
    assert (cost.size_bytes, cost.macs) == (0, 16 * 8)


@pytest.mark.parametrize("name", ["bytes_per_weight", "bytes_per_activation"])
def test_bytes_that_cannot_be(name):
    with pytest.raises(UserError, match=rf"`{name}` must be positive\. Received: {name}=0\. The least of any"):
        least_cost(chain((4, 4, 1), ("global_average_pool", {})), **{name: 0})


@pytest.mark.parametrize("make", [ImageSpace, lambda shape, classes: LayerListSpace(shape, (classes,))])
@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 3), (10, 1, 2)])
def test_never_above_the_converted_network(make, shape, draw):
    from hwkeras.build import build_model
    from hwkeras.convert import convert_untrained
    from hwkeras.measure import analyze

    space, rng = make(shape, 10), random.Random(shape[0])
    for _ in range(2):
        architecture = space.architecture(draw(space, rng))
        files = convert_untrained(build_model(architecture), ("int8", "float32"))
        for precision, num_bytes in (("int8", 1), ("float32", 4)):
            actual = analyze(files[precision]).metrics()
            least = least_cost(architecture, num_bytes, num_bytes).metrics()
            assert all(least[name] <= actual[name] for name in least), (precision, architecture.summary())
            assert least["macs"] == actual["macs"], architecture.summary()
            assert least["params"] >= 0.9 * actual["params"]
