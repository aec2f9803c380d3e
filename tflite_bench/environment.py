"""The machine and its state, as far as it lets itself be read; None where it does not."""

from __future__ import annotations

import os
import pathlib
import platform
import time

# Instructions that decide which kernels a runtime picks.
_FEATURES = (
    "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8",
    "neon", "asimd", "asimdhp", "asimddp", "fphp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip
_CPU0 = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq")


def describe_machine():
    """What does not change while it runs.

    Returns:
        dict: `python`, `platform`, `machine`, `cpu_model`, `cpu_features` (list of str), `num_cores`, `governor`.
    """
    cpu = _cpu_fields()
    flags = set((cpu.get("flags") or cpu.get("features") or "").split())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_model": _cpu_model(cpu),
        "cpu_features": [name for name in _FEATURES if name in flags],
        "num_cores": os.cpu_count(),
        "governor": _read(_CPU0 / "scaling_governor"),
    }


def describe_runtime(runtime):
    """What runs the models, and where it may run.

    Args:
        runtime: Runtime.

    Returns:
        dict: `runtime`, `runtime_version`, `affinity` (list of int, the CPUs), `num_usable_cores`; None for what the
        system does not tell.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    cpus = sorted(os.sched_getaffinity(0)) if has_affinity else None
    return {
        "runtime": runtime.name,
        "runtime_version": runtime.version,
        "affinity": cpus,
        "num_usable_cores": None if cpus is None else len(cpus),
    }


def describe_state():
    """What changes while it runs.

    Returns:
        dict: `unix_s` (when; no two jobs have the same), `loadavg` (list of 3 floats), `frequency_mhz`,
        `temperature_c` (the hottest zone).
    """
    frequency_khz = _read(_CPU0 / "scaling_cur_freq")
    return {
        "unix_s": time.time(),
        "loadavg": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "frequency_mhz": int(frequency_khz) / 1e3 if frequency_khz and frequency_khz.isdigit() else None,
        "temperature_c": _temperature_c(),
    }


def resident_bytes():
    """Memory of this process that is in RAM now.

    Returns:
        int, bytes; None where the system does not tell.
    """
    fields = (_read("/proc/self/statm") or "").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else None


def oom_kills():
    """How many processes the kernel has killed for want of memory since it started.

    Returns:
        int; None where it does not tell.
    """
    for line in (_read("/proc/vmstat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    return None


def _cpu_fields():
    """The first value of each field of /proc/cpuinfo, by lower-case name."""
    fields = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _cpu_model(cpu):
    """x86 has `model name`; ARM boards a device tree, else `hardware`."""
    board = (_read("/proc/device-tree/model") or "").strip("\0 ")
    return cpu.get("model name") or board or cpu.get("hardware") or platform.processor() or platform.machine() or None


def _temperature_c():
    readings = [_read(zone / "temp") for zone in pathlib.Path("/sys/class/thermal").glob("thermal_zone*")]
    degrees = [int(reading) / 1e3 for reading in readings if reading and reading.lstrip("-").isdigit()]
    return max(degrees, default=None)


def _read(path):
    try:
        return pathlib.Path(path).read_text(errors="replace").strip()
    except OSError:
        return None
