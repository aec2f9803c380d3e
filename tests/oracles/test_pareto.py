import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.oracles import pareto

inf, nan = math.inf, math.nan


small = st.integers(0, 6)
any_value = st.one_of(st.integers(0, 4).map(float), st.sampled_from([inf, -inf, nan]))


def points(min_objectives=1, values=small):
    """Tables of up to 12 points with up to 4 objectives."""

    def table(num_objectives):
        row = st.lists(values, min_size=num_objectives, max_size=num_objectives)
        return st.lists(row, min_size=1, max_size=12)

    return st.integers(min_objectives, 4).flatmap(table).map(lambda rows: np.array(rows, dtype=float))


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def naive_front(losses):
    losses = np.where(np.isnan(losses), inf, losses)
    return np.array([not any(dominates(other, row) for other in losses) for row in losses], dtype=bool)


def naive_volume(losses, reference):
    """Volume of a union of boxes, by inclusion and exclusion."""
    total = 0.0
    for size in range(1, len(losses) + 1):
        for chosen in itertools.combinations(losses, size):
            sides = np.maximum(np.asarray(reference) - np.max(chosen, axis=0), 0.0)
            total += (-1) ** (size + 1) * np.prod(sides)
    return total


class TestNondominated:
    def test_closed_form(self):
        losses = [[1, 4], [2, 2], [4, 1], [3, 3], [2, 2], [1, 5]]
        assert pareto.nondominated(losses).tolist() == [True, True, True, False, True, False]

    def test_one_objective_keeps_the_smallest_and_its_equals(self):
        assert pareto.nondominated([[3], [1], [2], [1]]).tolist() == [False, True, False, True]

    def test_nan_counts_as_infinity(self):
        assert pareto.nondominated([[1, nan], [1, 5], [nan, nan]]).tolist() == [False, True, False]
        assert pareto.nondominated([[nan, 1], [inf, 1]]).tolist() == [True, True]

    def test_empty(self):
        assert pareto.nondominated([]).shape == (0,)
        assert pareto.nondominated(np.zeros((0, 3))).shape == (0,)

    def test_a_flat_array_is_refused(self):
        with pytest.raises(UserError, match=r"shape \(num_points, num_objectives\). Received: shape=\(3,\)"):
            pareto.nondominated([1.0, 2.0, 3.0])

    @settings(deadline=None)
    @given(points(values=any_value))
    def test_fast_equals_naive(self, losses):
        assert pareto.nondominated(losses).tolist() == naive_front(losses).tolist()

    @settings(deadline=None)
    @given(points(), st.randoms(use_true_random=False))
    def test_idempotent_and_order_free(self, losses, random):
        mask = pareto.nondominated(losses)
        assert mask.any()
        assert pareto.nondominated(losses[mask]).all()
        order = list(range(len(losses)))
        random.shuffle(order)
        assert pareto.nondominated(losses[order]).tolist() == mask[order].tolist()


class TestIntervals:
    def test_overlapping_intervals_are_equally_good(self):
        # The second is 1% slower within the noise and less accurate: beaten. The third is surely faster: stays.
        lows = [[0.1, 1.00], [0.2, 0.99], [0.3, 0.50]]
        highs = [[0.1, 1.03], [0.2, 1.02], [0.3, 0.52]]
        assert pareto.nondominated(lows, highs).tolist() == [True, False, True]
        assert pareto.nondominated(lows).tolist() == [True, True, True]

    def test_equal_otherwise_and_not_told_apart_both_stay(self):
        assert pareto.nondominated([[1, 1.0], [1, 1.1]], [[1, 1.2], [1, 1.3]]).tolist() == [True, True]
        assert pareto.nondominated([[1, 1.0], [1, 1.3]], [[1, 1.2], [1, 1.4]]).tolist() == [True, False]

    def test_wrong_ends_are_told(self):
        with pytest.raises(UserError, match=r"`highs` must have the shape of `losses` and lie nowhere below them"):
            pareto.nondominated([[2.0]], [[1.0]])
        with pytest.raises(UserError, match=r"Received: shapes \(1, 1\) and \(1, 2\)"):
            pareto.nondominated([[2.0]], [[2.0, 3.0]])

    @given(points(values=any_value))
    def test_intervals_without_width_are_exact(self, losses):
        assert pareto.nondominated(losses, losses).tolist() == pareto.nondominated(losses).tolist()

    @given(points(min_objectives=2), st.lists(st.integers(0, 4), min_size=12, max_size=12))
    def test_one_uncertain_objective_never_empties_the_front(self, losses, widths):
        highs = losses.copy()
        highs[:, -1] += widths[: len(losses)]
        assert pareto.nondominated(losses, highs).any()


class TestRanks:
    def test_fronts_one_after_the_other(self):
        assert pareto.ranks([[1, 4], [4, 1], [2, 5], [5, 2], [6, 6]]).tolist() == [0, 0, 1, 1, 2]

    def test_feasible_first_then_by_violation(self):
        losses = [[9, 9], [0, 0], [0, 0], [1, 1], [0, 0]]
        assert pareto.ranks(losses, [0, 0.5, 0.1, 0.1, nan]).tolist() == [0, 3, 1, 2, 4]

    def test_empty(self):
        assert pareto.ranks([]).shape == (0,)

    def test_violations_of_another_length_are_refused(self):
        with pytest.raises(UserError, match="one entry a point. Received: 1 entries for 2 points"):
            pareto.ranks([[1], [2]], [0])

    @settings(deadline=None)
    @given(points(values=any_value))
    def test_one_front_is_what_is_left_without_the_ones_before(self, losses):
        rank = pareto.ranks(losses)
        for number in range(rank.max() + 1):
            assert (rank[rank >= number] == number).tolist() == naive_front(losses[rank >= number]).tolist()

    @settings(deadline=None)
    @given(points(values=any_value), st.data())
    def test_every_domination_is_kept(self, losses, data):
        violations = data.draw(
            st.lists(st.sampled_from([0.0, 0.5, 1.0, inf]), min_size=len(losses), max_size=len(losses))
        )
        rank = pareto.ranks(losses, violations)
        clean = np.where(np.isnan(losses), inf, losses)
        assert sorted(set(rank.tolist())) == list(range(rank.max() + 1))
        for i, j in itertools.permutations(range(len(losses)), 2):
            if violations[i] < violations[j] or (violations[i] == violations[j] and dominates(clean[i], clean[j])):
                assert rank[i] < rank[j]

    @settings(deadline=None)
    @given(points(values=any_value), st.randoms(use_true_random=False), st.data())
    def test_order_free(self, losses, random, data):
        violations = data.draw(st.lists(st.sampled_from([0.0, 0.5]), min_size=len(losses), max_size=len(losses)))
        order = list(range(len(losses)))
        random.shuffle(order)
        shuffled = pareto.ranks(losses[order], np.array(violations)[order])
        assert shuffled.tolist() == pareto.ranks(losses, violations)[order].tolist()

    @settings(deadline=None)
    @given(points(values=any_value))
    def test_without_the_last_front_the_others_stay_as_they_are(self, losses):
        rank = pareto.ranks(losses)
        left = rank < rank.max()
        assert pareto.ranks(losses[left]).tolist() == rank[left].tolist() if left.any() else rank.max() == 0


class TestRanksOfIntervals:
    def test_what_the_noise_could_have_ordered_shares_a_rank(self):
        lows = [[0.1, 1.00], [0.1, 1.02], [0.1, 1.50], [0.0, 9.0]]
        highs = [[0.1, 1.03], [0.1, 1.05], [0.1, 1.60], [0.0, 9.5]]
        assert pareto.ranks(lows).tolist() == [0, 1, 2, 0]
        assert pareto.ranks(lows, highs=highs).tolist() == [0, 0, 1, 0]
        assert pareto.ranks(lows, [1.0, 0, 0, 0], highs).tolist() == [2, 0, 1, 0]

    def test_wrong_ends_are_told(self):
        with pytest.raises(UserError, match=r"`highs` must have the shape of `losses` and lie nowhere below them"):
            pareto.ranks([[2.0]], highs=[[1.0]])

    def test_a_ring_is_one_front(self):
        lows, highs = [[0, 4, 1], [0, 1, 4], [3, 0, 1]], [[3, 7, 2], [2, 5, 6], [4, 2, 5]]
        assert not pareto.nondominated(lows, highs).any()
        assert pareto.ranks(lows, highs=highs).tolist() == [0, 0, 0]

    @settings(deadline=None)
    @given(points(values=any_value))
    def test_intervals_without_width_are_exact(self, losses):
        assert pareto.ranks(losses, highs=losses).max() <= pareto.ranks(losses).max()
        front = pareto.ranks(losses, highs=losses) == 0
        assert front.tolist() == pareto.nondominated(losses).tolist()

    @settings(deadline=None)
    @given(points(), st.data(), st.randoms(use_true_random=False))
    def test_every_point_has_a_rank_in_any_order(self, losses, data, random):
        width = st.lists(st.integers(0, 3), min_size=losses.shape[1], max_size=losses.shape[1])
        widths = data.draw(st.lists(width, min_size=len(losses), max_size=len(losses)))
        highs = losses + np.array(widths)
        rank = pareto.ranks(losses, highs=highs)
        assert sorted(set(rank.tolist())) == list(range(rank.max() + 1))
        order = list(range(len(losses)))
        random.shuffle(order)
        assert pareto.ranks(losses[order], highs=highs[order]).tolist() == rank[order].tolist()
        front = pareto.nondominated(losses, highs)
        if front.any():
            assert (rank[front] == 0).all() and (rank[~front] > 0).all()


class TestCrowdingDistance:
    def test_closed_form(self):
        distance = pareto.crowding_distance([[0, 4], [1, 2], [4, 0]])
        assert distance.tolist() == [inf, 2.0, inf]
        inner = pareto.crowding_distance([[0, 10], [1, 9], [5, 5], [10, 0]])
        assert inner.tolist() == [inf, 1.0, 1.8, inf]

    def test_few_points_are_all_alone(self):
        assert pareto.crowding_distance([[1, 2]]).tolist() == [inf]
        assert pareto.crowding_distance([[1, 2], [2, 1]]).tolist() == [inf, inf]
        assert pareto.crowding_distance([]).shape == (0,)

    def test_infinite_losses_count_nothing(self):
        assert pareto.crowding_distance([[1, inf], [nan, 1]]).tolist() == [0.0, 0.0]
        assert pareto.crowding_distance([[0, 4], [1, inf], [2, 2], [4, 0]]).tolist() == [inf, 0.0, 2.0, inf]

    def test_all_equal(self):
        assert pareto.crowding_distance([[1, 1], [1, 1]]).tolist() == [inf, inf]

    @settings(deadline=None)
    @given(points(), st.randoms(use_true_random=False))
    def test_order_free(self, losses, random):
        order = list(range(len(losses)))
        random.shuffle(order)
        assert pareto.crowding_distance(losses[order]).tolist() == pareto.crowding_distance(losses)[order].tolist()


class TestHypervolume:
    @pytest.mark.parametrize("num_objectives", [1, 2, 3, 4])
    def test_a_box(self, num_objectives):
        assert pareto.hypervolume([[1.0] * num_objectives], [3.0] * num_objectives) == 2.0**num_objectives

    @pytest.mark.parametrize("size", [1, 2, 5, 20])
    def test_a_staircase(self, size):
        stairs = [[step, size - step - 1] for step in range(size)]
        assert pareto.hypervolume(stairs, [size, size]) == size * (size + 1) / 2

    def test_what_counts_nothing(self):
        assert pareto.hypervolume([], [1.0]) == 0.0
        assert pareto.hypervolume([[2.0, 0.0], [0.0, 1.0], [nan, 0.0], [inf, 0.0]], [1.0, 1.0]) == 0.0

    def test_minus_infinity(self):
        assert pareto.hypervolume([[-inf, 0.5], [0.5, 0.0]], [1.0, 1.0]) == inf
        assert pareto.hypervolume([[-inf, 2.0], [0.5, 0.0]], [1.0, 1.0]) == 0.5

    def test_a_bad_reference_is_refused(self):
        with pytest.raises(UserError, match=r"must be finite. Received: reference=\[1.0, inf\]"):
            pareto.hypervolume([[0.0, 0.0]], [1.0, inf])
        with pytest.raises(UserError, match="one entry an objective. Received: 3 entries for 2 objectives"):
            pareto.hypervolume([[0.0, 0.0]], [1.0, 1.0, 1.0])

    def test_five_objectives(self):
        losses = [[0, 3, 3, 3, 3], [3, 0, 3, 3, 3], [2, 2, 2, 2, 2]]
        assert pareto.hypervolume(losses, [4] * 5) == naive_volume(losses, [4] * 5)

    @pytest.mark.parametrize("num_objectives", [2, 3, 4])
    def test_agrees_with_darts_thrown_at_random(self, num_objectives):
        rng = np.random.default_rng(num_objectives)
        losses = np.abs(rng.normal(size=(60, num_objectives)))
        losses /= np.linalg.norm(losses, axis=1, keepdims=True)
        darts = rng.random((20000, num_objectives)) * 1.2
        share = np.mean([(losses <= dart).all(axis=1).any() for dart in darts])
        spread = 4 * math.sqrt(share * (1 - share) / len(darts))
        volume = pareto.hypervolume(losses, [1.2] * num_objectives) / 1.2**num_objectives
        assert volume == pytest.approx(share, abs=spread)

    @settings(deadline=None)
    @given(points(), st.randoms(use_true_random=False))
    def test_the_order_of_the_objectives_does_not_matter(self, losses, random):
        order = list(range(losses.shape[1]))
        random.shuffle(order)
        assert pareto.hypervolume(losses[:, order], [5.0] * len(order)) == pareto.hypervolume(
            losses, [5.0] * len(order)
        )

    @settings(deadline=None)
    @given(points(), st.integers(0, 3))
    def test_a_point_that_becomes_better_never_takes_away(self, losses, by):
        better = losses.copy()
        better[0] -= by
        reference = [5.0] * losses.shape[1]
        assert pareto.hypervolume(better, reference) >= pareto.hypervolume(losses, reference)

    @settings(deadline=None, max_examples=60)
    @given(points(values=st.integers(0, 5)).filter(lambda losses: len(losses) <= 8))
    def test_equals_inclusion_and_exclusion(self, losses):
        reference = [4.0] * losses.shape[1]
        assert pareto.hypervolume(losses, reference) == naive_volume(losses, reference)

    @settings(deadline=None)
    @given(points(min_objectives=2), st.randoms(use_true_random=False))
    def test_only_the_front_counts_in_any_order(self, losses, random):
        reference = [5.0] * losses.shape[1]
        front = losses[pareto.nondominated(losses)].tolist()
        random.shuffle(front)
        assert pareto.hypervolume(front, reference) == pareto.hypervolume(losses, reference)

    @settings(deadline=None)
    @given(points(min_objectives=2), st.data())
    def test_another_point_never_takes_away(self, losses, data):
        more = data.draw(st.lists(st.integers(0, 6), min_size=losses.shape[1], max_size=losses.shape[1]))
        reference = [5.0] * losses.shape[1]
        assert pareto.hypervolume(np.vstack([losses, more]), reference) >= pareto.hypervolume(losses, reference)


class TestKnee:
    def test_the_point_farthest_below_the_line(self):
        assert pareto.knee([[0, 10], [1, 2], [5, 1], [10, 0], [9, 9]]) == 1

    def test_dominated_and_infinite_points_are_passed_over(self):
        assert pareto.knee([[nan, 0], [3, 3], [1, 1], [-inf, 5]]) == 2

    def test_one_point(self):
        assert pareto.knee([[7.0]]) == 0

    @pytest.mark.parametrize("losses", [[], [[inf, 1.0]]])
    def test_nothing_finite(self, losses):
        with pytest.raises(UserError, match="must hold a finite point. Received: . points, none of them finite"):
            pareto.knee(losses)

    @settings(deadline=None)
    @given(points(), st.randoms(use_true_random=False))
    def test_a_front_member_in_any_order(self, losses, random):
        index = pareto.knee(losses)
        assert pareto.nondominated(losses)[index]
        shuffled = losses.tolist()
        random.shuffle(shuffled)
        assert shuffled[pareto.knee(shuffled)] == losses[index].tolist()

    @settings(deadline=None)
    @given(points(), st.integers(1, 4), st.integers(-3, 3))
    def test_units_do_not_matter(self, losses, factor, shift):
        assert pareto.knee(losses * 2**factor + shift) == pareto.knee(losses)


class TestEpsilonFront:
    def test_one_point_a_box_and_no_dominated_box(self):
        #         box 0,2     box 0,2, nearer  box 1,1     box 1,2 (beaten)  box 2,0     on the edge of box 3,0
        losses = [[0.9, 2.9], [0.2, 2.5], [1.5, 1.5], [1.1, 2.0], [2.9, 0.1], [3.0, 0.0]]
        assert pareto.epsilon_front(losses, 1.0).tolist() == [False, True, True, False, True, False]
        assert pareto.epsilon_front(losses, [10, 10]).tolist() == [False, False, True, False, False, False]

    def test_of_equal_points_the_first_stays(self):
        assert pareto.epsilon_front([[1, 1], [1, 1]], 1.0).tolist() == [True, False]

    def test_what_is_not_finite_is_passed_over(self):
        assert pareto.epsilon_front([[nan, 0], [-inf, 1], [3, 3], [inf, -5]], 1).tolist() == [False, False, True, False]
        assert pareto.epsilon_front([], 1.0).shape == (0,)

    @pytest.mark.parametrize("epsilons", [0.0, -1.0, nan, inf, [1.0], [1.0, 0.0], [[1.0, 1.0]]])
    def test_bad_epsilons_are_refused(self, epsilons):
        with pytest.raises(UserError, match="`epsilons` must be positive and finite, one for all objectives or one"):
            pareto.epsilon_front([[1, 1]], epsilons)

    @settings(deadline=None)
    @given(points(values=any_value), st.sampled_from([0.5, 1.0, 1.5, 3.0, 0.3]), st.randoms(use_true_random=False))
    def test_small_close_idempotent_and_order_free(self, losses, epsilon, random):
        stays = pareto.epsilon_front(losses, epsilon)
        finite = np.isfinite(losses).all(axis=1)
        kept = losses[stays]
        assert stays.any() == finite.any()
        assert pareto.nondominated(losses[finite])[stays[finite]].all()
        boxes = np.floor(kept / epsilon)
        assert len(np.unique(boxes, axis=0)) == len(kept) and pareto.nondominated(boxes).all()
        for point in losses[finite]:
            assert (kept < point + epsilon).all(axis=1).any()
        assert pareto.epsilon_front(kept, epsilon).all()
        order = list(range(len(losses)))
        random.shuffle(order)
        again = losses[order][pareto.epsilon_front(losses[order], epsilon)]
        assert sorted(again.tolist()) == sorted(kept.tolist())
