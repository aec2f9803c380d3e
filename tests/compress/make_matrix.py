"""What becomes of each family of layers under each recipe, as a table for the README.

    python -m tests.compress.make_matrix [README.md]

runs every cell and writes the table between the markers of the file; `test_matrix.py` runs the same cells one by one
and compares. A cell is either a file that loads, runs and matches its float model, or a refusal with its reason.
"""

import functools
import pathlib
import re
import sys
from dataclasses import dataclass

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from sklearn.datasets import load_digits

from hwkeras.compress import compress
from hwkeras.errors import HwkerasError

L = keras.layers
BEGIN, END = "<!-- compression matrix: begin -->", "<!-- compression matrix: end -->"
NUM_TRAINING = 1400
# Of each fine-tuning; the float models are trained longer.
SETTINGS = {"epochs": 2, "batch_size": 35, "learning_rate": 2e-3}
FLOAT_EPOCHS, FLOAT_RATE, FLOAT_BATCH = 12, 5e-3, 32

# Recipe -> how much accuracy its file may lose to the float model, whose 397 validation samples count 0.0025 each.
RECIPES = {
    "float32": 0.0,
    "float16": 0.003,
    "dynamic": 0.02,
    "int8": 0.03,
    "int16x8": 0.02,
    "int8_qat": 0.03,
    "prune=0.5": 0.04,
    "prune=2:4": 0.04,
    "cluster=16": 0.04,
    "prune=0.5+int8_qat": 0.05,
    "prune=0.5+cluster=16+int8_qat": 0.06,
    "channels=0.5": 0.15,
}
# These convert without training.
QUICK = ("float32", "float16", "dynamic", "int8", "int16x8")


def images():
    return keras.Input((8, 8, 1), name="image")


def rows():
    return keras.Input((8, 8), name="rows")


def classified(start, h):
    return keras.Model(start, L.Dense(10, name="head")(h))


def normalized(h, name, activation="relu"):
    return L.Activation(activation, name=f"{name}_{activation}")(
        L.BatchNormalization(momentum=0.9, name=f"{name}_norm")(h)
    )


def conv():
    x = images()
    h = normalized(L.Conv2D(12, 3, use_bias=False, name="stem")(x), "stem")
    h = L.MaxPooling2D(name="pool")(L.Conv2D(16, 3, activation="relu", name="conv")(h))
    return classified(x, L.Flatten(name="flatten")(h))


def depthwise():
    x = images()
    h = normalized(L.Conv2D(12, 3, use_bias=False, name="stem")(x), "stem", "relu6")
    h = normalized(L.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(h), "depthwise", "relu6")
    h = normalized(L.Conv2D(16, 1, use_bias=False, name="pointwise")(h), "pointwise", "relu6")
    return classified(x, L.Flatten(name="flatten")(L.MaxPooling2D(name="pool")(h)))


def separable():
    x = images()
    h = L.Conv2D(12, 3, activation="relu", name="stem")(x)
    h = normalized(L.SeparableConv2D(16, 3, use_bias=False, name="separable")(h), "separable")
    return classified(x, L.Flatten(name="flatten")(h))


def conv1d():
    x = rows()
    h = normalized(L.Conv1D(16, 3, padding="causal", use_bias=False, name="stem")(x), "stem")
    h = L.MaxPooling1D(name="pool")(h)
    side = L.SeparableConv1D(16, 3, padding="same", activation="relu", name="separable")(h)
    h = L.Add(name="residual")([L.Conv1D(16, 3, padding="same", activation="relu", name="conv")(h), side])
    return classified(x, L.Flatten(name="flatten")(h))


def squeeze_excite():
    x = images()
    h = L.Conv2D(16, 3, activation="hard_silu", name="stem")(x)
    gate = L.Dense(6, activation="relu", name="squeeze")(L.GlobalAveragePooling2D(name="pool")(h))
    gate = L.Reshape((1, 1, 16), name="spread")(L.Dense(16, activation="hard_sigmoid", name="excite")(gate))
    return classified(x, L.Flatten(name="flatten")(L.Multiply(name="gated")([h, gate])))


def layernorm():
    x = rows()
    h = L.LayerNormalization(name="norm")(L.Dense(24, name="widen")(x))
    h = L.Dense(24, activation="gelu", name="hidden")(h)
    return classified(x, L.Flatten(name="flatten")(h))


def attention():
    x = rows()
    h = L.Dense(16, name="widen")(x)
    h = L.Add(name="residual")([h, L.MultiHeadAttention(2, 8, name="attention")(h, h)])
    return classified(x, L.Flatten(name="flatten")(L.Dense(16, activation="relu", name="hidden")(h)))


def embedding():
    x = keras.Input((64,), dtype="int32", name="gray")
    h = L.Embedding(17, 6, name="embedding")(x)
    h = L.Conv1D(12, 5, strides=2, activation="relu", name="conv")(h)
    return classified(x, L.Flatten(name="flatten")(h))


def dense():
    x = images()
    h = normalized(L.Dense(32, use_bias=False, name="first")(L.Flatten(name="flatten")(x)), "first")
    return classified(x, L.Dense(24, activation="relu", name="second")(L.Dropout(0.1, name="drop")(h)))


def conv_transpose():
    x = images()
    h = L.Conv2D(12, 3, strides=2, activation="relu", name="stem")(x)
    h = normalized(L.Conv2DTranspose(12, 3, strides=2, use_bias=False, name="transpose")(h), "transpose")
    return classified(x, L.Flatten(name="flatten")(L.MaxPooling2D(name="pool")(h)))


def gru():
    x = rows()
    return classified(x, L.GRU(20, name="gru")(x))


FAMILIES = {
    "conv": conv,
    "depthwise": depthwise,
    "separable": separable,
    "conv1d": conv1d,
    "squeeze-excite": squeeze_excite,
    "layernorm": layernorm,
    "attention": attention,
    "embedding": embedding,
    "dense": dense,
    "conv-transpose": conv_transpose,
    "gru": gru,
}


@dataclass(frozen=True)
class Cell:
    """What became of a family under a recipe.

    Args:
        loss: float, accuracy lost to the float model, or None for a refusal.
        refusal: the error, or None.
        notes: tuple of str, what trained in float and why.
        float_operators: tuple of str, what an integer file computes in float.
    """

    loss: float | None = None
    refusal: HwkerasError | None = None
    notes: tuple[str, ...] = ()
    float_operators: tuple[str, ...] = ()


@functools.cache
def digits():
    data = load_digits()
    return (data.images / 16).astype("float32"), data.target


def samples(model):
    """The digits as the model takes them: images, rows in turn, or gray values as tokens."""
    x, _ = digits()
    if model.inputs[0].dtype == "int32":
        return np.round(x.reshape(len(x), 64) * 16).astype("int32")
    return x.reshape(len(x), *model.inputs[0].shape[1:])


@functools.cache
def trained(family):
    """A family's float model and its accuracy; trained once."""
    keras.utils.set_random_seed(0)
    model = FAMILIES[family]()
    x, y = samples(model), digits()[1]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(FLOAT_RATE), loss)
    model.fit(x[:NUM_TRAINING], y[:NUM_TRAINING], epochs=FLOAT_EPOCHS, batch_size=FLOAT_BATCH, verbose=0)
    answers = model.predict(x[NUM_TRAINING:], verbose=0)
    return model, float(np.mean(answers.argmax(-1) == y[NUM_TRAINING:]))


def accuracy_of(flatbuffer, x, y):
    """The accuracy of a file on an interpreter of its own, integers at the ends where the file has them."""
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    if taken["dtype"] in (np.int8, np.int16):
        scale, zero = taken["quantization"]
        limits = np.iinfo(taken["dtype"])
        x = np.clip(np.round(x / scale + zero), limits.min, limits.max).astype(taken["dtype"])
    answers = []
    for sample in x:
        interpreter.set_tensor(taken["index"], sample[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(given["index"])[0].argmax())
    return float(np.mean(np.array(answers) == y))


def run_cell(family, recipe):
    """Compresses a family's model and asks the file.

    Args:
        family: str, a key of `FAMILIES`.
        recipe: str, a key of `RECIPES`.

    Returns:
        Cell. Only errors hwkeras raises on purpose count as refusals.
    """
    model, accuracy = trained(family)
    x, y = samples(model), digits()[1]
    keras.utils.set_random_seed(0)
    try:
        one = compress(model, recipe, (x[:NUM_TRAINING], y[:NUM_TRAINING]), **SETTINGS)
    except HwkerasError as error:
        return Cell(refusal=error)
    loss = accuracy - accuracy_of(one.tflite, x[NUM_TRAINING:], y[NUM_TRAINING:])
    return Cell(loss=loss, notes=one.report.notes, float_operators=one.report.float_operators)


def render(cells):
    """The cells as a table in Markdown, with the reasons of what was refused or trains in float below it.

    Args:
        cells: dict of (family, recipe) to Cell.

    Returns:
        str. It holds no measured number, so that it is the same on every machine.
    """
    families = list(dict.fromkeys(family for family, _ in cells))
    recipes = list(dict.fromkeys(recipe for _, recipe in cells))
    reasons, lines = [], ["| | " + " | ".join(f"`{recipe}`" for recipe in recipes) + " |"]
    lines.append("|---" * (len(recipes) + 1) + "|")
    for family in families:
        marks = [_mark(cells[family, recipe], reasons) for recipe in recipes]
        lines.append(f"| {family} | " + " | ".join(marks) + " |")
    return "\n".join([*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))])


def _mark(cell, reasons):
    said = [_in_short(str(cell.refusal))] if cell.refusal else [_in_short(note) for note in cell.notes]
    for reason in said:
        if reason not in reasons:
            reasons.append(reason)
    numbers = ", ".join(f"({number})" for number in sorted({reasons.index(reason) + 1 for reason in said}))
    sign = "no" if cell.refusal else "yes"
    return f"{sign} {numbers}" if numbers else sign


def _in_short(text):
    """A message without what differs from run to run: figures of errors and the names Keras counts up."""
    return re.sub(r"(functional|model|sequential)_\d+", r"\1", re.sub(r"\d+\.\d+(e-?\d+)?", "x", text))


def spliced(text, table):
    """A text with the table between its markers.

    Args:
        text: str.
        table: str.

    Returns:
        str, or None for a text without the markers.
    """
    if BEGIN not in text or END not in text:
        return None
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def main(arguments):
    cells = {}
    for family in FAMILIES:
        for recipe in RECIPES:
            cell = cells[family, recipe] = run_cell(family, recipe)
            state = f"refused: {cell.refusal}" if cell.refusal else f"loses {cell.loss:+.4f} {cell.float_operators}"
            print(f"{family} x {recipe}: {state}", file=sys.stderr, flush=True)
    table = render(cells)
    print(table)
    for name in arguments:
        path = pathlib.Path(name)
        text = spliced(path.read_text(), table)
        if text is None:
            raise SystemExit(f"{path} must hold the lines {BEGIN} and {END}.")
        path.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
