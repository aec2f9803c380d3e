import keras_tuner as kt
import pytest

from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.search.candidate import Candidate
from hwkeras.search.trial_metrics import trial_metrics

OBJECTIVES = [Objective.parse("accuracy"), Objective.parse("gzip_bytes")]


def deployed(precision, accuracy, gzip_bytes):
    metrics = {"accuracy": accuracy, "gzip_bytes": gzip_bytes, "size_bytes": gzip_bytes, "val_loss": 0.5}
    return Candidate("0", precision, metrics, "net", "hash", f"{precision}.tflite")


PLAIN = [deployed("float32", 0.90, 4000), deployed("int8", 0.89, 1000)]
PRUNED = deployed("prune=0.5+int8_qat", 0.95, 700)


def test_the_best_precision_speaks_for_a_trial():
    told = trial_metrics(PLAIN, OBJECTIVES, [], 3)
    assert (told["accuracy"], told["gzip_bytes"], told["epochs_trained"]) == (0.90, 4000, 3.0)
    assert (told["int8_accuracy"], told["float32_gzip_bytes"]) == (0.89, 4000)
    assert told["val_loss"] == 0.5 and "int8_val_loss" not in told


def test_networks_are_compared_as_they_are_without_recipes():
    told = trial_metrics([*PLAIN, PRUNED], OBJECTIVES, [], 3)
    assert (told["accuracy"], told["gzip_bytes"]) == (0.90, 4000)
    assert told["prune=0.5+int8_qat_accuracy"] == 0.95


@pytest.mark.parametrize(("size", "accuracy"), [("5kB", 0.90), ("1kB", 0.89), ("900B", 0.95), ("600B", 0.95)])
def test_what_a_recipe_made_speaks_where_it_alone_is_nearest_the_limits(size, accuracy):
    told = trial_metrics([*PLAIN, PRUNED], OBJECTIVES, [Limit.parse(f"size={size}")], 3)
    assert told["accuracy"] == accuracy


def test_a_trial_without_a_value_for_an_objective_failed():
    blind = Candidate("0", "int8", {"accuracy": 0.9}, "net", "hash", "f", status="crashed:SIGABRT")
    with pytest.raises(kt.errors.FailedTrialError, match=r"No precision gave gzip_bytes \(int8: crashed:SIGABRT\)"):
        trial_metrics([blind], OBJECTIVES, [], 3)
