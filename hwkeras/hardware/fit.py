"""Whether a model can run on a device at all."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.hardware.profile import PRECISIONS
from hwkeras.units import format_quantity

# The metric of a model and the figure of a device that holds it.
_ROOM = (("size_bytes", "flash_bytes", "flash"), ("peak_ram_bytes", "ram_bytes", "RAM"))


@dataclass(frozen=True)
class Fit:
    """Whether a model fits.

    Args:
        ok: bool.
        reasons: tuple of str, one for each thing that does not fit; empty where all does.
    """

    ok: bool
    reasons: tuple[str, ...]


def fits(metrics, profile, precision=None):
    """Holds what a model needs against what a device has.

    The program, its stack and the interpreter's own structures come on top of the model: a model that does not fit
    never will, one that fits by a hair may not.

    Args:
        metrics: mapping of `size_bytes` and `peak_ram_bytes` to int, such as `Analysis.metrics()`. One that is missing
            or None is not judged.
        profile: Profile.
        precision: str, one of `"float32"`, `"float16"`, `"dynamic"`, `"int8"`. Defaults to `None`, not judged.

    Returns:
        Fit.

    Raises:
        UserError: an unknown precision.
    """
    reasons = []
    for metric, figure, what in _ROOM:
        need, room = metrics.get(metric), getattr(profile, figure)
        if need is not None and room is not None and not need <= room:
            reasons.append(
                f"{metric} is {format_quantity(need, 'bytes')}, {profile.name} has "
                f"{format_quantity(room, 'bytes')} of {what}"
            )
    if precision is not None:
        check_precision(precision)
        if precision not in profile.precisions:
            reasons.append(f"{precision} does not run on {profile.name}, which runs {', '.join(profile.precisions)}")
    return Fit(not reasons, tuple(reasons))


def check_precision(precision):
    """Refuses what is not a precision.

    Args:
        precision: str.

    Raises:
        UserError: it is none of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise UserError(f"`precision` is one of {', '.join(map(repr, PRECISIONS))}. Received: precision={precision!r}.")
