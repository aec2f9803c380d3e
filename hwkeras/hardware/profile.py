"""What is known of a device without having it: every figure with its source, or null with the reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hwkeras.errors import UserError
from hwkeras.hardware.op_sets import OP_SETS

PROFILE_VERSION = 2
KINDS = ("linux", "phone", "microcontroller", "accelerator")
PRECISIONS = ("float32", "float16", "dynamic", "int8")
# What the arithmetic of a precision is done in: float16 files are computed in float32, dynamic ones in int8.
COMPUTED_IN = MappingProxyType({"float32": "float32", "float16": "float32", "dynamic": "int8", "int8": "int8"})

_REQUIRED = ("precisions", "clock_hz", "num_cores", "peak_macs_per_s")
_NULLABLE = (
    "ops", "efficiency", "memory_bandwidth_bytes_per_s", "ram_bytes", "flash_bytes", "l1_bytes", "l2_bytes", "l3_bytes",
    "power_w",
)  # fmt: skip
_BY_DTYPE = ("peak_macs_per_s", "efficiency")
FIGURES = (
    "precisions", "ops", "clock_hz", "num_cores", "peak_macs_per_s", "efficiency", "memory_bandwidth_bytes_per_s",
    "ram_bytes", "flash_bytes", "l1_bytes", "l2_bytes", "l3_bytes", "power_w",
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """One device. A figure that nobody publishes is None, and its source says why.

    Args:
        name: str, by which it is loaded.
        title: str, for people.
        kind: `"linux"`, `"phone"`, `"microcontroller"` or `"accelerator"`.
        precisions: tuple of str, those of `PRECISIONS` that its runtime executes.
        ops: str, a name of `op_sets.OP_SETS`; or tuple of str, the operators its runtime has, by their names in the
            schema; None where it has every builtin one.
        clock_hz: float.
        num_cores: int.
        peak_macs_per_s: mapping of `"float32"` and `"int8"` to float, of one core; None or absent for one that it does
            not compute or nobody has a figure of.
        efficiency: mapping of `"float32"` and `"int8"` to float in (0, 1], the share of the peak that published
            networks reach on one core; None where nobody published a time.
        memory_bandwidth_bytes_per_s: float.
        ram_bytes: int, the largest block that one arena can take.
        flash_bytes: int; None where the model lies on a card, a disk or the host.
        l1_bytes: int, data cache of one core.
        l2_bytes: int, as the source says: of one core or shared.
        l3_bytes: int, shared.
        power_w: float, while it computes.
        sources: mapping of figure to str, where each comes from.
        estimated: tuple of str, the figures that were computed from others, or published for a sibling.

    Raises:
        UserError: a figure that is missing, not positive, or without a source.
    """

    name: str
    title: str
    kind: str
    precisions: tuple[str, ...]
    ops: str | tuple[str, ...] | None
    clock_hz: float
    num_cores: int
    peak_macs_per_s: Mapping[str, float | None]
    efficiency: Mapping[str, float | None] | None
    memory_bandwidth_bytes_per_s: float | None
    ram_bytes: int | None
    flash_bytes: int | None
    l1_bytes: int | None
    l2_bytes: int | None
    l3_bytes: int | None
    power_w: float | None
    sources: Mapping[str, str]
    estimated: tuple[str, ...] = ()

    def __post_init__(self):
        self._check_names()
        for figure in _BY_DTYPE:
            value = getattr(self, figure)
            if value is not None:
                object.__setattr__(self, figure, MappingProxyType(self._by_dtype(figure, value)))
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))
        for figure in FIGURES:
            self._check_figure(figure)

    def __reduce__(self):
        # A mapping proxy cannot be pickled; workers of a search receive the profile through its JSON form.
        return (Profile.from_json, (self.to_json(),))

    def _check_names(self):
        if self.kind not in KINDS:
            raise UserError(f"`kind` of a profile is one of {KINDS}. Received: kind={self.kind!r} in {self.name!r}.")
        if not self.precisions or not set(self.precisions) <= set(PRECISIONS):
            raise UserError(
                f"`precisions` of a profile are some of {PRECISIONS}. "
                f"Received: precisions={self.precisions!r} in {self.name!r}."
            )
        is_name = isinstance(self.ops, str)
        if is_name and self.ops not in OP_SETS or not (is_name or self.ops is None or _are_names(self.ops)):
            raise UserError(
                f"`ops` of a profile is one of {tuple(OP_SETS)}, a list of operators such as 'CONV_2D', or null for "
                f"every builtin one. Received: ops={self.ops!r} in {self.name!r}."
            )

    def _by_dtype(self, figure, value):
        if not isinstance(value, Mapping) or not value or not set(value) <= {"float32", "int8"}:
            raise UserError(
                f"`{figure}` of a profile has 'float32', 'int8' or both. Received: {figure}={value!r} in {self.name!r}."
            )
        return dict(value)

    def _check_figure(self, figure):
        value = getattr(self, figure)
        if not self.sources.get(figure):
            raise UserError(
                f"Every figure of a profile has a source. Received: none for {figure!r} in {self.name!r}. "
                "Say where it comes from, or that it is estimated."
            )
        if figure in ("precisions", "ops"):
            return
        values = list(value.values()) if isinstance(value, Mapping) else [value]
        is_nullable = figure in _NULLABLE or figure in _BY_DTYPE and set(values) != {None}
        if not all(_is_positive(number) or (number is None and is_nullable) for number in values):
            raise UserError(
                f"`{figure}` of a profile must be positive{' or null' if figure in _NULLABLE else ''}. "
                f"Received: {figure}={value!r} in {self.name!r}."
            )
        if figure == "efficiency" and any(number is not None and number > 1 for number in values):
            raise UserError(
                f"`efficiency` of a profile is a share of the peak, at most 1. Received: {dict(value)} in "
                f"{self.name!r}. Raise `peak_macs_per_s`, or divide."
            )

    def runs_op(self, op):
        """Whether the runtime of the device has an operator.

        Args:
            op: str, its name in the schema such as `"CONV_2D"`.

        Returns:
            bool.
        """
        if self.ops is None:
            return not op.startswith("CUSTOM:")
        return op in (OP_SETS[self.ops] if isinstance(self.ops, str) else self.ops)

    def peak(self, precision):
        """The peak that counts for a precision.

        Args:
            precision: str, of `PRECISIONS`.

        Returns:
            float, MACs per second of one core; None where nobody has a figure.
        """
        return self.peak_macs_per_s.get(COMPUTED_IN[precision])

    def published_share(self, precision):
        """The share of the peak that published networks reach.

        Where it was published for the other type of arithmetic alone, that one is taken: a bound for one precision
        beside a calibrated time for another would turn their order around.

        Args:
            precision: str, of `PRECISIONS`.

        Returns:
            Tuple of float, the share, and str, the type it was published for; None where nobody published a time.
        """
        own = COMPUTED_IN[precision]
        for dtype in (own, *sorted({"float32", "int8"} - {own})):
            share = (self.efficiency or {}).get(dtype)
            if share is not None:
                return share, dtype
        return None

    def to_json(self):
        """The profile in the form of its file.

        Returns:
            dict.
        """
        return {
            "version": PROFILE_VERSION,
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "figures": {
                figure: {
                    "value": _plain(getattr(self, figure)),
                    "source": self.sources[figure],
                    "estimated": figure in self.estimated,
                }
                for figure in FIGURES
            },
        }

    @classmethod
    def from_json(cls, data):
        """Reads what a profile's file of this version holds; `load_profile` reads older ones too.

        Args:
            data: dict with `version`, `name`, `title`, `kind` and `figures`; each figure a dict with `value`,
                `source`, `estimated`.

        Returns:
            Profile.

        Raises:
            UserError: another version, a field that is missing or unknown, a figure that cannot be.
        """
        check_keys(data, ("version", "name", "title", "kind", "figures"), "profile")
        if data["version"] != PROFILE_VERSION:
            raise UserError(
                f"`version` of a profile is {PROFILE_VERSION}. Received: version={data['version']!r}. "
                "load_profile reads files of version 1 too."
            )
        figures = data["figures"]
        check_keys(figures, FIGURES, "profile's figures")
        for figure, entry in figures.items():
            check_keys(entry, ("value", "source", "estimated"), f"figure {figure!r}")
        values = {figure: entry["value"] for figure, entry in figures.items()}
        for figure in ("precisions", "ops"):
            values[figure] = tuple(values[figure]) if isinstance(values[figure], list) else values[figure]
        return cls(
            name=data["name"],
            title=data["title"],
            kind=data["kind"],
            sources={figure: entry["source"] for figure, entry in figures.items()},
            estimated=tuple(figure for figure, entry in figures.items() if entry["estimated"]),
            **values,
        )


def check_keys(data, keys, what):
    """Refuses a dict with other keys than these.

    Args:
        data: any value.
        keys: sequence of str.
        what: str, for the message.

    Raises:
        UserError: not a dict, or a key that is missing or unknown.
    """
    if not isinstance(data, dict) or set(data) != set(keys):
        received = sorted(map(str, data)) if isinstance(data, dict) else type(data).__name__
        raise UserError(f"A {what} has exactly {', '.join(keys)}. Received: {received}.")


def _plain(value):
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _are_names(ops):
    return isinstance(ops, tuple) and bool(ops) and all(isinstance(op, str) for op in ops)


def _is_positive(number):
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0
