"""Where a training will end: exact for curves of the family, honest about all others."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.search.learning_curve import MIN_COMPLETED
from hwkeras.search.learning_curve import MIN_EPOCHS
from hwkeras.search.learning_curve import TOLERANCE
from hwkeras.search.learning_curve import CompletedCurve
from hwkeras.search.learning_curve import PowerLaw
from hwkeras.search.learning_curve import forecast

laws = st.builds(
    PowerLaw,
    limit=st.floats(-1.0, 1.0),
    gap=st.floats(0.0, 2.0),
    rate=st.floats(math.log(0.06), math.log(3.5)).map(math.exp),
)


def losses(law, num_epochs):
    return [float(loss) for loss in law.at(np.arange(1, num_epochs + 1))]


def completed(law, num_epochs=12, better=0.0):
    curve = losses(law, num_epochs)
    return CompletedCurve(tuple(curve), curve[-1] - better)


@settings(deadline=None, max_examples=50)
@given(law=laws, num_seen=st.integers(MIN_EPOCHS, 30), ahead=st.integers(1, 60))
def test_a_curve_of_the_family_is_continued_exactly(law, num_seen, ahead):
    fitted = PowerLaw.fit(losses(law, num_seen))
    assert fitted.gap >= 0
    assert float(fitted.at(num_seen + ahead)) == pytest.approx(float(law.at(num_seen + ahead)), abs=TOLERANCE)


@settings(deadline=None, max_examples=50)
@given(
    law=laws,
    num_epochs=st.integers(MIN_EPOCHS + 1, 15),
    others=st.lists(
        st.tuples(st.lists(st.floats(-2, 2), min_size=15, max_size=15), st.floats(-2, 2)),
        min_size=MIN_COMPLETED,
        max_size=MIN_COMPLETED + 1,
    ),
)
def test_what_would_win_is_never_given_up_whatever_other_curves_look_like(law, num_epochs, others):
    """A curve of the family without noise is never forecast to end worse than it does."""
    known = [CompletedCurve(tuple(curve[:num_epochs]), end) for curve, end in others]
    curve = losses(law, num_epochs)
    for num_seen in range(1, num_epochs + 1):
        end = forecast(curve[:num_seen], num_epochs, known)
        assert end is None or end.optimistic <= curve[-1] + TOLERANCE


@settings(deadline=None, max_examples=50)
@given(law=laws, others=st.lists(laws, min_size=MIN_COMPLETED, max_size=8))
def test_among_curves_of_the_family_the_forecast_is_the_end(law, others):
    end = forecast(losses(law, 5), 12, [completed(other) for other in others])
    assert end.optimistic == pytest.approx(float(law.at(12)), abs=1e-5)
    assert end.expected == pytest.approx(float(law.at(12)), abs=1e-5)


def test_what_all_trials_gain_beyond_the_power_law_is_learned():
    others = [completed(PowerLaw(-0.9, 0.4, 0.5 + 0.1 * k), better=0.03) for k in range(5)]
    law = PowerLaw(-0.8, 0.3, 0.7)
    end = forecast(losses(law, 5), 12, others)
    assert end.expected == pytest.approx(float(law.at(12)) - 0.03, abs=1e-5)
    assert end.optimistic == pytest.approx(end.expected, abs=1e-5)


def test_the_less_alike_the_ends_the_more_is_hoped_for():
    law = PowerLaw(-0.8, 0.3, 0.7)
    alike = [completed(law, better=0.03) for _ in range(5)]
    unlike = [completed(law, better=0.01 * k + 0.01) for k in range(5)]
    curve = losses(law, 5)
    assert forecast(curve, 12, unlike).expected == pytest.approx(forecast(curve, 12, alike).expected, abs=1e-5)
    # Ends 0.01, 0.02 ... 0.05 better: Student's t for 4 degrees of freedom is 2.132, their deviation 0.01581.
    hoped_for = 2.132 * 0.015811 * math.sqrt(1 + 1 / 5)
    assert forecast(curve, 12, alike).optimistic - forecast(curve, 12, unlike).optimistic == pytest.approx(
        hoped_for, abs=1e-4
    )


def slow(end, num_epochs=9):
    """A training that begins slowly, as under a rising learning rate, and is done in the seventh epoch."""
    return [-0.1 - (end - 0.1) * share for share in (0.0, 0.05, 0.3, 0.8, 0.92, 0.97, 0.99, 1.0, 1.0)[:num_epochs]]


def test_curves_that_are_no_power_law_are_continued_as_others_went_on():
    others = [CompletedCurve(tuple(slow(end)), -end - 0.001 * k) for k, end in enumerate((0.7, 0.75, 0.8, 0.78))]
    for num_seen in (6, 7, 8):
        end = forecast(slow(0.6)[:num_seen], 9, others)
        assert end.expected == pytest.approx(-0.6, abs=0.01)
        assert -0.65 < end.optimistic <= -0.6
    assert not PowerLaw.fit(slow(0.6, 6)).explains(slow(0.6, 6))


def test_what_was_reached_can_be_reached():
    others = [completed(PowerLaw(-0.9, 0.4, 0.5 + 0.1 * k), better=-0.3) for k in range(5)]
    curve = [-0.5, -0.8, -0.6, -0.6, -0.6]
    assert forecast(curve, 12, others).optimistic <= -0.8


@settings(deadline=None, max_examples=50)
@given(law=laws, spread=st.floats(0.001, 0.1), seed=st.integers(0, 999))
def test_a_rising_or_noisy_curve_has_a_finite_forecast_that_is_no_better_than_hoped(law, spread, seed):
    rng = np.random.default_rng(seed)
    others = [CompletedCurve(tuple(rng.normal(losses(law, 12), spread)), float(law.at(12))) for _ in range(6)]
    curve = rng.normal(losses(law, 6), spread)
    for seen in (curve, curve[::-1]):
        end = forecast(list(seen), 12, others)
        assert math.isfinite(end.expected) and end.optimistic <= end.expected


def test_noisy_curves_are_stopped_wrongly_less_often_than_the_interval_says():
    """An interval of 95% is too low for about 5 of 100 trials at one look."""
    rng = np.random.default_rng(0)

    def drawn():
        law = PowerLaw(rng.uniform(-0.95, -0.8), rng.uniform(0.2, 0.5), rng.uniform(0.4, 1.5))
        curve = rng.normal(losses(law, 12), 0.01)
        return CompletedCurve(tuple(curve), float(curve[-1]))

    given_up = 0
    for _ in range(100):
        others, own = [drawn() for _ in range(10)], drawn()
        given_up += forecast(own.losses[:5], 12, others).optimistic > own.end
    assert given_up <= 8


@pytest.mark.parametrize(
    ("num_seen", "num_epochs", "num_others", "is_told"),
    [
        (3, 6, 4, False),  # three parameters go through three points
        (4, 6, 4, True),
        (6, 6, 4, False),  # there is nothing left to save
        (4, 13, 4, False),  # a third of 13 epochs is more than four
        (5, 13, 4, True),
        (4, 6, 3, False),
    ],
)
def test_nothing_is_told_too_early_or_of_too_few(num_seen, num_epochs, num_others, is_told):
    others = [completed(PowerLaw(-0.9, 0.4, 0.5 + 0.1 * k), num_epochs) for k in range(num_others)]
    end = forecast(losses(PowerLaw(-0.8, 0.3, 0.7), num_seen), num_epochs, others)
    assert (end is not None) == is_told


def test_curves_that_ended_early_or_broke_teach_nothing():
    law = PowerLaw(-0.9, 0.4, 0.7)
    whole = [completed(law)] * 3
    for other in (completed(law, 5), CompletedCurve((math.inf,) * 12, 0.0), CompletedCurve((0.0,) * 12, math.nan)):
        assert forecast(losses(law, 5), 12, [*whole, other]) is None
    assert forecast([0.5, math.inf, 0.4, 0.3, 0.2], 12, [completed(law)] * 4) is None
