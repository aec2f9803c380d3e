"""Who holds which device, who waits, who failed: the rules of the pool, without a file, a clock or a process."""

from __future__ import annotations

import copy

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError

STATE_VERSION = 1
# The word of the pool for each device.
FREE, LEASED, QUARANTINED = "free", "leased", "quarantined"


class PoolState:
    """The devices of all keys and what is known of each, as plain data.

    A lease or a request lives while its holder lives and renews it: `alive` says of a holder at once that it is gone,
    and `lease_s` is how long one that cannot be asked, or that hangs, keeps what it has. Waiting requests are served
    by priority, then by arrival: each in turn is allotted the free device of its key that was leased longest ago, and
    may take that one alone, so a later request never takes what an earlier one could have.

    A device whose leases failed `max_failures` times in a row is in quarantine for `probation_s` seconds; after them
    one more failure is enough, and one success clears it.

    Args:
        devices: mapping of key to sequence of device names. A device may stand under two keys.
        document: dict, what `to_json` gave. Defaults to `None`, nothing has happened yet.
        alive: callable that takes a holder (dict) and returns whether it may still be there. Defaults to `None`, all
            are.
        lease_s: float, seconds. Defaults to `120.0`.
        max_failures: int. Defaults to `3`.
        probation_s: float, seconds. Defaults to `600.0`.

    Raises:
        UserError: a document of another form.
    """

    def __init__(self, devices, document=None, alive=None, lease_s=120.0, max_failures=3, probation_s=600.0):
        self.devices = {key: tuple(names) for key, names in devices.items()}
        self.lease_s = lease_s
        self.max_failures = max_failures
        self.probation_s = probation_s
        self._alive = alive or (lambda holder: True)
        document = _checked(document) if document is not None else _empty()
        self._next = document["next"]
        self._requests = document["requests"]
        self._leases = document["leases"]
        self._failures = document["failures"]
        self._used = document["used"]

    def to_json(self):
        """Returns dict: all there is to remember, as plain data."""
        parts = {"requests": self._requests, "leases": self._leases, "failures": self._failures, "used": self._used}
        return {"version": STATE_VERSION, "next": self._next, **copy.deepcopy(parts)}

    def request(self, key, holder, now_s, priority=0, pinned=None, without=()):
        """Gets in line for a device of a key.

        Args:
            key: str.
            holder: dict, who asks; handed to `alive`.
            now_s: float, seconds of a clock all holders share.
            priority: int, a higher one is served first. Defaults to `0`.
            pinned: str, the one device wanted, as long as it is not in quarantine. Defaults to `None`, any.
            without: sequence of str, devices not wanted. Defaults to `()`.

        Returns:
            str, the number of the request.
        """
        number = str(self._next)
        self._next += 1
        self._requests[number] = {
            "key": key,
            "priority": priority,
            "pinned": pinned if pinned in self.devices[key] else None,
            "without": list(without),
            "holder": holder,
            "since_s": now_s,
            "renewed_s": now_s,
        }
        return number

    def claim(self, number, now_s):
        """Takes the device that is allotted to a request, if there is one.

        Args:
            number: str, of the request.
            now_s: float.

        Returns:
            str, the device, which is leased from now on under the request's number; None while it has to wait.

        Raises:
            DeviceError: no device is left that this request could ever get.
        """
        request = self._requests[number]
        # NOTE: not at every look, so that one that changes nothing leaves nothing to write.
        if now_s - request["renewed_s"] > self.lease_s / 4:
            request["renewed_s"] = now_s
        self.sweep(now_s)
        if not self._candidates(request, now_s):
            raise DeviceError(self._why_none(request, now_s))
        device = self._allotted(now_s).get(number)
        if device is not None:
            del self._requests[number]
            self._leases[device] = {
                "number": number,
                "key": request["key"],
                "holder": request["holder"],
                "since_s": now_s,
                "renewed_s": now_s,
            }
            self._used[device] = int(number)
        return device

    def is_waiting(self, number):
        """Returns bool: whether a request is in line; one that was not renewed is not."""
        return number in self._requests

    def withdraw(self, number):
        """Leaves the line; nothing happens where the request is not in it."""
        self._requests.pop(number, None)

    def renew(self, device, number, now_s):
        """Says that a holder is still there.

        Returns:
            bool, whether the lease is still its own.
        """
        if not self._is_held(device, number):
            return False
        self._leases[device]["renewed_s"] = now_s
        return True

    def give_back(self, device, number):
        """Ends a lease; nothing happens where it has ended already.

        Returns:
            bool, whether it was still the holder's own.
        """
        if not self._is_held(device, number):
            return False
        del self._leases[device]
        return True

    def succeeded(self, device):
        """Clears what a device failed before."""
        self._failures.pop(device, None)

    def failed(self, device, message, now_s):
        """Counts a failure of a device.

        Args:
            device: str.
            message: str, what went wrong.
            now_s: float.
        """
        count = self._failures.get(device, {"count": 0})["count"] + 1
        until_s = now_s + self.probation_s if count >= self.max_failures else None
        self._failures[device] = {"count": count, "message": str(message), "at_s": now_s, "until_s": until_s}

    def readmit(self, device, now_s):
        """Ends the quarantine of a device before its time.

        Raises:
            UserError: it is in no quarantine.
        """
        inside = [name for name in self._failures if self._is_quarantined(name, now_s)]
        if device not in inside:
            raise UserError(
                f"Only a device in quarantine can be released. Received: {device!r}. "
                f"In quarantine: {', '.join(map(repr, inside)) or 'none'}."
            )
        del self._failures[device]

    def sweep(self, now_s):
        """Takes back what dead holders hold, and forgets what dead ones wait for."""
        for held in (self._leases, self._requests):
            for name in [name for name, entry in held.items() if not self._is_live(entry, now_s)]:
                del held[name]

    def state_of(self, device, now_s):
        """Returns `"free"`, `"leased"` or `"quarantined"`."""
        if device in self._leases and self._is_live(self._leases[device], now_s):
            return LEASED
        return QUARANTINED if self._is_quarantined(device, now_s) else FREE

    def summary(self, now_s):
        """What each key has.

        Args:
            now_s: float.

        Returns:
            list of dict with `key`, `total`, `free`, `leased`, `quarantined`, `pending` (int each; requests that wait)
            and `devices`: a list of dict with `device`, `state`, `failures` (int), `message` (of the last failure, or
            ""), `holder` (dict or None), `since_s` (float or None, seconds it has been leased), `until_s` (float or
            None, seconds of quarantine left).
        """
        return [self._summary_of(key, now_s) for key in self.devices]

    def _summary_of(self, key, now_s):
        rows = [self._row(device, now_s) for device in self.devices[key]]
        states = [row["state"] for row in rows]
        waiting = [entry for entry in self._requests.values() if self._is_live(entry, now_s)]
        counts = {state: states.count(state) for state in (FREE, LEASED, QUARANTINED)}
        pending = sum(entry["key"] == key for entry in waiting)
        return {"key": key, "total": len(rows), **counts, "pending": pending, "devices": rows}

    def _row(self, device, now_s):
        state = self.state_of(device, now_s)
        failure = self._failures.get(device, {"count": 0, "message": "", "until_s": None})
        lease = self._leases[device] if state == LEASED else None
        return {
            "device": device,
            "state": state,
            "failures": failure["count"],
            "message": failure["message"],
            "holder": dict(lease["holder"]) if lease else None,
            "since_s": now_s - lease["since_s"] if lease else None,
            "until_s": failure["until_s"] - now_s if self._is_quarantined(device, now_s) else None,
        }

    def _allotted(self, now_s):
        """Which waiting request gets which device, by number."""
        allotted = {}
        for number in sorted(self._requests, key=lambda each: (-self._requests[each]["priority"], int(each))):
            free = [
                device
                for device in self._candidates(self._requests[number], now_s)
                if device not in self._leases and device not in allotted.values()
            ]
            if free:
                allotted[number] = min(free, key=lambda device: self._used.get(device, -1))
        return allotted

    def _candidates(self, request, now_s):
        """The devices a request may get, now or later."""
        live = [
            device
            for device in self.devices.get(request["key"], ())
            if device not in request["without"] and not self._is_quarantined(device, now_s)
        ]
        return [request["pinned"]] if request["pinned"] in live else live

    def _why_none(self, request, now_s):
        key, without = request["key"], request["without"]
        reasons = []
        for device in self.devices[key]:
            if self._is_quarantined(device, now_s):
                failure = self._failures[device]
                left_s = failure["until_s"] - now_s
                reasons.append(f"{device} is in quarantine for another {left_s:.0f} s ({failure['message']})")
            elif device in without:
                reasons.append(f"{device} has just failed")
        return (
            f"At least one device of {key!r} must work. Received: {'; '.join(reasons) or 'no device'}. "
            "`hwkeras devices --release NAME` ends a quarantine."
        )

    def _is_held(self, device, number):
        return device in self._leases and self._leases[device]["number"] == number

    def _is_quarantined(self, device, now_s):
        until_s = self._failures.get(device, {}).get("until_s")
        return until_s is not None and now_s < until_s

    def _is_live(self, entry, now_s):
        return now_s - entry["renewed_s"] <= self.lease_s and self._alive(entry["holder"])


def _empty():
    return {"version": STATE_VERSION, "next": 0, "requests": {}, "leases": {}, "failures": {}, "used": {}}


def _checked(document):
    wanted = _empty()
    kinds_hold = isinstance(document, dict) and all(
        type(document.get(name)) is type(value) for name, value in wanted.items()
    )
    if not kinds_hold or document["version"] != STATE_VERSION:
        said = f"version={document.get('version')!r}" if isinstance(document, dict) else type(document).__name__
        raise UserError(
            f"The state of the pool is an object of version {STATE_VERSION} with {', '.join(wanted)}. Received: {said}."
        )
    return copy.deepcopy({name: document[name] for name in wanted})
