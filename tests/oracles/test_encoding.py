"""Candidates as rows of codes: nothing is lost on the way, and what numpy draws is what keras-tuner would."""

import keras_tuner as kt
import numpy as np
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.oracles import sampling
from hwkeras.oracles.encoding import INACTIVE
from hwkeras.oracles.encoding import Encoding

SEEDS = st.integers(0, 10_000)


def conditional_space():
    """Depth decides which layers exist, the kind of a layer what it has; one name has two variants."""
    space = kt.HyperParameters()
    space.Int("depth", 1, 3)
    for layer in range(3):
        with space.conditional_scope("depth", list(range(layer + 1, 4))):
            space.Choice(f"kind_{layer}", ["conv", "depthwise", "pool"])
            with space.conditional_scope(f"kind_{layer}", ["conv"]):
                space.Choice(f"width_{layer}", [8, 16, 32])
            with space.conditional_scope(f"kind_{layer}", ["depthwise"]):
                space.Choice(f"width_{layer}", [16, 32, 64, 128])
    space.Boolean("attention")
    space.Float("rate", 1e-4, 1e-1, sampling="log")
    space.Fixed("classes", 10)
    return space


SPACE = conditional_space()
ENCODING = Encoding(SPACE)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_codes_and_back(seed):
    drawn = ENCODING.draw(8, np.random.default_rng(seed))
    rows = [ENCODING.decode(codes) for codes in drawn]
    np.testing.assert_array_equal(ENCODING.encode(rows), drawn)
    for values in rows:
        assert values == sampling.activate(SPACE, values, np.random.default_rng(0))
        assert {gene.name for gene in sampling.live(SPACE, values)} == set(values)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_values_of_keras_tuner_are_encoded(seed):
    values = sampling.sample(SPACE, np.random.default_rng(seed))
    (codes,) = ENCODING.encode([values])
    back = ENCODING.decode(codes)
    # A continuous value moves to the nearest of the grid; its neighbors are a quarter of its size away.
    assert abs(np.log(back.pop("rate") / values.pop("rate"))) < 0.25
    assert back == values


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_mutation_changes_something_and_stays_in_the_space(seed):
    rng = np.random.default_rng(seed)
    parents = ENCODING.draw(16, rng)
    children = ENCODING.mutate(parents, rng)
    for child in children:
        values = ENCODING.decode(child)
        assert values == sampling.activate(SPACE, values, rng)
    assert (parents != children).any(axis=1).mean() > 0.8  # a change may be undone by a later one


def test_a_single_change_is_one_option_of_one_gene():
    space = kt.HyperParameters()
    for number in range(5):
        space.Choice(f"gene_{number}", list("abcd"))
    encoding = Encoding(space)
    rng = np.random.default_rng(0)
    parents = encoding.draw(200, rng)
    changed = encoding.mutate(parents, rng, mean_changes=1.0) != parents
    assert (changed.sum(axis=1) == 1).all() and changed.any(axis=0).all()


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_child_has_only_what_a_parent_has(seed):
    rng = np.random.default_rng(seed)
    first, second = ENCODING.draw(8, rng), ENCODING.draw(8, rng)
    children = ENCODING.cross(first, second, rng)
    inherited = (children == first) | (children == second) | (children == INACTIVE)
    nobody = (first == INACTIVE) & (second == INACTIVE)
    assert (inherited | nobody).all()
    for child in children:
        values = ENCODING.decode(child)
        assert values == sampling.activate(SPACE, values, rng)


def test_positions_tell_order_and_how_often_an_option_occurs():
    space = kt.HyperParameters()
    space.Choice("first", ["conv", "skip"])
    space.Choice("second", ["conv", "skip"])
    space.Int("depth", 1, 5)
    encoding = Encoding(space)
    rows = [{"first": "conv", "second": "skip", "depth": 1}, {"first": "skip", "second": "conv", "depth": 5}]
    first, second = encoding.positions(encoding.encode(rows))
    assert (first[0], second[0]) == (0.0, 1.0)
    np.testing.assert_allclose(first[1:], second[1:])  # which place has the convolution makes no difference here
    np.testing.assert_allclose(first[1:], [1 / np.sqrt(2), 1 / np.sqrt(2), 1.0])


def test_inactive_genes_have_no_code():
    (codes,) = ENCODING.encode([{"depth": 1, "kind_0": "pool", "attention": True, "rate": 0.01, "classes": 10}])
    assert "width_0" not in ENCODING.decode(codes) and "kind_1" not in ENCODING.decode(codes)
    assert ENCODING.num_choices == 12
