import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.compress import compress
from hwkeras.compress import twin
from hwkeras.compress.cluster_codes import unify_codes
from hwkeras.compress.clustering import k_means
from hwkeras.compress.clustering import shared
from hwkeras.compress.clustering import unclustered_reason
from hwkeras.compress.clustering import without_scales
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.proof import Found
from hwkeras.compress.proof import find_kept
from hwkeras.compress.structure import KeptWeight
from hwkeras.convert.interpreter import Runner
from hwkeras.errors import CompressionError

L, K = keras.layers, tf_keras.layers
CLUSTERED = {"stem", "squeeze", "excite", "separable", "head"}
floats = st.floats(-10, 10, width=32)


@given(st.lists(floats, min_size=1, max_size=60), st.integers(1, 20))
def test_k_means_gives_few_values_within_the_range(values, count):
    values = np.array(values, "float32")
    centers = k_means(values, count)
    assert 1 <= centers.size <= min(count, np.unique(values).size)
    assert (np.diff(centers) > 0).all()
    assert values.min() - 1e-4 <= centers.min() and centers.max() <= values.max() + 1e-4


def test_k_means_finds_the_clusters_there_are():
    values = np.concatenate([center + np.array([-0.01, 0.0, 0.01]) for center in (-5.0, 0.5, 0.7, 9.0)])
    assert k_means(values, 4) == pytest.approx([-5.0, 0.5, 0.7, 9.0], abs=1e-6)
    rng = np.random.default_rng(0)
    many = np.concatenate([rng.normal(center, 0.02, 2000) for center in (-1.0, 0.0, 0.3, 4.0)])
    assert k_means(many, 4) == pytest.approx([-1.0, 0.0, 0.3, 4.0], abs=0.01)
    assert k_means(values, 1) == pytest.approx([values.mean()])
    assert list(k_means(np.array([3.0, 1.0, 3.0]), 8)) == [1.0, 3.0]


@given(st.lists(floats | st.just(0.0), min_size=1, max_size=60), st.integers(3, 9))
def test_sharing_keeps_zeros_and_makes_none(values, count):
    values = np.array(values, "float32").reshape(1, -1)
    result = shared(values, count, keeps_zeros=True)
    assert np.unique(result).size <= count
    assert (result[values == 0] == 0).all()
    if (values[values != 0] > 0).all():
        assert (result[values != 0] > 0).all()


def value_counts(flatbuffer, shape):
    return [np.unique(tensor.values).size for tensor in constant_tensors(flatbuffer) if tensor.values.shape == shape]


@pytest.mark.parametrize("recipe", ["cluster=16", "cluster=16+int8", "cluster=16+float16", "cluster=16+int8_qat"])
def test_the_file_holds_few_values_in_every_clustered_layer(compressed, recipe):
    one = compressed(recipe)
    assert {layer.layer for layer in one.report.clustered} == CLUSTERED
    assert all(1 < layer.values_in_file <= 16 for layer in one.report.clustered)
    assert all(1 < step.num_values <= 16 for step in one.report.steps)
    # Past the report. A scale per channel alone would make 12 x 16 codes of the 3 x 3 x 1 x 12 kernel of the stem.
    assert value_counts(one.tflite, (10, 192)) <= [16]
    assert value_counts(one.tflite, (12, 3, 3, 1)) <= [16]
    assert (
        one.report.gzip_bytes < compressed(recipe.replace("cluster=16", "").strip("+") or "float32").report.gzip_bytes
    )


def test_pruned_and_clustered_weights_stay_both_through_quantization(compressed):
    """PCQAT; tfmot's own zeroes whole 1x1 convolutions, here `squeeze` and `excite` (model-optimization#979)."""
    report = compressed("prune=0.5+cluster=16+int8_qat").report
    assert [step.step for step in report.steps] == ["prune", "cluster", "int8_qat"]
    for layer in report.pruned:
        assert 0.5 <= layer.sparsity_in_file < 0.55 and 3 <= layer.values_in_file <= 16
    assert {layer.layer for layer in report.pruned} == CLUSTERED
    assert report.gzip_bytes < compressed("prune=0.5+int8_qat").report.gzip_bytes


@pytest.mark.parametrize("recipe", ["cluster=16", "cluster=16+int8", "cluster=16+int8_qat"])
def test_clustering_keeps_the_accuracy(compressed, recipe):
    report = compressed(recipe).report
    assert report.accuracy_after > report.accuracy_before - 0.03


def test_what_is_not_clustered_is_reported_with_its_reason(compressed):
    reasons = {layer.layer: layer.unclustered for layer in compressed("cluster=16").report.layers}
    assert reasons["depthwise"] == "a depthwise kernel is small and loses most"
    assert reasons["stem_norm"] == "it has no kernel to cluster"
    assert reasons["head"] is None
    assert "head: 16 values in the file" in str(compressed("cluster=16").report)
    small, other = K.Dense(2), K.PReLU()
    small.build((None, 3))
    other.build((None, 3))
    assert unclustered_reason(small, 6) == "it has no more than 6 weights"
    assert unclustered_reason(small, 5) is None
    assert unclustered_reason(other, 6) == "no PReLU is"


def test_a_model_with_nothing_to_cluster(dense_model, dense_data):
    with pytest.raises(CompressionError, match="a kernel of more than 16 weights. Received: model 'small'.*'cluster'"):
        compress(dense_model, "cluster=16", dense_data)


def test_scales_are_moved_into_kernels_without_a_change_of_outputs(trained, digits):
    model = twin(trained)
    moved = without_scales(model)
    x = digits[1][0][:16]
    assert np.abs(np.asarray(model(x)) - np.asarray(moved(x))).max() < 1e-5
    norm, depthwise = moved.get_layer("stem_norm"), moved.get_layer("depthwise_norm")
    assert not norm.trainable and np.ptp(norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + 1e-3)) == 0
    assert depthwise.trainable and np.ptp(depthwise.moving_variance.numpy()) > 0
    # The model given keeps its own.
    assert np.ptp(model.get_layer("stem_norm").moving_variance.numpy()) > 0


def test_scales_behind_transposed_and_one_dimensional_kernels_too(dense_data):
    signal = keras.Input((6, 4))
    h = L.BatchNormalization(name="one")(L.Conv1D(4, 3, name="conv")(signal))
    h = L.BatchNormalization(scale=False, name="two")(L.Conv2DTranspose(3, 2)(L.Reshape((4, 2, 2))(h)))
    model = keras.Model(signal, h)
    for layer in ("one", "two"):
        size = model.get_layer(layer).moving_mean.shape
        model.get_layer(layer).moving_variance.assign(np.random.default_rng(0).uniform(0.5, 2, size))
    start = twin(model)
    moved = without_scales(start)
    x = np.random.default_rng(1).normal(size=(4, 6, 4)).astype("float32")
    assert np.abs(np.asarray(start(x)) - np.asarray(moved(x))).max() < 1e-5
    assert not any(moved.get_layer(layer).trainable for layer in ("one", "two"))


@pytest.fixture(scope="module")
def convolution():
    """A convolution whose 4 values lie in channels of different ranges, its int8 file and the weight in it."""
    rng = np.random.default_rng(0)
    kernel = rng.choice(np.array([-1.0, -0.25, 0.05, 0.2], "float32"), size=(3, 3, 2, 4))
    kernel[..., 1][kernel[..., 1] == -1.0] = 0.2
    model = tf_keras.Sequential([K.Input((6, 6, 2)), K.Conv2D(4, 3, bias_initializer="normal", name="conv")])
    model.layers[0].set_weights([kernel, np.array([0.1, -0.2, 0.3, 0.4], "float32")])
    x = rng.normal(size=(20, 6, 6, 2)).astype("float32")
    return model, KeptWeight("conv", kernel, clusters=4), x, to_flatbuffer(model, "int8", [x])


def test_codes_are_unified_without_a_change_of_answers(convolution):
    model, kept, x, content = convolution
    (before,) = find_kept([kept], constant_tensors(content))
    unified = unify_codes(content, [before])
    (after,) = find_kept([kept], constant_tensors(unified))
    assert before.num_values > 4 == after.num_values
    assert len(unified) <= len(content) + 64
    wanted = np.asarray(model(x[:1]))
    for file in (content, unified):
        assert np.abs(Runner(file).run([x[:1]])[0] - wanted).max() < 0.02 * np.abs(wanted).max()


def test_codes_that_are_few_are_left_alone(convolution):
    content = convolution[-1]
    found = find_kept([KeptWeight("conv", convolution[1].values, clusters=16)], constant_tensors(content))
    assert unify_codes(content, found) is content


def test_a_clustered_weight_of_an_unknown_operator(convolution):
    """The tensor named here is the convolution's input, not its weight."""
    _, kept, _, content = convolution
    (found,) = find_kept([kept], constant_tensors(content))
    elsewhere = dataclasses.replace(found.tensor, place=(0, 0))
    with pytest.raises(CompressionError, match="read by convolutions or dense layers. Received: layer 'conv', read by"):
        unify_codes(content, [Found(kept, found.values, elsewhere)])
