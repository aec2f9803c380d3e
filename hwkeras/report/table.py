"""The front as a table in the terminal, whatever its width, and as plain text in a pipe."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwkeras.report.results import column_metrics
from hwkeras.report.results import column_title
from hwkeras.report.results import is_best
from hwkeras.report.results import metric_text
from hwkeras.report.results import summary_line

_BEST = "*"
_MIN_ARCHITECTURE_WIDTH = 24
# A column costs its widest cell and two spaces.
_GAP = 2
# The mark, the trial and the precision come before the metrics.
_NUM_IDENTITY = 3


def print_front(results, console=None):
    """Prints the front, the best candidate marked with `*`, and one line on the run.

    Columns that do not fit the width are left out from the right, the objectives never: where even they do not fit,
    each member takes a few lines of its own.

    Args:
        results: dict, the result document (`load_results`).
        console: `rich.console.Console`. Defaults to `None`, standard output.
    """
    console = console or Console()
    front, columns = results.get("front", ()), _columns(results)
    # NOTE: every cell is a Text, because a name such as "[red]" in a plain str would be read as markup.
    if not front:
        console.print(Text("The front is empty: no candidate lies within the limits."))
    elif _width(columns[: _num_required(results)]) > console.width:
        for index in range(len(front)):
            console.print(_block(columns, index))
    else:
        console.print(_table(results, _fitting(results, columns, console.width), console.width))
    console.print(Text(summary_line(results)))


def _columns(results):
    front = results.get("front", ())
    return [
        ("", [_BEST if is_best(results, candidate) else " " for candidate in front]),
        ("Trial", [candidate["trial"] for candidate in front]),
        ("Precision", [candidate["precision"] for candidate in front]),
        *(
            (column_title(results, name), [metric_text(name, candidate["metrics"].get(name)) for candidate in front])
            for name in column_metrics(results)
        ),
    ]


def _num_required(results):
    return _NUM_IDENTITY + len(results.get("objectives", ()))


def _fitting(results, columns, width):
    chosen = columns[: _num_required(results)]
    for column in columns[len(chosen) :]:
        if _width([*chosen, column]) <= width:
            chosen.append(column)
    return chosen


def _width(columns):
    # The last gap of a line is not needed.
    return sum(max(len(title), *map(len, cells)) + _GAP for title, cells in columns) - _GAP


def _table(results, columns, width):
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for index, (title, cells) in enumerate(columns):
        justify = "left" if index < _NUM_IDENTITY else "right"
        table.add_column(Text(title), justify=justify, no_wrap=True, min_width=max(len(title), *map(len, cells)))
    room = width - _width(columns) - _GAP
    if room >= _MIN_ARCHITECTURE_WIDTH:
        table.add_column(Text("Architecture"), no_wrap=True, overflow="ellipsis", max_width=room)
        columns = [*columns, ("Architecture", [candidate["architecture"] for candidate in results["front"]])]
    for candidate, row in zip(results["front"], zip(*(cells for _, cells in columns), strict=True), strict=True):
        table.add_row(*map(Text, row), style="bold green" if is_best(results, candidate) else None)
    return table


def _block(columns, index):
    (_, marks), (_, trials), (_, precisions), *metrics = columns
    lines = [f"{marks[index]} {trials[index]} {precisions[index]}"]
    return Text("\n".join(lines + [f"  {title} {cells[index]}" for title, cells in metrics]))
