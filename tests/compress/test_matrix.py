"""Each family of layers under each recipe: a file that matches its float model, or a refusal with its reason."""

import pathlib

import pytest

from hwkeras.compress import Recipe
from hwkeras.errors import HwkerasError
from hwkeras.errors import UserError
from tests.compress.make_matrix import BEGIN
from tests.compress.make_matrix import END
from tests.compress.make_matrix import FAMILIES
from tests.compress.make_matrix import QUICK
from tests.compress.make_matrix import RECIPES
from tests.compress.make_matrix import Cell
from tests.compress.make_matrix import main
from tests.compress.make_matrix import render
from tests.compress.make_matrix import run_cell
from tests.compress.make_matrix import spliced
from tests.compress.make_matrix import trained

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
# What cannot be, and the text that says why.
REFUSED = {
    ("gru", "int8"): "Calibration for int8 cannot enter a loop",
    ("gru", "int16x8"): "Calibration for int16x8 cannot enter a loop",
    # The converter multiplies the scale of the normalization into the kernel behind it, 16 values into many.
    ("layernorm", "cluster=16"): "layer 'hidden', 16 values asked, not found",
    ("layernorm", "int16x8"): "SQUARED_DIFFERENCE, which the layers 'norm' become",
    ("squeeze-excite", "int16x8"): "TFLite has no integer kernel for HARD_SWISH",
    ("gru", "channels=0.5"): "needs a hidden convolution or dense layer",
}
# What trains in float under `int8_qat`.
IN_FLOAT = {"layernorm": ["norm"], "gru": ["gru"]}
results = {}


def cells():
    for family in FAMILIES:
        for recipe in RECIPES:
            marks = [] if recipe in QUICK else [pytest.mark.slow]
            yield pytest.param(family, recipe, marks=marks, id=f"{family}-{recipe}")


@pytest.mark.parametrize(("family", "recipe"), list(cells()))
def test_a_cell_matches_its_float_model_or_says_why_not(family, recipe):
    try:
        parsed = Recipe.parse(recipe)
    except UserError as error:
        pytest.skip(f"not a recipe yet: {error}")
    cell = results[family, recipe] = run_cell(family, recipe)
    if (family, recipe) in REFUSED:
        assert isinstance(cell.refusal, HwkerasError), f"works now: {cell}"
        assert REFUSED[family, recipe] in str(cell.refusal)
        return
    assert cell.refusal is None, cell.refusal
    assert cell.loss <= RECIPES[recipe]
    in_float = IN_FLOAT.get(family, []) if parsed.is_quantization_aware else []
    assert [note.split("'")[1] for note in cell.notes] == in_float
    assert cell.float_operators == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_float_models_have_learned(family):
    assert trained(family)[1] > 0.8


@pytest.mark.slow
def test_the_readme_holds_the_table_of_these_results():
    text = README.read_text()
    if BEGIN not in text:
        pytest.skip(f"the README has no markers such as {BEGIN}")
    if len(results) < len(FAMILIES) * len(RECIPES):
        pytest.skip("only some cells were run")
    said = "The table is out of date: run `python -m tests.compress.make_matrix README.md`."
    assert spliced(text, render(results)) == text, said


class TestTable:
    CELLS = {
        ("conv", "int8"): Cell(loss=0.0),
        ("conv", "int8_qat"): Cell(loss=0.01),
        ("gru", "int8"): Cell(refusal=UserError("no loops in functional_12, off by 0.123")),
        ("gru", "int8_qat"): Cell(loss=0.0, notes=("layer 'gru' trains in float", "layer 'norm' trains in float")),
    }

    def test_says_what_works_and_why_the_rest_does_not(self):
        assert render(self.CELLS).splitlines() == [
            "| | `int8` | `int8_qat` |",
            "|---|---|---|",
            "| conv | yes | yes |",
            "| gru | no (1) | yes (2), (3) |",
            "",
            "1. no loops in functional, off by x",
            "2. layer 'gru' trains in float",
            "3. layer 'norm' trains in float",
        ]

    def test_stands_between_the_markers(self):
        text = spliced(f"before\n{BEGIN}\nold\n{END}\nafter", "| new |")
        assert text == f"before\n{BEGIN}\n| new |\n{END}\nafter"
        assert spliced(text, "| new |") == text

    def test_has_no_place_without_the_markers(self):
        assert spliced("a text", "| new |") is None

    def test_a_file_without_the_markers_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tests.compress.make_matrix.FAMILIES", {})
        (tmp_path / "text.md").write_text("a text")
        with pytest.raises(SystemExit, match="must hold the lines <!-- compression matrix: begin -->"):
            main([str(tmp_path / "text.md")])
