"""Several devices of a kind, shared by all processes of this host without a daemon."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import threading
import time

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.files import write_json
from hwkeras.measure.device_list import read_device_list
from hwkeras.measure.holder import holder_is_alive
from hwkeras.measure.holder import this_process
from hwkeras.measure.pool_state import PoolState

_LOCK_TIMEOUT_S = 60.0


class DevicePool:
    """Lends devices out, one holder a device at a time.

    What is lent, waited for and in quarantine stands in `pool.json` of a state folder, changed under a file lock; a
    killed process leaves nothing behind that lasts: its leases are taken back when its process is seen to be gone, or
    when they were not renewed for `lease_s` seconds. Requests are served by priority, then by arrival
    (`hwkeras.measure.pool_state`).

    The pool keeps searches on one host apart. Those on two hosts are kept apart by the lock that `tflite_bench` holds
    on the device during a job.

    Args:
        devices: mapping of key to sequence of device names.
        state_dir: str or PathLike. Defaults to `None`, `$HWKERAS_STATE` or `~/.local/state/hwkeras`.
        clock: callable that returns seconds all processes agree on. Defaults to `time.time`.
        wait: callable that lets some seconds pass. Defaults to `time.sleep`.
        poll_s: float, seconds between two looks at the state while waiting. Defaults to `0.2`.
        lease_s: float, seconds a lease lasts that is not renewed. Defaults to `120.0`.
        heartbeat_s: float, seconds between the renewals a thread makes while a lease is held; None for none. Defaults
            to `20.0`.
        max_failures: int, failures in a row after which a device is in quarantine. Defaults to `3`.
        probation_s: float, seconds of quarantine. Defaults to `600.0`.
        alive: callable that takes a holder (dict) and returns whether it may still be there. Defaults to `None`,
            which asks this host for the process.

    Raises:
        UserError: a number outside its range.

    Example:
        pool = DevicePool({"rpi4": ["ssh://pi@10.0.0.7", "ssh://pi@10.0.0.8"]})
        with pool.lease("rpi4", timeout_s=600) as lease:
            print(lease.device_name)
    """

    def __init__(
        self,
        devices,
        state_dir=None,
        clock=time.time,
        wait=time.sleep,
        poll_s=0.2,
        lease_s=120.0,
        heartbeat_s=20.0,
        max_failures=3,
        probation_s=600.0,
        alive=None,
    ):
        for name, value in (("poll_s", poll_s), ("lease_s", lease_s), ("max_failures", max_failures)):
            _check_positive(name, value)
        if not probation_s >= 0:
            raise UserError(f"`probation_s` must be at least 0 seconds. Received: probation_s={probation_s!r}.")
        if heartbeat_s is not None and not 0 < heartbeat_s < lease_s:
            raise UserError(
                "`heartbeat_s` must be above 0 and below `lease_s`, or None. "
                f"Received: heartbeat_s={heartbeat_s!r}, lease_s={lease_s!r}."
            )
        self.devices = {key: tuple(names) for key, names in devices.items()}
        self._folder = state_folder() if state_dir is None else pathlib.Path(state_dir)
        self._clock = clock
        self._wait = wait
        self._poll_s = poll_s
        self._heartbeat_s = heartbeat_s
        self._rules = {
            "alive": alive or holder_is_alive,
            "lease_s": lease_s,
            "max_failures": max_failures,
            "probation_s": probation_s,
        }

    @contextlib.contextmanager
    def lease(self, key, priority=0, timeout_s=3600.0, pinned=None, without=()):
        """Waits for a device and holds it until the block ends.

        A block that ends well clears the device's earlier failures; one that ends in a `DeviceError` counts as a
        failure of the device, as does `Lease.report_failure`.

        Args:
            key: str, of the device list.
            priority: int, a higher one is served first. Defaults to `0`.
            timeout_s: float, seconds to wait at most; `0` takes what is free or nothing, None waits for ever. Defaults
                to `3600.0`.
            pinned: str, the one device wanted, waited for unless it is in quarantine. Defaults to `None`, any.
            without: sequence of str, devices not wanted. Defaults to `()`.

        Yields:
            Lease.

        Raises:
            UserError: an unknown key.
            DeviceError: none became free in time, or none of the key can ever be had.
        """
        device, number = self._wait_for(self._known(key), priority, timeout_s, pinned, without)
        lease = Lease(self, device, number)
        try:
            with self._heartbeat(lease):
                yield lease
        except DeviceError as error:
            lease.report_failure(str(error))
            raise
        except BaseException:
            lease.abstain()
            raise
        finally:
            self._end(lease)

    def summary(self):
        """What each key has; see `PoolState.summary`.

        Returns:
            list of dict.
        """
        with self._state(write=False) as state:
            return state.summary(self._clock())

    def readmit(self, device):
        """Ends the quarantine of a device.

        Args:
            device: str, its name.

        Raises:
            UserError: it is in no quarantine.
        """
        with self._state() as state:
            state.readmit(device, self._clock())

    def renew(self, lease):
        """Says that a lease is still needed; see `Lease.renew`."""
        with self._state() as state:
            return state.renew(lease.device_name, lease.number, self._clock())

    def _wait_for(self, key, priority, timeout_s, pinned, without):
        begin_s = self._clock()
        number = None
        try:
            while True:
                with self._state() as state:
                    # NOTE: not waiting any more after the host slept: others took it for dead, so it asks again.
                    if number is None or not state.is_waiting(number):
                        number = state.request(key, this_process(), self._clock(), priority, pinned, without)
                    device = state.claim(number, self._clock())
                if device is not None:
                    return device, number
                if timeout_s is not None and self._clock() - begin_s >= timeout_s:
                    raise self._too_late(key, timeout_s)
                self._wait(self._poll_s)
        finally:
            if number is not None:
                # NOTE: a claim takes the request out of the line, so after a success this does nothing.
                with self._state() as state:
                    state.withdraw(number)

    def _too_late(self, key, timeout_s):
        (row,) = [row for row in self.summary() if row["key"] == key]
        held = [
            f"{device['device']} is held by process {device['holder']['pid']} since {device['since_s']:.0f} s"
            for device in row["devices"]
            if device["holder"]
        ]
        return DeviceError(
            f"A device of {key!r} must become free within timeout_s={timeout_s:g}. Received: "
            f"{'; '.join(held) or 'other requests come first'}. Wait longer, or add a device to the list."
        )

    def _end(self, lease):
        with self._state() as state:
            is_own = state.give_back(lease.device_name, lease.number)
            if lease.failure is not None:
                state.failed(lease.device_name, lease.failure, self._clock())
            elif is_own and not lease.abstains:
                state.succeeded(lease.device_name)

    @contextlib.contextmanager
    def _heartbeat(self, lease):
        if self._heartbeat_s is None:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(ended, lease), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _renew_until(self, ended, lease):
        while not ended.wait(self._heartbeat_s):
            # NOTE: a renewal that fails is tried again at the next beat; the lease outlasts several of them.
            with contextlib.suppress(OSError, DeviceError, UserError):
                lease.renew()

    @contextlib.contextmanager
    def _state(self, write=True):
        """The state under the lock; what was changed is written when the block ends well."""
        with self._locked():
            before = self._read()
            try:
                state = PoolState(self.devices, before, **self._rules)
            except UserError as error:
                raise UserError(f"{error} {self._way_out()}") from error
            yield state
            after = state.to_json()
            if write and after != before:
                write_json(self._folder / "pool.json", after)

    @contextlib.contextmanager
    def _locked(self):
        import filelock

        path = self._folder / "pool.lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(path, timeout=_LOCK_TIMEOUT_S)
            lock.acquire()
        except filelock.Timeout as error:
            raise DeviceError(
                f"The lock of the pool must become free within {_LOCK_TIMEOUT_S:g} s. Received: {path} is held. "
                "Is a process that uses the pool stopped?"
            ) from error
        except OSError as error:
            raise UserError(
                f"The state folder of the pool must be writable. Received: {self._folder} ({error.strerror}). "
                "Set HWKERAS_STATE to a folder of yours."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _read(self):
        path = self._folder / "pool.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            raise UserError(f"The state of the pool is a JSON file. Received: {error}. {self._way_out()}") from error

    def _way_out(self):
        return f"Remove {self._folder / 'pool.json'} while nothing is being measured."

    def _known(self, key):
        if key not in self.devices:
            known = ", ".join(map(repr, self.devices)) or "none"
            raise UserError(f"A key must stand in the device list. Received: {key!r}. Known keys: {known}.")
        return key


class Lease:
    """A device that is held.

    Attributes:
        device_name: str.
        number: str, of the request it answers.
        failure: str, what was reported last; None for nothing.
        abstains: bool, whether the end of the lease says nothing of the device.
    """

    def __init__(self, pool, device_name, number):
        self._pool = pool
        self.device_name = device_name
        self.number = number
        self.failure = None
        self.abstains = False

    def report_failure(self, message):
        """Counts a failure of the device when the lease ends, however often it is called.

        Args:
            message: str, what went wrong.
        """
        self.failure = str(message)

    def abstain(self):
        """Lets the end of the lease say neither good nor bad of the device."""
        self.abstains = True

    def renew(self):
        """Says that the lease is still needed.

        Returns:
            bool, False where it ran out and may be another's by now.
        """
        return self._pool.renew(self)


def open_pool(path=None):
    """The pool of the user's device list.

    Args:
        path: str or PathLike, of the list. Defaults to `None`, the usual place (`device_list_path`).

    Returns:
        DevicePool.

    Raises:
        UserError: the list is wrong.
    """
    return DevicePool(read_device_list(path))


def state_folder():
    """Where the state of the pool is kept.

    Returns:
        pathlib.Path: `$HWKERAS_STATE`, else `~/.local/state/hwkeras`.
    """
    named = os.environ.get("HWKERAS_STATE")
    return pathlib.Path(named) if named else pathlib.Path.home() / ".local" / "state" / "hwkeras"


def _check_positive(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UserError(f"`{name}` must be a number above 0. Received: {name}={value!r}.")
