"""Networks for sounds that hear frame by frame, against the same networks hearing whole windows."""

import random

import keras
import numpy as np
import pytest
from keras_tuner import HyperParameters

from hwkeras.build import StreamingModel
from hwkeras.build import build_model
from hwkeras.convert import convert
from hwkeras.convert.interpreter import Runner
from hwkeras.errors import UserError
from hwkeras.space import AudioSpace
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space.cost import least_cost

SHAPE = (24, 5, 1)
KINDS = ("conv", "separable_conv", "inverted_bottleneck", "fused_inverted_bottleneck", "residual", "parallel_conv")


def streaming_space(**choices):
    choices = {"stages": 2, "widths": (4, 6), "kernels": (3, 4), "stem_widths": 4, "depths": (1, 2)} | choices
    return AudioSpace(SHAPE, 3, streaming=True, **choices)


def drawn(space, seed):
    """An architecture with values drawn for all of its choices."""
    rng, hp = random.Random(seed), HyperParameters()
    hp.values = {choice.name: rng.choice(choice.values) for choice in space.choices}
    return space.architecture(hp)


def random_model(architecture, seed=0):
    """A network whose batch normalizations do something."""
    keras.utils.set_random_seed(seed)
    model, rng = build_model(architecture), np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights(
                [rng.uniform(0.5, 2, shape), *rng.normal(0, 0.5, (2, *shape)), rng.uniform(0.5, 2, shape)]
            )
    return model


def heard(streaming, window, run=None):
    """The answer after a whole window, from silence."""
    run = run or (lambda step: [np.asarray(tensor) for tensor in streaming.model(step, training=False)])
    states = streaming.begin()
    for frames in streaming.frames(window):
        answer, *states = run([frames, *states])
    return answer


@pytest.mark.parametrize("kind", [*KINDS, "fire", "dense_block"])
def test_after_a_window_the_answer_is_that_of_the_window(kind):
    space = streaming_space(layer_types=kind)
    for seed in range(3):
        architecture = drawn(space, seed)
        model = random_model(architecture)
        streaming = StreamingModel(architecture, model)
        window = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
        np.testing.assert_allclose(heard(streaming, window), model(window[None], training=False), atol=1e-5)


def test_what_was_heard_before_takes_the_place_of_zeros():
    """Of a convolution without a stride that sees two frames, under a mean of four frames."""
    draft = Draft((4, 1, 1))
    draft.append("row", "frames")
    draft.append("conv", "conv", filters=1, kernel=(1, 2), activation="linear", batch_norm=False)
    draft.append("pool", "global_average_pool")
    draft.append_head(1)
    architecture = draft.finish()
    model = build_model(architecture)
    kernel = np.array([10.0, 1.0], "float32").reshape(1, 2, 1, 1)
    model.get_layer("conv_conv").set_weights([kernel, np.zeros(1)])
    model.layers[-1].set_weights([np.eye(1), np.zeros(1)])
    streaming = StreamingModel(architecture, model)
    assert streaming.num_frames == 1
    states, answers = streaming.begin(), []
    for number in (1.0, 2.0, 3.0, 4.0, 5.0):
        step = [np.full((1, 1, 1, 1), number, "float32"), *states]
        answer, *states = (np.asarray(tensor) for tensor in streaming.model(step))
        answers.append(float(answer[0, 0]))
    # Each column is ten times the frame before it and the frame: 1, 12, 23, 34, 45.
    assert answers == pytest.approx([1 / 4, 13 / 4, 36 / 4, 70 / 4, (12 + 23 + 34 + 45) / 4])


def test_no_column_depends_on_a_later_frame():
    architecture = drawn(streaming_space(kernels=5, resolutions=1, strides=(1, 2), stem_strides=2), 4)
    model = random_model(architecture)
    stride = StreamingModel(architecture, model).num_frames
    pool = next(layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    columns = keras.Model(model.input, pool.input)
    window = np.random.default_rng(1).normal(size=(1, *SHAPE)).astype("float32")
    before = np.asarray(columns(window, training=False))
    assert before.shape[2] == -(-SHAPE[0] // stride)
    for frame in range(SHAPE[0]):
        changed = window.copy()
        changed[:, frame:] += 3.0
        untouched = -(-frame // stride)
        after = np.asarray(columns(changed, training=False))
        np.testing.assert_array_equal(after[:, :, :untouched], before[:, :, :untouched])
        assert untouched == before.shape[2] or not np.array_equal(after[:, :, untouched:], before[:, :, untouched:])


def test_the_cost_is_that_of_networks_which_see_both_ways():
    causal = drawn(streaming_space(), 2)
    both = AudioSpace(SHAPE, 3, backbones="1d", stages=2, widths=(4, 6), kernels=(3, 4), stem_widths=4, depths=(1, 2))
    hp, rng = HyperParameters(), random.Random(2)
    hp.values = {choice.name: rng.choice(choice.values) for choice in streaming_space().choices}
    hp.values |= {"head/type": "global_pool"} | {f"stage{n}/squeeze_excite": False for n in (1, 2)}
    assert least_cost(causal).macs == least_cost(both.architecture(hp)).macs
    assert build_model(causal).count_params() == build_model(both.architecture(hp)).count_params()


@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-4), ("int8", 0.1)])
def test_the_file_hears_frame_by_frame(precision, most):
    architecture = drawn(streaming_space(layer_types="residual"), 1)
    model = random_model(architecture)
    streaming = StreamingModel(architecture, model)
    rng = np.random.default_rng(1)
    windows = rng.normal(size=(20, *SHAPE)).astype("float32")
    converted = convert(streaming.model, precision, streaming.steps(windows))
    runner = Runner(converted.flatbuffer)
    names = [detail["name"] for detail in runner.inputs]
    assert len(names) == len(streaming.model.inputs) > 2
    answers = [heard(streaming, window, runner.run)[0] for window in windows[:5]]
    np.testing.assert_allclose(answers, model.predict(windows[:5], verbose=0), atol=most)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (
            {"squeeze_excite": True},
            r"sees no frame that comes later. Received: streaming=True and squeeze_excite=\(True",
        ),
        (
            {"layer_types": "inception"},
            "sees no frame that comes later. .*layer_types=.*'inception'.*leave `layer_types`",
        ),
        ({"heads": ("gru", "flatten")}, "sees no frame that comes later. .*heads="),
        ({"front_end": {}}, "A network that streams takes pictures. Received: streaming=True and a front end inside."),
    ],
)
def test_what_looks_ahead_cannot_stream(choices, said):
    with pytest.raises(UserError, match=said):
        streaming_space(**choices)


def test_other_networks_do_not_stream():
    architecture = drawn(ImageSpace((8, 8, 1), 3, stages=1), 0)
    with pytest.raises(UserError, match=r"comes from spaces.Audio\(..., streaming=True\). Received: "):
        StreamingModel(architecture, build_model(architecture))
