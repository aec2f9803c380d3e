import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.compress.recipe import Recipe
from hwkeras.errors import UserError

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int8_qat", "int16x8", "mixed")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("prune=0.5", {"sparsity": 0.5}),
        ("prune=0.5+int8", {"sparsity": 0.5, "precision": "int8"}),
        ("int8_qat", {"precision": "int8_qat"}),
        (" int8_qat + prune=.75 ", {"sparsity": 0.75, "precision": "int8_qat"}),
        ("prune=0+dynamic", {"precision": "dynamic"}),
        ("prune=2:4", {"pattern": (2, 4)}),
        ("int16x8+cluster=16", {"clusters": 16, "precision": "int16x8"}),
        ("channels=0.5", {"channels": 0.5}),
        ("mixed", {"precision": "mixed"}),
        ("mixed+prune=0.5", {"sparsity": 0.5, "precision": "mixed"}),
        ("channels=0.5+mixed", {"channels": 0.5, "precision": "mixed"}),
        (
            "int8_qat+distill+cluster=16+prune=0.6+channels=0.5",
            {"sparsity": 0.6, "clusters": 16, "channels": 0.5, "distill": True, "precision": "int8_qat"},
        ),
    ],
)
def test_parses_steps_in_any_order(text, settings):
    assert Recipe.parse(text) == Recipe(**settings)


def test_a_recipe_is_taken_as_it_is():
    recipe = Recipe(0.5, precision="int8")
    assert Recipe.parse(recipe) is recipe


def test_says_what_a_recipe_means():
    recipe = Recipe.parse("prune=0.5+int8_qat")
    assert (recipe.file_precision, recipe.is_quantization_aware, recipe.needs_training) == ("int8", True, True)
    assert (Recipe.parse("int8").needs_training, Recipe.parse("int8").needs_calibration) == (False, True)
    assert (Recipe.parse("int16x8").file_precision, Recipe.parse("int16x8").needs_calibration) == ("int16x8", True)
    assert not Recipe.parse("dynamic").needs_calibration
    mixed = Recipe.parse("mixed")
    assert (mixed.file_precision, mixed.needs_calibration, mixed.needs_training) == ("mixed", True, False)
    for step in ("prune=0.5", "prune=2:4", "cluster=4", "channels=0.5"):
        assert Recipe.parse(step).needs_training
    assert Recipe.parse("prune=2:4").prunes and not Recipe.parse("cluster=4").prunes


def test_the_order_of_writing_is_the_order_of_running():
    recipe = Recipe.parse("int8_qat+distill+cluster=16+prune=0.6+channels=0.5")
    assert str(recipe) == "channels=0.5+prune=0.6+cluster=16+distill+int8_qat"


@st.composite
def recipes(draw):
    share = st.floats(0, 1, exclude_max=True)
    settings = {"channels": draw(share), "precision": draw(st.sampled_from(PRECISIONS))}
    if draw(st.booleans()):
        group = draw(st.integers(2, 64))
        settings["pattern"] = (draw(st.integers(1, group - 1)), group)
    else:
        settings["sparsity"] = draw(share)
    settings["clusters"] = draw(st.none() | st.integers(3, 256))
    settings["distill"] = draw(st.booleans()) and Recipe(**settings).needs_training
    return Recipe(**settings)


@given(recipes())
def test_what_is_printed_parses_back(recipe):
    assert Recipe.parse(str(recipe)) == recipe


@pytest.mark.parametrize(
    "text", ["prune", "int4", "prune=0.5+", "", "quantize", "prune:0.5", "distill=1", "channel=0.5", "cluster:8"]
)
def test_an_unknown_step_lists_what_exists(text):
    with pytest.raises(UserError, match=r"made of the steps channels=<share>, prune=.*, mixed, joined by '\+'"):
        Recipe.parse(text)


@pytest.mark.parametrize("value", ["1", "1.5", "-0.1", "nan"])
def test_shares_lie_in_zero_to_one(value):
    with pytest.raises(UserError, match=rf"must be in \[0, 1\)\. Received: sparsity={float(value)}.*'prune=0.5'"):
        Recipe.parse(f"prune={value}")
    with pytest.raises(UserError, match=rf"to remove and must be in \[0, 1\)\. Received: channels={float(value)}"):
        Recipe.parse(f"channels={value}")


def test_shares_are_numbers():
    with pytest.raises(UserError, match=r"share of zeros, a number in \[0, 1\)\. Received: 'prune=half' with prune='h"):
        Recipe.parse("prune=half")
    with pytest.raises(UserError, match=r"share of channels to remove, .* with channels='x'.*write 'channels=0.5'"):
        Recipe.parse("channels=x+int8")


@pytest.mark.parametrize("value", ["4:2", "4:4", "0:4", "32:65"])
def test_a_pattern_leaves_something_of_each_group(value):
    with pytest.raises(UserError, match=f"some zeros, not all, in each group of at most 64. Received: prune={value}"):
        Recipe.parse(f"prune={value}")


@pytest.mark.parametrize("value", ["2:", ":4", "2:4:8", "-2:4", "2.0:4"])
def test_a_pattern_is_two_whole_numbers(value):
    with pytest.raises(UserError, match=f"two whole numbers.*with prune='{value}'. Write 'prune=2:4'"):
        Recipe.parse(f"prune={value}")


@pytest.mark.parametrize("value", ["0", "1", "257"])
def test_clusters_fit_a_byte(value):
    with pytest.raises(UserError, match=f"from 2 to 256. Received: cluster={value}. Write 'cluster=16'"):
        Recipe.parse(f"cluster={value}")


@pytest.mark.parametrize("value", ["few", "16.5", "-4", ""])
def test_clusters_are_counted(value):
    with pytest.raises(UserError, match=f"a whole number of values.*with cluster='{value}'"):
        Recipe.parse(f"cluster={value}")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("int8+int8_qat", "precision"),
        ("int16x8+float16", "precision"),
        ("int8_qat+mixed", "precision"),
        ("prune=0.5+prune=0.3", "prune"),
        ("prune=0.5+prune=2:4", "prune"),
        ("cluster=4+cluster=8", "cluster"),
        ("channels=0.5+channels=0.2", "channels"),
        ("distill+distill+int8_qat", "distill"),
    ],
)
def test_what_is_asked_twice_is_refused(text, kind):
    with pytest.raises(UserError, match=f"one precision, and every other step once.*with two of '{kind}'"):
        Recipe.parse(text)


@pytest.mark.parametrize("text", ["distill", "distill+int8", "distill+int16x8", "distill+mixed", "prune=0+distill"])
def test_nothing_is_distilled_where_nothing_trains(text):
    with pytest.raises(UserError, match=r"needs a step that trains: .* Received: 'distill\+.*'distill\+int8_qat'"):
        Recipe.parse(text)


def test_two_values_are_too_few_beside_zeros():
    assert Recipe.parse("cluster=2").clusters == 2
    with pytest.raises(UserError, match="zero is one of the values, so 'prune' with 'cluster' needs at least 3"):
        Recipe.parse("prune=0.5+cluster=2")


def test_a_share_and_a_pattern_exclude_each_other():
    with pytest.raises(UserError, match="by a share or by a pattern, not both. Received: sparsity=0.5, pattern=2:4"):
        Recipe(sparsity=0.5, pattern=(2, 4))


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="Received: precision='int4'"):
        Recipe(precision="int4")
