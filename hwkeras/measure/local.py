"""The meter of this machine."""

from __future__ import annotations

from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.local_device import LocalDevice


class LocalMeter(DeviceMeter):
    """Times `.tflite` files on this machine: the `DeviceMeter` of `LocalDevice`.

    Args:
        num_threads: int, threads of the interpreter. Defaults to `1`.
        rounds: int, least number of rounds, at least 3. Defaults to `3`.
        max_rounds: int, most rounds, spent while the two best do not agree. Defaults to `12`.
        burst_ms: float, time of one visit to one file. Defaults to `20.0`.
        gap_ms: float, pause between rounds, which lets a neighbor's burst pass. Defaults to `100.0`.
        timeout_s: float, seconds a job may take once it has the machine to itself. Defaults to `120.0`.
        lock_timeout_s: float, seconds to wait for another search of this user to end its job. Defaults to `300.0`.
        seed: int, of the order and of the inputs. Defaults to `0`.
        agree_within: float, share: rounds go on until the two best of every file are this close. Defaults to `0.02`.
        affinity: sequence of int, the CPUs to run on. Defaults to `None`, all that this process may use.
        bench: sequence of str, the command that takes a job on stdin and answers on stdout. Defaults to `None`,
            this Python with the installed `tflite_bench`.

    Raises:
        UserError: an argument outside its range.
    """

    def __init__(
        self,
        num_threads=1,
        rounds=3,
        max_rounds=12,
        burst_ms=20.0,
        gap_ms=100.0,
        timeout_s=120.0,
        lock_timeout_s=300.0,
        seed=0,
        agree_within=0.02,
        affinity=None,
        bench=None,
    ):
        super().__init__(
            LocalDevice(),
            num_threads=num_threads,
            rounds=rounds,
            max_rounds=max_rounds,
            burst_ms=burst_ms,
            gap_ms=gap_ms,
            timeout_s=timeout_s,
            lock_timeout_s=lock_timeout_s,
            seed=seed,
            agree_within=agree_within,
            affinity=affinity,
            bench=bench,
        )
