"""Blocks of networks that answer for every pixel: what they compute, what they become, how they are compressed."""

import keras
import numpy as np
import pytest

from hwkeras.build import HardwareHyperModel
from hwkeras.build import build_model
from hwkeras.build import spaces
from hwkeras.compress import compress
from hwkeras.compress import twin
from hwkeras.convert import convert_all
from hwkeras.convert import evaluate
from hwkeras.convert import predict
from hwkeras.errors import UserError
from hwkeras.hardware.op_sets import OP_SETS
from hwkeras.measure import analyze
from hwkeras.space import Draft
from hwkeras.space.cost import least_cost

X = np.random.default_rng(0).random((48, 2, 2, 2)).astype("float32").repeat(4, axis=1).repeat(4, axis=2)
# A pixel is of class 0, 1 or 2 by its first channel, which is the same for 4x4 of them.
Y = (X[..., 0] * 2.999).astype("uint8")


def u_net(upsampling="nearest", classes=3, factor=1, skip="concat"):
    draft = Draft((8, 8, 2))
    first = draft.append("first", "conv", filters=4, stride=factor)
    draft.append("half", "conv", filters=6, stride=2)
    if upsampling == "transposed":
        draft.append("up", "transposed_conv", filters=4)
    else:
        draft.append("point", "conv", filters=4, kernel=1)
        draft.append("up", "upsample", interpolation=upsampling)
    draft.append("both", skip, ("up", first))
    draft.append("last", "conv", filters=4)
    activation = "sigmoid" if classes == 1 else "softmax"
    draft.append("classifier", "pixel_classifier", classes=classes, factor=factor, activation=activation)
    return draft.finish()


def one_block(kind, **params):
    draft = Draft((3, 2, 2))
    draft.append("block", kind, **params)
    return build_model(draft.finish())


def test_nearest_repeats():
    x = np.arange(12, dtype="float32").reshape(1, 3, 2, 2)
    answer = one_block("upsample", factor=3).predict(x, verbose=0)
    np.testing.assert_array_equal(answer, x.repeat(3, axis=1).repeat(3, axis=2))


def test_bilinear_is_linear_between_pixels():
    x = np.zeros((1, 3, 2, 2), "float32")
    x[0, :, :, 0] = [[0, 4], [8, 12], [16, 20]]
    answer = one_block("upsample", interpolation="bilinear").predict(x, verbose=0)[0, :, :, 0]
    # The middles of the new pixels are a quarter of a pixel beside those of the old ones.
    np.testing.assert_allclose(answer[:, 0], [0, 2, 6, 10, 14, 16], atol=1e-6)
    np.testing.assert_allclose(answer[0], [0, 1, 3, 4], atol=1e-6)


def test_a_transposed_convolution_writes_each_pixel_once():
    model = one_block("transposed_conv", filters=3)
    kernel, bias = model.get_layer("block").get_weights()
    x = np.random.default_rng(1).normal(size=(1, 3, 2, 2)).astype("float32")
    bias += [1, 2, 3]
    model.get_layer("block").set_weights([kernel, bias])
    # The kernel is (2, 2, filters, channels); pixel (2i + a, 2j + b) is kernel[a, b] @ x[i, j].
    expected = np.einsum("abfc,ijc->iajbf", kernel, x[0]).reshape(6, 4, 3) + bias
    np.testing.assert_allclose(model.predict(x, verbose=0)[0], expected, atol=1e-5)


def test_a_pixel_classifier_is_a_classifier_of_each_pixel():
    model = one_block("pixel_classifier", classes=4)
    (kernel, bias), x = model.get_layer("block_scores").get_weights(), X[:1, :3, :2]
    scores = np.exp(x @ kernel[0, 0] + bias)
    np.testing.assert_allclose(model.predict(x, verbose=0), scores / scores.sum(-1, keepdims=True), atol=1e-6)
    spread = one_block("pixel_classifier", classes=1, activation="sigmoid", factor=2)
    assert spread.output_shape == (None, 6, 4, 1)
    assert [layer.name for layer in spread.layers[1:]] == ["block_scores", "block_upsample", "block"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"upsampling": "nearest"},
        {"upsampling": "bilinear", "skip": "add", "factor": 2},
        {"upsampling": "transposed", "classes": 1},
    ],
)
def test_files_answer_as_keras_and_run_on_microcontrollers(arguments):
    keras.utils.set_random_seed(1)
    architecture = u_net(**arguments)
    model = build_model(architecture)
    files = convert_all(model, ("float32", "int8"), X[:16])
    expected = model.predict(X[:8], verbose=0).reshape(8, -1)
    for precision, tolerance, num_bytes in (("float32", 1e-5, 4), ("int8", 0.05, 1)):
        content = files[precision].flatbuffer
        np.testing.assert_allclose(predict(content, X[:8]), expected, atol=tolerance)
        analysis = analyze(content)
        assert {op.op for op in analysis.ops} <= OP_SETS["tflite_micro"] & OP_SETS["edge_tpu"] | {"CONCATENATION"}
        least = least_cost(architecture, num_bytes, num_bytes).metrics()
        known = analysis.metrics()
        assert all(least[name] <= known[name] for name in least), (least, known)
        assert least["macs"] == known["macs"]
    twin(model)


@pytest.fixture(scope="module")
def trained():
    """A network for each way to enlarge maps, trained as a search does it."""

    class Space:
        input_shape, num_classes = (8, 8, 2), 3

        def declare(self, hp):
            hp.Choice("upsampling", ["nearest", "bilinear", "transposed"])

        def architecture(self, hp):
            return u_net(hp.get("upsampling"))

    def train(upsampling):
        import keras_tuner

        keras.utils.set_random_seed(0)
        hypermodel, hp = HardwareHyperModel(Space()), keras_tuner.HyperParameters()
        hp.Fixed("upsampling", upsampling)
        model = hypermodel.build(hp)
        history = hypermodel.fit(hp, model, X, Y, epochs=40, batch_size=8, verbose=0)
        assert hypermodel.predicts_pixels and not hypermodel.predicts_numbers
        return model, history.history

    return train


def test_a_network_learns_a_class_for_every_pixel(trained):
    model, history = trained("bilinear")
    assert model.loss == "sparse_categorical_crossentropy"
    # Each of the three classes is a third of the pixels.
    assert history["accuracy"][-1] > 0.6 > history["accuracy"][0]


@pytest.mark.parametrize(
    ("upsampling", "recipe"), [("nearest", "prune=0.5+int8_qat"), ("transposed", "distill+int8_qat")]
)
def test_recipes(trained, upsampling, recipe):
    model, _ = trained(upsampling)
    result = compress(model, recipe, (X, Y), validation_data=(X[:16], Y[:16]), epochs=2, batch_size=8)
    told = evaluate(result.tflite, X[:16], Y[:16], ("accuracy", "mean_iou"))
    assert result.report.accuracy_after == pytest.approx(told["accuracy"])
    assert result.report.accuracy_before > 0.6 and told["accuracy"] > 0.6 and told["mean_iou"] > 0.35
    assert not {op.op for op in analyze(result.tflite).ops} & {"DEQUANTIZE", "MUL", "TILE"}
    if recipe.startswith("prune"):
        pruned = [each.sparsity_in_file for each in result.report.layers if each.sparsity_in_file is not None]
        assert pruned and min(pruned) > 0.4


def test_one_output_for_two_classes(trained):
    space = spaces.Segmentation(
        (8, 8, 2), 1, levels=1, depths=1, widths=4, kernels=3, block_types="conv", skips="add", upsamplings="nearest"
    )
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    model = space.build(hp)
    history = space.fit(hp, model, X, (Y > 1).astype("uint8"), epochs=2, batch_size=16, verbose=0).history
    assert model.loss == "binary_crossentropy" and np.isfinite(history["loss"]).all()


def test_masks_stay_where_they_are_while_images_are_augmented():
    space = spaces.Segmentation((8, 8, 2), 3, augment={"noise": 0.1, "scale": (0.0, 0.1)})
    assert [name for name, _ in space.augment.choices] == ["noise", "scale"]
    for name, value in (("flip", True), ("crop", 0.1), ("mixup", 0.2)):
        with pytest.raises(
            UserError, match=f"must leave pixels where they are, .* Received: '{name}' .* there are cut"
        ):
            spaces.Segmentation((8, 8, 2), 3, augment={name: value})
