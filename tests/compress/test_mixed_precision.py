import dataclasses
import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from hwkeras.compress import compress
from hwkeras.compress import operator_trials
from hwkeras.compress.evaluation import check_agreement
from hwkeras.compress.evaluation import share_right
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.compress.flatbuffer import operator_name
from hwkeras.compress.flatbuffer import packed
from hwkeras.compress.flatbuffer import parsed
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.flatbuffer import unpacked_int4
from hwkeras.compress.mixed_precision import BitChoice
from hwkeras.compress.mixed_precision import to_mixed
from hwkeras.compress.operator_bits import FLOAT_BITS
from hwkeras.compress.operator_bits import OperatorQuantizer
from hwkeras.compress.operator_bits import WeightedOperator
from hwkeras.compress.operator_bits import widened
from hwkeras.compress.operator_trials import Trial
from hwkeras.compress.operator_trials import try_files
from hwkeras.compress.output_damage import Damage
from hwkeras.compress.output_damage import DamageJudge
from hwkeras.compress.output_damage import disagreement
from hwkeras.compress.proof import Found
from hwkeras.compress.report import OperatorReport
from hwkeras.compress.structure import KeptWeight
from hwkeras.compress.twinning import twin
from hwkeras.errors import CompressionError
from hwkeras.errors import ConversionError
from hwkeras.errors import UserError

pytest.importorskip("ai_edge_quantizer", reason='the extra "mixed" is not installed')

L = keras.layers
# What every operator of the digits network is, in order.
KINDS = {
    "stem": "CONV_2D",
    "depthwise": "DEPTHWISE_CONV_2D",
    "squeeze": "CONV_2D",
    "excite": "CONV_2D",
    "separable_depthwise": "DEPTHWISE_CONV_2D",
    "separable": "CONV_2D",
    "head": "FULLY_CONNECTED",
}


def weight_types(content):
    """Type of the weights of each operator that has some, read from the schema alone."""
    model = parsed(content)
    graph = model.subgraphs[0]
    weighted = [one for one in graph.operators if operator_name(model, one) in set(KINDS.values())]
    return [graph.tensors[operator.inputs[1]].type for operator in weighted]


@pytest.fixture(scope="module")
def float_file(trained):
    return to_flatbuffer(twin(trained), "float32", keeps_names=True)


@pytest.fixture(scope="module")
def quantizer(float_file, digits):
    return OperatorQuantizer(float_file, list(KINDS), [digits[0][0][:50]])


class TestBytes:
    def test_two_numbers_lie_in_a_byte(self):
        assert unpacked_int4([0x21, 0xF8], 4).tolist() == [1, 2, -8, -1]
        assert unpacked_int4([0x21, 0x07], 3).tolist() == [1, 2, 7]

    def test_the_quantizer_keeps_quiet(self, float_file, digits, capfd):
        made = OperatorQuantizer(float_file, list(KINDS), [digits[0][0][:50]])
        made.file({})
        assert capfd.readouterr() == ("", "")

    def test_the_bits_asked_for_are_in_the_file(self, quantizer):
        assert [(one.layer, one.kind) for one in quantizer.operators] == list(KINDS.items())
        stem, *_, head = quantizer.operators
        content = quantizer.file({head: 4, stem: FLOAT_BITS})
        types = [schema.TensorType.FLOAT32, *[schema.TensorType.INT8] * 5, schema.TensorType.INT4]
        assert weight_types(content) == types
        assert list(quantizer.bits_of(content).values()) == [32, 8, 8, 8, 8, 8, 4]
        alone = quantizer.file({head: 4}, is_quantized=False)
        assert list(quantizer.bits_of(alone).values()) == [32] * 6 + [4]

    def test_four_bits_are_read_as_the_runtime_reads_them(self, quantizer, trained):
        """An int4 weight is its float weight to half a step, channel by channel."""
        head = quantizer.operators[-1]
        content = quantizer.file({head: 4}, is_quantized=False)
        (weight,) = [one for one in constant_tensors(content) if one.num_steps == 7]
        kernel = trained.get_layer("head").kernel.numpy().T
        assert np.abs(weight.values).max() == 7 and weight.scales.shape == (10,)
        assert (np.abs(weight.numbers - kernel) <= weight.scales[:, None] / 2 + 1e-6).all()

    def test_the_same_numbers_in_8_bits_answer_the_same(self, quantizer, digits):
        content = quantizer.file({quantizer.operators[-1]: 4}, is_quantized=False)
        wide = widened(content)
        assert schema.TensorType.INT4 in weight_types(content) and schema.TensorType.INT4 not in weight_types(wide)
        narrow, broad = (trial.outputs for trial in try_files([content, wide], [digits[1][0][:20]]))
        assert disagreement(narrow, broad) < 0.01
        one, other = ([each.values for each in constant_tensors(file)] for file in (content, wide))
        assert all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))

    def test_names_of_ends_do_not_meet_those_of_inner_tensors(self, dense_model, dense_data):
        model = parsed(to_flatbuffer(twin(dense_model), "float32"))
        model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].name = b"t1"
        made = OperatorQuantizer(packed(model), ["head"], [dense_data[0]])
        assert list(made.bits_of(made.file({made.operators[0]: 4})).values()) == [4]


class TestTrials:
    def test_answers_are_those_of_the_interpreter(self, quantizer, trained, digits):
        from hwkeras.convert import predict

        x = digits[1][0][:20]
        content = quantizer.file({})
        (trial,) = try_files([content], [x])
        assert np.allclose(trial.outputs[0], predict(content, x), atol=1.01 / 256) and trial.reason is None

    def test_a_file_that_is_none_costs_the_others_nothing(self, float_file, digits):
        samples = [digits[1][0][:2]]
        before, bad, after = try_files([float_file, b"no file", float_file], samples)
        assert bad.outputs is None and bad.reason
        assert np.array_equal(before.outputs[0], after.outputs[0]) and before.outputs[0].shape == (2, 10)

    def test_a_file_that_ends_the_process_costs_the_others_nothing(self, float_file, digits, monkeypatch):
        ends = "    if content == b'ends':\n        __import__('os').abort()\n    interpreter = Interpreter("
        program = operator_trials._PROGRAM.replace("    interpreter = Interpreter(", ends)
        monkeypatch.setattr(operator_trials, "_PROGRAM", program)
        trials = try_files([float_file, b"ends", b"ends", float_file], [digits[1][0][:2]])
        assert [trial.reason for trial in trials] == [None, *["it ended the process with SIGABRT"] * 2, None]
        assert np.array_equal(trials[0].outputs[0], trials[3].outputs[0])

    def test_a_file_that_takes_too_long_is_told(self, float_file, digits):
        (trial,) = try_files([float_file], [digits[1][0][:2]], timeout_s=0.01)
        assert (trial.outputs, trial.reason) == (None, "it did not end in time")

    def test_a_child_that_cannot_begin_is_told(self, float_file, digits, monkeypatch):
        monkeypatch.setattr(operator_trials, "_PROGRAM", "raise SystemExit('no LiteRT')")
        (trial,) = try_files([float_file], [digits[1][0][:2]])
        assert trial.reason == "the process ended with 1: no LiteRT"


class TestDamage:
    def test_equal_answers_disagree_by_nothing(self):
        answers = [np.arange(6.0).reshape(3, 2)]
        assert disagreement(answers, answers) == 0.0
        assert disagreement(answers, [np.full((3, 2), 2.5)]) == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("damage", "other", "expected"),
        [
            (Damage(0.3), Damage(0.2), True),
            (Damage(0.301), Damage(0.2), False),
            (Damage(0.0, 0.01), Damage(), True),
            (Damage(0.0, 0.015), Damage(0.0, 0.0), False),
            (Damage(0.0, 0.015), Damage(0.0, 0.005), True),
            (Damage(0.1, -0.5), Damage(), True),
            (Damage(float("inf")), Damage(0.5), False),
        ],
    )
    def test_the_tolerance(self, damage, other, expected):
        assert damage.is_within(other) is expected

    def test_it_reads_as_a_text(self):
        assert str(Damage(0.25)) == "0.250"
        assert str(Damage(0.25, 0.015)) == "0.250 and -1.5 points of accuracy"
        assert str(Damage(0.25, -0.0)) == "0.250 and +0.0 points of accuracy"

    def test_accuracy_needs_labels_of_classes(self):
        answers = [np.eye(3)[[0, 1, 2, 2]]]
        assert share_right(answers, np.array([0, 1, 2, 0])) == 0.75
        assert share_right(answers, None) is None
        assert share_right(answers, np.array([0.5, 1.0, 2.0, 0.1])) is None
        assert share_right([*answers, *answers], np.array([0, 1, 2, 0])) is None

    def test_a_float_file_that_does_not_run_is_an_error(self, digits):
        with pytest.raises(ConversionError, match=r"float32 file must run before.*does not \(.+\)\. Look at the model"):
            DamageJudge(b"no file", [digits[1][0][:2]], None)


class FakeQuantizer:
    """Files that are the bits of their operators, as text."""

    def __init__(self, sizes, without_int4=(), without_int8=()):
        self.operators = tuple(
            WeightedOperator("CONV_2D", layer, size, number, 1, number, f"t{number};")
            for number, (layer, size) in enumerate(sizes.items())
        )
        self._least = {layer: 8 for layer in without_int4} | {layer: FLOAT_BITS for layer in without_int8}
        self.asked = []

    def file(self, bits, is_quantized=True):
        rest = 8 if is_quantized else FLOAT_BITS
        given = {one.layer: bits.get(one, rest) for one in self.operators}
        held = {layer: wanted if wanted >= self._least.get(layer, 4) else FLOAT_BITS for layer, wanted in given.items()}
        return json.dumps(held).encode()

    def bits_of(self, content):
        held = json.loads(content)
        return {operator: held[operator.layer] for operator in self.operators}


class FakeJudge:
    """Files whose damage is the sum of what their operators do, named as (layer, bits)."""

    def __init__(self, damages, broken=()):
        self._damages, self._broken, self.num_calls = damages, {json.dumps(one).encode() for one in broken}, 0

    def judge(self, files):
        self.num_calls += 1
        return [self._one(content) for content in files]

    def _one(self, content):
        if content in self._broken:
            return None, Trial(None, "it ended the process with SIGSEGV")
        figures = [self._damages.get(pair, 0.0) for pair in json.loads(content).items()]
        return Damage(float(sum(figures))), Trial((np.array([[1.0, 0.0], [0.0, 1.0]]),))


@pytest.fixture
def kept_in_4_bits(monkeypatch):
    """Fake files hold no tensors to widen: they stand for themselves."""
    monkeypatch.setattr("hwkeras.compress.mixed_precision.widened", lambda content: content)


def choose(quantizer, judge, clustered=None, batch=2):
    made = BitChoice(quantizer, judge, clustered or {}, batch).file()
    return {one.layer: one.bits for one in made.operators}, {one.layer: one.reason for one in made.operators}


@pytest.mark.usefixtures("kept_in_4_bits")
class TestChoice:
    @pytest.mark.parametrize("batch", [1, 2, 3, 10])
    def test_the_cheapest_bytes_go_first_and_the_file_decides(self, batch):
        """Prices per byte: b 0.0004, d 0.0008, a 0.002, c 0.00375. After b and d, a is too much; c still fits."""
        quantizer = FakeQuantizer({"a": 100, "b": 200, "c": 8, "d": 100})
        damages = {("a", 4): 0.10, ("b", 4): 0.04, ("c", 4): 0.015, ("d", 4): 0.04, ("a", 8): 0.01}
        bits, reasons = choose(quantizer, FakeJudge(damages), batch=batch)
        assert bits == {"a": 8, "b": 4, "c": 4, "d": 4}
        # The file in 8 bits does 0.01, so 0.11 is allowed: with b and d it does 0.09, with a too 0.18, with c 0.105.
        assert reasons == {"a": "4 bits take the file from 0.010 to 0.180", "b": None, "c": None, "d": None}

    def test_a_batch_saves_processes(self):
        damages = {(layer, 4): 0.001 for layer in "abcd"}
        judges = []
        for batch in (1, 4):
            judges.append(FakeJudge(damages))
            bits, _ = choose(FakeQuantizer(dict.fromkeys("abcd", 10)), judges[-1], batch=batch)
            assert set(bits.values()) == {4}
        assert [judge.num_calls for judge in judges] == [9, 3]

    def test_what_8_bits_damage_stays_in_float(self):
        damages = {("a", 8): 0.2, ("a", 4): 0.3, ("b", 4): 0.05}
        bits, reasons = choose(FakeQuantizer({"a": 100, "b": 10}), FakeJudge(damages))
        assert bits == {"a": FLOAT_BITS, "b": 4}
        assert reasons["a"] == "8 bits alone damage more than the tolerance"

    def test_what_is_not_offered_is_told(self):
        quantizer = FakeQuantizer({"a": 100, "b": 100, "c": 1}, without_int4=["a"], without_int8=["b"])
        bits, reasons = choose(quantizer, FakeJudge({}))
        assert bits == {"a": 8, "b": FLOAT_BITS, "c": 8}
        assert reasons["a"] == "the quantizer offers no 4 bits for CONV_2D"
        assert reasons["b"] == "the quantizer offers no integers for it"
        assert reasons["c"] == "there is nothing to save"

    def test_what_litert_does_not_run_keeps_its_bits(self):
        broken = [{"a": 4, "b": FLOAT_BITS}, {"a": FLOAT_BITS, "b": 8}]
        bits, reasons = choose(FakeQuantizer({"a": 100, "b": 100}), FakeJudge({}, broken))
        assert bits == {"a": 8, "b": FLOAT_BITS}
        assert reasons["a"] == "LiteRT does not run it with 4 bits here (it ended the process with SIGSEGV)"
        assert reasons["b"] == "LiteRT does not run it with 8 bits here (it ended the process with SIGSEGV)"

    def test_what_runs_alone_may_still_end_the_whole_file(self):
        bits, reasons = choose(FakeQuantizer({"a": 100, "b": 100}), FakeJudge({}, [{"a": 4, "b": 4}]))
        assert bits == {"a": 4, "b": 8} and "with 4 bits here" in reasons["b"]

    def test_few_clusters_are_not_spread_over_4_bits(self):
        bits, reasons = choose(FakeQuantizer({"a": 100, "b": 100}), FakeJudge({}), clustered={0: 8, 1: 15})
        assert bits == {"a": 8, "b": 4}
        assert reasons["a"] == "each channel would round its 8 clusters to other ones of the 15 codes of 4 bits"

    def test_a_file_without_4_bits_must_run(self):
        quantizer = FakeQuantizer({"a": 100, "b": 100})
        with pytest.raises(
            ConversionError, match=r"without 4 bits that does not \(it ended .* SIGSEGV\)\. Compress to"
        ):
            choose(quantizer, FakeJudge({}, [{"a": 8, "b": 8}]))

    def test_the_bytes_are_read_again(self):
        class Forgetful(FakeQuantizer):
            def bits_of(self, content):
                held = super().bits_of(content)
                return {one: 8 if set(held.values()) == {4} else bits for one, bits in held.items()}

        with pytest.raises(
            CompressionError, match=r"Received: a \(CONV_2D\) with 8 bits, 4 chosen; b .*Compress to int8"
        ):
            choose(Forgetful({"a": 10, "b": 10}), FakeJudge({}))


def test_another_answer_in_4_bits_is_no_answer(monkeypatch):
    """A kernel that computes something else is found by the same numbers in 8 bits."""
    monkeypatch.setattr("hwkeras.compress.mixed_precision.widened", lambda content: b"wide" + content)

    class Wrong(FakeJudge):
        def _one(self, content):
            damage, trial = super()._one(content.removeprefix(b"wide"))
            return damage, Trial((trial.outputs[0][::-1],)) if content.startswith(b"wide") else trial

    bits, reasons = choose(FakeQuantizer({"a": 100}), Wrong({}))
    assert bits == {"a": 8}
    assert reasons["a"].startswith("LiteRT computes something else in 4 bits than with the same numbers in 8 (")


class TestDigits:
    def test_the_file_is_smaller_and_integer_at_both_ends(self, compressed, digits, accuracy_of):
        mixed, plain = compressed("mixed"), compressed("int8")
        assert mixed.report.size_bytes < plain.report.size_bytes
        assert mixed.report.float_operators == ()
        assert mixed.report.types["int4"] > mixed.report.types["int8"]
        graph = parsed(mixed.tflite).subgraphs[0]
        assert {graph.tensors[end].type for end in (*graph.inputs, *graph.outputs)} == {schema.TensorType.INT8}
        assert not parsed(mixed.tflite).signatureDefs
        measured = accuracy_of(mixed.tflite, *digits[1])
        assert measured == pytest.approx(mixed.report.accuracy_after, abs=1e-6)
        assert measured > plain.report.accuracy_after - 0.04

    def test_the_report_tells_the_bits_of_each_operator(self, compressed):
        report = compressed("mixed").report
        told = {4: schema.TensorType.INT4, 8: schema.TensorType.INT8}
        assert weight_types(compressed("mixed").tflite) == [told[one.bits] for one in report.operators]
        assert {one.layer: one.operator for one in report.operators} == KINDS
        by_layer = {one.layer: one for one in report.operators}
        assert by_layer["depthwise"].reason == "the quantizer offers no 4 bits for DEPTHWISE_CONV_2D"
        assert by_layer["head"].num_weights == 1920
        for one in report.operators:
            assert (one.bits == 4) == (one.reason is None)
            assert one.disagreement_int8 < 0.1
            assert one.disagreement_int4 is None or one.disagreement_int4 >= one.disagreement_int8
        assert json.loads(json.dumps(report.to_json()))["operators"][0]["operator"] == "CONV_2D"

    def test_the_report_reads_as_a_text(self, compressed):
        text = str(compressed("mixed").report)
        assert "\n  depthwise (DEPTHWISE_CONV_2D): int8; alone int8 0." in text
        assert "\n  squeeze (CONV_2D): int4; alone int8 0." in text
        one = OperatorReport("CONV_2D", "", 32, 9, 0.25, None, 0.015, None, "it stays so")
        assert str(one) == "  CONV_2D: float; alone int8 0.250 (-1.5 points); it stays so"
        assert str(OperatorReport("GATHER", "table", 4, 9)) == "  table (GATHER): int4"

    def test_the_same_twice(self, trained, digits, compressed):
        again = compress(trained, "mixed", digits[0], validation_data=digits[1], epochs=2)
        assert again.tflite == compressed("mixed").tflite and again.report == compressed("mixed").report

    def test_small_weights_may_vanish_in_4_bits(self):
        """A step of int4 is an 18th of one of int8: what may be rounded to zero is measured by it."""
        weight = np.linspace(0.01, 1.0, 100).reshape(10, 10)
        codes = np.rint(weight * 7).astype("int8")
        (tensor,) = [dataclasses.replace(one, num_steps=7) for one in [_constant(codes)]]
        alive, left = Found(KeptWeight("dense", weight), weight, tensor).num_alive()
        assert alive == left == np.count_nonzero(weight > 1 / 7)


class TestWithOtherSteps:
    @pytest.fixture
    def model(self):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((4,)), L.Dense(20, activation="relu", name="hidden"), L.Dense(3, name="head")]
        return keras.Sequential(layers)

    def test_zeros_live_in_4_bits(self, model, dense_data):
        one = compress(model, "prune=0.5+mixed", dense_data, epochs=1, batch_size=16)
        assert [layer.sparsity_in_file >= 0.5 for layer in one.report.pruned] == [True, True]
        assert one.report.types["int4"] > 0
        assert (
            compress(model, "prune=2:4+mixed", dense_data, epochs=1, batch_size=16).report.pruned[0].pattern_in_file
            == 1.0
        )

    def test_clusters_live_in_4_bits_if_there_are_enough_codes(self, model, dense_data):
        many = compress(model, "cluster=16+mixed", dense_data, epochs=1).report
        assert 4 in {one.bits for one in many.operators}
        assert all(layer.values_in_file <= 16 for layer in many.clustered)
        few = compress(model, "cluster=8+mixed", dense_data, epochs=1).report
        assert all(layer.values_in_file <= 8 for layer in few.clustered)
        assert {one.bits for one in few.operators} == {8}
        assert all(re.search(r"would round its \d clusters to other ones", one.reason) for one in few.operators)


def _constant(codes):
    from hwkeras.compress.flatbuffer import ConstantTensor

    return ConstantTensor("weight", codes, np.full(1, 1 / 7, "float32"))


def test_what_8_bits_cannot_hold_stays_in_float():
    """One output a thousand times as large as the others that matter: 8-bit activations lose those."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (200, 4)).astype("float32")
    start = keras.Input((4,), name="x")
    spread = L.Dense(4, name="spread", use_bias=False)
    pick = L.Dense(2, name="pick", use_bias=False)
    model = keras.Model(start, L.Dense(2, name="last")(L.Activation("tanh")(pick(spread(start)))))
    spread.set_weights([np.diag([1.0, 1.0, 1.0, 1000.0]).astype("float32")])
    pick.set_weights([np.array([[1, 0], [0, 1], [1, -1], [0, 0]], "float32")])
    report = compress(model, "mixed", (x, None)).report
    bits = {one.layer: one.bits for one in report.operators}
    assert bits["spread"] == bits["pick"] == FLOAT_BITS and bits["last"] in (4, 8)
    assert report.operators[0].reason == "8 bits alone damage more than the tolerance"
    assert report.operators[0].disagreement_int8 > 0.1 and report.operators[0].accuracy_lost_int8 is None
    assert "FULLY_CONNECTED" in report.float_operators
    with pytest.raises(ConversionError, match="A int8 file must compute what its model computes"):
        compress(model, "int8", (x, None))


def test_several_inputs_and_numbers_for_labels(dense_data):
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    h = L.Dense(8, activation="relu", name="hidden")(L.Concatenate(name="both")([left, right]))
    model = keras.Model([left, right], [L.Dense(3, name="one")(h), L.Dense(1, name="other")(h)])
    x, _ = dense_data
    made = to_mixed(twin(model), [x, -x], np.linspace(0, 1, len(x)))
    assert [one.layer for one in made.operators] == ["hidden", "one", "other"]
    assert all(one.accuracy_lost_int8 is None and one.bits in (4, 8) for one in made.operators)


class TestErrors:
    def test_the_package_that_is_missing(self, dense_model, dense_data, monkeypatch):
        monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
        message = r"needs the package ai-edge-quantizer. Received: .*`pip install \"hwkeras\[mixed\]\"`, or compress to"
        with pytest.raises(UserError, match=message):
            compress(dense_model, "mixed", dense_data)
        assert compress(dense_model, "int8", dense_data).tflite

    def test_no_data(self, dense_model):
        from hwkeras.errors import DataError

        with pytest.raises(DataError, match=r"must be a tuple \(x, y\). Received: NoneType"):
            compress(dense_model, "mixed", None)

    def test_a_loop(self):
        model = keras.Sequential([keras.Input((4, 2)), L.GRU(3), L.Dense(2)])
        with pytest.raises(ConversionError, match="Calibration for mixed cannot enter a loop"):
            compress(model, "mixed", (np.zeros((8, 4, 2)), None))

    def test_what_the_quantizer_refuses(self, dense_model, dense_data):
        model = parsed(to_flatbuffer(twin(dense_model), "float32"))
        graph = model.subgraphs[0]
        graph.tensors[graph.outputs[0]].name = graph.tensors[graph.inputs[0]].name
        message = (
            r"package ai-edge-quantizer can quantize. Received: one it refuses with: .*not unique.* Compress to int8"
        )
        with pytest.raises(ConversionError, match=message):
            OperatorQuantizer(packed(model), ["head"], [dense_data[0]]).file({})

    def test_a_file_of_another_model(self, quantizer, dense_model):
        other = to_flatbuffer(twin(dense_model), "float32")
        with pytest.raises(
            ConversionError, match="must hold the operators of its model. Received: FULLY_CONNECTED, wh"
        ):
            quantizer.bits_of(other)

    def test_a_file_that_answers_something_else(self, compressed, trained, digits):
        wrong = keras.models.clone_model(trained)
        wrong.set_weights(trained.get_weights())
        wrong.get_layer("head").set_weights([-weight for weight in trained.get_layer("head").get_weights()])
        message = "A mixed file must compute what its model computes: disagreement at most 0.5. Received"
        with pytest.raises(ConversionError, match=message):
            check_agreement(compressed("mixed").tflite, twin(wrong), "mixed", digits[1][0])


@pytest.mark.slow
def test_from_the_command_line(tmp_path, trained, digits):
    (x, y), (x_test, y_test) = digits
    trained.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    command = [sys.executable, "-m", "hwkeras", "compress", "model.keras", "--data", "data.npz", "--device", "fake"]
    recipes = ("int8", "mixed", "prune=0.5+mixed", "channels=0.5+mixed")
    command += ["--epochs", "2", "--out", "out", "--json"]
    command += [argument for recipe in recipes for argument in ("--recipe", recipe)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    plain, *mixed = document["results"]
    assert [result["recipe"] for result in mixed] == list(recipes[1:]) and document["failed"] == []
    for result in mixed:
        assert result["metrics"]["size_bytes"] < plain["metrics"]["size_bytes"]
        assert result["metrics"]["accuracy"] > 0.7
        content = (tmp_path / "out" / f"{result['recipe']}.tflite").read_bytes()
        told = {4: schema.TensorType.INT4, 8: schema.TensorType.INT8, 32: schema.TensorType.FLOAT32}
        assert weight_types(content) == [told[one["bits"]] for one in result["report"]["operators"]]
        assert 4 in {one["bits"] for one in result["report"]["operators"]}
    assert mixed[1]["metrics"]["sparsity"] > 0.45
