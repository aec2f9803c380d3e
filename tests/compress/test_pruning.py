import keras
import numpy as np
import pytest

from hwkeras.compress import compress
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.pruning import prunable_weights
from hwkeras.compress.pruning import pruning_schedule
from hwkeras.compress.pruning import skip_reason
from hwkeras.compress.structure import KeptWeight
from hwkeras.compress.structure import check_kept
from hwkeras.compress.structure import fewest_zeros
from hwkeras.compress.structure import kept_after
from hwkeras.compress.structure import num_broken_groups
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

L, K = keras.layers, tf_keras.layers
PRUNABLE = {"stem", "squeeze", "excite", "separable", "head"}


@pytest.mark.parametrize("num_steps", [2, 3, 7, 19, 20, 90, 1000, 12345])
def test_the_schedule_arrives_at_full_sparsity_within_the_run(num_steps):
    schedule = pruning_schedule(0.8, num_steps)
    decisions = [schedule(step) for step in (schedule.end_step, schedule.end_step + schedule.frequency)]
    assert 0 < schedule.end_step <= num_steps - 1
    assert bool(decisions[0][0]) and not bool(decisions[1][0])
    assert float(decisions[0][1]) == pytest.approx(0.8)


@pytest.mark.parametrize("recipe", ["prune=0.75", "prune=2:4", "prune=0.5+cluster=4"])
@pytest.mark.parametrize("epochs", [1, 10])
def test_a_short_run_still_arrives(dense_model, dense_data, recipe, epochs):
    """2 and 20 steps."""
    report = compress(dense_model, recipe, dense_data, epochs=epochs, batch_size=32).report
    assert report.pruned[0].sparsity_in_file == report.pruned[0].sparsity_asked > 0


def test_pruning_needs_two_steps(dense_model, dense_data):
    for recipe in ("prune=0.5", "prune=2:4"):
        with pytest.raises(UserError, match="at least 2 training steps. Received: 1"):
            compress(dense_model, recipe, dense_data, epochs=1, batch_size=64)


def zero_shares(flatbuffer, size):
    return [np.mean(tensor.values == 0) for tensor in constant_tensors(flatbuffer) if tensor.values.size == size]


@pytest.mark.parametrize("recipe", ["prune=0.8+int8_qat", "prune=0.8+int8"])
def test_the_file_holds_the_sparsity_in_every_prunable_layer(compressed, recipe):
    """Training alone after pruning leaves 0.04 of 0.8."""
    one = compressed(recipe)
    assert {layer.layer for layer in one.report.pruned} == PRUNABLE
    assert all(layer.sparsity_in_file >= 0.8 and layer.sparsity_before < 0.01 for layer in one.report.pruned)
    assert all(step.sparsity >= 0.8 for step in one.report.steps)
    # Asked of the bytes once more, past the report: the 192 x 10 kernel of the head and the 3 x 3 x 1 x 12 of the stem.
    assert min(zero_shares(one.tflite, 1920)) >= 0.8
    assert max(zero_shares(one.tflite, 108)) >= 0.8


@pytest.mark.parametrize("recipe", ["prune=2:4", "prune=2:4+cluster=8+distill+int8_qat"])
def test_the_file_holds_the_pattern_in_every_group(compressed, recipe):
    one = compressed(recipe)
    assert {layer.layer for layer in one.report.pruned} == PRUNABLE - {"stem"}
    assert all(layer.pattern_in_file == 1.0 and layer.sparsity_in_file == 0.5 for layer in one.report.pruned)
    assert all(step.pattern == 1.0 for step in one.report.steps)
    # Past the report: the rows of the head lie in the file as (10, 192), its groups along the last axis.
    (head,) = [tensor.values for tensor in constant_tensors(one.tflite) if tensor.values.shape == (10, 192)]
    assert (np.count_nonzero(head.reshape(-1, 4), axis=1) <= 2).all()


def test_what_is_not_pruned_is_reported_with_its_reason(compressed):
    reasons = {layer.layer: layer.skipped for layer in compressed("prune=2:4").report.skipped}
    assert reasons["depthwise"] == reasons["separable_depthwise"] == "tfmot never prunes a depthwise kernel"
    assert reasons["stem_norm"] == "it has no kernel to prune"
    assert reasons["stem"] == "it has 1 input channels, fewer than a group of 4"


def test_layers_whose_groups_would_lie_elsewhere_get_no_pattern():
    def reason(layer, shape, pattern=(2, 4)):
        layer.build(shape)
        return skip_reason(layer, pattern)

    assert "kernels of 2 or 4 axes, not of 3" in reason(K.Conv1D(8, 3), (None, 9, 8))
    assert "the groups of a Conv2DTranspose would run across" in reason(K.Conv2DTranspose(8, 3), (None, 9, 9, 8))
    assert "the groups of a Embedding would run across" in reason(K.Embedding(8, 8), (None, 9))
    assert reason(K.Conv2D(8, 3), (None, 9, 9, 3)) == "it has 3 input channels, fewer than a group of 4"
    assert reason(K.Conv2D(8, 3), (None, 9, 9, 6)) is None
    assert reason(K.Conv1D(8, 3), (None, 9, 8), None) is None
    assert reason(K.PReLU(), (None, 9)) == "tfmot cannot prune PReLU"


def test_recurrent_and_attention_layers_are_pruned():
    """tfmot's own wrappers miss both: the one called with `training=False`, the other with two inputs."""
    signal = keras.Input((5, 8))
    h = L.MultiHeadAttention(2, 4, name="attention")(signal, signal)
    model = keras.Model(signal, L.Dense(2, name="head")(L.GRU(4, unroll=True, name="recurrent")(h)))
    x, y = np.random.default_rng(0).normal(size=(32, 5, 8)), np.arange(32) % 2
    report = compress(model, "prune=0.6", (x, y), epochs=1, batch_size=8).report
    assert {layer.layer for layer in report.pruned} == {"attention", "recurrent", "head"}
    assert all(layer.sparsity_in_file >= 0.6 for layer in report.pruned)


def test_the_gates_of_a_fused_layer_are_found_apart_or_together():
    signal = keras.Input((5, 4))
    model = keras.Model(signal, L.Dense(2, name="head")(L.LSTM(4, name="recurrent")(signal)))
    x, y = np.random.default_rng(0).normal(size=(32, 5, 4)), np.arange(32) % 2
    report = compress(model, "prune=2:4", (x, y), epochs=1, batch_size=8).report
    assert {layer.layer: layer.pattern_in_file for layer in report.pruned} == {"recurrent": 1.0, "head": 1.0}


def test_a_model_with_nothing_to_prune(digits):
    image = keras.Input((8, 8, 1))
    h = L.Concatenate(name="ten")([L.GlobalMaxPooling2D(name="pool")(image)] * 10)
    with pytest.raises(CompressionError, match="needs a convolution or dense layer.*Leave 'prune' out"):
        compress(keras.Model(image, h), "prune=0.5", digits[0])


def test_a_model_with_no_room_for_a_pattern(dense_data):
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="head")])
    with pytest.raises(CompressionError, match=r"\('head': it has 4 input channels, fewer than a group of 8\)"):
        compress(model, "prune=4:8", dense_data)


class TestStructure:
    def test_the_fewest_zeros_are_rounded_up_but_never_all(self):
        assert [fewest_zeros(size, 0.8) for size in (48, 10, 4, 1, 0)] == [39, 8, 3, 0, 0]
        assert fewest_zeros(10, 0.7) == 7

    def test_groups_are_counted_with_short_ones_filled_up(self):
        rows = np.array([[1, 0, 0, 2, 3, 4], [1, 2, 3, 0, 0, 0]])
        assert num_broken_groups(rows, (2, 4)) == 1
        assert num_broken_groups(rows, (1, 4)) == 0
        assert num_broken_groups(rows, (3, 4)) == 3

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            (KeptWeight("a", np.array([[0.0, 1.0, 2.0]]), sparsity=0.6), "'a' with 1 zeros of 3 where 0.6 was asked"),
            (KeptWeight("b", np.ones((4, 1)), pattern=(2, 4)), "'b' with 1 groups that break 2:4"),
            (KeptWeight("c", np.arange(4.0), clusters=3), "'c' with 4 values where 3 were asked"),
        ],
    )
    def test_what_a_step_did_not_leave_is_an_error(self, weight, message):
        with pytest.raises(CompressionError, match=f"after the step 'prune'. Received: layer {message}"):
            check_kept([weight], "prune")

    def test_a_later_step_may_not_lose_structure(self):
        model = tf_keras.Sequential([K.Input((4,)), K.Dense(3, name="head")])
        kernel = np.arange(12, dtype="float32").reshape(4, 3) % 4
        kept = [KeptWeight("head", kernel, sparsity=0.25, clusters=4)]
        model.layers[0].kernel.assign(kernel * 3)
        assert np.array_equal(kept_after(kept, model, "int8_qat")[0].values, kernel * 3)
        filled, vanished, apart = (
            kernel + 0.1,
            np.where(kernel == 1, 1.0, 0.0),
            kernel * (1 + np.arange(12).reshape(4, 3)),
        )
        for broken in (filled, vanished, apart):
            model.layers[0].kernel.assign(broken)
            with pytest.raises(CompressionError, match="'int8_qat' must keep the zeros.*layer 'head', whose structure"):
                kept_after(kept, model, "int8_qat")

    def test_prunable_weights_are_those_of_tfmot(self):
        dense = K.Dense(3)
        assert prunable_weights(dense) == []
        dense.build((None, 4))
        assert [tuple(weight.shape) for weight in prunable_weights(dense)] == [(4, 3)]
