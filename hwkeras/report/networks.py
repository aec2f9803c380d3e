"""The networks of a run's front, from the manifests of their bundles."""

from __future__ import annotations

import pathlib

from hwkeras.errors import UserError
from hwkeras.export.manifest import MANIFEST_NAME
from hwkeras.export.manifest import read_manifest
from hwkeras.report.results import identity
from hwkeras.report.results import is_best
from hwkeras.space import Architecture


def front_networks(results, directory):
    """Reads the architectures of the front, the chosen candidate's first.

    Args:
        results: dict, the result document, with files relative to `directory`.
        directory: path of the run directory.

    Returns:
        dict of identity (trial, precision) to `space.Architecture`. A candidate is missing whose bundle is not there or
        cannot be read, or whose space is somebody else's: there is no architecture then.
    """
    members = sorted(results.get("front", ()), key=lambda member: not is_best(results, member))
    found = {}
    for member in members:
        architecture = _architecture((pathlib.Path(directory) / str(member.get("file", ""))).parent)
        if architecture is not None:
            found[identity(member)] = architecture
    return found


def _architecture(bundle):
    if not (bundle / MANIFEST_NAME).is_file():
        return None
    try:
        document = read_manifest(bundle)["architecture"]
        return Architecture.from_json(document) if document is not None else None
    except (UserError, KeyError, TypeError):
        return None
