"""The installed `tflite_bench` as a folder for a device."""

from __future__ import annotations

import importlib.util
import pathlib

from hwkeras.errors import DeviceError

NAME = "tflite_bench"


def bench_files():
    """The programs of `tflite_bench` and its canaries.

    Returns:
        dict of path within the folder to bytes, as `Device.put_folder` takes it.

    Raises:
        DeviceError: it is not installed.
    """
    spec = importlib.util.find_spec(NAME)
    if spec is None or not spec.submodule_search_locations:
        raise DeviceError(f"`{NAME}` must be installed beside hwkeras. Received: not found. Install hwkeras again.")
    folder = pathlib.Path(next(iter(spec.submodule_search_locations)))
    paths = sorted([*folder.glob("*.py"), *folder.glob("*.tflite")])
    return {f"{NAME}/{path.name}": path.read_bytes() for path in paths}
