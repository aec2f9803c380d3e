"""A search over augmentation: candidates of one network are tried each, and what ships is the same network."""

import json

import keras_tuner as kt
import numpy as np
import pytest

import hwkeras as hw
from hwkeras.convert import convert_untrained
from hwkeras.measure import analyze
from hwkeras.search import pruning
from hwkeras.search.journal import Journal
from hwkeras.search.naming import Naming
from hwkeras.search.space_lint import lint_space

# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

CHOICES = {"flip": (False, True), "mixup": (0.0, 0.2)}
ONE_NETWORK = {"layer_types": ("conv",), "stages": 1, "widths": (8,), "strides": (2,), "skips": (True,)}
ONE_STEM = {"stem_widths": (8,), "stem_strides": (1,), "heads": ("global_pool",)}


@pytest.fixture(scope="module")
def search(tmp_path_factory, small_space, digits):
    """All that can be tried of one network with two augmentations, on or off; the network, unaugmented; screened."""
    x, y = digits
    tuner = hw.HardwareTuner(
        small_space(**ONE_NETWORK, **ONE_STEM, augment=CHOICES),
        limits=["size=40KiB"],
        device="fake",
        max_trials=6,
        seed=0,
        directory=tmp_path_factory.mktemp("runs") / "augmented",
        progress=None,
    )
    screened, screen = [], tuner._screen.screen
    tuner._screen.screen = lambda hp: screened.append(hp) or screen(hp)
    tuner.search(x[:300], y[:300], validation_data=(x[300:400], y[300:400]), epochs=1, batch_size=50)
    tuner.screened = screened
    return tuner


def test_each_augmentation_of_a_network_is_a_trial_and_its_cost_is_known_once(search):
    tried = [json.dumps(trial.hyperparameters.values, sort_keys=True) for trial in search.oracle.trials.values()]
    assert len(set(tried)) == len(tried) == 4
    assert [trial.status for trial in search.oracle.trials.values()] == ["COMPLETED"] * 4
    assert search.oracle.stop_reason.kind == "exhausted"
    assert len(search.screened) == 1
    assert len(Journal(search.run.directory / "journal.jsonl").read("accepted")) == 1


def test_the_file_is_that_of_the_network_without_augmentation(search, small_space):
    plain = small_space(**ONE_NETWORK, **ONE_STEM)
    hp = kt.HyperParameters()
    (untrained,) = convert_untrained(plain.build(hp), ["float32"]).values()
    costs = analyze(untrained).metrics()
    candidates = search.candidates()
    assert {candidate.architecture_hash for candidate in candidates} == {plain.architecture(hp).hash}
    for candidate in candidates:
        if candidate.precision == "float32":
            content = (search.run.directory / candidate.file).read_bytes()
            assert len(content) == len(untrained) and analyze(content).metrics() == costs
    assert len({c.metrics["size_bytes"] for c in candidates if c.precision == "int8"}) == 1


def test_a_person_is_told_how_it_was_trained(search, small_space):
    told = {candidate.architecture for candidate in search.candidates()}
    plain = min(told, key=len)
    assert told == {plain, f"{plain} + flip True", f"{plain} + mixup 0.2", f"{plain} + flip True, mixup 0.2"}
    candidate = search.best()
    manifest = json.loads((search.export(search.run.directory / "best", candidate) / "manifest.json").read_text())
    assert set(manifest["hyperparameters"]) == {"augment/flip", "augment/mixup"}
    assert manifest["architecture_hash"] == candidate.architecture_hash


def test_who_is_tried_and_who_is_built(small_space):
    naming, plain = Naming(small_space(augment=CHOICES)), Naming(small_space())
    hp = kt.HyperParameters()
    small_space(augment=CHOICES).declare_hyperparameters(hp)
    assert naming.candidate(hp) == naming.identity(hp) == plain.candidate(hp)
    hp.values["augment/mixup"] = 0.2
    assert naming.identity(hp) == plain.identity(hp) == plain.candidate(hp)
    assert naming.candidate(hp) not in (naming.identity(hp), plain.candidate(hp))


def test_pruning_leaves_what_costs_nothing(small_space):
    space, hp = small_space(widths=(8, 512), augment=CHOICES), kt.HyperParameters()
    space.declare_hyperparameters(hp)
    pruned = pruning.prune(space, hp, ["size=8KiB"])
    assert pruned.removed == {"stage1/width": (512,), "stage2/width": (512,)}
    left = {gene.name: list(gene.values) for gene in pruned.hyperparameters.space if hasattr(gene, "values")}
    assert left["augment/mixup"] == [0.0, 0.2]
    assert "augment/flip" in {gene.name for gene in pruned.hyperparameters.space}


def test_a_space_with_augmentation_keeps_its_word(small_space):
    report = lint_space(small_space(augment=CHOICES), 1, precisions=["float32"], twins=False)
    assert report.ok, report
    plain = lint_space(small_space(), 1, precisions=["float32"], twins=False)
    assert report.num_hyperparameters == plain.num_hyperparameters + 2
    assert np.isfinite(report.sizes).all()
