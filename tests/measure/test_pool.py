"""The pool: one holder a device, priority then arrival, dead holders, quarantine; over processes and restarts."""

import json
import os
import pathlib
import subprocess
import sys

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.holder import holder_is_alive
from hwkeras.measure.holder import this_process
from hwkeras.measure.pool import DevicePool
from hwkeras.measure.pool import open_pool
from hwkeras.measure.pool import state_folder
from hwkeras.measure.pool_state import PoolState
from hwkeras.testing import FakeClock

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVICES = {"pi": ("a", "b", "c"), "phone": ("d",)}
LEASE_S, PROBATION_S, MAX_FAILURES = 100.0, 1000.0, 2


class PoolLaws(RuleBasedStateMachine):
    """Drives the state against a model kept beside it; before every step the state goes through JSON and back."""

    def __init__(self):
        super().__init__()
        self.now_s = 0.0
        self.dead = set()
        self.num_holders = 0
        self.document = None
        self.waiting = {}  # number -> (key, priority, holder)
        self.held = {}  # device -> (number, holder)
        self.failures = {}  # device -> failures in a row
        self.until_s = {}  # device -> end of its quarantine

    def state(self):
        document = None if self.document is None else json.loads(json.dumps(self.document))
        return PoolState(
            DEVICES,
            document,
            alive=lambda holder: holder["pid"] not in self.dead,
            lease_s=LEASE_S,
            max_failures=MAX_FAILURES,
            probation_s=PROBATION_S,
        )

    def is_out(self, device):
        return self.now_s < self.until_s.get(device, 0.0)

    def free(self, key):
        return [
            device
            for device in DEVICES[key]
            if not self.is_out(device) and (device not in self.held or self.held[device][1] in self.dead)
        ]

    @rule(key=st.sampled_from(sorted(DEVICES)), priority=st.integers(-2, 2))
    def ask(self, key, priority):
        state = self.state()
        self.num_holders += 1
        number = state.request(key, {"pid": self.num_holders}, self.now_s, priority)
        self.waiting[number] = (key, priority, self.num_holders)
        self.document = state.to_json()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def look(self, data):
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        key, priority, holder = self.waiting[number]
        if holder in self.dead:
            return
        line = sorted(
            (number for number, (other, _, who) in self.waiting.items() if other == key and who not in self.dead),
            key=lambda each: (-self.waiting[each][1], int(each)),
        )
        free = self.free(key)
        state = self.state()
        if all(self.is_out(device) for device in DEVICES[key]):
            with pytest.raises(DeviceError, match=r"At least one device of '\w+' must work\. .* in quarantine"):
                state.claim(number, self.now_s)
            return
        device = state.claim(number, self.now_s)
        # Served exactly when no more devices are needed for those before it than there are.
        assert (device is not None) == (line.index(number) < len(free))
        if device is not None:
            assert device in free
            self.held[device] = (number, holder)
            del self.waiting[number]
        self.document = state.to_json()

    @precondition(lambda self: self.held)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed"]))
    def end(self, data, outcome):
        device = data.draw(st.sampled_from(sorted(self.held)))
        number, holder = self.held.pop(device)
        state = self.state()
        if holder in self.dead:
            return
        assert state.give_back(device, number)
        assert not state.give_back(device, number)
        if outcome == "succeeded":
            state.succeeded(device)
            self.failures.pop(device, None)
        else:
            state.failed(device, "broken", self.now_s)
            self.failures[device] = self.failures.get(device, 0) + 1
            if self.failures[device] >= MAX_FAILURES:
                self.until_s[device] = self.now_s + PROBATION_S
        self.document = state.to_json()

    @precondition(lambda self: self.num_holders)
    @rule(data=st.data())
    def die(self, data):
        self.dead.add(data.draw(st.integers(1, self.num_holders)))

    @rule(seconds=st.sampled_from([1.0, 30.0, PROBATION_S / 2]))
    def pass_time(self, seconds):
        """All who live renew at least every 30 seconds."""
        for _ in range(int(seconds // 30) + 1):
            self.now_s += min(seconds, 30.0)
            state = self.state()
            for device, (number, holder) in self.held.items():
                if holder not in self.dead:
                    assert state.renew(device, number, self.now_s)
            self.document = state.to_json()
            for number, (_, _, holder) in self.waiting.items():
                if holder not in self.dead and number in self.document["requests"]:
                    self.document["requests"][number]["renewed_s"] = self.now_s

    @precondition(lambda self: any(map(self.is_out, "abcd")))
    @rule(data=st.data())
    def readmit(self, data):
        device = data.draw(st.sampled_from([each for each in "abcd" if self.is_out(each)]))
        state = self.state()
        state.readmit(device, self.now_s)
        del self.until_s[device], self.failures[device]
        self.document = state.to_json()

    @invariant()
    def a_lease_is_one_holder(self):
        for row in self.state().summary(self.now_s):
            assert row["total"] == len(DEVICES[row["key"]]) == row["free"] + row["leased"] + row["quarantined"]
            for device in row["devices"]:
                live = device["device"] in self.held and self.held[device["device"]][1] not in self.dead
                assert (device["state"] == "leased") == live
                if live:
                    assert device["holder"] == {"pid": self.held[device["device"]][1]}
                else:
                    assert (device["state"] == "quarantined") == self.is_out(device["device"])
            waiting = [who for key, _, who in self.waiting.values() if key == row["key"]]
            assert row["pending"] == len([who for who in waiting if who not in self.dead])


TestPoolLaws = PoolLaws.TestCase
TestPoolLaws.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class Waiting:
    """A clock and a wait; at each wait the next of some acts is done."""

    def __init__(self, *acts):
        self.clock = FakeClock(1000.0)
        self.acts = list(acts)

    def __call__(self, seconds):
        self.clock.advance(seconds)
        if self.acts:
            self.acts.pop(0)()


def make_pool(folder, waiting=None, devices=DEVICES, **options):
    waiting = waiting or Waiting()
    return DevicePool(devices, folder, clock=waiting.clock, wait=waiting, heartbeat_s=None, **options)


def test_devices_are_lent_once_each(tmp_path):
    pool = make_pool(tmp_path)
    with pool.lease("pi") as one, pool.lease("pi") as two, pool.lease("pi") as three:
        assert {lease.device_name for lease in (one, two, three)} == {"a", "b", "c"}
        assert one.renew()
        with (
            pytest.raises(DeviceError, match=r"free within timeout_s=0\. Received: a is held by process \d+ since 0 s"),
            pool.lease("pi", timeout_s=0),
        ):
            raise AssertionError("a fourth of three")
        row, phone = pool.summary()
        assert (row["key"], row["total"], row["free"], row["leased"], row["quarantined"]) == ("pi", 3, 0, 3, 0)
        assert (phone["key"], phone["free"], phone["pending"]) == ("phone", 1, 0)
        assert row["devices"][0]["holder"]["pid"] == os.getpid()
    assert [row["free"] for row in pool.summary()] == [3, 1]
    assert [row["pending"] for row in pool.summary()] == [0, 0]


def test_the_device_unused_for_longest_comes_first(tmp_path):
    pool = make_pool(tmp_path)
    names = []
    for _ in range(5):
        with pool.lease("pi") as lease:
            names.append(lease.device_name)
    assert names == ["a", "b", "c", "a", "b"]


def test_a_device_under_two_keys_is_one_device(tmp_path):
    pool = make_pool(tmp_path, devices={"pi": ["a"], "all": ["a", "b"]})
    with pool.lease("pi"), pool.lease("all") as lease:
        assert lease.device_name == "b"


def test_a_waiting_request_gets_what_becomes_free(tmp_path):
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting, {"phone": ["d"]})
    first = pool.lease("phone")
    first.__enter__()
    waiting.acts = [lambda: None, lambda: first.__exit__(None, None, None)]
    with pool.lease("phone", timeout_s=10) as lease:
        assert lease.device_name == "d"
    assert waiting.acts == []


def test_priority_comes_before_arrival(tmp_path):
    """Two wait for one device: the later one with the higher priority is first."""
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting, {"phone": ["d"]})
    order = []
    first = pool.lease("phone")
    first.__enter__()

    def urgent():
        waiting.acts = [lambda: first.__exit__(None, None, None)]
        with pool.lease("phone", priority=1):
            order.append("urgent")

    waiting.acts = [urgent]
    with pool.lease("phone"):
        order.append("patient")
    assert order == ["urgent", "patient"]


def test_whoever_came_first_is_not_overtaken(tmp_path):
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting, {"phone": ["d"]})
    first = pool.lease("phone")
    first.__enter__()

    def later():
        first.__exit__(None, None, None)
        with pytest.raises(DeviceError, match="Received: other requests come first"), pool.lease("phone", timeout_s=0):
            raise AssertionError("overtook")

    waiting.acts = [later]
    with pool.lease("phone") as lease:
        assert lease.device_name == "d"


def test_a_time_out_leaves_the_line(tmp_path):
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting)
    with pool.lease("phone"):
        with pytest.raises(DeviceError, match=r"'phone' must become free within timeout_s=5"):
            pool.lease("phone", timeout_s=5).__enter__()
        assert waiting.clock() >= 1005
        assert [row["pending"] for row in pool.summary()] == [0, 0]


def test_an_interrupted_wait_leaves_the_line(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    waiting = Waiting(interrupt)
    pool = make_pool(tmp_path, waiting)
    with pool.lease("phone"):
        with pytest.raises(KeyboardInterrupt):
            pool.lease("phone").__enter__()
        assert [row["pending"] for row in pool.summary()] == [0, 0]


def test_a_pinned_device_is_waited_for(tmp_path):
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting)
    held = pool.lease("pi", pinned="b")
    assert held.__enter__().device_name == "b"
    waiting.acts = [lambda: held.__exit__(None, None, None)]
    with pool.lease("pi", pinned="b") as lease:
        assert lease.device_name == "b"
    assert waiting.acts == []


def test_a_pinned_device_in_quarantine_is_not_waited_for(tmp_path):
    pool = make_pool(tmp_path, max_failures=1)
    fail(pool, "pi", "b")
    with pool.lease("pi", pinned="b") as lease:
        assert lease.device_name == "a"
    with pool.lease("pi", pinned="a", without=["a"]) as lease:
        assert lease.device_name == "c"


def fail(pool, key, device, message="no route to host"):
    with pool.lease(key, pinned=device) as lease:
        assert lease.device_name == device
        lease.report_failure(message)


def test_quarantine_probation_and_release(tmp_path):
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting, {"phone": ["d"]}, max_failures=2, probation_s=60)
    fail(pool, "phone", "d")
    with pool.lease("phone"):
        pass  # a success in between clears it
    fail(pool, "phone", "d")
    assert pool.summary()[0]["quarantined"] == 0
    fail(pool, "phone", "d")
    (device,) = pool.summary()[0]["devices"]
    assert (device["state"], device["failures"], device["message"]) == ("quarantined", 2, "no route to host")
    assert device["until_s"] == 60
    said = r"'phone' must work\. Received: d is in quarantine for another 60 s \(no route to host\)\. .*--release NAME"
    with pytest.raises(DeviceError, match=said):
        pool.lease("phone").__enter__()
    waiting.clock.advance(60)
    fail(pool, "phone", "d")  # on probation: once is enough
    assert pool.summary()[0]["quarantined"] == 1
    make_pool(tmp_path, waiting, {"phone": ["d"]}, max_failures=2).readmit("d")
    fail(pool, "phone", "d")
    assert pool.summary()[0]["quarantined"] == 0
    with pytest.raises(UserError, match=r"in quarantine can be released\. Received: 'd'\. In quarantine: none\."):
        pool.readmit("d")


def test_an_error_of_the_device_counts_and_others_do_not(tmp_path):
    pool = make_pool(tmp_path, max_failures=2)

    def end_with(error):
        with pytest.raises(type(error)), pool.lease("phone"):
            raise error

    end_with(DeviceError("gone"))
    end_with(UserError("not its fault"))
    end_with(KeyboardInterrupt())
    (device,) = pool.summary()[1]["devices"]
    assert (device["failures"], device["message"], device["state"]) == (1, "gone", "free")
    with pool.lease("phone") as lease:
        lease.abstain()
    assert pool.summary()[1]["devices"][0]["failures"] == 1


def test_a_lease_that_is_not_renewed_ends(tmp_path):
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting, {"phone": ["d"]}, lease_s=50)
    with pool.lease("phone") as slow:
        waiting.clock.advance(40)
        assert slow.renew()
        waiting.clock.advance(40)
        with pytest.raises(DeviceError):
            pool.lease("phone", timeout_s=0).__enter__()
        waiting.clock.advance(40)
        with pool.lease("phone", timeout_s=0) as quick:
            assert quick.device_name == "d"
            assert not slow.renew()
            assert quick.renew()
    assert pool.summary()[0]["free"] == 1


def test_a_late_return_takes_nothing_from_the_next(tmp_path):
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting, {"phone": ["d"]}, lease_s=50)
    slow, quick = pool.lease("phone"), pool.lease("phone")
    slow.__enter__()
    waiting.clock.advance(51)
    quick.__enter__()
    slow.__exit__(None, None, None)
    assert pool.summary()[0]["leased"] == 1
    quick.__exit__(None, None, None)


def test_a_request_taken_for_dead_asks_again(tmp_path):
    """The host slept: another process forgot the request; it is not an error."""
    waiting = Waiting()
    pool = make_pool(tmp_path, waiting, {"phone": ["d"]}, lease_s=50)
    held = pool.lease("phone")
    held.__enter__()

    def sleep():
        waiting.clock.advance(1000)
        with pool.lease("phone", timeout_s=0):
            pass

    waiting.acts = [sleep]
    with pool.lease("phone") as lease:
        assert lease.device_name == "d"
    held.__exit__(None, None, None)


def test_a_heartbeat_keeps_a_lease(tmp_path):
    """The one test with the thread: it beats until the block ends, and only then stops."""
    import threading

    pool = DevicePool({"phone": ["d"]}, tmp_path, heartbeat_s=0.001)
    beats = threading.Semaphore(0)
    pool.renew = lambda lease: beats.release()
    with pool.lease("phone"):
        assert all(beats.acquire(timeout=60) for _ in range(3))
    assert threading.active_count() == threading.main_thread().is_alive()


def test_dead_processes_are_known(tmp_path):
    me = this_process()
    assert holder_is_alive(me)
    assert holder_is_alive({**me, "host": "elsewhere", "pid": 2**22 + 1})
    assert not holder_is_alive({**me, "pid": 2**22 + 1})
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    child.kill()
    child.wait()
    child.stdin.close()
    assert not holder_is_alive({**me, "pid": child.pid})


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="needs /proc to tell two processes apart")
def test_a_number_used_again_is_another_process():
    assert not holder_is_alive({**this_process(), "started": "1"})


HOLDER = """
import sys
from hwkeras.measure.pool import DevicePool
pool = DevicePool({"phone": ["d"]}, sys.argv[1])
with pool.lease("phone"):
    print("held", flush=True)
    input()
"""


def test_a_killed_process_holds_nothing(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "held\n"
        pool = DevicePool({"phone": ["d"]}, tmp_path)
        with pytest.raises(DeviceError, match=rf"d is held by process {child.pid} since"):
            pool.lease("phone", timeout_s=0).__enter__()
        child.kill()
        child.wait()
        with pool.lease("phone", timeout_s=0) as lease:
            assert lease.device_name == "d"


VISITOR = """
import os, pathlib, sys
from hwkeras.measure.pool import DevicePool
folder = pathlib.Path(sys.argv[1])
pool = DevicePool({"pi": ["a", "b"]}, folder / "state", poll_s=0.001)
for _ in range(15):
    with pool.lease("pi") as lease:
        mark = folder / lease.device_name
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))  # fails where another holds the device
        with open(folder / (lease.device_name + ".log"), "a") as log:
            log.write(str(os.getpid()) + "\\n")
        mark.unlink()
"""


def test_processes_never_hold_one_device_at_once(tmp_path):
    children = [
        subprocess.Popen([sys.executable, "-c", VISITOR, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for child in children:
        _, said = child.communicate(timeout=300)
        assert child.returncode == 0, said
    visits = [line for name in "ab" for line in (tmp_path / f"{name}.log").read_text().split()]
    assert {visits.count(str(child.pid)) for child in children} == {15}
    (row,) = DevicePool({"pi": ["a", "b"]}, tmp_path / "state").summary()
    assert (row["free"], row["pending"]) == (2, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"pool is a JSON file\. Received: Expecting .*\. Remove .*pool\.json while nothing is being measured"),
        ("[]", r"object of version 1 with version, next, requests.* Received: list\. Remove .*pool\.json"),
        ('{"version": 9}', r"Received: version=9\. Remove"),
        ('{"version": 1, "next": "x"}', r"Received: version=1\. Remove"),
    ],
)
def test_a_state_of_another_form_is_told(tmp_path, text, said):
    (tmp_path / "pool.json").write_text(text)
    with pytest.raises(UserError, match=said):
        make_pool(tmp_path).summary()


def test_arguments_outside_their_range(tmp_path):
    with pytest.raises(UserError, match=r"must stand in the device list\. Received: 'x'\. Known keys: 'pi', 'phone'\."):
        make_pool(tmp_path).lease("x").__enter__()
    with pytest.raises(UserError, match=r"Known keys: none\."):
        make_pool(tmp_path, devices={}).lease("x").__enter__()
    with pytest.raises(UserError, match=r"`lease_s` must be a number above 0\. Received: lease_s=0\."):
        make_pool(tmp_path, lease_s=0)
    with pytest.raises(UserError, match=r"`max_failures` must be a number above 0\. Received: max_failures=True\."):
        make_pool(tmp_path, max_failures=True)
    with pytest.raises(UserError, match=r"`probation_s` must be at least 0 seconds\. Received: probation_s=-1\."):
        make_pool(tmp_path, probation_s=-1)
    with pytest.raises(UserError, match=r"`heartbeat_s` .* below `lease_s`.*heartbeat_s=20\.0, lease_s=10\."):
        DevicePool(DEVICES, tmp_path, lease_s=10)


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"must be writable\. Received: .*file.inside .*Set HWKERAS_STATE"):
        make_pool(tmp_path / "file" / "inside").summary()


def test_a_lock_that_never_comes_is_told(tmp_path, monkeypatch):
    import filelock

    monkeypatch.setattr("hwkeras.measure.pool._LOCK_TIMEOUT_S", 0.0)
    with filelock.FileLock(tmp_path / "pool.lock"):
        with pytest.raises(DeviceError, match=r"must become free within 0 s\. Received: .*pool\.lock is held"):
            make_pool(tmp_path).summary()


def test_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.setenv("HWKERAS_STATE", str(tmp_path / "state"))
    assert state_folder() == tmp_path / "state"
    monkeypatch.delenv("HWKERAS_STATE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "hwkeras"
    path = tmp_path / "devices.json"
    path.write_text('{"version": 1, "devices": {"pi": ["ssh://a"]}}')
    pool = open_pool(path)
    assert pool.summary()[0]["total"] == 1
    assert (tmp_path / ".local" / "state" / "hwkeras" / "pool.lock").exists()
