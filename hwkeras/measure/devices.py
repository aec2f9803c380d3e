"""The devices by name: what a text such as `"ssh://pi@10.0.0.7"` opens, and what there is to measure on."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

from hwkeras.errors import HwkerasError
from hwkeras.errors import UserError
from hwkeras.measure.device_list import device_list_path
from hwkeras.measure.device_list import read_device_list
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.local import LocalMeter
from hwkeras.measure.model_file import read_model

# Devices that are asked at once what they are; most of the time is spent waiting for those that do not answer.
_NUM_ASKED_AT_ONCE = 8


def open_meter(device="local", **options):
    """The meter of a device.

    Args:
        device: str. Defaults to `"local"`. One of

            - `"local"`: this machine;
            - `"ssh://user@host:port"`: see `SshDevice`;
            - `"adb://SERIAL"`: see `AdbDevice`; with `benchmark_model` given, the meter is `BenchmarkModelMeter`;
            - a key of the device list: any of the devices under it, leased for each job, see `PooledMeter`;
            - a name of `hwkeras.hardware.profile_names()`, or the path of a profile that ends in `.json`: nothing is
              measured, see `EstimatedMeter`;
            - `"fake"`: made-up latencies, see `open_fake_meter`.
        **options: arguments of the device and of its meter, such as those of `SshDevice` and `DeviceMeter`.

    Returns:
        Meter.

    Raises:
        UserError: an unknown device or option, or an option outside its range.
    """
    if device == "local":
        return LocalMeter(**_checked(device, options, _names(LocalMeter)))
    scheme = device.partition("://")[0]
    if scheme in _OPENERS:
        return _OPENERS[scheme](device, options)
    if device.endswith(".json"):
        return _open_estimate(device, options)
    listed, problem = _read_list()
    if device in listed:
        return _open_pooled(device, options)
    if device in _profile_names():
        return _open_estimate(device, options)
    keys = problem or f"{device_list_path()}: {', '.join(map(repr, listed)) or 'none yet'}"
    raise UserError(
        "`device` is one of 'local', 'ssh://user@host:port', 'adb://SERIAL', 'fake', a profile's .json file, the "
        f"profiles {', '.join(map(repr, _profile_names()))}, and the keys of the device list ({keys}). "
        f"Received: device={device!r}."
    )


def list_devices():
    """The devices that can be measured on, each asked what it is: this one, the device list's, those `adb` knows.

    Returns:
        list of dict with `device`, `available` (bool), `message` (why it is not) and, where available, what
        `Meter.describe` says.
    """
    names, refused = _device_names()
    with ThreadPoolExecutor(_NUM_ASKED_AT_ONCE) as threads:
        return [*threads.map(_listed, names), *refused]


def benchmark(model, device="local", **options):
    """Times one `.tflite` file.

    Args:
        model: bytes of the file, or its path as str or `os.PathLike`.
        device: str, see `open_meter`. Defaults to `"local"`.
        **options: arguments of the meter.

    Returns:
        Measurement.

    Raises:
        UserError: no such file, or an unknown device or option.
        DeviceError: the device itself does not work.
    """
    content = read_model(model)
    meter = open_meter(device, **options)
    try:
        return meter.measure([content])[0]
    finally:
        _close(meter)


def _open_ssh(device, options):
    from hwkeras.measure.ssh import SshDevice

    of_device = _names(SshDevice) - {"address"}
    _checked(device, options, of_device | _meter_options())
    return DeviceMeter(SshDevice(device, **_only(of_device, options)), **_without(of_device, options))


def _open_adb(device, options):
    from hwkeras.measure.adb import AdbDevice
    from hwkeras.measure.benchmark_model import BenchmarkModelMeter

    of_device = _names(AdbDevice) - {"address"}
    phone = AdbDevice(device, **_only(of_device, options))
    if phone.benchmark_model is None:
        _checked(device, options, of_device | _meter_options())
        return DeviceMeter(phone, **_without(of_device, options))
    of_meter = _names(BenchmarkModelMeter) - {"device", "binary", "clock", "sleep"}
    _checked(device, options, of_device | of_meter)
    return BenchmarkModelMeter(phone, phone.benchmark_model, **_without(of_device, options))


def _open_fake(device, options):
    from hwkeras.measure.fake import open_fake_meter

    return open_fake_meter(device, **options)


def _open_pooled(key, options):
    from hwkeras.measure.pool import open_pool
    from hwkeras.measure.pooled import PooledMeter

    return PooledMeter(open_pool(), key, **options)


def _open_estimate(device, options):
    from hwkeras.measure.estimated import EstimatedMeter

    # What tells how to measure means nothing where nothing is measured.
    of_meter = _names(EstimatedMeter) - {"profile"}
    _checked(device, options, of_meter | _meter_options())
    return EstimatedMeter(device, **_only(of_meter, options))


_OPENERS = {"ssh": _open_ssh, "adb": _open_adb, "fake": _open_fake}


def _profile_names():
    from hwkeras.hardware import profile_names

    return profile_names()


def _names(callable_):
    return set(inspect.signature(callable_).parameters)


def _meter_options():
    return {field.name for field in fields(DeviceMeter)} - {"device"}


def _only(names, options):
    return {name: value for name, value in options.items() if name in names}


def _without(names, options):
    return {name: value for name, value in options.items() if name not in names}


def _checked(device, options, known):
    for name in options:
        if name not in known:
            raise UserError(f"The device {device!r} takes the options {', '.join(sorted(known))}. Received: {name}.")
    return options


def _read_list():
    """The device list; empty, with the reason, where it cannot be read."""
    try:
        return read_device_list(), ""
    except UserError as error:
        return {}, str(error)


def _device_names():
    """The names of all devices, each once; and the entry of a device list that cannot be read."""
    from hwkeras.measure.adb import attached_addresses

    by_key, problem = _read_list()
    listed = [name for names in by_key.values() for name in names]
    refused = [{"device": str(device_list_path()), "available": False, "message": problem}] if problem else []
    attached = [name for name in attached_addresses() if not any(_is_same(name, other) for other in listed)]
    return list(dict.fromkeys(["local", *listed, *attached])), refused


def _is_same(attached, listed):
    return listed.partition("?")[0].rstrip("/") == attached


def _listed(device):
    meter = None
    try:
        meter = open_meter(device)
        return {**meter.describe(), "device": device, "available": True, "message": ""}
    except HwkerasError as error:
        return {"device": device, "available": False, "message": str(error)}
    finally:
        _close(meter)


def _close(meter):
    close = getattr(meter, "close", None)
    if close is not None:
        close()
