"""Oracles replayed on what is known: tables of whole spaces, finished runs, the figures, the text and the picture."""

import gzip
import json
import os
import pathlib
import xml.etree.ElementTree

import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles import get
from hwkeras.oracles import sampling
from hwkeras.testing import FakeClock
from hwkeras.testing import drive
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space
from hwkeras.testing.curves import comparison_text
from hwkeras.testing.curves import curves_picture
from hwkeras.testing.curves import mean_curves
from hwkeras.testing.simulator import Simulator
from hwkeras.testing.tabulated import read_table
from hwkeras.testing.tabulated import space_of

TABLE = pathlib.Path(__file__).resolve().parents[1] / "data_tables" / "conditional_fashion.csv.gz"
TABLE_METRICS = ("accuracy", "accuracy_seed0", "accuracy_seed1", "size_bytes", "macs", "latency_ms")


@pytest.fixture(autouse=True)
def no_flush(monkeypatch):
    """A replay writes a small file a trial; that a disk keeps them is not what is tested here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def toy_rows():
    space, rows = toy_space(), []
    for values in sampling.enumerate_values(space):
        hp = space.copy()
        hp.values = values
        rows.append((values, toy_metrics(hp)))
    return rows


@pytest.fixture
def toy():
    """The whole toy space, accuracy against latency."""
    return Simulator(toy_space(), toy_rows(), ["accuracy", "latency_ms"])


@pytest.fixture
def make_run(tmp_path):
    """A function that leaves a finished search of so many trials, as hwkeras leaves it."""

    def make_run(num_trials=12, settings=None, **arguments):
        arguments = {"objectives": ["accuracy", "latency_ms"], "max_trials": num_trials, "seed": 0, **arguments}
        oracle = get("random")(hyperparameters=toy_space(), cost_model=toy_cost, **arguments)
        oracle.verbose = 0
        oracle._set_project_dir(str(tmp_path), "run")
        drive(oracle, num_trials)
        oracle.save()
        if settings is not None:
            (tmp_path / "run" / "search.json").write_text(json.dumps(settings))
        return tmp_path / "run"

    return make_run


def line_table(**arguments):
    """Four candidates on a line: accuracy rises, so does latency."""
    space = kt.HyperParameters()
    space.Choice("width", [1, 2, 3, 4])
    rows = [({"width": width}, {"accuracy": 0.2 * width, "latency_ms": float(width)}) for width in (1, 2, 3, 4)]
    return Simulator(space, rows, **{"objectives": ["accuracy", "latency_ms"], **arguments})


class TestCurves:
    def test_hypervolume_is_the_share_of_what_all_rows_dominate(self):
        simulator = line_table(reference={"accuracy": 0.0, "latency_ms": 5.0})
        # All: 0.2 x (4 + 3 + 2 + 1) = 2.0; row 1 alone: 0.4 x 3; with row 3: + 0.4 x 1.
        assert simulator.curves([1, 3, 0, 2])["hypervolume"] == pytest.approx([0.6, 0.8, 0.9, 1.0])

    def test_regret_is_in_the_unit_of_the_first_objective(self):
        assert line_table().curves([1, 0, 3])["regret"] == pytest.approx([0.4, 0.4, 0.0])

    def test_rows_outside_the_limits_count_nothing(self):
        simulator = line_table(limits=["latency=2.5ms"], known=[])
        curves = simulator.curves([3, 2, 0, 1])
        assert curves["regret"] == pytest.approx([0.2, 0.2, 0.2, 0.0])
        assert curves["hypervolume"][:2] == [0.0, 0.0]
        assert curves["hypervolume"][-1] == pytest.approx(1.0)

    def test_a_tried_row_again_adds_nothing(self):
        curves = line_table().curves([1, 1])
        assert curves["hypervolume"][0] == curves["hypervolume"][1]

    def test_one_row_alone_is_all_there_is(self):
        space = kt.HyperParameters()
        space.Fixed("width", 1)
        simulator = Simulator(space, [({"width": 1}, {"accuracy": 0.5, "latency_ms": 2.0})], ["accuracy", "latency_ms"])
        assert simulator.curves([0]) == {"regret": [0.0], "hypervolume": [pytest.approx(1.0)]}

    def test_a_row_without_an_objective_is_as_one_outside(self):
        space = kt.HyperParameters()
        space.Choice("width", [1, 2])
        rows = [({"width": 1}, {"accuracy": 0.5}), ({"width": 2}, {"accuracy": None})]
        assert Simulator(space, rows, "accuracy").curves([1, 0])["hypervolume"] == [0.0, pytest.approx(1.0)]


class TestRows:
    def test_a_table_of_the_whole_space_is_exact(self, toy):
        assert toy.coverage() == 1.0
        for row, (values, metrics) in enumerate(toy_rows()):
            assert toy.row_of(values) == row and toy.is_tabulated(values)
            assert toy.metrics[row] == metrics

    def test_another_candidate_stands_for_its_nearest(self):
        rows = [row for row in toy_rows() if row[0]["depth"] in (1, 4) and row[0]["width"] == 8]
        simulator = Simulator(toy_space(), rows, ["accuracy", "latency_ms"])

        def nearest(**values):
            assert not simulator.is_tabulated(values)
            return simulator.values[simulator.row_of(values)]

        # Numbers by their distance; a kind that differs costs more, and so does a kernel that only one of them has.
        assert nearest(kind="dense", depth=3, width=16) == {"kind": "dense", "depth": 4, "width": 8}
        assert nearest(kind="conv", depth=2, width=24, wide_kernel=True)["wide_kernel"] is True
        assert nearest(kind="dense", depth=2, width=48)["kind"] == "dense"

    def test_coverage_of_a_part_and_of_a_space_without_end(self):
        assert Simulator(toy_space(), toy_rows()[:30], "accuracy").coverage() == 0.5
        space = kt.HyperParameters()
        space.Float("rate", 0.0, 1.0)
        assert Simulator(space, [({"rate": 0.5}, {"accuracy": 0.5})], "accuracy").coverage() == 0.0

    def test_the_first_of_equal_rows_counts(self):
        rows = toy_rows()
        again = [(rows[0][0], {"accuracy": 0.0, "latency_ms": 0.0})]
        assert Simulator(toy_space(), rows + again, "accuracy").metrics[0] == rows[0][1]

    def test_inactive_values_of_a_row_are_dropped(self):
        rows = [({"kind": "dense", "depth": 1, "width": 8, "wide_kernel": True}, {"accuracy": 0.5})]
        assert Simulator(toy_space(), rows, "accuracy").values == [{"kind": "dense", "depth": 1, "width": 8}]


class TestReplay:
    @pytest.mark.parametrize("oracle", ["random", "evolution"])
    def test_an_oracle_finds_all_of_a_small_table(self, toy, oracle):
        replay = toy.replay(oracle, num_trials=60, seed=1)
        assert sorted(replay["rows"]) == list(range(60))
        assert replay["hypervolume"][-1] == pytest.approx(1.0) and replay["regret"][-1] == pytest.approx(0.0)
        assert replay["num_nearest"] == 0 and replay["num_infeasible"] == 0 and replay["stopped"] is None
        assert json.loads(json.dumps(replay)) == replay

    def test_curves_only_get_better(self, toy):
        replay = toy.replay("random", num_trials=20)
        assert np.all(np.diff(replay["hypervolume"]) >= 0) and np.all(np.diff(replay["regret"]) <= 0)

    def test_same_seed_same_rows(self, toy):
        assert toy.replay("evolution", 15, seed=3)["rows"] == toy.replay("evolution", 15, seed=3)["rows"]
        assert toy.replay("evolution", 15, seed=3)["rows"] != toy.replay("evolution", 15, seed=4)["rows"]

    def test_what_is_known_before_training_keeps_the_limit(self):
        arguments = {"objectives": ["accuracy"], "limits": ["latency=0.1ms"]}
        told = Simulator(toy_space(), toy_rows(), **arguments).replay("random", 12)
        untold = Simulator(toy_space(), toy_rows(), known=[], **arguments).replay("random", 12)
        assert told["num_infeasible"] == 0 < untold["num_infeasible"]

    def test_an_exhausted_table_is_said_to_be(self, toy):
        replay = toy.replay("random", num_trials=80)
        assert len(replay["rows"]) == 60 and "exhausted" in replay["stopped"]

    def test_a_part_of_a_space_is_replayed_without_repeats(self):
        simulator = Simulator(toy_space(), toy_rows()[::4], ["accuracy", "latency_ms"])
        replay = simulator.replay("evolution", num_trials=10)
        assert len(set(replay["rows"])) == len(replay["rows"]) == 10
        assert replay["num_nearest"] > 0

    def test_an_oracle_of_ones_own_and_its_arguments(self, toy):
        class Mine(get("evolution")):
            """Evolution under another name."""

        replay = toy.replay(Mine, 8, population_size=4)
        assert replay["oracle"] == "Mine" and len(replay["rows"]) == 8

    def test_time_comes_from_the_clock(self, toy):
        clock = FakeClock()
        assert toy.replay("random", 4, clock=clock)["ms_per_trial"] == 0.0

    def test_compare_runs_every_oracle_with_every_seed(self, toy):
        told = []
        replays = toy.compare(["random", "evolution"], num_trials=5, seeds=[2, 7], told=told.append)
        assert [(r["oracle"], r["seed"]) for r in replays] == [
            ("random", 2),
            ("random", 7),
            ("evolution", 2),
            ("evolution", 7),
        ]
        assert told == replays

    def test_compare_leaves_out_what_chooses_how_long_to_train(self, toy, monkeypatch):
        monkeypatch.setattr("hwkeras.oracles.catalogue.names", lambda: ["asha", "hyperband", "random"])
        assert {replay["oracle"] for replay in toy.compare(num_trials=2, seeds=1)} == {"random"}


class TestFromRun:
    def test_a_run_says_its_own_objectives_and_limits(self, make_run):
        run = make_run(settings={"objectives": ["accuracy", "size_bytes"], "limits": ["size=2KiB"]})
        simulator = Simulator.from_run(run)
        assert [each.metric for each in simulator.objectives] == ["accuracy", "size_bytes"]
        assert list(map(str, simulator.limits)) == ["size=2KiB"]
        assert simulator.known == ("latency_ms", "size_bytes")
        assert len(simulator.values) == 12 and simulator.coverage() == 0.2
        replays = simulator.compare(["random", "evolution"], num_trials=4, seeds=1)
        assert all(len(replay["rows"]) == 4 for replay in replays)

    def test_they_can_be_given(self, make_run):
        simulator = Simulator.from_run(make_run(), objectives="accuracy", limits=["latency=1ms"])
        assert [each.metric for each in simulator.objectives] == ["accuracy"]

    def test_a_trial_that_ran_before_all_was_declared(self, make_run):
        run = make_run()
        path = run / "trial_00" / "trial.json"
        state = json.loads(path.read_text())
        del state["hyperparameters"]["values"]["width"]
        path.write_text(json.dumps(state))
        assert Simulator.from_run(run, "accuracy").values[0]["width"] == 8

    def test_a_folder_without_a_search(self, tmp_path):
        with pytest.raises(UserError, match=r"A finished search has a file oracle\.json\. Received: .*which has none"):
            Simulator.from_run(tmp_path)

    def test_a_search_of_which_nothing_is_completed(self, make_run):
        run = make_run(num_trials=1)
        (run / "trial_0" / "trial.json").unlink()
        with pytest.raises(UserError, match="has a completed trial.*none of whose 0 trials is completed"):
            Simulator.from_run(run, "accuracy")

    def test_a_file_that_is_not_json(self, make_run):
        run = make_run()
        (run / "oracle.json").write_text("{")
        with pytest.raises(UserError, match=r"must be JSON\. Received: .*oracle\.json, which cannot be read"):
            Simulator.from_run(run, "accuracy")

    def test_a_search_that_does_not_say_its_objectives(self, make_run):
        with pytest.raises(UserError, match=r"Received: objectives=None for .*Pass metrics of its trials"):
            Simulator.from_run(make_run())


class TestFromTable:
    @pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
    def test_conditions_are_read_off_the_rows(self, tmp_path, name):
        text = "kind,depth,width,wide_kernel,accuracy,latency_ms\n" + "".join(
            f"{v['kind']},{v['depth']},{v['width']},{v.get('wide_kernel', '')},{m['accuracy']},{m['latency_ms']}\n"
            for v, m in toy_rows()
        )
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        simulator = Simulator.from_table(path, ["accuracy", "latency_ms"], metrics=["accuracy", "latency_ms"])
        assert simulator.coverage() == 1.0
        conditions = {gene.name: [(c.name, c.values) for c in gene.conditions] for gene in simulator.space.space}
        assert conditions == {"kind": [], "depth": [], "width": [], "wide_kernel": [("kind", ["conv"])]}
        assert simulator.values == [values for values, _ in toy_rows()]
        assert simulator.known == ("latency_ms",)

    def test_a_metric_that_is_no_column(self, tmp_path):
        (tmp_path / "t.csv").write_text("width,accuracy\n1,0.5\n")
        with pytest.raises(UserError, match=r"`metrics` are columns of the table\. Received: \['latency_ms'\]"):
            read_table(tmp_path / "t.csv", ["accuracy", "latency_ms"])

    def test_cells_are_numbers_words_or_nothing(self, tmp_path):
        (tmp_path / "t.csv").write_text("a,b,c,d,accuracy\n1,0.5,relu,True,0.5\n2,,nan,False,\n")
        rows = read_table(tmp_path / "t.csv", ["accuracy"])
        assert rows == [
            ({"a": 1, "b": 0.5, "c": "relu", "d": True}, {"accuracy": 0.5}),
            ({"a": 2, "c": "nan", "d": False}, {}),
        ]

    def test_a_gap_that_nothing_explains(self):
        rows = [({"a": 1, "b": 1}, {}), ({"a": 1}, {})]
        with pytest.raises(
            UserError, match=r"Received: 'b', for which none of \['a'\] decides\. Pass the space itself"
        ):
            space_of(rows)


class TestErrors:
    def test_values_that_are_none_of_the_space(self):
        with pytest.raises(UserError, match=r"every live hyperparameter a value of the space\. Received: {'width': 7}"):
            Simulator(toy_space(), [({"kind": "dense", "depth": 1, "width": 7}, {"accuracy": 0.5})], "accuracy")

    def test_no_row_within_the_limits(self):
        with pytest.raises(UserError, match=r"Received: 4 rows, limits \['latency=0.5ms'\].*Raise the limits"):
            line_table(limits="latency=0.5ms")

    def test_known_of_some_rows_only(self):
        with pytest.raises(UserError, match=r"Received: known=\['size_bytes'\], but a row lacks \['size_bytes'\]"):
            line_table(known="size_bytes")

    def test_a_reference_without_an_objective(self):
        with pytest.raises(UserError, match=r"`reference` has a value for each objective.*without \['latency_ms'\]"):
            line_table(reference={"accuracy": 0.0})

    def test_a_reference_that_nothing_beats(self):
        with pytest.raises(UserError, match="A row must be better than `reference` in every objective"):
            line_table(reference={"accuracy": 0.9, "latency_ms": 5.0})


class TestTold:
    @pytest.fixture
    def replays(self, toy):
        return toy.compare(["random", "evolution"], num_trials=12, seeds=2)

    def test_means_over_the_seeds(self, replays):
        means = mean_curves(replays, "regret")
        assert list(means) == ["random", "evolution"]
        assert means["random"] == pytest.approx(np.mean([replays[0]["regret"], replays[1]["regret"]], axis=0))

    def test_who_stopped_early_keeps_what_it_had(self):
        replays = [
            {"oracle": "a", "hypervolume": [0.1, 0.2], "regret": [1.0, 0.5]},
            {"oracle": "a", "hypervolume": [0.3, 0.4, 0.8], "regret": [1.0, 0.5, 0.1]},
        ]
        assert mean_curves(replays)["a"] == pytest.approx([0.2, 0.3, 0.5])

    def test_the_table_has_a_line_an_oracle_and_only_trials_that_were_run(self, replays):
        lines = comparison_text(replays, at=(4, 8, 100)).splitlines()
        assert lines[0].split() == "oracle hv@4 hv@8 regret@4 regret@8 nearest outside ms/trial".split()
        assert sorted(line.split()[0] for line in lines[1:]) == ["evolution", "random"]
        assert len({len(line) for line in lines}) == 1

    def test_the_best_comes_first(self):
        common = {"rows": [0], "regret": [0.0], "num_nearest": 0, "num_infeasible": 0, "ms_per_trial": 1.0}
        replays = [
            {"oracle": "worse", "hypervolume": [0.1], **common},
            {"oracle": "better", "hypervolume": [0.2], **common},
        ]
        assert [line.split()[0] for line in comparison_text(replays).splitlines()[1:]] == ["better", "worse"]

    def test_the_picture_is_xml_with_a_line_an_oracle(self, replays):
        picture = curves_picture(replays, "regret", first_trial=3)
        root = xml.etree.ElementTree.fromstring(picture.svg)
        lines = [path for path in root.iter("{http://www.w3.org/2000/svg}path") if len(path)]
        assert [path[0].text for path in lines] == ["random", "evolution"]
        assert all(path.get("d").count("L") == 9 for path in lines)
        assert picture._repr_svg_() == picture.svg

    def test_an_unknown_curve(self, replays):
        with pytest.raises(UserError, match="`curve` is one of hypervolume, regret. Received: curve='loss'"):
            mean_curves(replays, "loss")

    def test_replays_without_a_trial(self):
        with pytest.raises(UserError, match="a replay with a trial. Received: 1 replays, none with any"):
            mean_curves([{"oracle": "a", "hypervolume": [], "regret": []}])

    def test_a_picture_that_begins_after_the_end(self, replays):
        with pytest.raises(UserError, match="`first_trial` must be from 1 to 11.*Received: first_trial=12"):
            curves_picture(replays, first_trial=12)


@pytest.fixture(scope="module")
def simulator():
    """The conditional table, accuracy against latency."""
    return Simulator.from_table(TABLE, ["accuracy", "latency_ms"], TABLE_METRICS)


class TestConditionalTable:
    def test_it_is_a_whole_conditional_space(self, simulator):
        assert simulator.coverage() == 1.0
        conditions = {gene.name: {c.name for c in gene.conditions} for gene in simulator.space.space}
        assert conditions["depth"] == set()
        assert conditions["stage3/type"] == {"depth"}
        assert "stage3/type" in conditions["stage3/kernel"]

    def test_figures_are_those_of_trained_networks(self, simulator):
        accuracy = np.array([metrics["accuracy"] for metrics in simulator.metrics])
        seeds = np.array([[metrics[f"accuracy_seed{seed}"] for seed in (0, 1)] for metrics in simulator.metrics])
        assert accuracy == pytest.approx(seeds.mean(axis=1), abs=1e-4)
        # What separates networks is larger than what separates two trainings of one.
        noise = np.sqrt(np.mean(np.diff(seeds, axis=1) ** 2) / 4)
        assert accuracy.std() > 2 * noise

    def test_evolution_beats_random_on_it(self, simulator):
        replays = simulator.compare(["random", "evolution"], num_trials=80, seeds=3)
        means = mean_curves(replays)
        assert means["evolution"][-1] > means["random"][-1]
