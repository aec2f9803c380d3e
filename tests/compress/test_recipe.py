import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.compress.recipe import Recipe
from hwkeras.errors import UserError

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int8_qat")


@pytest.mark.parametrize(
    ("text", "sparsity", "precision"),
    [
        ("prune=0.5", 0.5, "float32"),
        ("prune=0.5+int8", 0.5, "int8"),
        ("int8_qat", 0.0, "int8_qat"),
        (" int8_qat + prune=.75 ", 0.75, "int8_qat"),
        ("prune=0+dynamic", 0.0, "dynamic"),
    ],
)
def test_parses_steps_in_any_order(text, sparsity, precision):
    assert Recipe.parse(text) == Recipe(sparsity, precision)


def test_a_recipe_is_taken_as_it_is():
    recipe = Recipe(0.5, "int8")
    assert Recipe.parse(recipe) is recipe


def test_says_what_a_recipe_means():
    recipe = Recipe.parse("prune=0.5+int8_qat")
    assert (recipe.file_precision, recipe.is_quantization_aware, recipe.needs_training) == ("int8", True, True)
    assert not Recipe.parse("int8").needs_training
    assert Recipe.parse("prune=0.5").needs_training


@given(st.integers(0, 999), st.sampled_from(PRECISIONS))
def test_what_is_printed_parses_back(thousandths, precision):
    recipe = Recipe(thousandths / 1000, precision)
    assert Recipe.parse(str(recipe)) == recipe


@pytest.mark.parametrize("text", ["prune", "int4", "prune=0.5+", "", "quantize", "prune:0.5"])
def test_an_unknown_step_lists_what_exists(text):
    with pytest.raises(UserError, match=r"made of the steps prune=<sparsity>, float32, .*, int8_qat, joined by '\+'"):
        Recipe.parse(text)


@pytest.mark.parametrize("value", ["1", "1.5", "-0.1", "nan"])
def test_sparsity_lies_in_zero_to_one(value):
    with pytest.raises(UserError, match=rf"must be in \[0, 1\)\. Received: sparsity={float(value)}.*'prune=0.5'"):
        Recipe.parse(f"prune={value}")


def test_sparsity_is_a_number():
    with pytest.raises(UserError, match=r"a number in \[0, 1\)\. Received: 'prune=half' with prune='half'"):
        Recipe.parse("prune=half")


@pytest.mark.parametrize("text", ["int8+int8_qat", "prune=0.5+prune=0.3"])
def test_contradictions_are_refused(text):
    with pytest.raises(UserError, match="one pruning step and one precision"):
        Recipe.parse(text)


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="Received: precision='int4'"):
        Recipe(precision="int4")
