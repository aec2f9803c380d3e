"""What a comparison of oracles came to: means over the seeds as numbers, as a table in plain text, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from hwkeras.errors import UserError
from hwkeras.report.axis import fit_axis
from hwkeras.report.frame import HEIGHT
from hwkeras.report.frame import LEFT
from hwkeras.report.frame import RIGHT
from hwkeras.report.frame import WIDTH
from hwkeras.report.frame import Frame
from hwkeras.report.frame import draw_grid

CURVES = ("hypervolume", "regret")
_TITLES = {"hypervolume": "Share of the hypervolume found", "regret": "Regret"}
# Colors of Okabe and Ito (jfly.uni-koeln.de/color); with dashes there are enough for twice as many oracles.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#b87900", "#7b4b94", "#56b4e9", "#616e7c")
_DASHES = ("", "7 4", "2 3")
_STYLE = """
.hwk{--ink:#1f2933;--soft:#616e7c;--grid:#e4e7eb;--paper:#ffffff;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
.hwk-paper{fill:var(--paper)}.hwk text{fill:var(--ink);font-size:13px}
.hwk .hwk-tick{fill:var(--soft);font-size:12px}.hwk .hwk-grid{stroke:var(--grid);stroke-width:1}
.hwk .hwk-axis{stroke:var(--soft);stroke-width:1.2}
.hwk .hwk-curve{fill:none;stroke-width:2;stroke-linejoin:round}
""".strip()
_LEGEND_ROW, _LEGEND_STEP, _LEGEND_WIDTH = 16, 18, 110


@dataclass(frozen=True)
class Picture:
    """An SVG that a notebook shows by itself.

    Args:
        svg: str, one `<svg>` element that is valid XML.
    """

    svg: str

    def _repr_svg_(self):
        return self.svg


def mean_curves(replays, curve="hypervolume"):
    """Means over the seeds.

    Args:
        replays: sequence of dict, of `Simulator.compare`.
        curve: str, `"hypervolume"` or `"regret"`. Defaults to `"hypervolume"`.

    Returns:
        dict of oracle name to float array of shape (num_trials,), in the order of the replays. An oracle that stopped
        early keeps what it had.

    Raises:
        UserError: an unknown curve, or no replay that tried anything.
    """
    if curve not in CURVES:
        raise UserError(f"`curve` is one of {', '.join(CURVES)}. Received: curve={curve!r}.")
    told = [replay for replay in replays if replay[curve]]
    if not told:
        raise UserError(
            f"A comparison needs a replay with a trial. Received: {len(replays)} replays, none with any. "
            "`stopped` in each says why."
        )
    length = max(len(replay[curve]) for replay in told)
    curves = {}
    for replay in told:
        values = replay[curve]
        curves.setdefault(replay["oracle"], []).append(values + values[-1:] * (length - len(values)))
    return {oracle: np.mean(rows, axis=0) for oracle, rows in curves.items()}


def comparison_text(replays, at=(25, 50, 100, 200)):
    """The comparison as a table in plain text, the best oracle first.

    Args:
        replays: sequence of dict, of `Simulator.compare`.
        at: sequence of int, the numbers of trials to tell; those that nobody reached are left out.
            Defaults to `(25, 50, 100, 200)`.

    Returns:
        str, a line an oracle: hypervolume share and regret at each number of trials, the share of the trials that a
        neighbor stood in for, those outside the limits, and milliseconds a trial.
    """
    volumes, regrets = mean_curves(replays, "hypervolume"), mean_curves(replays, "regret")
    length = len(next(iter(volumes.values())))
    at = [number for number in at if number <= length] or [length]
    header = ["oracle", *(f"hv@{number}" for number in at), *(f"regret@{number}" for number in at)]
    lines = [[*header, "nearest", "outside", "ms/trial"]]
    for oracle in sorted(volumes, key=lambda name: -volumes[name][np.array(at) - 1].sum()):
        own = [replay for replay in replays if replay["oracle"] == oracle]
        num_trials = sum(len(replay["rows"]) for replay in own)
        cells = [oracle, *(f"{volumes[oracle][number - 1]:.4f}" for number in at)]
        cells += [f"{regrets[oracle][number - 1]:.4f}" for number in at]
        cells += [
            f"{sum(replay[name] for replay in own) / num_trials:.0%}" for name in ("num_nearest", "num_infeasible")
        ]
        lines.append([*cells, f"{np.median([replay['ms_per_trial'] for replay in own]):.1f}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )


def curves_picture(replays, curve="hypervolume", first_trial=1):
    """The comparison as a picture: a line an oracle, the mean over its seeds.

    Args:
        replays: sequence of dict, of `Simulator.compare`.
        curve: str, `"hypervolume"` or `"regret"`. Defaults to `"hypervolume"`.
        first_trial: int, where the picture begins: the first trials of all oracles are alike, and steep. Defaults to
            `1`.

    Returns:
        Picture.

    Raises:
        UserError: an unknown curve, no replay with trials, or `first_trial` beyond the last.
    """
    curves = mean_curves(replays, curve)
    length = len(next(iter(curves.values())))
    if not 1 <= first_trial < length:
        raise UserError(
            f"`first_trial` must be from 1 to {length - 1}, one less than the trials. "
            f"Received: first_trial={first_trial!r}."
        )
    shown = {oracle: values[first_trial - 1 :] for oracle, values in curves.items()}
    x_axis = fit_axis("Trained models", [first_trial, length], allow_log=False)
    y_axis = fit_axis(_TITLES[curve], [value for values in shown.values() for value in values], allow_log=False)
    frame = Frame(x_axis, y_axis)
    parts = [draw_grid(frame)]
    for number, (oracle, values) in enumerate(shown.items()):
        path = "L".join("{:.1f} {:.1f}".format(*frame.at(first_trial + i, value)) for i, value in enumerate(values))
        parts.append(f'<path {_look(number)} d="M{path}"><title>{escape(oracle)}</title></path>')
        parts.append(_legend(number, oracle))
    told = f"{_TITLES[curve]} against trained models, a line for each of {', '.join(shown)}."
    return Picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hwk" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'aria-label="{escape(told)}">\n<style>{_STYLE}</style>\n'
        f'<rect class="hwk-paper" width="{WIDTH}" height="{HEIGHT}"/>\n' + "\n".join(parts) + "\n</svg>"
    )


def _look(number):
    dash = _DASHES[number // len(_COLORS) % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'class="hwk-curve" stroke="{_COLORS[number % len(_COLORS)]}"{dashed}'


def _legend(number, oracle):
    per_row = (RIGHT - LEFT) // _LEGEND_WIDTH
    column, row = LEFT + number % per_row * _LEGEND_WIDTH, _LEGEND_ROW + number // per_row * _LEGEND_STEP
    return (
        f'<path {_look(number)} d="M{column} {row}h18"/><text x="{column + 23}" y="{row + 4}">{escape(oracle)}</text>'
    )
