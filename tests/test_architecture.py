"""The house holds: floors, doors, the lazy front door, sizes. Each rule is also shown to fail when it is broken."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

FLOORS = {
    "errors": 0,
    "units": 0,
    "objectives": 0,
    "files": 0,
    "lazy": 0,
    "space": 1,
    "hardware": 1,
    "measure": 2,
    "data": 1,
    "build": 2,
    "compress": 4,
    "convert": 3,
    "oracles": 4,
    "export": 4,
    "search": 5,
    "report": 6,
    "cli": 7,
    "testing": 7,
}
# The order of the ground floor's files among themselves.
GROUND = ["errors", "lazy", "files", "units", "objectives"]
DOORS = {
    "keras_tuner": {"build", "oracles", "search", "testing"},
    "tensorflow_model_optimization": {"compress"},
    "tf_keras": {"compress"},
    "ai_edge_quantizer": {"compress"},
    "tensorflow": {"compress", "convert", "build"},
    "ai_edge_litert": {"measure", "convert", "tflite_bench"},
    "ray": {"search"},
    "matplotlib": {"report"},
    "seaborn": {"report"},
    "plotly": {"report"},
}
GUEST_HOUSE_STAYS_FREE_OF = {"hwkeras", "keras", "tensorflow", "tf_keras", "keras_tuner", "scipy", "sklearn"}
NAMES_NOBODY_FINDS = {"utils", "common", "helpers", "core", "base_utils", "misc"}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60


def imports_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level + (node.module or "")
            else:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    if parts[0] == "tflite_bench":
        return "tflite_bench"
    return parts[1]


def broken_imports(path, root):
    room = room_of(path, root)
    tree = ast.parse(path.read_text())
    for name in imports_of(tree):
        top, _, rest = name.partition(".")
        if name.startswith("."):
            yield f"{room}: relative import {name}"
        if top in DOORS and room not in DOORS[top] and not (room == "tflite_bench" and top == "tensorflow"):
            yield f"{room}: {top} comes in by another door"
        if room == "tflite_bench" and top in GUEST_HOUSE_STAYS_FREE_OF - {"tensorflow"}:
            yield f"tflite_bench: imports {top}"
        if top == "hwkeras" and room not in ("__init__", "__main__", "tflite_bench"):
            yield from broken_floor(room, rest.partition(".")[0])


def broken_floor(room, other):
    if other not in FLOORS:
        yield f"{room}: imports the front door"
    elif other == room:
        return
    elif room in GROUND and other in GROUND:
        if GROUND.index(other) >= GROUND.index(room):
            yield f"{room}: imports {other}, which stands after it"
    elif FLOORS[other] >= FLOORS[room]:
        yield f"{room} (floor {FLOORS[room]}): imports {other} (floor {FLOORS[other]})"


def broken_sizes(path, root):
    text = path.read_text()
    if text.count("\n") > MAX_FILE_LINES:
        yield f"{path.name}: {text.count(chr(10))} lines"
    if path.stem in NAMES_NOBODY_FINDS or path.parent.name in NAMES_NOBODY_FINDS:
        yield f"{path.relative_to(root)}: a name for anything"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            has_docstring = ast.get_docstring(node) and len(node.body) > 1
            first = node.body[1].lineno if has_docstring else node.lineno
            if node.end_lineno - first > MAX_FUNCTION_LINES:
                yield f"{path.name}: {node.name} has {node.end_lineno - first} lines"
        if isinstance(node, ast.Assert) and room_of(path, root) != "testing":
            yield f"{path.name}: asserts in the library"
    if ast.get_docstring(ast.parse(text)) is None:
        yield f"{path.name}: no module docstring"


def sources(root):
    return sorted([*(root / "hwkeras").rglob("*.py"), *(root / "tflite_bench").rglob("*.py")])


def violations(root):
    return [v for path in sources(root) for check in (broken_imports, broken_sizes) for v in check(path, root)]


def test_the_house_holds():
    assert len(sources(ROOT)) > 40
    assert violations(ROOT) == []


def test_every_room_has_a_floor_and_a_door():
    rooms = {path.name for path in (ROOT / "hwkeras").iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert rooms == set(FLOORS) - set(GROUND)
    assert all((ROOT / "hwkeras" / room / "__init__.py").exists() for room in rooms)


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("hwkeras/space/a.py", "from hwkeras.build import x", r"space \(floor 1\): imports build \(floor 2\)"),
        ("hwkeras/oracles/a.py", "import hwkeras.export", r"oracles \(floor 4\): imports export"),
        ("hwkeras/errors.py", "from hwkeras.units import x", "errors: imports units"),
        ("hwkeras/search/a.py", "from hwkeras import HardwareTuner", "search: imports the front door"),
        ("hwkeras/search/a.py", "from . import tuner", "search: relative import"),
        ("hwkeras/measure/a.py", "import keras_tuner as kt", "measure: keras_tuner comes in"),
        ("hwkeras/convert/a.py", "import tensorflow_model_optimization", "convert: tensorflow_model_opt"),
        ("hwkeras/search/a.py", "def f():\n    import tf_keras", "search: tf_keras comes in"),
        ("hwkeras/export/a.py", "from tensorflow import lite", "export: tensorflow comes in"),
        ("hwkeras/build/a.py", "from ai_edge_litert import interpreter", "build: ai_edge_litert comes in"),
        ("hwkeras/oracles/a.py", "import ray", "oracles: ray comes in"),
        ("hwkeras/cli/a.py", "import matplotlib.pyplot", "cli: matplotlib comes in"),
        ("tflite_bench/a.py", "from hwkeras.units import x", "tflite_bench: imports hwkeras"),
        ("tflite_bench/a.py", "import keras", "tflite_bench: imports keras"),
        ("hwkeras/space/utils.py", "x = 1", "a name for anything"),
        ("hwkeras/space/a.py", "assert True", "asserts in the library"),
        ("hwkeras/space/a.py", "x = 1\n" * 401, "a.py: 40[0-9] lines"),
        ("hwkeras/space/a.py", "def f():\n" + "    x = 1\n" * 62, "f has 62 lines"),
    ],
)
def test_each_rule_fails_when_it_is_broken(tmp_path, file, line, said):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f'"""Broken on purpose."""\n{line}\n')
    found = violations(tmp_path)
    assert found, "nothing was noticed"
    assert re.search(said, "\n".join(found))


@pytest.mark.parametrize("code", ["import hwkeras", "import hwkeras.cli.main", "import hwkeras.measure, hwkeras.space"])
def test_the_front_door_is_lazy(code):
    heavy = "tensorflow keras keras_tuner tf_keras sklearn scipy matplotlib".split()
    program = f"import sys\n{code}\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_had():
    import hwkeras

    for name in hwkeras.__all__:
        assert getattr(hwkeras, name) is not None
    with pytest.raises(AttributeError, match="module 'hwkeras' has no attribute 'nothing'"):
        hwkeras.nothing  # noqa: B018
