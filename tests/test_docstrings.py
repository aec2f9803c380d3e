"""Docstrings are true: arguments are those of the signature, examples run."""

import ast
import pathlib
import re
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "hwkeras").rglob("*.py"), *(ROOT / "tflite_bench").rglob("*.py")])


def documented(tree):
    """Public functions and classes with a docstring: (name, docstring, parameters)."""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        text = ast.get_docstring(node)
        if text:
            yield node.name, text, parameters_of(node)


def parameters_of(node):
    if isinstance(node, ast.FunctionDef):
        return names_of(node)
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return names_of(item)
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    return {field.target.id for field in fields if not field.target.id.startswith("_")}


def names_of(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in every if argument} - {"self", "cls"}


def args_section(text):
    match = re.search(r"^Args:\n((?:    .*\n|\n)+)", text + "\n", flags=re.M)
    return re.findall(r"^    \*{0,2}(\w+):", match.group(1), flags=re.M) if match else None


def test_arguments_are_those_of_the_signature():
    wrong, num_checked = [], 0
    for path in SOURCES:
        for name, text, parameters in documented(ast.parse(path.read_text())):
            said = args_section(text)
            if said is None:
                continue
            num_checked += 1
            if set(said) != parameters:
                wrong.append(f"{path.relative_to(ROOT)} {name}: {sorted(set(said) ^ parameters)}")
    assert num_checked > 150
    assert wrong == []


def examples():
    for path in SOURCES:
        for name, text, _ in documented(ast.parse(path.read_text())):
            for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, flags=re.S)):
                yield pytest.param(textwrap.dedent(block), id=f"{path.stem}.{name}.{number}")


@pytest.mark.slow
@pytest.mark.parametrize("example", list(examples()))
def test_examples_run(example, digits, tmp_path, monkeypatch):
    import keras_tuner as kt

    import hwkeras as hw
    from hwkeras.testing import DeviceConformance
    from hwkeras.testing import MeterConformance
    from hwkeras.testing import OracleConformance

    monkeypatch.chdir(tmp_path)
    x, y = digits[0][:200], digits[1][:200]
    large = x.repeat(4, axis=1).repeat(4, axis=2).repeat(3, axis=3)

    def build(hp):
        layers = [hw.keras.Input((8, 8, 1)), hw.keras.layers.Flatten()]
        layers += [hw.keras.layers.Dense(hp.Int("units", 8, 16)), hw.keras.layers.Dense(10, activation="softmax")]
        model = hw.keras.Sequential(layers)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    names = {"hw": hw, "kt": kt, "build": build, "x": x, "y": y, "xv": x[:50], "yv": y[:50]}
    names |= {"train_data": large, "train_labels": y, "test_data": large[:50], "test_labels": y[:50]}
    names |= {
        "MeterConformance": MeterConformance,
        "OracleConformance": OracleConformance,
        "DeviceConformance": DeviceConformance,
    }
    before = {*names, "__builtins__"}
    exec(compile(example, "docstring", "exec"), names)
    assert set(names) - before, "the example made nothing"
