"""The drawing of an architecture: layers as boxes from the input down to the output, branches side by side; one SVG."""

from __future__ import annotations

from html import escape

from hwkeras.report.layered import lay_out
from hwkeras.report.results import metric_text
from hwkeras.space import KINDS
from hwkeras.space import Architecture
from hwkeras.space.cost import layer_costs
from hwkeras.space.cost import least_cost

_MARGIN, _HEAD = 16, 34
_PADDING, _LINE, _STRIP = 10, 16, 5
_LEAST_WIDTH, _MOST_CHARACTERS = 92, 26
# What one character takes, as in `profile_bars`: of the small text, of the kind.
_SMALL, _BOLD = 6.9, 8.3
_WORK = {
    "conv", "separable_conv", "inverted_bottleneck", "fused_inverted_bottleneck", "depthwise_conv", "residual",
    "transposed_conv",
}  # fmt: skip
_ENDS = {"input", "classifier", "pixel_classifier", "regressor"}
# How parameters are said: with their number in front, as rows by columns, in other words; the others by their names.
_AMOUNTS = {"filters": "filter", "units": "unit", "classes": "class", "outputs": "output", "heads": "head"}
_EXTENTS = ("kernel", "size")
_FLAGS = {"se": "squeeze-excite", "skip": "shortcut"}
_SAID_APART = {*_AMOUNTS, "shape", "batch_norm", "activation", "mean", "deviation"}

# Colors of Okabe and Ito, as in the picture of the search.
_STYLE = """
.hwka{--ink:#1f2933;--soft:#52606d;--paper:#ffffff;--edge:#b3bcc6;--line:#7b8794;
--work:#0072b2;--merge:#d55e00;--pass:#9aa5b1;--dense:#009e73;--end:#7b4b94;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
@media (prefers-color-scheme:dark){.hwka{--ink:#e4e7eb;--soft:#9aa5b1;--paper:#161b22;--edge:#3e4c59;--line:#7b8794;
--work:#56b4e9;--merge:#ff9248;--pass:#616e7c;--dense:#3ccf9e;--end:#cc9ce0}}
.hwka text{fill:var(--soft);font-size:12px}.hwka .hwka-kind{fill:var(--ink);font-size:13px;font-weight:600}
.hwka .hwka-frame{fill:var(--paper);stroke:var(--edge);stroke-width:1}
.hwka .hwka-line{fill:none;stroke:var(--line);stroke-width:1.3}
.hwka .work{fill:var(--work)}.hwka .merge{fill:var(--merge)}.hwka .pass{fill:var(--pass)}
.hwka .dense{fill:var(--dense)}.hwka .end{fill:var(--end)}
""".strip()


def architecture_svg(architecture, *, title=""):
    """Draws the layers of an architecture, each with its parameters, its output shape and its cost.

    The costs are those of `space.cost`: multiply-accumulates, and the weights of kernels; batch normalizations are
    taken as folded, biases are not counted. The drawing is as large as it needs to be: a page lets it be scrolled. A
    browser or Inkscape makes a PNG of it; nothing here does.

    Args:
        architecture: `space.Architecture`, or the dict its `to_json` gives.
        title: str, such as the name of the candidate. Defaults to `""`.

    Returns:
        str, one `<svg>` element that is valid XML, with its own style for light and dark pages.

    Raises:
        UserError: a dict that is no architecture.
    """
    if not isinstance(architecture, Architecture):
        architecture = Architecture.from_json(architecture)
    shapes, costs = architecture.output_shapes(), layer_costs(architecture)
    texts = {layer.name: _texts(layer, shapes[layer.name], costs[layer.name]) for layer in architecture.layers}
    edges = [(source, layer.name) for layer in architecture.layers for source in layer.inputs]
    layout = lay_out({name: _size(lines) for name, lines in texts.items()}, edges)
    head = _head(architecture, title)
    parts = [_path(edge, points) for edge, points in layout.lines.items()]
    for layer in architecture.layers:
        color = _color(layer, has_weights=costs[layer.name][1] > 0)
        parts.append(_box(layer, layout.boxes[layer.name], texts[layer.name], color))
    width = max(layout.width, _SMALL * len(head)) + 2 * _MARGIN
    height = layout.height + _HEAD + _MARGIN
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hwka" role="img" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}">\n<title>{escape(head)}</title>\n'
        f"<desc>{escape(_told(architecture))}</desc>\n<style>{_STYLE}</style>\n"
        f'<text x="{_MARGIN}" y="20">{escape(head)}</text>\n'
        f'<g transform="translate({_MARGIN} {_HEAD})">\n{body}\n</g>\n</svg>'
    )


def _head(architecture, title):
    cost, number = least_cost(architecture), len(architecture.layers)
    told = f"{number} layers, {metric_text('macs', cost.macs)} MACs, {metric_text('params', cost.params)} weights"
    return f"{title}: {told}" if title else told


def _told(architecture):
    shapes = f"From {_shape(architecture.input_shape)} to {_shape(architecture.output_shape)}"
    return f"{shapes}: {architecture.summary()}."


def _texts(layer, shape, cost):
    """The kind, then lines of what is to be known of a layer."""
    macs, weights = (metric_text(name, value) for name, value in zip(("macs", "params"), cost, strict=True))
    lines = [layer.kind.replace("_", " "), *_wrapped(_said(layer, len(shape))), _shape(shape)]
    return [*lines, f"{macs} MACs, {weights} weights"] if any(cost) else lines


def _said(layer, rank):
    """The parameters in words, those left out that are as usual or show in the shape."""
    params, parameters = layer.params, KINDS[layer.kind].parameters
    words = [f"{params[name]} {one if params[name] == 1 else name}" for name, one in _AMOUNTS.items() if name in params]
    is_image = rank == 3
    words += [_square(params[name]) for name in _EXTENTS if is_image and name in params]
    for name in parameters:
        value = params[name]
        is_usual = value == parameters[name].default or (name == "stride" and value == params.get("size"))
        if name in _FLAGS:
            words += [_FLAGS[name]] if value else []
        elif name not in _SAID_APART and not (is_image and name in _EXTENTS) and not is_usual:
            words.append(f"{name.replace('_', ' ')} {_square(value) if isinstance(value, tuple) else value}")
    if params.get("batch_norm") is False:
        words.append("no batch norm")
    return words + [params["activation"]] if params.get("activation", "linear") != "linear" else words


def _square(extent):
    """One number is of both directions."""
    return "x".join(map(str, extent if isinstance(extent, tuple) else (extent, extent)))


def _shape(shape):
    return " x ".join(map(str, shape))


def _wrapped(words):
    lines = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= _MOST_CHARACTERS:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return lines


def _size(lines):
    text = max(_BOLD * len(lines[0]), *(_SMALL * len(line) for line in lines[1:]))
    return max(_LEAST_WIDTH, text + 2 * _PADDING + _STRIP), _LINE * len(lines) + _PADDING


def _color(layer, has_weights):
    if layer.kind in _WORK:
        return "work"
    if layer.kind in _ENDS:
        return "end"
    if len(layer.inputs) > 1:
        return "merge"
    return "dense" if has_weights else "pass"


def _box(layer, box, lines, color):
    width, height = box.right - box.left, box.bottom - box.top
    values = ", ".join(f"{name}={value}" for name, value in layer.params.items())
    rows = "".join(
        f'<text class="{"hwka-note" if number else "hwka-kind"}" x="{_PADDING + _STRIP}" y="{_LINE * (number + 1)}">'
        f"{escape(line)}</text>"
        for number, line in enumerate(lines)
    )
    return (
        f'<g class="hwka-layer" data-layer="{escape(layer.name)}" transform="translate({box.left:.1f} {box.top:.1f})">'
        f"<title>{escape(f'{layer.name}: {layer.kind} {values}'.strip())}</title>"
        f'<rect class="hwka-frame" width="{width:.1f}" height="{height:.1f}" rx="5"/>'
        f'<rect class="{color}" width="{_STRIP}" height="{height:.1f}" rx="2"/>{rows}</g>'
    )


def _path(edge, points):
    """Upright through the rows, a curve from one row to the next."""
    (x, y), *rest = points
    path, at = f"M{x:.1f} {y:.1f}", y
    for number, (to_x, to_y) in enumerate(rest):
        middle = (at + to_y) / 2
        is_upright = number % 2 == 0 or to_x == x
        path += f"V{to_y:.1f}" if is_upright else f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        x, at = to_x, to_y
    source, target = map(escape, edge)
    return f'<path class="hwka-line" data-from="{source}" data-to="{target}" d="{path}"/>'
