"""The amounts of work in a network: tiles, what is read from the bytes of the weights, what has no kernel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.measure.analysis import Analysis
from hwkeras.measure.analysis import OpCost
from hwkeras.measure.features import cost_terms
from hwkeras.measure.features import group_of
from hwkeras.measure.features import usual_cost_ns

BYTES = {"FLOAT32": 4, "INT8": 1}


def network(*ops):
    return Analysis(1000, sum(op.macs for op in ops), 10, 40, 100, ops, ())


def convolution(pixels, channels, depth, kernel=(3, 3), stride=(1, 1), dtype="FLOAT32", weight_type=None):
    under, size = kernel[0] * kernel[1] * depth, BYTES[dtype]
    return OpCost(
        op="CONV_2D",
        macs=pixels * channels * under,
        weight_bytes=channels * (under * BYTES[weight_type or dtype] + 4),
        output_bytes=pixels * channels * size,
        input_bytes=pixels * depth * size,
        kernel=kernel,
        stride=stride,
        dtype=dtype,
    )


def depthwise(pixels, channels, kernel=(3, 3), dtype="FLOAT32"):
    taps, size = kernel[0] * kernel[1], BYTES[dtype]
    weight_bytes = channels * (taps * size + 4)
    extent = pixels * channels * size
    return OpCost("DEPTHWISE_CONV_2D", pixels * channels * taps, weight_bytes, extent, extent, kernel, (1, 1), dtype)


class TestConvolutions:
    @pytest.mark.parametrize("dtype", ["FLOAT32", "INT8"])
    @given(
        pixels=st.integers(1, 500),
        channels=st.integers(1, 130),
        depth=st.integers(1, 70),
        extent=st.sampled_from([1, 3, 5]),
    )
    def test_the_extents_are_read_from_the_bytes(self, dtype, pixels, channels, depth, extent):
        op = convolution(pixels, channels, depth, (extent, extent), dtype=dtype)
        terms = cost_terms(network(op))
        prefix = f"{'float32' if dtype == 'FLOAT32' else 'int8'}/convolution_{'1x1' if extent == 1 else 'kxk'}"
        assert terms[f"{prefix}/pixels"] == pixels
        assert terms[f"{prefix}/lanes"] == -(-pixels // 7) * 7 * -(-channels // 16) * 16
        if extent > 1:
            assert terms[f"{prefix}/windows"] == pixels * extent**2

    def test_channels_are_rounded_up_to_lanes(self):
        terms = [cost_terms(network(convolution(49, channels, 8))) for channels in (17, 24, 25)]
        assert {term["float32/convolution_kxk/work"] for term in terms} == {49 * 32 * 9 * 8}

    def test_wide_layers_are_counted_by_themselves(self):
        terms = cost_terms(network(convolution(49, 33, 8)))
        assert terms["float32/convolution_kxk/work_wide"] == 49 * 64 * 9 * 8
        assert "float32/convolution_kxk/work" not in terms

    def test_int8_has_tiles_of_matrix_units(self):
        terms = cost_terms(network(convolution(17, 65, 10, dtype="INT8")))
        assert terms["int8/convolution_kxk/tiles"] == 32 * 128 * 9 * 64
        assert terms["int8/convolution_kxk/work"] == 21 * 80 * 9 * 16

    def test_a_strided_1x1_is_no_matrix_product(self):
        terms = cost_terms(network(convolution(49, 16, 8, (1, 1), (2, 2))))
        assert terms["float32/convolution_kxk/calls"] == 1

    def test_without_a_kernel_it_counts_as_1x1(self):
        op = convolution(49, 16, 8)
        bare = OpCost(op.op, op.macs, op.weight_bytes, op.output_bytes)
        terms = cost_terms(network(bare))
        assert terms["float32/convolution_1x1/work"] == 49 * 16 * 72

    def test_int8_weights_under_float_activations_are_their_own_type(self):
        terms = cost_terms(network(convolution(49, 16, 9, weight_type="INT8")))
        assert terms["hybrid/convolution_kxk/pixels"] == 49

    @pytest.mark.parametrize("op", [convolution(64, 40, 16), convolution(64, 40, 16, (1, 1)), depthwise(64, 40)])
    def test_weights_unpacked_before_are_among_the_bytes_read(self, op):
        read = op.input_bytes + op.weight_bytes
        unpacked = OpCost(op.op, op.macs, 0, op.output_bytes, read, op.kernel, op.stride, op.dtype)
        found, stored = cost_terms(network(unpacked)), cost_terms(network(op))
        assert found == {term: amount for term, amount in stored.items() if not term.endswith("/bytes")}

    def test_large_depthwise_kernels_are_counted_by_themselves(self):
        small, large = (cost_terms(network(depthwise(10, 20, kernel))) for kernel in ((3, 3), (5, 5)))
        assert small["float32/depthwise/work"] == 10 * 32 * 9
        assert large["float32/depthwise/work_large"] == 10 * 32 * 25


class TestOtherOperators:
    def test_a_pool_takes_its_channels_from_its_neighbors(self):
        pool = OpCost("AVERAGE_POOL_2D", 0, 0, 100 * 8, 400 * 8, (2, 2), (2, 2), "INT8")
        after = network(convolution(400, 8, 3, dtype="INT8"), pool)
        before = network(pool, convolution(100, 16, 8, dtype="INT8"))
        alone = network(pool)
        found = [cost_terms(analysis)["int8/average_pool/pixels"] for analysis in (after, before, alone)]
        assert found == [100, 100, 800]

    def test_constants_unpacked_at_load_cost_nothing(self):
        unpacked = OpCost("DEQUANTIZE", 0, 400, 800, 0, dtype="FLOAT32")
        assert cost_terms(network(unpacked)) == {"network": 1.0}

    def test_operators_nobody_knows_are_counted(self):
        terms = cost_terms(network(OpCost("CUSTOM:Mine", 50, 0, 40, 60, dtype="FLOAT32")))
        assert terms == {
            "network": 1.0,
            "float32/other/calls": 1.0,
            "float32/other/elements": 25.0,
            "float32/other/macs": 50.0,
        }

    def test_amounts_of_operators_add_up(self):
        op = OpCost("ADD", 0, 0, 40, 80, dtype="INT8")
        once, twice = cost_terms(network(op)), cost_terms(network(op, op))
        assert all(twice[term] == (1 if term == "network" else 2) * amount for term, amount in once.items())

    @given(
        op=st.sampled_from(
            ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "AVERAGE_POOL_2D", "MAX_POOL_2D", "HARD_SWISH"]
            + ["ADD", "MEAN", "RESHAPE", "CONCATENATION", "SOFTMAX", "TRANSPOSE_CONV", "WHILE"]
        ),
        dtype=st.sampled_from(["FLOAT32", "INT8", "UINT8", "INT16", "FLOAT16", "INT64", "BOOL", ""]),
        amounts=st.tuples(*[st.integers(0, 10**7)] * 4),
        kernel=st.sampled_from([(), (1, 1), (3, 3), (7, 7)]),
        stride=st.sampled_from([(), (1, 1), (2, 2)]),
    )
    def test_every_term_of_any_operator_has_a_usual_cost(self, op, dtype, amounts, kernel, stride):
        for term, amount in cost_terms(network(OpCost(op, *amounts, kernel, stride, dtype))).items():
            assert amount > 0 and usual_cost_ns(term) > 0
            assert term.startswith(group_of(term))
