import dataclasses

import keras
import numpy as np
import pytest

from hwkeras.compress import compress
from hwkeras.compress.evaluation import accuracy
from hwkeras.compress.evaluation import check_agreement
from hwkeras.compress.flatbuffer import ConstantTensor
from hwkeras.compress.flatbuffer import bytes_by_type
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.proof import check_file
from hwkeras.compress.proof import find_kept
from hwkeras.compress.structure import KeptWeight
from hwkeras.errors import CompressionError
from hwkeras.errors import ConversionError
from hwkeras.measure import DeviceMeter
from hwkeras.measure.fake import FakeBoard

L, K = keras.layers, tf_keras.layers
WEIGHT = np.array([[0.0, 2.0], [0.0, 3.0], [1.0, 0.0]])


class TestZeros:
    def test_a_weight_is_found_by_its_zeros_in_the_layout_of_the_file(self):
        decoy, kernel = ConstantTensor("decoy", np.ones((2, 3))), ConstantTensor("kernel", WEIGHT.T * 7)
        (found,) = find_kept([KeptWeight("dense", WEIGHT, sparsity=0.5)], [decoy, kernel])
        assert found.tensor is kernel
        assert np.array_equal(found.values, WEIGHT.T)
        check_file([found])

    def test_two_weights_never_claim_one_tensor(self):
        pruned = [KeptWeight("one", WEIGHT, sparsity=0.5), KeptWeight("two", WEIGHT, sparsity=0.5)]
        with pytest.raises(CompressionError, match="layer 'two', 0.5 of zeros asked, not found"):
            find_kept(pruned, [ConstantTensor("kernel", WEIGHT.T)])

    def test_lost_zeros_are_an_error_with_figures(self):
        filled = WEIGHT.T.copy()
        filled[0, 0] = 0.1
        message = (
            r"layer 'dense', 0\.5 of zeros asked, not found; 0\.333 of zeros at most in a tensor of its 6 elements"
        )
        with pytest.raises(CompressionError, match=message):
            find_kept([KeptWeight("dense", WEIGHT, sparsity=0.5)], [ConstantTensor("kernel", filled)])

    def test_too_few_zeros_are_an_error(self):
        kept = KeptWeight("dense", WEIGHT, sparsity=0.8)
        with pytest.raises(CompressionError, match="layer 'dense', 0.8 of zeros asked, not found; 0.500 of zeros"):
            check_file(find_kept([kept], [ConstantTensor("kernel", WEIGHT)]))

    def test_gates_are_found_apart(self):
        gates = np.random.default_rng(0).normal(size=(3, 4, 2))
        gates[:, ::2] = 0
        kept = KeptWeight("lstm", np.concatenate([gates[0], gates[1], gates[2]], axis=-1), sparsity=0.5)
        tensors = [ConstantTensor(f"gate{place}", gates[place].T) for place in (2, 0, 1)]
        assert [one.tensor.name for one in find_kept([kept], tensors)] == ["gate2", "gate0", "gate1"]
        with pytest.raises(CompressionError, match="layer 'lstm'"):
            find_kept([kept], tensors[:2])

    def test_a_weight_that_vanished_is_an_error(self):
        """What tfmot's PCQAT does to 1x1 convolutions (model-optimization#979)."""
        kept = KeptWeight("pointwise", WEIGHT, sparsity=0.5)
        tensor = ConstantTensor("kernel", np.where(WEIGHT == 2, 2, 0))
        with pytest.raises(
            CompressionError, match="must not vanish.*'pointwise', where 3 weights were too large .* and 1 are"
        ):
            check_file(find_kept([kept], [tensor]))

    def test_small_weights_may_be_rounded_to_zero(self):
        weight = np.full((40, 2), 1e-3)
        weight[0], weight[1:11] = 1.0, 0.0
        kept = KeptWeight("dense", weight, sparsity=0.25)
        codes = np.where(weight.T == 1.0, 127, 0).astype("int8")
        check_file(find_kept([kept], [ConstantTensor("kernel", codes, np.full(2, 1 / 127), 0)]))


class TestPattern:
    KERNEL = np.tile([[0.0], [0.0], [1.0], [2.0]], (2, 3)) + 0.0

    def test_groups_run_along_the_last_axis_of_the_file(self):
        kept = KeptWeight("dense", self.KERNEL, pattern=(2, 4))
        check_file(find_kept([kept], [ConstantTensor("kernel", self.KERNEL.T)]))
        with pytest.raises(CompressionError, match=r"the pattern 2:4 in every group along its last axis.*'dense' with"):
            check_file(find_kept([kept], [ConstantTensor("kernel", self.KERNEL)]))


class TestClusters:
    KERNEL = np.array([[1.0, -2.0, 1.0], [0.5, 1.0, -2.0]])

    def test_a_weight_is_found_by_its_values_up_to_a_factor(self):
        kept = KeptWeight("dense", self.KERNEL, clusters=3)
        codes = np.rint(self.KERNEL.T * 127 / 2).astype("int8")
        kernel = ConstantTensor("kernel", codes, np.array([0.3 * 2 / 127]))
        decoy = ConstantTensor("decoy", self.KERNEL[::-1].T)
        (found,) = find_kept([kept], [decoy, kernel])
        assert found.tensor is kernel and found.num_values == 3
        assert found.values == pytest.approx(0.3 * self.KERNEL.T, abs=2e-3)
        check_file([found])

    def test_more_values_than_asked_are_an_error(self):
        scales = np.array([1.0, 2.0, 2.5]) / 127
        codes = np.rint(self.KERNEL.T / scales[:, None]).astype("int8")
        (found,) = find_kept([KeptWeight("dense", self.KERNEL, clusters=3)], [ConstantTensor("kernel", codes, scales)])
        with pytest.raises(CompressionError, match="'dense' with 5 values, 3 asked"):
            check_file([found])

    def test_values_that_are_not_there_are_an_error(self):
        kept = KeptWeight("dense", self.KERNEL, clusters=3)
        with pytest.raises(CompressionError, match="layer 'dense', 3 values asked, not found"):
            find_kept([kept], [ConstantTensor("kernel", self.KERNEL[::-1].T)])


@pytest.fixture(scope="module")
def dense():
    model = tf_keras.Sequential([K.Input((4,)), K.Dense(3, name="head")], name="small")
    model.layers[0].set_weights([np.random.default_rng(0).normal(size=(4, 3)), np.full(3, 0.5)])
    return model, np.random.default_rng(1).normal(size=(32, 4)).astype("float32")


class TestFile:
    @pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8", "int16x8"])
    def test_every_precision_answers_as_its_model(self, dense, precision):
        model, x = dense
        content = to_flatbuffer(model, precision, [x])
        agreement = check_agreement(content, model, precision, x)
        assert agreement.max_error < 0.1
        assert check_agreement(content, model, precision, None).max_error < 0.2

    @pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
    def test_a_file_of_another_model_is_an_error(self, dense, precision):
        model, x = dense
        content = to_flatbuffer(model, precision, [x])
        other = tf_keras.models.clone_model(model)
        other.set_weights([-weight for weight in model.get_weights()])
        with pytest.raises(ConversionError, match=f"A {precision} file must compute what its model computes"):
            check_agreement(content, other, precision, x)

    def test_a_file_that_does_not_load(self, dense):
        with pytest.raises(ConversionError, match="compressed int8 file does not load. A file must load"):
            check_agreement(b"nothing", dense[0], "int8", dense[1])

    def test_weights_are_read_with_their_scales(self, dense):
        model, x = dense
        kernel = model.layers[0].kernel.numpy()
        for precision in ("float32", "float16", "int8"):
            (tensor,) = constant_tensors(to_flatbuffer(model, precision, [x]))
            assert tensor.numbers == pytest.approx(kernel.T, abs=0.02)

    def test_bytes_are_told_by_type(self, dense):
        model, x = dense
        assert bytes_by_type(to_flatbuffer(model, "int8", [x])) == {"int32": 12, "int8": 12}
        assert bytes_by_type(to_flatbuffer(model, "float32"))["float32"] == 48 + 12

    def test_zero_of_a_table_is_its_zero_point(self):
        token = keras.Input((6,), dtype="int32")
        model = keras.Model(token, L.Dense(3, name="head")(L.Flatten()(L.Embedding(20, 4, name="table")(token))))
        x, y = np.random.default_rng(0).integers(0, 20, (64, 6)), np.arange(64) % 3
        report = compress(model, "prune=0.5+int8", (x, y), epochs=1, batch_size=16).report
        assert {layer.layer: layer.sparsity_in_file for layer in report.pruned} == {"table": 0.5, "head": 0.5}

    def test_a_loop_is_refused_before_anything_is_trained(self):
        signal = keras.Input((4, 2))
        model = keras.Model(signal, L.Dense(2)(L.GRU(3, name="loop")(signal)), name="recurrent")
        data, trained = (np.zeros((8, 4, 2), "float32"), np.zeros(8, int)), []
        callback = tf_keras.callbacks.LambdaCallback(on_train_begin=trained.append)
        for precision in ("int8", "int16x8"):
            with pytest.raises(ConversionError, match=f"for {precision} cannot enter a loop.*'recurrent'.*unroll=True"):
                compress(model, f"prune=0.5+{precision}", data, callbacks=[callback])
        assert trained == []

    def test_an_operator_without_16_bits_is_named(self, dense_data):
        features = keras.Input((4,))
        model = keras.Model(features, L.Dense(3)(L.Activation("hard_silu")(L.Dense(3)(features))))
        with pytest.raises(ConversionError, match="convert to a int16x8.*no integer kernel for HARD_SWISH"):
            compress(model, "int16x8", dense_data)

    def test_a_file_that_ends_the_interpreter_ends_a_child_alone(self, dense_data, monkeypatch):
        features = keras.Input((4,))
        model = keras.Model(features, L.Dense(3)(L.LayerNormalization(name="norm")(features)), name="normed")
        with pytest.raises(ConversionError, match="SQUARED_DIFFERENCE, which the layers 'norm' become. Use 'int8'"):
            compress(model, "int16x8", dense_data)
        monkeypatch.setattr("hwkeras.compress.flatbuffer._ENDING_ON_INT16", frozenset())
        with pytest.raises(ConversionError, match="must load and run. Received: model 'normed', .*SIGABRT. Use 'int8'"):
            compress(model, "int16x8", dense_data)

    def test_16_bits_keep_more_than_8(self, trained, digits):
        image = keras.Input((8, 8, 1))
        h = L.Conv2D(8, 3, activation="relu")(image)
        model = keras.Model(image, L.Dense(10, activation="softmax")(L.Flatten()(h)))
        errors = [compress(model, recipe, digits[0]).report.max_error for recipe in ("int8", "int16x8", "float32")]
        assert errors[0] > errors[1] > errors[2]


class TestAccuracy:
    def test_is_told_of_classes_alone(self, dense):
        model, x = dense
        content = to_flatbuffer(model, "float32")
        answers = np.asarray(model(x)).argmax(1)
        assert accuracy(content, (x, answers)) == accuracy(content, (x, np.eye(3)[answers])) == 1.0
        assert accuracy(content, (x, (answers + 1) % 3)) == 0.0
        for nothing in (None, (x, None), (x, x[:, :3]), (x, answers + 0.5), (x, answers + 3)):
            assert accuracy(content, nothing) is None

    def test_the_report_compares_with_the_uncompressed_file(self, compressed, trained, digits):
        x, y = digits[1]
        report = compressed("prune=0.8+int8_qat").report
        before = float(np.mean(trained.predict(x, verbose=0).argmax(-1) == y))
        assert report.accuracy_before == pytest.approx(before, abs=0.003)
        assert report.performance_loss == pytest.approx((before - report.accuracy_after) / before, abs=0.01)
        sizes = report.original_size_bytes, report.original_gzip_bytes
        assert report.compression_rate == pytest.approx(1 - report.size_bytes / sizes[0])
        assert report.gzip_compression_rate == pytest.approx(1 - report.gzip_bytes / sizes[1])
        assert 0.5 < report.gzip_compression_rate < 1

    def test_nothing_is_known_without_labels(self, dense_model, dense_data):
        report = compress(dense_model, "int8", (dense_data[0], None)).report
        assert (report.accuracy_before, report.performance_loss, report.latency_ms) == (None, None, None)


def test_latency_is_that_of_both_files_in_one_job(dense_model, dense_data):
    meter = DeviceMeter(FakeBoard(ms_per_kib=1.0, noise=0.0))
    report = compress(dense_model, "int8", dense_data, meter=meter).report
    assert report.latency_before_ms == pytest.approx(report.original_size_bytes / 1024, rel=0.1)
    assert report.latency_ms == pytest.approx(report.size_bytes / 1024, rel=0.1)
    assert "  latency " in str(report)


def test_what_was_removed_is_proven_by_channels(compressed):
    report = compressed("channels=0.5+int8").report
    assert [step.step for step in report.steps] == ["channels"] and "channels" in report.history
    assert report.steps[0].params == report.channels.params_after < report.channels.params_before
    assert "channels=0.5 by magnitude: " in str(report)


def test_a_recipe_in_full_is_proven_step_by_step(compressed):
    report = compressed("channels=0.3+prune=0.5+cluster=16+distill+int8_qat").report
    assert [step.step for step in report.steps] == ["channels", "prune", "cluster", "int8_qat"]
    assert all(layer.sparsity_in_file >= 0.5 and layer.values_in_file <= 16 for layer in report.pruned)
    assert report.float_operators == () and set(report.types) == {"int32", "int8"}
    assert "  after cluster: " in str(report) and "% smaller, gzipped " in str(report)
    assert dataclasses.replace(report, notes=("why",)).to_json()["notes"] == ("why",)
