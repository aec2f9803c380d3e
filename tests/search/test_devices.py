"""Several devices in one search: names, limits, and candidates that hold on all of them."""

import hashlib
import json

import pytest

import hwkeras as hw
from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import EstimatedMeter
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.search.candidate import Candidate
from hwkeras.search.devices import Devices
from hwkeras.search.devices import Elsewhere
from hwkeras.search.journal import Journal
from hwkeras.search.stages import StageClock
from hwkeras.testing import FakeDevice

BOARD = "nrf52840"


def two():
    return Devices(["near", "far"], [FakeDevice(), FakeDevice(ms_per_kib=0.1)])


class TestNames:
    def test_one_device_is_as_before(self):
        meter = FakeDevice()
        devices = Devices("local", meter)
        assert devices.names == ("local",) and devices.first is meter
        assert devices.describe() == {"device": "local", "meter": meter.describe()}
        assert devices.objectives("accuracy") == [Objective("accuracy", "max")]
        assert devices.limits(["size=4KiB"]) == [Limit("size_bytes", 4096)] == devices.limits("size=4KiB")

    def test_the_first_is_plain_and_a_file_is_the_same_everywhere(self):
        devices = two()
        asked = ["latency@near=1ms", "latency@far=2ms", "size@far=4KiB", "p90@far=3ms"]
        names = [limit.metric for limit in devices.limits(asked)]
        assert names == ["latency_ms", "latency_ms@far", "size_bytes", "p90_ms@far"]
        assert [o.metric for o in devices.objectives(["accuracy", "latency@far"])] == ["accuracy", "latency_ms@far"]
        assert set(devices.describe()["devices"]) == {"near", "far"}

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: Devices([]), r"`device` names one device or several different ones\. Received: device=\[\]"),
            (lambda: Devices(["fake", "fake"]), r"several different ones\. Received: device=\['fake', 'fake'\]"),
            (lambda: Devices(["a", "b"], FakeDevice()), r"one meter for each device\. Received: 1 for 2 devices"),
            (lambda: Devices("no such device"), r"`device` is one of 'local'"),
            (
                lambda: two().limits(["latency@pi4=1ms"]),
                r"of the search: near, far\. Received: latency_ms@pi4\. Add dev",
            ),
            (
                lambda: two().objectives(["size@pi4"]),
                r"is on a device of the search: near, far\. Received: size_bytes@",
            ),
            (
                lambda: two().limits(["energy@far=1mJ"]),
                r"A further device is asked for latency_ms, p90_ms\. Received: en",
            ),
            (
                lambda: Devices(BOARD).limits(["p90=1ms"]),
                r"is measured; a profile knows none\. Received: p90_ms on nrf",
            ),
        ],
    )
    def test_what_cannot_be_asked_is_told(self, make, said):
        with pytest.raises(UserError, match=said):
            make()

    def test_boards_set_their_flash_and_ram_the_smallest_of_them_counts(self):
        boards = [EstimatedMeter(name) for name in (BOARD, "stm32h743")]
        devices = Devices(["near", BOARD, "stm32h743"], [FakeDevice(), *boards])
        limits = {limit.metric: limit.bound for limit in devices.limits(["latency=5ms"])}
        for metric in ("size_bytes", "peak_ram_bytes"):
            of_boards = [limit.bound for board in boards for limit in board.limits() if limit.metric == metric]
            assert limits[metric] == min(of_boards)

    def test_each_device_keeps_a_predictor_of_its_own(self, tmp_path):
        made = two().latencies([], tmp_path)
        assert [latencies.device for latencies in made] == [None, "far"]


@pytest.fixture
def deployed(tmp_path, tiny_files):
    """A candidate whose file is in `tmp_path`, and the bytes."""
    (tmp_path / "int8.tflite").write_bytes(tiny_files)
    measurement = FakeDevice().measure([tiny_files])[0]
    metrics = {"accuracy": 0.9, "latency_ms": measurement.latency_ms}
    return Candidate("0", "int8", metrics, "", "", "int8.tflite", measurement.to_json()), tiny_files


@pytest.fixture(scope="module")
def tiny_files():
    from hwkeras.convert import convert_untrained
    from hwkeras.testing import tiny_cnn

    return convert_untrained(tiny_cnn(), ["int8"])["int8"]


def complete(candidate, directory, meter, asked=()):
    devices = Devices(["near", "far"], [FakeDevice(), meter])
    limits = devices.limits(asked)
    elsewhere = Elsewhere(devices.latencies(limits, directory), [], limits, StageClock())
    return elsewhere.complete([candidate], directory)[0]


class TestElsewhere:
    def test_a_candidate_is_measured_on_every_device(self, deployed, tmp_path):
        candidate, content = deployed
        far = FakeDevice(ms_per_kib=0.1)
        done = complete(candidate, tmp_path, far, ["p90@far=9ms", "p90=9ms"])
        measured = FakeDevice(ms_per_kib=0.1).measure([content])[0]
        assert done.metrics["latency_ms@far"] == measured.latency_ms > 5 * done.metrics["latency_ms"]
        assert done.metrics["p90_ms@far"] == measured.p90_ms
        assert done.metrics["p90_ms"] == candidate.measurement["p90_ms"]
        assert done.status == "ok"
        assert set(complete(candidate, tmp_path, far).metrics) == {"accuracy", "latency_ms", "latency_ms@far"}

    def test_what_one_device_cannot_run_is_not_shipped(self, deployed, tmp_path):
        candidate, content = deployed
        crashing = FakeDevice(statuses={hashlib.sha256(content).hexdigest(): "crashed:SIGABRT"})
        done = complete(candidate, tmp_path, crashing)
        assert done.status == "crashed:SIGABRT@far" and "latency_ms@far" not in done.metrics

    def test_a_percentile_that_was_asked_for_must_be_there(self, deployed, tmp_path):
        candidate, _ = deployed
        without = Candidate(**candidate.to_json() | {"measurement": candidate.measurement | {"p90_ms": None}})
        with pytest.raises(
            DeviceError, match="The device must give a 90th percentile. Received: none. Ask for latency"
        ):
            complete(without, tmp_path, FakeDevice(), ["p90=9ms"])


@pytest.fixture(scope="module")
def searched(tmp_path_factory, digits, small_space):
    """Two fake devices, the second of which is ten times slower."""
    x, y = digits
    events = []
    tuner = hw.HardwareTuner(
        small_space(widths=(8, 16, 32)),
        objectives=["accuracy", "latency@far"],
        limits=["latency@far=2ms", "p90=1ms"],
        device=["near", "far"],
        meter=[FakeDevice(), FakeDevice(ms_per_kib=0.1)],
        precision="int8",
        max_trials=8,
        max_total_epochs=5,
        seed=0,
        directory=tmp_path_factory.mktemp("runs") / "two",
        satisfiability_seconds=2,
        progress=lambda event, facts: events.append((event, facts)),
    )
    tuner.search(x[:300], y[:300], validation_data=(x[300:500], y[300:500]), epochs=2)
    tuner.events = events
    return tuner


class TestSearch:
    def test_every_candidate_keeps_the_limits_of_both(self, searched):
        assert searched.candidates()
        for candidate in searched.candidates():
            assert candidate.metrics["latency_ms@far"] <= 2.0 and candidate.metrics["p90_ms"] <= 1.0
            assert candidate.metrics["latency_ms"] < candidate.metrics["latency_ms@far"] / 5
        assert searched.best(**{"latency@far": "2ms"}) in searched.front()
        assert searched.run.settings()["limits"] == ["latency@far=2ms", "p90=1ms"]
        assert set(searched.run.settings()["devices"]) == {"near", "far"}

    def test_the_oracle_knows_the_metric_of_the_further_device(self, searched):
        for observation in searched.oracle.observations():
            assert observation.metrics["latency_ms@far"] > 0 and observation.violation == 0

    def test_it_ends_with_its_epochs_and_says_so(self, searched):
        assert len(searched.oracle.trials) == 2
        assert searched.oracle.stop_reason.kind == "budget"
        said = "The budget of 5 epochs is spent, 4 were trained. 2 trials were run."
        assert searched.events[-1][0] == "finished" and searched.events[-1][1]["message"] == said
        document = searched.results()
        assert document["stopped"] == {"kind": "budget", "message": said}

    def test_the_hypervolume_is_logged_for_every_trial(self, searched):
        journal = Journal(searched.run.directory / "journal.jsonl")
        finished = journal.read("finished")
        assert [event["epochs"] for event in finished] == [2, 2]
        (reference,) = journal.read("hypervolume_reference")
        assert reference["reference"] == [0.0, 2.0]
        document = json.loads((searched.run.directory / "results.json").read_text())
        assert [entry["trial"] for entry in document["hypervolumes"]] == [event["trial"] for event in finished]
        volumes = [entry["hypervolume"] for entry in document["hypervolumes"]]
        assert 0 < volumes[0] <= volumes[1] == document["hypervolume"] <= 1
        from hwkeras.search.progress import progress_line

        facts = next(facts for event, facts in searched.events if event == "trial_finished")
        assert f"hypervolume {facts['hypervolume']:.4f})" in progress_line("trial_finished", facts)

    def test_it_told_first_what_share_of_the_space_fits(self, searched):
        names = [event for event, _ in searched.events]
        assert names.index("satisfiability") < names.index("trial_started")
        report = searched.results()["satisfiability"]
        assert set(report["shares"]) == {"latency@far=2ms", "p90=1ms"} and report["num_built"] > 0

    def test_a_spent_budget_stays_spent(self, searched, digits, small_space):
        x, y = digits
        again = hw.HardwareTuner(
            small_space(widths=(8, 16, 32)),
            objectives=["accuracy", "latency@far"],
            limits=["latency@far=2ms", "p90=1ms"],
            device=["near", "far"],
            meter=[FakeDevice(), FakeDevice(ms_per_kib=0.1)],
            precision="int8",
            max_trials=8,
            max_total_epochs=5,
            seed=0,
            directory=searched.run.directory,
        )
        again.search(x[:300], y[:300], validation_data=(x[300:500], y[300:500]), epochs=2)
        assert len(again.oracle.trials) == 2 and again.stage_seconds["fit"] == 0


class Hopeful(hw.oracles.get("random")):
    """Expects less from trial to trial."""

    def expected_gain(self):
        return 0.5 ** len(self.observations())


def test_a_search_that_expects_nothing_more_stops(tmp_path, digits, small_space):
    x, y = digits
    tuner = hw.HardwareTuner(
        small_space(widths=(4, 8, 16, 24)),
        oracle=Hopeful(["accuracy", "size_bytes"], max_trials=9, seed=0),
        precision="int8",
        meter=FakeDevice(),
        min_gain=0.6,
        directory=tmp_path / "run",
    )
    tuner.search(x[:200], y[:200], validation_data=(x[200:300], y[200:300]), epochs=1)
    assert len(tuner.oracle.trials) == 5
    assert tuner.results()["stopped"]["kind"] == "converged"
    assert tuner.results()["stopped"]["message"].startswith(
        "One more trial is expected to gain 3.12% of the hypervolume"
    )
