"""Several devices and budgets from the command line, without a device."""

import json
import pathlib

import numpy as np
import pytest

from hwkeras.cli.main import main

SPACE = pathlib.Path(__file__).with_name("tiny_space.py")


def search(out, *options):
    command = ["search", "digits", "--space", f"{SPACE}:space", "--out", str(out), "--precision", "int8", "--json"]
    return main([*command, "--device", "fake", *options])


def test_two_devices_within_a_number_of_epochs(tmp_path, capfd):
    asked = ["--device", "stm32h743", "--limit", "latency@stm32h743=50ms", "--limit", "p90=5ms", "--min-gain", "0.01"]
    assert search(tmp_path / "run", *asked, "--trials", "4", "--epochs", "1", "--total-epochs", "2") == 0
    printed = capfd.readouterr()
    document = json.loads(printed.out)
    assert document["trials"] == 2
    said = "The budget of 2 epochs is spent, 2 were trained. 2 trials were run."
    assert document["stopped"] == {"kind": "budget", "message": said} and said in printed.err
    assert {"latency@stm32h743=50ms", "p90=5ms"} <= set(document["limits"]) & set(document["satisfiability"]["shares"])
    assert any(limit.startswith("size=") for limit in document["limits"])  # the flash of the board
    assert set(document["devices"]) == {"fake", "stm32h743"}
    for candidate in document["candidates"]:
        assert candidate["metrics"]["latency_ms@stm32h743"] <= 50 and candidate["metrics"]["p90_ms"] <= 5
    assert document["hypervolumes"][-1]["hypervolume"] == document["hypervolume"] > 0


def test_wrong_limits_and_budgets_are_told_before_anything_is_written(tmp_path, capfd):
    assert search(tmp_path / "run", "--limit", "latency@pi4=1ms") == 2
    assert "on a device of the search: fake. Received: latency_ms@pi4. Add device 'pi4'." in capfd.readouterr().err
    assert search(tmp_path / "run", "--epochs", "3", "--total-epochs", "2") == 2
    said = "must hold the epochs of one trial. Received: max_total_epochs=2, epochs=3."
    assert said in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "run" / "search.json").exists()


def test_every_economy_and_going_on_with_it(tmp_path, capfd):
    """Trained on half of the data, of which each switch is recorded; a run that goes on knows its share."""
    first = ["--trials", "2", "--epochs", "1", "--oracle", "random", "--class-weight", "balanced"]
    assert search(tmp_path / "first", *first) == 0
    capfd.readouterr()
    asked = ["--warm-start", str(tmp_path / "first"), "--train-share", "0.5", "--zero-cost"]
    asked += ["--stop-hopeless", "--inherit-weights", "--epochs", "1"]
    assert search(tmp_path / "run", *asked, "--trials", "2") == 0
    printed = capfd.readouterr()
    assert "samples, 0.5 of the training data" in printed.err
    economy = {"stop_hopeless": True, "inherit_weights": True, "train_share": 0.5, "zero_cost": True}
    document = json.loads(printed.out)
    assert document["economy"] == economy | {"warm_start": [str(tmp_path / "first")]}
    assert search(tmp_path / "run", "--resume", *asked, "--trials", "3") == 0
    assert json.loads(capfd.readouterr().out)["trials"] == 3
    assert search(tmp_path / "run", "--resume", "--epochs", "1", "--trials", "4") == 2
    assert "another share of the training data (0.5, not 1.0)" in " ".join(capfd.readouterr().err.split())


def test_wrong_economies_are_told_before_anything_is_written(tmp_path, capfd):
    assert search(tmp_path / "run", "--warm-start", str(tmp_path / "nowhere")) == 2
    assert "An earlier run has a file search.json" in " ".join(capfd.readouterr().err.split())
    assert search(tmp_path / "run", "--train-share", "2") == 2
    assert search(tmp_path / "run", "--stop-hopeless", "--oracle", "asha") == 2
    assert "Received: stop_hopeless=True and oracle=AshaOracle. Leave one out." in " ".join(
        capfd.readouterr().err.split()
    )
    assert not (tmp_path / "run").exists()


def test_few_samples_are_judged_by_how_sure_the_answers_are(tmp_path, capfd):
    x = np.random.default_rng(0).normal(size=(40, 16, 1)).astype("float32")
    y = np.tile([0, 1], 20)
    x[y == 1] += 1
    np.savez(tmp_path / "few.npz", x_train=x, y_train=y)
    command = ["search", str(tmp_path / "few.npz"), "--space", "sequence", "--precision", "int8", "--device", "fake"]
    command += ["--trials", "2", "--epochs", "2", "--json"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    printed = capfd.readouterr()
    document = json.loads(printed.out)
    assert document["objectives"] == ["log_loss", "latency_ms", "size_bytes"]
    assert "Note: 8 samples validate: log_loss is the objective" in " ".join(printed.err.split())
    assert all({"log_loss", "accuracy"} <= set(each["metrics"]) for each in document["front"])
    assert main([*command, "--out", str(tmp_path / "own"), "--objective", "accuracy"]) == 0
    printed = capfd.readouterr()
    assert json.loads(printed.out)["objectives"] == ["accuracy"] and "log_loss" not in printed.err


def test_folds_are_of_all_samples_or_groups(tmp_path, capfd):
    x = np.random.default_rng(0).normal(size=(40, 16, 1)).astype("float32")
    y = np.tile([0, 1], 20)
    np.savez(tmp_path / "few.npz", x_train=x, y_train=y)
    np.savez(tmp_path / "people.npz", x_train=x, y_train=y, groups=np.arange(40) // 8)
    options = ["--space", "sequence", "--precision", "int8", "--device", "fake", "--folds", "2", "--json"]
    options += ["--trials", "1", "--epochs", "1"]
    assert main(["search", str(tmp_path / "few.npz"), *options, "--out", str(tmp_path / "run")]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["validation_folds"] == 2 and document["objectives"][0] == "accuracy"  # 40 samples tell it
    assert document["best"]["metrics"]["accuracy"] * 40 == pytest.approx(
        round(document["best"]["metrics"]["accuracy"] * 40)
    )
    people = ["search", str(tmp_path / "people.npz"), *options]
    assert main([*people, "--out", str(tmp_path / "people")]) == 0
    assert json.loads(capfd.readouterr().out)["best"]["metrics"]["accuracy"] >= 0
    assert main([*people, "--folds", "6", "--out", str(tmp_path / "none")]) == 2
    assert "A fold holds a group at least. Received: validation_folds=6, 5 groups." in capfd.readouterr().err
    assert not (tmp_path / "none" / "search.json").exists()
