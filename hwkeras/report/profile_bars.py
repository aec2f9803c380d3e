"""Where the time of a model goes: bars for each type of operator and each layer, as one SVG and as text."""

from __future__ import annotations

import math
from html import escape

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwkeras.units import format_quantity

WIDTH = 760
_MARGIN, _ROW, _BAR = 20, 24, 15
_TOP, _PANEL_GAP, _TITLE = 50, 20, 30
# What one character of a label takes, and the columns of numbers at the end of a bar.
_SMALL, _CAPITAL, _TIME, _SHARE = 7.6, 9.6, 86, 56
_MOST_LABEL = 30

_STYLE = """
.hwkp{--ink:#1f2933;--soft:#616e7c;--track:#eef1f4;--op:#0072b2;--layer:#009e73;--rest:#9aa5b1;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
@media (prefers-color-scheme:dark){.hwkp{--ink:#e4e7eb;--soft:#9aa5b1;--track:#232c37;--op:#56b4e9;--layer:#3ccf9e;
--rest:#616e7c}}
.hwkp text{fill:var(--ink);font-size:13px}.hwkp .hwkp-title{font-weight:600}
.hwkp .hwkp-soft{fill:var(--soft);font-size:12px}.hwkp .hwkp-track{fill:var(--track)}
.hwkp .hwkp-op{fill:var(--op)}.hwkp .hwkp-layer{fill:var(--layer)}.hwkp .hwkp-rest{fill:var(--rest)}
""".strip()


def profile_svg(profile, title="", top=12):
    """Draws the share of time of each type of operator and of each layer.

    Args:
        profile: dict, what `Profile.to_json` gives.
        title: str, such as the name of the file. Defaults to `""`.
        top: int, the most bars of a panel; what is beyond them is one bar more. Defaults to `12`.

    Returns:
        str, one `<svg>` element that is valid XML, with its own style for light and dark pages.
    """
    panels = [
        ("Time by operator", "hwkp-op", _rows(profile["by_op"], top)),
        ("Time by layer", "hwkp-layer", _rows(profile["by_layer"], top)),
    ]
    label_width = max([60.0, *(_text_width(_short(name)) for _, _, rows in panels for name, _ in rows)])
    parts, at = [], _TOP
    for heading, kind, rows in panels:
        parts.append(f'<text class="hwkp-title" x="{_MARGIN}" y="{at + 13}">{heading}</text>')
        at += _TITLE
        for name, share in rows:
            parts.append(_bar(name, share, kind, at, label_width))
            at += _ROW
        at += _PANEL_GAP
    head = _head(profile, title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hwkp" role="img" viewBox="0 0 {WIDTH} {at}" '
        f'aria-label="{escape(head)}">\n<style>{_STYLE}</style>\n'
        f'<text class="hwkp-soft" x="{_MARGIN}" y="26">{escape(head)}</text>\n' + "\n".join(parts) + "\n</svg>"
    )


def _head(profile, title):
    latency, total = (format_quantity(profile[key], "ms") for key in ("latency_ms", "total_ms"))
    threads = "1 thread" if profile["num_threads"] == 1 else f"{profile['num_threads']} threads"
    told = f"latency {latency}, operators {total} ({profile['coverage']:.0%}), {threads}"
    return f"{_short(title)}: {told}" if title else told[0].upper() + told[1:]


def _rows(shares, top):
    """Pairs of name and share; the name of the last stands for all that do not fit."""
    rows, rest = [(share["name"], share) for share in shares[:top]], shares[top:]
    if rest:
        sums = {key: sum(share[key] for share in rest) for key in ("time_ms", "share")}
        rows.append((f"{len(rest)} others", {**sums, "is_rest": True}))
    return rows


def _bar(name, share, kind, at, label_width):
    left, right = _MARGIN + label_width + 8, WIDTH - _MARGIN
    room = right - _TIME - _SHARE - left
    length = room * min(1.0, max(0.0, share["share"]))
    baseline, kind = at + _BAR - 3, "hwkp-rest" if share.get("is_rest") else kind
    time, part = _numbers(share)
    return (
        f"<g><title>{escape(name)}\n{time}, {part}</title>"
        f'<text x="{left - 8:.1f}" y="{baseline}" text-anchor="end">{escape(_short(name))}</text>'
        f'<rect class="hwkp-track" x="{left:.1f}" y="{at}" width="{room:.1f}" height="{_BAR}" rx="2"/>'
        f'<rect class="{kind}" x="{left:.1f}" y="{at}" width="{length:.1f}" height="{_BAR}" rx="2"/>'
        f'<text class="hwkp-soft" x="{right - _SHARE}" y="{baseline}" text-anchor="end">{time}</text>'
        f'<text class="hwkp-soft" x="{right}" y="{baseline}" text-anchor="end">{part}</text></g>'
    )


def _numbers(entry):
    """Time and share, for a column each: microseconds to a tenth, since nothing here is known to less."""
    return f"{1e3 * entry['time_ms']:,.1f} \N{MICRO SIGN}s", f"{entry['share']:.1%}"


def _text_width(text):
    return sum(_CAPITAL if character.isupper() else _SMALL for character in text)


def _short(name):
    """A long name by its end, where layers of one model differ."""
    return name if len(name) <= _MOST_LABEL else f"\N{HORIZONTAL ELLIPSIS}{name[1 - _MOST_LABEL :]}"


def print_profile(profile, top=10, console=None):
    """Prints the slowest operators, the sums by type and by layer, and what to know about them.

    Args:
        profile: dict, what `Profile.to_json` gives.
        top: int, the most lines of each table. Defaults to `10`.
        console: `rich.console.Console`. Defaults to `None`, standard output.
    """
    console = console or Console()
    slowest = sorted(profile["ops"], key=lambda op: -op["time_ms"])
    console.print(_ops_table(slowest[:top]))
    for heading, shares in (("Operator", profile["by_op"]), ("Layer", profile["by_layer"])):
        console.print()
        console.print(_shares_table(heading, _rows(shares, top)))
    console.print()
    said = f"{_head(profile, '')}, by {profile['method']} on {profile['device']}. {profile['message']}"
    console.print(Text(said.strip()))


def _ops_table(ops):
    table = _table(("#", "right"), ("Time", "right"), ("Share", "right"), ("Operator", "left"), ("Layer", "left"))
    for op in ops:
        name = op["op"] if op["op"] != "unknown" or not op["kernel"] else op["kernel"]
        cells = (str(op["index"]), *_numbers(op), name, op["layer"] or op["tensor"] or "-")
        table.add_row(*map(Text, cells))
    return table


def _shares_table(heading, rows):
    table = _table((heading, "left"), ("Time", "right"), ("Share", "right"), ("", "left"))
    for name, share in rows:
        bar = "\N{FULL BLOCK}" * math.ceil(20 * share["share"] - 0.5)
        table.add_row(*map(Text, (name, *_numbers(share), bar)))
    return table


def _table(*columns):
    # NOTE: every cell is a Text, because a name such as "[red]" in a plain str would be read as markup.
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, justify in columns:
        table.add_column(Text(name), justify=justify, no_wrap=True, overflow="ellipsis")
    return table
