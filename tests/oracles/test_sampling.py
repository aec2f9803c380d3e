import itertools
import math

import keras_tuner as kt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.oracles import sampling
from hwkeras.testing import toy_space

seeds = st.integers(0, 2**32)


def wide_space():
    """Every kind of hyperparameter, two levels of conditions, one name under two conditions."""
    space = kt.HyperParameters()
    space.Fixed("version", 3)
    space.Choice("kind", ["dense", "conv", "none"])
    space.Int("units", 8, 64, step=8, parent_name="kind", parent_values=["dense"])
    space.Int("filters", 4, 64, step=2, sampling="log", parent_name="kind", parent_values=["conv"])
    with space.conditional_scope("kind", ["conv"]):
        space.Boolean("gate")
        with space.conditional_scope("gate", [True]):
            space.Float("ratio", 0.1, 1.0)
    space.Choice("size", [1, 2], parent_name="kind", parent_values=["dense"])
    space.Choice("size", [3, 5], parent_name="kind", parent_values=["conv"])
    space.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    space.Float("dropout", 0.0, 0.5, step=0.25)
    space.Int("steps", 1, 100)
    return space


def is_active_and_possible(space, values):
    hps = space.copy()
    hps.values = dict(values)
    active = {hp.name for hp in hps.space if hps.is_active(hp)}
    genes = {gene.name: gene for gene in sampling.live(space, values)}
    return set(values) == active == set(genes) and all(
        sampling._allows(genes[name], value) for name, value in values.items()
    )


def generator(seed):
    return np.random.default_rng(seed)


class TestSample:
    @settings(deadline=None)
    @given(seeds)
    def test_exactly_the_active_ones_within_their_ranges(self, seed):
        values = sampling.sample(wide_space(), generator(seed))
        assert is_active_and_possible(wide_space(), values)
        assert values["version"] == 3
        assert values.get("size") in {"dense": {1, 2}, "conv": {3, 5}, "none": {None}}[values["kind"]]

    def test_every_choice_comes_up_as_often(self):
        rng = generator(0)
        kinds = [sampling.sample(toy_space(), rng)["width"] for _ in range(2000)]
        assert all(300 < kinds.count(width) < 500 for width in (8, 16, 24, 32, 48))

    def test_an_empty_space(self):
        assert sampling.sample(kt.HyperParameters(), generator(0)) == {}

    def test_the_values_of_the_space_are_not_read(self):
        space = toy_space()
        space.values["kind"] = "conv"
        kinds = {sampling.sample(space, generator(seed))["kind"] for seed in range(20)}
        assert kinds == {"dense", "conv"}


class TestActivate:
    def test_keeps_what_is_possible_only(self):
        values = {"kind": "dense", "depth": 9, "width": 16, "wide_kernel": True, "gone": 1}
        active = sampling.activate(toy_space(), values, generator(0))
        assert set(active) == {"kind", "depth", "width"}
        assert (active["kind"], active["width"]) == ("dense", 16)
        assert 1 <= active["depth"] <= 4

    @pytest.mark.parametrize(
        ("name", "value"), [("kind", "lstm"), ("steps", 1.5), ("steps", True), ("version", 4), ("dropout", "high")]
    )
    def test_replaces_what_is_impossible(self, name, value):
        values = sampling.activate(wide_space(), {name: value}, generator(1))
        assert is_active_and_possible(wide_space(), values)
        if name != "steps" or value is True:
            assert values[name] != value or type(values[name]) is not type(value)


class TestMutate:
    @settings(deadline=None)
    @given(seeds, st.integers(1, 4))
    def test_changes_something_and_stays_active(self, seed, num_mutations):
        rng = generator(seed)
        before = sampling.sample(wide_space(), rng)
        after = sampling.mutate(wide_space(), before, rng, num_mutations)
        assert after != before
        assert is_active_and_possible(wide_space(), after)

    @settings(deadline=None)
    @given(seeds)
    def test_one_mutation_changes_one_value_and_its_children(self, seed):
        rng = generator(seed)
        before = sampling.sample(toy_space(), rng)
        after = sampling.mutate(toy_space(), before, rng)
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert changed == {"kind", "wide_kernel"} or len(changed) == 1

    @settings(deadline=None)
    @given(seeds)
    def test_two_mutations_do_not_undo_each_other(self, seed):
        space = kt.HyperParameters()
        space.Boolean("a")
        space.Boolean("b")
        after = sampling.mutate(space, {"a": True, "b": True}, generator(seed), num_mutations=5)
        assert after == {"a": False, "b": False}

    def test_nothing_can_change(self):
        space = kt.HyperParameters()
        space.Fixed("version", 3)
        space.Choice("kind", ["dense", "dense"])
        space.Int("depth", 2, 2)
        values = {"version": 3, "kind": "dense", "depth": 2}
        assert sampling.mutate(space, values, generator(0)) == values

    def test_a_long_range_moves_to_a_nearby_value(self):
        space = kt.HyperParameters()
        space.Int("steps", 0, 1000)
        moves = [abs(sampling.mutate(space, {"steps": 500}, generator(seed))["steps"] - 500) for seed in range(200)]
        assert min(moves) >= 1
        assert 80 < np.median(moves) < 200

    def test_a_continuous_range_of_width_zero_is_fixed(self):
        space = kt.HyperParameters()
        space.Float("rate", 0.5, 0.5)
        assert sampling.num_options(space.space[0]) == 1


class TestCrossover:
    @settings(deadline=None)
    @given(seeds)
    def test_each_value_comes_from_a_parent_that_has_it(self, seed):
        rng = generator(seed)
        first, second = sampling.sample(toy_space(), rng), sampling.sample(toy_space(), rng)
        child = sampling.crossover(toy_space(), first, second, rng)
        assert is_active_and_possible(toy_space(), child)
        for name, value in child.items():
            parents = [parent[name] for parent in (first, second) if name in parent]
            assert value in parents

    def test_equal_parents(self):
        values = {"kind": "conv", "depth": 2, "width": 8, "wide_kernel": True}
        assert sampling.crossover(toy_space(), values, values, generator(0)) == values

    def test_both_parents_count(self):
        first = {"kind": "dense", "depth": 1, "width": 8}
        second = {"kind": "dense", "depth": 4, "width": 48}
        children = {
            tuple(sampling.crossover(toy_space(), first, second, generator(seed)).values()) for seed in range(40)
        }
        assert children == set(itertools.product(["dense"], [1, 4], [8, 48]))


class TestEnumerate:
    def test_every_candidate_once(self):
        listed = [tuple(sorted(values.items())) for values in sampling.enumerate_values(toy_space())]
        assert len(listed) == len(set(listed)) == 60
        assert all(is_active_and_possible(toy_space(), dict(values)) for values in listed)

    def test_a_continuous_space_lists_nothing(self):
        assert list(sampling.enumerate_values(wide_space())) == []

    def test_an_empty_space_has_one_candidate(self):
        assert list(sampling.enumerate_values(kt.HyperParameters())) == [{}]


class TestOptions:
    def gene(self, declare):
        space = kt.HyperParameters()
        declare(space)
        return space.space[0]

    @pytest.mark.parametrize(
        ("declare", "expected"),
        [
            (lambda hp: hp.Int("n", 6, 13, step=3), [6, 9, 12]),
            (lambda hp: hp.Int("n", 2, 32, step=2, sampling="log"), [2, 4, 8, 16, 32]),
            (lambda hp: hp.Int("n", 2, 5, sampling="log"), [2, 3, 4, 5]),
            (lambda hp: hp.Float("f", 0.0, 1.0, step=0.5), [0.0, 0.5, 1.0]),
            (lambda hp: hp.Boolean("b"), [False, True]),
            (lambda hp: hp.Choice("c", ["a", "b", "a"]), ["a", "b"]),
            (lambda hp: hp.Fixed("x", 7), [7]),
        ],
    )
    def test_all_values(self, declare, expected):
        gene = self.gene(declare)
        assert sampling.options(gene) == expected
        assert sampling.num_options(gene) == len(expected)

    def test_a_continuous_range(self):
        assert sampling.num_options(self.gene(lambda hp: hp.Float("f", 0.0, 1.0))) == math.inf
