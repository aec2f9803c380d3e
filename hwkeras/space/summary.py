"""One line for a person: the layers in order, blocks alike counted."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from dataclasses import replace

_SHORT = {"global_average_pool": "global_pool", "classifier": "dense", "regressor": "dense"}
# Parameters that may change within a run of blocks alike: the first block strides, the others skip.
_VARYING = ("stride", "skip")
_MOST_CHARACTERS = 800
# Parameter -> what stands in front of its value, where it is not 0.
_PREFIXES = {"projection": "to", "heads": "h", "ffn": "f"}


@dataclass(frozen=True)
class _Piece:
    """A layer, or branches with what merges them; `key` is equal for pieces that differ in stride or shortcut alone."""

    name: str
    inputs: tuple
    key: tuple
    text: str
    skips: bool


def summarize(layers):
    """Writes the layers in one line; of a network whose line would be very long, those in the middle are counted.

    Args:
        layers: sequence of `Layer`.

    Returns:
        str.
    """
    num_users = Counter(name for layer in layers for name in layer.inputs)
    pieces = {}
    for layer in layers:
        piece = _merged(layer, pieces, num_users) or _single(layer)
        pieces[piece.name] = piece
    first, *pieces = pieces.values()
    # A piece that does not follow its predecessor starts a run of its own.
    previous, number, runs = first.name, 0, []
    for piece in pieces:
        if piece.inputs != (previous,):
            piece = replace(piece, text=f"{piece.text} of {'+'.join(piece.inputs)}")
            number += 1
        runs.append((number, piece))
        previous = piece.name
    groups = itertools.groupby(runs, key=lambda item: (item[0], item[1].key))
    return _shortened([_run([piece for _, piece in group]) for _, group in groups])


def _shortened(texts):
    """All, or of very many the first and the last ones."""
    told = " | ".join(texts)
    first, last = _fitting(texts), _fitting(texts[:0:-1])[::-1]
    num_more = len(texts) - len(first) - len(last)
    if len(told) <= _MOST_CHARACTERS or num_more < 1:
        return told
    return " | ".join([*first, f"{num_more} more", *last])


def _fitting(texts):
    """As many from the front as take a half of the room, one at least."""
    ends = itertools.accumulate(len(text) + 3 for text in texts)
    return texts[: max(1, sum(end <= _MOST_CHARACTERS // 2 for end in ends))]


def _single(layer):
    varying = tuple((name, value) for name, value in layer.params.items() if name not in _VARYING)
    return _Piece(layer.name, layer.inputs, (layer.kind, varying), _described(layer), layer.params.get("skip", False))


def _merged(layer, pieces, num_users):
    """Takes a merge's branches out of `pieces` and returns them as one piece, where they start at one layer."""
    branches = [pieces[name] for name in layer.inputs if num_users[name] == 1]
    sources = {branch.inputs for branch in branches}
    if layer.kind == "add" and len(branches) == 1 and sources == {layer.inputs[:1]}:
        piece = replace(branches[0], name=layer.name, skips=True)
    elif layer.kind in ("add", "concat") and len(branches) == len(layer.inputs) and len(sources) == 1:
        text = f"{layer.kind}({', '.join(_run([branch]) for branch in branches)})"
        key = (layer.kind, *(branch.key for branch in branches))
        piece = _Piece(layer.name, branches[0].inputs, key, text, False)
    else:
        return None
    for branch in branches:
        del pieces[branch.name]
    return piece


def _run(pieces):
    text = pieces[0].text + (" skip" if any(piece.skips for piece in pieces) else "")
    return text if len(pieces) == 1 else f"{len(pieces)}x {text}"


def _described(layer):
    params = layer.params
    text = _SHORT.get(layer.kind, layer.kind)
    sizes = (params.get(name) for name in ("filters", "units", "classes", "outputs", "rate"))
    text += str(next(filter(None, sizes), ""))
    text += _extent(params.get("size"))
    text += f"k{_extent(params['kernel'])}" if "kernel" in params else ""
    text += f"s{_extent(params['stride'])}" if params.get("stride", 1) not in (1, params.get("size")) else ""
    text += f" e{params['expansion']}" if "expansion" in params else ""
    text += "".join(f" {prefix}{params[name]}" for name, prefix in _PREFIXES.items() if params.get(name))
    text += f" x{params['factor']}" if params.get("factor", 1) > 1 else ""
    text += " bilinear" if params.get("interpolation") == "bilinear" else ""
    text += " layer_norm" if params.get("normalization") == "layer" else ""
    text += " se" if params.get("se") else ""
    text += " no_bn" if params.get("batch_norm") is False else ""
    activation = params.get("activation", "relu")
    return text + (f" {activation}" if activation not in ("relu", "softmax") else "")


def _extent(extent):
    if extent is None:
        return ""
    return "x".join(map(str, extent)) if isinstance(extent, tuple) else str(extent)
