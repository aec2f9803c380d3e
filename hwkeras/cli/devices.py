"""The command `devices`: what can be measured on, who uses it, what is out of order."""

from __future__ import annotations

import importlib.resources
from concurrent.futures import ThreadPoolExecutor

import click

from hwkeras.cli.output import JsonOutput
from hwkeras.errors import DeviceError
from hwkeras.errors import HwkerasError

# Devices that are asked at once; most of the time is spent waiting for those that do not answer.
_NUM_ASKED_AT_ONCE = 8

_LIST = click.option(
    "--list",
    "path",
    type=click.Path(dir_okay=False),
    help="Device list. Default: $HWKERAS_DEVICES or ~/.config/hwkeras/devices.json.",
)


@click.command()
@click.option("--release", metavar="NAME", help="First end the quarantine of a device.")
@click.option("--canary/--no-canary", default=True, show_default=True, help="Time a small network on each free device.")
@_LIST
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def devices(release, canary, path, as_json):
    """The devices latency can be measured on: what each is, its canary, who holds it, what failed."""
    with JsonOutput(as_json) as output:
        from hwkeras.measure.pool import open_pool

        pool = open_pool(path)
        if release is not None:
            pool.readmit(release)
        document = {"devices": _single(pool, canary), "pools": _pooled(pool, canary)}
        output.put(document)
        if not as_json:
            for line in _lines(document):
                click.echo(line)


def _single(pool, canary):
    """The devices that stand under no key: this machine, and what `adb` knows."""
    from hwkeras.measure.adb import attached_addresses

    listed = {name.partition("?")[0].rstrip("/") for names in pool.devices.values() for name in names}
    names = [name for name in ("local", *attached_addresses()) if name not in listed]
    return [{"device": name, **_facts(name, canary)} for name in names]


def _pooled(pool, canary):
    """The summary of the pool, and what each device that nobody holds says of itself."""
    rows = pool.summary()
    asked = [(row["key"], device) for row in rows for device in row["devices"]]
    with ThreadPoolExecutor(_NUM_ASKED_AT_ONCE) as threads:
        answers = threads.map(lambda each: {**each[1], **_asked(pool, *each, canary)}, asked)
        for row in rows:
            row["devices"] = [next(answers) for _ in row["devices"]]
    return rows


def _asked(pool, key, device, canary):
    unknown = {"available": None, "canary_ms": None}
    if device["state"] != "free":
        return unknown
    others = [each for each in pool.devices[key] if each != device["device"]]
    try:
        with pool.lease(key, timeout_s=0, without=others) as lease:
            facts = _facts(device["device"], canary)
            if not facts["available"]:
                lease.report_failure(facts["message"])
            return facts
    except DeviceError as error:
        # Somebody took it since the summary was made.
        return {**unknown, "message": str(error)}


def _facts(name, canary):
    """What a device says of itself; one that does not answer, or whose name nothing opens, says why not."""
    from hwkeras.measure import open_meter

    meter = None
    try:
        meter = open_meter(name)
        facts = {each: value for each, value in meter.describe().items() if each != "device"}
        canary_ms = _time_canary(meter) if canary else None
        return {**facts, "available": True, "message": "", "canary_ms": canary_ms}
    except HwkerasError as error:
        return {"available": False, "message": str(error), "canary_ms": None}
    finally:
        if hasattr(meter, "close"):
            meter.close()


def _time_canary(meter):
    """The latency of the small network that comes with every job, in milliseconds; None where it has none."""
    content = importlib.resources.files("tflite_bench").joinpath("canary.tflite").read_bytes()
    return meter.measure([content])[0].latency_ms


def _lines(document):
    for row in document["devices"]:
        yield f"{row['device']}  {_what(row)}"
    for pool in document["pools"]:
        counts = "  ".join(f"{name} {pool[name]}" for name in ("total", "free", "leased", "quarantined", "pending"))
        yield f"{pool['key']}  {counts}"
        for device in pool["devices"]:
            yield f"  {device['device']}  {_state(device)}"


def _state(device):
    if device["state"] == "quarantined":
        return f"quarantined for another {device['until_s']:.0f} s: {_one_line(device['message'])}"
    if device["state"] == "leased":
        holder = device["holder"]
        return f"leased by process {holder['pid']} on {holder['host']} since {device['since_s']:.0f} s"
    return f"free  {_what(device)}" if device["available"] else _what(device)


def _what(row):
    from hwkeras.units import format_quantity

    if not row["available"]:
        return f"unreachable: {_one_line(row['message'])}" if row["available"] is False else _one_line(row["message"])
    runtime = " ".join(str(row[name]) for name in ("runtime", "runtime_version") if row.get(name))
    parts = [str(row.get("cpu") or row.get("cpu_model") or "unknown processor"), runtime or "unknown runtime"]
    if row.get("canary_ms") is not None:
        parts.append(f"canary {format_quantity(row['canary_ms'], 'ms')}")
    return ", ".join(parts)


def _one_line(text):
    return " ".join(text.split())
