"""The only place that parses and prints quantities such as `5ms` and `256KiB`."""

import math
import re

from hwkeras.errors import UserError

# Factor of each accepted unit to the canonical one, by the canonical unit's name.
_FACTORS = {
    "ms": {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3},
    "bytes": {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
    "count": {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9},
    "fraction": {"": 1.0, "%": 0.01},
    "value": {"": 1.0},
    "mJ": {"uJ": 1e-3, "µJ": 1e-3, "mJ": 1.0, "J": 1e3},
}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\s\d]*)\s*")


def parse_quantity(text, unit):
    """Reads a number with its unit.

    Args:
        text: str such as `"5ms"`, `"256 KiB"`, `"3M"`, `"97%"`.
        unit: str, the canonical unit of the answer: `"ms"`, `"bytes"`, `"count"`, `"fraction"`, `"mJ"`, or `"value"` of
            what has the data's own unit.

    Returns:
        float, the quantity in `unit`.

    Raises:
        UserError: not a number, an unknown unit, or a value that is not positive and finite.
    """
    factors = _FACTORS[unit]
    ways = ", ".join(repr(name) for name in factors if name) or "no unit"
    match = _QUANTITY.fullmatch(str(text))
    if not match:
        raise UserError(f"A quantity is a number with a unit ({ways}). Received: {text!r}.")
    number, suffix = match.groups()
    if suffix not in factors:
        said = f"unknown unit {suffix!r}" if suffix else "no unit"
        raise UserError(f"A quantity here takes one of the units {ways}. Received: {text!r} with {said}.")
    value = float(number) * factors[suffix]
    if not math.isfinite(value) or value <= 0:
        raise UserError(f"A quantity must be positive and finite. Received: {text!r}.")
    return value


def format_quantity(value, unit):
    """Prints a quantity for a person: `0.183 ms`, `41.2 KiB`, `2.66 M`, `0.912`.

    Args:
        value: float in the canonical `unit`, or None.
        unit: str as for `parse_quantity`.

    Returns:
        str; `"-"` for None or NaN.
    """
    if value is None or math.isnan(value):
        return "-"
    if unit == "ms":
        return f"{value:.4g} ms"
    if unit == "mJ":
        return f"{value:.4g} mJ"
    if unit == "fraction":
        return f"{value:.4f}"
    if unit == "value":
        return f"{value:.4g}"
    if unit == "bytes":
        return _scaled(value, (("MiB", 2**20), ("KiB", 2**10)), " B")
    return _scaled(value, (("G", 1e9), ("M", 1e6), ("k", 1e3)), "")


def _scaled(value, steps, plain):
    for name, factor in steps:
        if abs(value) >= factor:
            return f"{value / factor:.4g} {name}"
    return f"{value:.4g}{plain}"
