"""What the timing process lets the system do to it: CPUs, memory, the end of its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal

_PR_SET_PDEATHSIG = 1
_SAID_OF_MEMORY = re.compile(r"bad_alloc|out of memory|cannot allocate|failed to allocate|MemoryError", re.IGNORECASE)
# What a delegate says that got no memory; without a bound it can mean something else.
_SAID_UNDER_A_BOUND = re.compile(r"alloc|memory|failed to create XNNPACK runtime", re.IGNORECASE)


class LimitError(RuntimeError):
    """The system refuses what the job asks for."""


def pin(affinity):
    """Runs on some CPUs only.

    Args:
        affinity: sequence of int; None leaves all.

    Raises:
        LimitError: there is no such CPU, or this system cannot pin.
    """
    if affinity is None:
        return
    if not hasattr(os, "sched_setaffinity"):
        raise LimitError("`affinity` needs a system that can pin a process. Received: one that cannot. Pass null.")
    try:
        os.sched_setaffinity(0, affinity)
    except (OSError, OverflowError) as error:
        usable = sorted(os.sched_getaffinity(0))
        raise LimitError(
            f"`affinity` names CPUs that may be used: {usable}. Received: {list(affinity)} ({error.args[-1]})."
        ) from error


def limit_memory(num_bytes):
    """Bounds the address space to what is taken now and so much more.

    Args:
        num_bytes: int; None for no bound.

    Raises:
        LimitError: this system has no such bound.
    """
    if num_bytes is None:
        return
    taken = address_space_bytes()
    try:
        import resource

        if taken is None:
            raise LimitError("`memory_limit_bytes` needs /proc/self/statm. Received: none. Pass null.")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        bound = taken + num_bytes
        if hard != resource.RLIM_INFINITY:
            bound = min(bound, hard)
        resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    except (ImportError, ValueError, OverflowError, OSError) as error:
        raise LimitError(
            f"`memory_limit_bytes` needs a system that bounds memory. Received: {error}. Pass null."
        ) from error


def address_space_bytes():
    """Address space of this process.

    Returns:
        int; None where the system does not tell.
    """
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def is_out_of_memory(said, num_bytes):
    """Whether memory is what was missing.

    Args:
        said: Exception, or str that a process wrote before it was killed.
        num_bytes: int, the bound; None without one.

    Returns:
        bool.
    """
    if isinstance(said, MemoryError) or _SAID_OF_MEMORY.search(str(said)):
        return True
    return num_bytes is not None and _SAID_UNDER_A_BOUND.search(str(said)) is not None


def out_of_memory(num_bytes):
    """The reason in words.

    Args:
        num_bytes: int, the bound; None without one.

    Returns:
        str.
    """
    if num_bytes is None:
        return "The model needs more memory than the device has left."
    return f"The model needs more memory than memory_limit_bytes={num_bytes} allows. Raise it."


def die_with_parent():
    """Asks Linux to kill this process when its parent ends; elsewhere the next answer that nobody reads ends it."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
