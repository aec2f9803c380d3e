"""A space by its name on the command line: one of ours, or Python code of the user's."""

from __future__ import annotations

import importlib
import importlib.util
import pathlib

from hwkeras.errors import UserError

# Name -> the kind of data it is for.
DATA_KINDS = {
    "image": "image",
    "cells": "image",
    "nasnet": "image",
    "segmentation": "masks",
    "sequence": "sequence",
    "audio": "audio",
    "audio_streaming": "audio",
    "text": "text",
    "tabular": "table",
    "two_tower": "interactions",
}
# Kind of data -> the space that is searched where none is named.
_USUAL = {
    "image": "image",
    "masks": "segmentation",
    "sequence": "sequence",
    "audio": "audio",
    "text": "text",
    "table": "tabular",
    "interactions": "two_tower",
}
_TRANSFER = "transfer:"


def agree_on_kind(data, kind, space):
    """Settles what the data are and which space is searched for them: what was asked for, else what fits the data.

    Args:
        data: str, as `hwkeras.data.load_dataset` takes it.
        kind: str or None, the kind that was asked for.
        space: str or None, the name of the space that was asked for.

    Returns:
        tuple of str: the kind, the name of the space, and what to tell of what was recognized; none of images.

    Raises:
        UserError: an unknown kind, or one the space does not take.
        DataError: data whose kind nothing tells.
    """
    from hwkeras.data import KINDS
    from hwkeras.data import kind_of

    of_space = DATA_KINDS.get(space)
    if kind is not None and of_space is not None and kind != of_space:
        raise UserError(
            f"The kind of the data must be the space's. Received: --kind {kind} --space {space}, which takes "
            f"{of_space}. Leave --kind away."
        )
    if kind is not None and kind not in KINDS:
        raise UserError(f"`--kind` is one of {', '.join(KINDS)}. Received: --kind {kind}.")
    known = kind or of_space
    kind = known or kind_of(data)
    space = space or _USUAL[kind]
    is_worth_telling = known is None and kind != "image"
    return kind, space, f"Read as --kind {kind}, searched as --space {space}." if is_worth_telling else ""


def open_space(name, dataset):
    """Makes a space for a data set.

    Args:
        name: str, a key of `DATA_KINDS`, a network of `hwkeras.space.NAMED_NETWORKS`, `transfer:BACKBONE[@WEIGHTS]` of
            a file or a name of `keras.applications`, or as for `load_space`.
        dataset: `hwkeras.data.Dataset`.

    Returns:
        what `HardwareTuner` takes.

    Raises:
        UserError: there is no such space, or no such backbone.
    """
    from hwkeras.build import spaces
    from hwkeras.space import NAMED_NETWORKS

    shape, num_classes = dataset.input_shape, dataset.num_classes
    if name in NAMED_NETWORKS:
        return spaces.Named(name, shape, num_classes)
    if name.startswith(_TRANSFER):
        backbone, weights = _backbone(name.removeprefix(_TRANSFER))
        return spaces.Transfer(backbone, shape, num_classes, weights=weights)
    if name == "text":
        return spaces.Text.of(dataset)
    if name == "two_tower":
        return spaces.TwoTower.of(dataset)
    if name in ("audio", "audio_streaming"):
        return spaces.Audio.of(dataset, streaming=name == "audio_streaming")
    ours = {
        "image": spaces.Image,
        "cells": spaces.Cells,
        "nasnet": spaces.Nasnet,
        "segmentation": spaces.Segmentation,
        "sequence": spaces.Sequence,
        "tabular": spaces.Tabular,
    }
    return ours[name](shape, num_classes) if name in ours else load_space(name)


def _backbone(source):
    """The backbone and its weights; a path may hold the mark between them."""
    if pathlib.Path(source).exists():
        return source, None
    backbone, _, weights = source.partition("@")
    return backbone, weights or None


def load_space(name):
    """Imports a space of the user's.

    Args:
        name: str, `FILE.py:NAME` or `MODULE:NAME`.

    Returns:
        what the name stands for.

    Raises:
        UserError: another form, code that cannot be imported, or no such name in it.
    """
    from hwkeras.space import NAMED_NETWORKS

    source, colon, attribute = name.rpartition(":")
    if not colon:
        raise UserError(
            f"`--space` is one of {', '.join([*DATA_KINDS, *NAMED_NETWORKS])}, transfer:BACKBONE, or your own as "
            f"FILE.py:NAME or MODULE:NAME. Received: --space {name}."
        )
    found = getattr(_import(source, name), attribute, None)
    if found is None:
        raise UserError(
            f"`--space` must name something that exists. Received: --space {name}; {source} has no {attribute!r}."
        )
    return found


def _import(source, name):
    path = pathlib.Path(source)
    try:
        if path.suffix != ".py":
            return importlib.import_module(source)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except (ImportError, FileNotFoundError, SyntaxError) as error:
        raise UserError(
            f"`--space` must name Python code that can be imported. Received: --space {name} ({error})."
        ) from error
