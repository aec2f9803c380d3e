import itertools
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.interpreter import OpResolverType
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from hwkeras.build import build_model
from hwkeras.build.blocks import Style
from hwkeras.build.model import block_outputs
from hwkeras.errors import UserError
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space import LayerListSpace

# Kind -> parameters; and again with everything on.
NETS = {
    "conv": dict(filters=4, stride=2),
    "conv_all": dict(kind="conv", filters=3, se=True, skip=True, activation="hard_swish"),
    "separable_conv": dict(filters=4, kernel=(3, 1)),
    "separable_conv_all": dict(kind="separable_conv", filters=3, se=True, skip=True, activation="relu6"),
    "inverted_bottleneck": dict(filters=4, stride=2),
    "inverted_bottleneck_all": dict(
        kind="inverted_bottleneck", filters=3, expansion=1, se=True, skip=True, activation="hard_swish"
    ),
    "fused_inverted_bottleneck": dict(filters=4, stride=2),
    "fused_inverted_bottleneck_all": dict(
        kind="fused_inverted_bottleneck", filters=3, se=True, skip=True, activation="hard_swish", batch_norm=False
    ),
    "residual": dict(filters=4, stride=2, se=True),
    "residual_plain": dict(kind="residual", filters=3, skip=False),
    "residual_identity": dict(kind="residual", filters=3, activation="relu6"),
    "depthwise_conv": dict(kernel=(3, 5), stride=2),
    "squeeze_excite": dict(squeezed=2),
    "attention": dict(heads=3),
    "attention_all": dict(kind="attention", heads=1, ffn=4, activation="hard_swish", normalization="layer"),
    "attention_pool": dict(),
    "batch_norm": dict(),
    "activation": dict(activation="hard_swish"),
    "reshape": dict(shape=(4, 16, 3)),
    "max_pool": dict(size=3, stride=2),
    "average_pool": dict(size=(3, 5), padding="same"),
}


def net(name, **params):
    draft = Draft((8, 8, 3))
    draft.append("block", params.pop("kind", name), **params)
    draft.append("flatten", "flatten")
    draft.append("dense", "dense", units=5, activation="relu6")
    draft.append("dropout", "dropout", rate=0.2)
    draft.append("classifier", "classifier", classes=3)
    return draft.finish()


def forked_net():
    draft = Draft((8, 8, 3))
    draft.append("a", "conv", filters=4)
    draft.append("b", "conv", ("input",), filters=4, kernel=1)
    draft.append("c", "add", ("a", "b"))
    draft.append("d", "concat", ("c", "a"))
    draft.append("pool", "global_average_pool")
    draft.append("e", "slice", begin=0, size=4)
    draft.append("f", "slice", ("pool",), begin=4, size=4)
    draft.append("g", "multiply", ("e", "f"))
    draft.append("classifier", "classifier", classes=1, activation="sigmoid")
    return draft.finish()


def converted(model, samples=None):
    function = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)],
        autograph=False,
    )
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(), lower_control_flow=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return Interpreter(
        model_content=converter.convert(),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )


def outputs(interpreter, x):
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers = []
    for sample in x:
        scale, zero = entry["quantization"]
        sample = np.clip(np.round(sample / scale + zero), -128, 127).astype("int8") if scale else sample
        interpreter.set_tensor(entry["index"], sample[None])
        interpreter.invoke()
        answer = interpreter.get_tensor(end["index"])[0]
        scale, zero = end["quantization"]
        answers.append((answer.astype("float32") - zero) * scale if scale else answer)
    return np.stack(answers)


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected:UserWarning")
@pytest.mark.parametrize("name", [*NETS, "fork"])
def test_every_kind_becomes_float_and_int8_tflite(name):
    keras.utils.set_random_seed(0)
    model = build_model(forked_net() if name == "fork" else net(name, **NETS[name]))
    x = np.random.default_rng(0).normal(size=(24, 8, 8, 3)).astype("float32")
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(outputs(converted(model), x), expected, atol=1e-5)
    int8 = converted(model, x)
    np.testing.assert_allclose(outputs(int8, x), expected, atol=0.1)
    dtypes = {np.dtype(detail["dtype"]).name for detail in int8.get_tensor_details()}
    assert dtypes <= {"int8", "int32"}


@pytest.mark.parametrize("space", [ImageSpace((12, 12, 2), 3), LayerListSpace((12, 12, 2), 3)])
def test_keras_shapes_are_the_inferred_ones(space, draw):
    rng = random.Random(1)
    for _ in range(6):
        architecture = space.architecture(draw(space, rng))
        tensors = block_outputs(architecture, Style())
        shapes = {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}
        assert shapes == architecture.output_shapes()


def test_weighted_layers_are_named_after_the_architecture():
    draft = Draft((8, 8, 3))
    draft.append("a", "inverted_bottleneck", filters=4, se=True)
    draft.append("b", "residual", filters=6)
    draft.append("pool", "global_average_pool")
    draft.append("classifier", "classifier", classes=3)
    architecture = draft.finish()
    model = build_model(architecture)
    weighted = [layer.name for layer in model.layers if layer.weights]
    assert {name.partition("_")[0] for name in weighted} == {"a", "b", "classifier"}
    assert model.name == f"net_{architecture.hash[:12]}"
    assert not model.compiled


def test_convolutions_have_a_bias_or_a_normalization():
    for batch_norm in (True, False):
        model = build_model(net("separable_conv", filters=4, batch_norm=batch_norm))
        convolutions = [layer for layer in model.layers if hasattr(layer, "use_bias") and layer.name != "classifier"]
        assert {layer.use_bias for layer in convolutions if "conv" in layer.name} == {not batch_norm}
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        assert len(norms) == (2 if batch_norm else 0)


def test_momentum_and_penalty_reach_every_layer():
    model = build_model(net("separable_conv", filters=4), batch_norm_momentum=0.7, kernel_l2=0.5)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in norms} == {0.7}
    kernels = [variable for variable in model.trainable_variables if "kernel" in variable.path]
    expected = 0.5 * sum(float(np.sum(np.square(kernel.numpy()))) for kernel in kernels)
    assert len(kernels) == 4
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(batch_norm_momentum=1.0), r"`batch_norm_momentum` must be in \[0, 1\). Received: .*=1.0"),
        (dict(kernel_l2=-1), r"`kernel_l2` must be 0 or more. Received: kernel_l2=-1"),
    ],
)
def test_a_model_cannot_be_built_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        build_model(forked_net(), **arguments)


def test_every_kind_has_a_block():
    from hwkeras.build import blocks
    from hwkeras.space import KINDS

    assert set(blocks._BLOCKS) == set(KINDS)
    tested = {params.get("kind", name) for name, params in NETS.items()}
    tested |= {layer.kind for layer in itertools.chain(forked_net().layers, net("conv", filters=3).layers)}
    # In test_recurrent_blocks, test_sound_blocks and test_streaming.
    tested |= {"gru", "lstm", "log_mel", "frames"}
    # In test_dense_output_blocks.
    tested |= {"upsample", "transposed_conv", "pixel_classifier"}
    # Of whole numbers, in test_text_blocks; and test_target_scale.
    tested |= {"embedding", "regressor"}
    assert tested == set(KINDS)
