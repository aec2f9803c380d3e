"""The user's list of devices: several of a kind under one key."""

from __future__ import annotations

import json
import os
import pathlib

from hwkeras.errors import UserError

LIST_VERSION = 1
_VARIABLE = "HWKERAS_DEVICES"
_EXAMPLE = '{"version": 1, "devices": {"rpi4": ["ssh://pi@10.0.0.7", "ssh://pi@10.0.0.8"]}}'
# Names with a meaning of their own, which a key would hide.
_TAKEN = ("local", "fake")


def device_list_path():
    """Where the list of devices is read from.

    Returns:
        pathlib.Path: `$HWKERAS_DEVICES`, else `~/.config/hwkeras/devices.json`.
    """
    named = os.environ.get(_VARIABLE)
    return pathlib.Path(named) if named else pathlib.Path.home() / ".config" / "hwkeras" / "devices.json"


def read_device_list(path=None):
    """Reads which devices stand under which key.

    ```json
    {"version": 1, "devices": {"rpi4": ["ssh://pi@10.0.0.7", "ssh://pi@10.0.0.8"], "pixel": ["adb://0123456789"]}}
    ```

    Args:
        path: str or PathLike. Defaults to `None`, which is `device_list_path()`.

    Returns:
        dict of key to tuple of device names, in their order; empty where the user has no list at the usual place.

    Raises:
        UserError: a list that was asked for is absent, cannot be read, or is not of the form above.
    """
    asked_for = path is not None or bool(os.environ.get(_VARIABLE))
    path = device_list_path() if path is None else pathlib.Path(path)
    if not path.exists() and not asked_for:
        return {}
    document = _load(path)
    if not isinstance(document, dict) or set(document) != {"version", "devices"}:
        raise UserError(
            f"A device list is an object with `version` and `devices`. Received: {path} with "
            f"{_what(document)}. An example: {_EXAMPLE}"
        )
    if document["version"] != LIST_VERSION or isinstance(document["version"], bool):
        raise UserError(
            f"The `version` of a device list must be {LIST_VERSION}. Received: {path} with "
            f"version={document['version']!r}."
        )
    if not isinstance(document["devices"], dict):
        raise UserError(
            f"The `devices` of a device list map a key to names. Received: {path} with "
            f"{_what(document['devices'])}. An example: {_EXAMPLE}"
        )
    return {_checked_key(path, key): _checked_names(path, key, names) for key, names in document["devices"].items()}


def _load(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise UserError(
            f"The device list must be readable. Received: {path} ({error.strerror}). Write it, for example "
            f"{_EXAMPLE}, or unset {_VARIABLE}."
        ) from error
    except UserError as error:
        raise UserError(f"{error} Received: {path}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"A device list is a JSON file. Received: {path} ({error}). An example: {_EXAMPLE}") from error


def _without_repeats(pairs):
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"Each name may stand once in a device list, {name!r} stands {names.count(name)} times.")
    return dict(pairs)


def _checked_key(path, key):
    if key in _TAKEN or "://" in key or not key.strip():
        raise UserError(
            f"A key of a device list is a name such as 'rpi4', not one of {', '.join(map(repr, _TAKEN))} and no "
            f"address. Received: {path} with key {key!r}."
        )
    return key


def _checked_names(path, key, names):
    is_list = isinstance(names, list) and names and all(isinstance(name, str) and name.strip() for name in names)
    if not is_list or len(set(names)) != len(names):
        raise UserError(
            "A key of a device list stands for at least one device, each named once. "
            f"Received: {path} with {key!r}: {json.dumps(names)}. An example: {_EXAMPLE}"
        )
    if key in names:
        raise UserError(
            f"A key of a device list stands for devices, not for itself. Received: {path} with {key!r}: "
            f"{json.dumps(names)}."
        )
    return tuple(names)


def _what(value):
    return f"the fields {', '.join(map(repr, value))}" if isinstance(value, dict) else f"a {type(value).__name__}"
