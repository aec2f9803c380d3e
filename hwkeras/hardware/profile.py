"""What is known of a device without having it: one JSON file each, with the source of every figure."""

from __future__ import annotations

import json
import math
import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hwkeras.errors import UserError

PROFILE_VERSION = 1
KINDS = ("linux", "microcontroller")
PRECISIONS = ("float32", "float16", "dynamic", "int8")
_FOLDER = pathlib.Path(__file__).resolve().parent / "profiles"
_REQUIRED = (
    "clock_hz", "num_cores", "peak_macs_per_s", "memory_bandwidth_bytes_per_s", "ram_bytes",
)  # fmt: skip
_NULLABLE = ("flash_bytes", "power_w")


@dataclass(frozen=True)
class Profile:
    """One device.

    Args:
        name: str, by which it is loaded.
        title: str, for people.
        kind: `"linux"` or `"microcontroller"`.
        precisions: tuple of str, those of `PRECISIONS` that its runtime executes.
        clock_hz: float.
        num_cores: int.
        peak_macs_per_s: mapping of `"float32"` and `"int8"` to float, of one core.
        memory_bandwidth_bytes_per_s: float.
        ram_bytes: int, the largest block that one arena can take.
        flash_bytes: int; None where it is a card or a disk.
        power_w: float, while it computes; None where unknown.
        sources: mapping of figure to str, where each comes from.
        estimated: tuple of str, the figures that nobody measured or published for this device.

    Raises:
        UserError: a figure that is missing, not positive, or without a source.
    """

    name: str
    title: str
    kind: str
    precisions: tuple[str, ...]
    clock_hz: float
    num_cores: int
    peak_macs_per_s: Mapping[str, float]
    memory_bandwidth_bytes_per_s: float
    ram_bytes: int
    flash_bytes: int | None
    power_w: float | None
    sources: Mapping[str, str]
    estimated: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "peak_macs_per_s", MappingProxyType(dict(self.peak_macs_per_s)))
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))
        if self.kind not in KINDS:
            raise UserError(f"`kind` of a profile is one of {KINDS}. Received: kind={self.kind!r} in {self.name!r}.")
        if not self.precisions or not set(self.precisions) <= set(PRECISIONS):
            raise UserError(
                f"`precisions` of a profile are some of {PRECISIONS}. "
                f"Received: precisions={self.precisions!r} in {self.name!r}."
            )
        if set(self.peak_macs_per_s) != {"float32", "int8"}:
            raise UserError(
                "`peak_macs_per_s` of a profile has 'float32' and 'int8'. "
                f"Received: {sorted(self.peak_macs_per_s)} in {self.name!r}."
            )
        for figure in (*_REQUIRED, *_NULLABLE):
            self._check_figure(figure)

    def __reduce__(self):
        # A mapping proxy cannot be pickled; workers of a search receive the profile through its JSON form.
        return (Profile.from_json, (self.to_json(),))

    def _check_figure(self, figure):
        value = getattr(self, figure)
        values = list(value.values()) if isinstance(value, Mapping) else [value]
        if not all(_is_positive(number) or (number is None and figure in _NULLABLE) for number in values):
            raise UserError(
                f"`{figure}` of a profile must be positive{' or null' if figure in _NULLABLE else ''}. "
                f"Received: {figure}={value!r} in {self.name!r}."
            )
        if not self.sources.get(figure):
            raise UserError(
                f"Every figure of a profile has a source. Received: none for {figure!r} in {self.name!r}. "
                "Say where it comes from, or that it is estimated."
            )

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
            "precisions": list(self.precisions),
            "figures": {
                figure: {
                    "value": dict(self.peak_macs_per_s) if figure == "peak_macs_per_s" else getattr(self, figure),
                    "source": self.sources[figure],
                    "estimated": figure in self.estimated,
                }
                for figure in (*_REQUIRED, *_NULLABLE)
            },
        }

    @classmethod
    def from_json(cls, data):
        """Reads what a profile's file holds.

        Args:
            data: dict with `version`, `name`, `title`, `kind`, `precisions` and `figures`; each figure a dict with
                `value`, `source`, `estimated`.

        Returns:
            Profile.

        Raises:
            UserError: another version, a field that is missing or unknown, a figure that cannot be.
        """
        _check_keys(data, ("version", "name", "title", "kind", "precisions", "figures"), "profile")
        if data["version"] != PROFILE_VERSION:
            raise UserError(f"`version` of a profile is {PROFILE_VERSION}. Received: version={data['version']!r}.")
        figures = data["figures"]
        _check_keys(figures, (*_REQUIRED, *_NULLABLE), "profile's figures")
        for figure, entry in figures.items():
            _check_keys(entry, ("value", "source", "estimated"), f"figure {figure!r}")
        if not isinstance(figures["peak_macs_per_s"]["value"], dict):
            raise UserError(
                "`peak_macs_per_s` of a profile has 'float32' and 'int8'. "
                f"Received: {figures['peak_macs_per_s']['value']!r} in {data['name']!r}."
            )
        return cls(
            name=data["name"],
            title=data["title"],
            kind=data["kind"],
            precisions=tuple(data["precisions"]),
            sources={figure: entry["source"] for figure, entry in figures.items()},
            estimated=tuple(figure for figure, entry in figures.items() if entry["estimated"]),
            **{figure: entry["value"] for figure, entry in figures.items()},
        )


def profile_names():
    """The devices of the database.

    Returns:
        tuple of str, sorted.
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def load_profile(name_or_path):
    """A profile of the database, or of a file of the user's.

    Args:
        name_or_path: str, one of `profile_names()`; or the path of a JSON file, as `os.PathLike` or as a str that ends
            in `.json`.

    Returns:
        Profile.

    Raises:
        UserError: an unknown name, no such file, or a file that is not a profile.
    """
    path = pathlib.Path(name_or_path)
    if not isinstance(name_or_path, os.PathLike) and path.suffix != ".json":
        if name_or_path not in profile_names():
            raise UserError(
                f"A profile is one of {', '.join(profile_names())}, or the path of a .json file. "
                f"Received: {name_or_path!r}."
            )
        path = _FOLDER / f"{name_or_path}.json"
    try:
        return Profile.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(
            f"A profile's file must be readable. Received: {os.fspath(path)!r} ({error.strerror})."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"A profile's file holds JSON. Received: {os.fspath(path)!r}: {error}.") from error


def _is_positive(number):
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0


def _check_keys(data, keys, what):
    if not isinstance(data, dict) or set(data) != set(keys):
        received = sorted(map(str, data)) if isinstance(data, dict) else type(data).__name__
        raise UserError(f"A {what} has exactly {', '.join(keys)}. Received: {received}.")
