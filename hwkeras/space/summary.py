"""One line for a person: the layers in order, blocks alike counted."""

from __future__ import annotations

import itertools

_SHORT = {"global_average_pool": "global_pool", "classifier": "dense"}
# Parameters that may change within a run of blocks alike: the first block strides, the others skip.
_VARYING = ("stride", "skip")


def summarize(layers):
    """Writes the layers in one line.

    Args:
        layers: sequence of `Layer`.

    Returns:
        str.
    """
    parts, previous = [], None
    chained = []
    for layer in layers:
        if layer.kind != "input":
            is_chained = layer.inputs == (previous,)
            chained.append((layer, is_chained))
        previous = layer.name
    # A layer that does not follow its predecessor starts a run of its own.
    runs = itertools.accumulate(int(not is_chained) for _, is_chained in chained)
    keyed = [((run, *_alike(layer)), layer) for run, (layer, _) in zip(runs, chained, strict=True)]
    forks = {layer.name for layer, is_chained in chained if not is_chained}
    for _, group in itertools.groupby(keyed, key=lambda item: item[0]):
        parts.append(_block([layer for _, layer in group], forks))
    return " | ".join(parts)


def _alike(layer):
    return (layer.kind, tuple((name, value) for name, value in layer.params.items() if name not in _VARYING))


def _block(layers, forks):
    first = layers[0]
    text = _described(first)
    if any(layer.params.get("skip") for layer in layers):
        text += " skip"
    if first.name in forks:
        text += f" ({'+'.join(first.inputs)})"
    return text if len(layers) == 1 else f"{len(layers)}x {text}"


def _described(layer):
    params = layer.params
    text = _SHORT.get(layer.kind, layer.kind)
    text += str(params.get("filters") or params.get("units") or params.get("classes") or params.get("rate") or "")
    text += _extent(params.get("size"))
    text += f"k{_extent(params['kernel'])}" if "kernel" in params else ""
    text += f"s{_extent(params['stride'])}" if params.get("stride", 1) not in (1, params.get("size")) else ""
    text += f" e{params['expansion']}" if "expansion" in params else ""
    text += " se" if params.get("se") else ""
    text += " no_bn" if params.get("batch_norm") is False else ""
    activation = params.get("activation", "relu")
    return text + (f" {activation}" if activation not in ("relu", "softmax") else "")


def _extent(extent):
    if extent is None:
        return ""
    return "x".join(map(str, extent)) if isinstance(extent, tuple) else str(extent)
