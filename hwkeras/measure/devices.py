"""The devices by name."""

from __future__ import annotations

import inspect

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.local import LocalMeter
from hwkeras.measure.model_file import read_model

_METERS = {"local": LocalMeter}


def open_meter(device="local", **options):
    """The meter of a device.

    Args:
        device: str, `"local"` for this machine. Defaults to `"local"`.
        **options: arguments of the meter, such as those of `LocalMeter`.

    Returns:
        Meter.

    Raises:
        UserError: an unknown device or option, or an option outside its range.
    """
    if device not in _METERS:
        raise UserError(f"`device` is one of {', '.join(map(repr, _METERS))}. Received: device={device!r}.")
    meter = _METERS[device]
    known = list(inspect.signature(meter).parameters)
    for name in options:
        if name not in known:
            raise UserError(f"The device {device!r} takes the options {', '.join(known)}. Received: {name}.")
    return meter(**options)


def list_devices():
    """The devices that can be measured on, each asked what it is.

    Returns:
        list of dict with `device`, `available` (bool), `message` (why it is not) and, where available, what
        `Meter.describe` says.
    """
    return [_listed(device) for device in _METERS]


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
    return open_meter(device, **options).measure([read_model(model)])[0]


def _listed(device):
    try:
        return {**open_meter(device).describe(), "available": True, "message": ""}
    except DeviceError as error:
        return {"device": device, "available": False, "message": str(error)}
