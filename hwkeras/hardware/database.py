"""The profiles that come along, one JSON file a device, and those of a user's own files."""

from __future__ import annotations

import copy
import json
import os
import pathlib

from hwkeras.errors import UserError
from hwkeras.hardware.profile import FIGURES
from hwkeras.hardware.profile import PROFILE_VERSION
from hwkeras.hardware.profile import Profile
from hwkeras.hardware.profile import check_keys

_FOLDER = pathlib.Path(__file__).resolve().parent / "profiles"
_SINCE_VERSION_2 = ("precisions", "ops", "efficiency", "l1_bytes", "l2_bytes", "l3_bytes")
_OF_VERSION_1 = tuple(figure for figure in FIGURES if figure not in _SINCE_VERSION_2)


def profile_names():
    """The devices of the database.

    Returns:
        tuple of str, sorted.
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def load_profile(name_or_path):
    """A profile of the database, or of a file of the user's.

    A user's file holds what `Profile.to_json` gives. Or it starts from a profile of the database and tells what is
    different: `{"version": 2, "name": "my_board", "base": "stm32f746", "figures": {"flash_bytes": {"value": 16777216,
    "source": "external QSPI", "estimated": false}}}`. Files of version 1 are read too; what they do not tell is null.

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
        path = _path_of(name_or_path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"A profile's file must be readable. Received: {os.fspath(path)!r} ({error.strerror})."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"A profile's file holds JSON. Received: {os.fspath(path)!r}: {error}.") from error
    if isinstance(data, dict) and "base" in data:
        data = _on_base(data)
    elif isinstance(data, dict) and data.get("version") == 1:
        data = _upgraded(data)
    return Profile.from_json(data)


def _path_of(name):
    if name not in profile_names():
        raise UserError(
            f"A profile is one of {', '.join(profile_names())}, or the path of a .json file. Received: {name!r}."
        )
    return _FOLDER / f"{name}.json"


def _on_base(data):
    """A file that tells only what differs from a profile of the database."""
    known = ("version", "name", "base", "title", "figures")
    unknown = sorted(set(data) - set(known))
    if unknown or "name" not in data or data.get("version") != PROFILE_VERSION:
        raise UserError(
            f"A profile with a base has version={PROFILE_VERSION}, a name, and perhaps {', '.join(known[3:])}. "
            f"Received: {sorted(data)} with version={data.get('version')!r}."
        )
    base = load_profile(_path_of(data["base"])).to_json()
    figures = data.get("figures", {})
    if not isinstance(figures, dict) or not set(figures) <= set(FIGURES):
        raise UserError(f"The figures of a profile are {', '.join(FIGURES)}. Received: {sorted(figures)}.")
    merged = {**base, "name": data["name"], "title": data.get("title", data["name"])}
    return {**merged, "figures": {**base["figures"], **figures}}


def _upgraded(data):
    check_keys(data, ("version", "name", "title", "kind", "precisions", "figures"), "profile of version 1")
    check_keys(data["figures"], _OF_VERSION_1, "profile's figures of version 1")
    figures = copy.deepcopy(data["figures"])
    for figure in _SINCE_VERSION_2:
        figures[figure] = {"value": None, "source": "Not told by a file of version 1.", "estimated": False}
    figures["precisions"]["value"] = data["precisions"]
    return {"version": PROFILE_VERSION, **{key: data[key] for key in ("name", "title", "kind")}, "figures": figures}
