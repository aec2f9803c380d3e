"""Values that can never fit are not proposed, and nothing that fits is lost."""

import json

import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.build.spaces import FromDict
from hwkeras.build.spaces import Image
from hwkeras.build.spaces import SearchSpace
from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import total_violation
from hwkeras.oracles import get as get_oracle
from hwkeras.oracles import sampling
from hwkeras.search.pruning import least_metrics
from hwkeras.search.pruning import prune
from hwkeras.space import ImageSpace


def declared(hypermodel):
    hp = kt.HyperParameters()
    (hypermodel if hasattr(hypermodel, "declare") else hypermodel.space).declare(hp)
    return hp


def with_values(hp, values):
    hp = hp.copy()
    hp.values = dict(values)
    return hp


@pytest.mark.parametrize(
    ("space", "limits"),
    [
        (Image((224, 224, 3), 10), ["peak_ram=200KiB"]),
        (Image((28, 28, 1), 10), ["size=1500B", "peak_ram=3KiB"]),
        (Image((32, 32, 3), 10), ["macs=300k", "size=40KiB"]),
        (SearchSpace((32, 32, 3), (10,)), ["size=4KiB", "peak_ram=20KiB"]),
    ],
)
def test_no_network_that_fits_is_lost(space, limits):
    hp = declared(space)
    pruned = prune(space, hp, limits)
    least = least_metrics(space)
    limits = [Limit.parse(limit) for limit in limits]
    rng, num_fitting, num_outside = np.random.default_rng(11), 0, 0
    for number in range(2000):
        values = sampling.sample(hp, rng)
        # Random networks alone are mostly too large: every other one is drawn from what was kept, and changed.
        if number % 2:
            values = sampling.mutate(hp, sampling.sample(pruned.hyperparameters, rng), rng, 2)
        uses_removed = any(value in pruned.removed.get(name, ()) for name, value in values.items())
        fits = total_violation(limits, least(with_values(hp, values))) == 0
        num_fitting += fits
        num_outside += not fits
        assert not (fits and uses_removed), values
    assert num_outside and num_fitting


def test_what_is_taken_out_is_told():
    space = Image((224, 224, 3), 10)
    hp = declared(space)
    pruned = prune(space, hp, ["peak_ram=200KiB"])
    assert pruned.removed == {"resolution": (1,)}
    assert pruned.share == 1 / len({(g.name, v) for g in hp.space for v in sampling.options(g)})
    assert 0.5 < pruned.share_excluded < 1
    assert "of the choices (resolution 1) and" in pruned.summary()
    assert json.loads(json.dumps(pruned.to_json()))["removed"] == {"resolution": [1]}


@pytest.fixture(scope="module")
def tight():
    """A space, its hyperparameters, and the same pruned to a device of 1500 bytes."""
    space = Image((28, 28, 1), 10, stages=2)
    hp = declared(space)
    return space, hp, prune(space, hp, ["size=1200B", "peak_ram=3KiB"])


def test_names_conditions_and_order_stay(tight):
    space, hp, pruned = tight
    restricted = pruned.hyperparameters
    assert [(g.name, g.conditions) for g in restricted.space] == [(g.name, g.conditions) for g in hp.space]
    assert all(
        set(sampling.options(new)) <= set(sampling.options(old))
        for new, old in zip(restricted.space, hp.space, strict=True)
    )
    assert kt.HyperParameters.from_config(restricted.get_config()).get_config() == restricted.get_config()
    num_before = len(restricted.space)
    space.declare_hyperparameters(restricted)  # what `build(hp)` does
    assert len(restricted.space) == num_before
    model = space.build(with_values(restricted, sampling.sample(restricted, np.random.default_rng(0))))
    assert model.input_shape == (None, 28, 28, 1)


def test_oracles_propose_kept_values_alone(tight, tmp_path):
    space, _, pruned = tight
    assert pruned.removed
    for name in ("random", "evolution"):
        oracle = get_oracle(name)(["accuracy"], max_trials=40, seed=0, hyperparameters=pruned.hyperparameters)
        oracle._set_project_dir(str(tmp_path / name), "project")
        space.declare_hyperparameters(oracle.get_space())
        rng = np.random.default_rng(0)
        for _ in range(40):
            values = sampling.activate(oracle.hyperparameters, oracle.propose(rng), rng)
            assert not any(value in pruned.removed.get(key, ()) for key, value in values.items())


def test_small_spaces_are_proven():
    space = FromDict({"filters": [4, 64], "num_conv_layers": [1, 2], "global_pooling": [True, False]}, (16, 16, 1), 10)
    pruned = prune(space, declared(space), ["size=1KiB"])
    assert pruned.removed == pruned.proven == {"filters": (64,), "global_pooling": (False,)}


def test_flags_stay_flags():
    space = FromDict({"filters": [4], "num_conv_layers": [1], "global_pooling": [True, False]}, (32, 32, 1), 10)
    pruned = prune(space, declared(space), ["size=1KiB"])
    assert pruned.removed == {"global_pooling": (False,)}
    (gene,) = (g for g in pruned.hyperparameters.space if g.name == "global_pooling")
    assert sampling.options(gene) == [True] and sampling.options(gene)[0] is True


def test_float_files_leave_less_room():
    space = ImageSpace((64, 64, 3), 10)
    hp = declared(space)
    as_int8 = prune(space, hp, ["peak_ram=80KiB"])
    as_float = prune(space, hp, ["peak_ram=80KiB"], ["float32", "float16"])
    assert as_float.share_excluded > as_int8.share_excluded
    assert as_float.share >= as_int8.share


def test_what_is_not_pruned_says_so():
    space = Image((8, 8, 1), 10)
    hp = declared(space)
    of_function = prune(lambda hp: None, hp, ["size=1KiB"])
    assert of_function.hyperparameters is hp and not of_function.removed
    assert of_function.summary() == (
        "The search space is not pruned: what its networks cost is known only when they are built."
    )
    assert "no limit is on size_bytes, peak_ram_bytes, macs, params" in prune(space, hp, ["latency=1ms"]).note
    impossible = prune(space, hp, ["size=10B"])
    assert impossible.hyperparameters is hp and "no network at all was found within the limits" in impossible.note


def test_a_hypermodel_that_builds_something_else_is_not_pruned():
    class Wider(Image):
        def build(self, hp):
            return super().build(hp)

    assert least_metrics(Wider((8, 8, 1), 10)) is None
    assert prune(Wider((8, 8, 1), 10), declared(Image((8, 8, 1), 10)), ["size=1KiB"]).note


def test_unknown_precision_or_limit():
    space = Image((8, 8, 1), 10)
    with pytest.raises(UserError, match=r"`precisions` are some of int8, .*Received: \('int4',\)"):
        prune(space, declared(space), ["size=1KiB"], ["int4"])
    with pytest.raises(UserError, match=r"A limit is written NAME=QUANTITY"):
        prune(space, declared(space), ["weight=1KiB"])


def test_same_seed_same_answer(tight):
    space, hp, pruned = tight
    assert prune(space, hp, ["size=1200B", "peak_ram=3KiB"]).to_json() == pruned.to_json()
