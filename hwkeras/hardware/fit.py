"""Whether a model can run on a device at all."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.hardware.profile import PRECISIONS
from hwkeras.objectives import Limit
from hwkeras.units import format_quantity

# The metric of a model, the figure of a device that holds it, and what of it the program takes.
_ROOM = (
    ("size_bytes", "flash_bytes", "flash", "flash_bytes"),
    ("peak_ram_bytes", "ram_bytes", "RAM", "ram_bytes"),
    ("arena_bytes", "ram_bytes", "RAM", "ram_bytes"),
)


@dataclass(frozen=True)
class Reserve:
    """What the program on a microcontroller takes beside the model. Assumed, not measured: give your own.

    Args:
        flash_bytes: int, code. Defaults to `65536`: TFLite-Micro's core takes 16 KiB on a Cortex-M3 by its
            documentation, and the kernels, the C library and the drivers come on top.
        ram_bytes: int, stack and static data without the arena. Defaults to `8192`.
    """

    flash_bytes: int = 65536
    ram_bytes: int = 8192


NO_RESERVE = Reserve(0, 0)


@dataclass(frozen=True)
class Fit:
    """Whether a model fits.

    Args:
        ok: bool.
        reasons: tuple of str, one for each thing that does not fit; empty where all does.
    """

    ok: bool
    reasons: tuple[str, ...]


def fits(metrics, profile, precision=None, ops=(), reserve=NO_RESERVE):
    """Holds what a model needs against what a device has.

    Without a reserve, the program and its stack come on top of the model: a model that does not fit never will, one
    that fits by a hair may not.

    Args:
        metrics: mapping of `size_bytes`, `peak_ram_bytes` and `arena_bytes` to int, such as `Analysis.metrics()`. One
            that is missing or None is not judged.
        profile: Profile.
        precision: str, one of `"float32"`, `"float16"`, `"dynamic"`, `"int8"`. Defaults to `None`, not judged.
        ops: iterable of str, the operators of the model by their names in the schema. Defaults to `()`, not judged.
        reserve: Reserve, what the program takes. Defaults to `NO_RESERVE`.

    Returns:
        Fit.

    Raises:
        UserError: an unknown precision.
    """
    reasons = []
    for metric, figure, what, kept in _ROOM:
        need, room = metrics.get(metric), getattr(profile, figure)
        if need is not None and room is not None and not need + getattr(reserve, kept) <= room:
            reasons.append(_shortage(metric, need, profile.name, room, what, getattr(reserve, kept)))
    if precision is not None:
        check_precision(precision)
        if precision not in profile.precisions:
            reasons.append(f"{precision} does not run on {profile.name}, which runs {', '.join(profile.precisions)}")
    missing = sorted({op for op in ops if not profile.runs_op(op)})
    if missing:
        reasons.append(f"{profile.name} has no operator {', '.join(missing)}")
    return Fit(not reasons, tuple(reasons))


def reserve_of(profile):
    """What is kept for the program where nothing else is said.

    Args:
        profile: Profile.

    Returns:
        Reserve: the assumed one for a microcontroller; none where an operating system finds room.
    """
    return Reserve() if profile.kind == "microcontroller" else NO_RESERVE


def limits_of(profile, reserve=None):
    """The limits that a device sets to every model for it.

    Args:
        profile: Profile.
        reserve: Reserve, what the program takes. Defaults to `None`, `reserve_of(profile)`.

    Returns:
        tuple of `Limit`: `size_bytes` within the flash, `peak_ram_bytes` within the RAM; without what is not known.

    Raises:
        UserError: the reserve takes all there is.
    """
    reserve = reserve_of(profile) if reserve is None else reserve
    limits = []
    for metric, figure, what, kept in _ROOM[:2]:
        room = getattr(profile, figure)
        if room is None:
            continue
        if room <= getattr(reserve, kept):
            raise UserError(
                f"A program must leave room for a model. Received: {format_quantity(room, 'bytes')} of {what} on "
                f"{profile.name!r}, {format_quantity(getattr(reserve, kept), 'bytes')} of it reserved. Reserve less."
            )
        limits.append(Limit(metric, room - getattr(reserve, kept)))
    return tuple(limits)


def check_precision(precision):
    """Refuses what is not a precision.

    Args:
        precision: str.

    Raises:
        UserError: it is none of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise UserError(f"`precision` is one of {', '.join(map(repr, PRECISIONS))}. Received: precision={precision!r}.")


def _shortage(metric, need, device, room, what, reserved):
    text = f"{metric} is {format_quantity(need, 'bytes')}, {device} has {format_quantity(room, 'bytes')} of {what}"
    return text + (f" less {format_quantity(reserved, 'bytes')} for the program" if reserved else "")
