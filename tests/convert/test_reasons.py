from hwkeras.convert.reasons import conversion_reason
from hwkeras.convert.reasons import failure_reason


def test_frames_and_colors_are_left_out():
    keras_text = (
        "Exception encountered when calling Half.call().\n\n\x1b[1mshape is odd\x1b[0m\n\nArguments received by:\n"
    )
    assert failure_reason(ValueError(keras_text)) == "shape is odd."
    assert failure_reason(ValueError("")) == "ValueError."


def test_operators_are_named_once_and_sorted():
    line = "a.py:1:1: error: 'tf.{}' op is neither a custom op nor a flex op\n"
    reason = conversion_reason(line.format("Inv") + line.format("Betainc"), line.format("Inv"))
    assert reason.startswith("the model needs Betainc, Inv, not among TFLite's builtin operators")


def test_operator_without_integer_kernel():
    reason = conversion_reason("Quantization not yet supported for op: 'NEG'.\n", "")
    assert reason == "TFLite has no integer kernel for NEG. Replace the layer, or ship another precision."


def test_the_line_with_the_error_is_quoted_without_its_place():
    assert conversion_reason("Could not convert.\n/a/b.py:3:1: error: no such shape\n  code", "") == "no such shape."
    assert conversion_reason("", "printed only") == "printed only."
    assert conversion_reason("", "") == "the converter gave no reason."
