"""One self-contained HTML page on a run: the picture, the tables, the settings, what the numbers mean."""

import importlib.resources
import pathlib

import jinja2
from markupsafe import Markup

from hwkeras.files import write_atomically
from hwkeras.objectives import METRICS
from hwkeras.report.drawing import architecture_svg
from hwkeras.report.networks import front_networks
from hwkeras.report.picture import front_svg
from hwkeras.report.profile_bars import profile_svg
from hwkeras.report.results import column_metrics
from hwkeras.report.results import column_title
from hwkeras.report.results import duration_text
from hwkeras.report.results import is_best
from hwkeras.report.results import is_estimated
from hwkeras.report.results import metric_name
from hwkeras.report.results import metric_text
from hwkeras.report.results import metric_title
from hwkeras.report.results import summary_line

_TEMPLATE = "report.html"
_HEADLINES = ("accuracy", "f1", "auc", "log_loss", "mean_iou", "rmse", "latency_ms", "size_bytes", "peak_ram_bytes")
_SETTINGS = (
    ("Space", "space"),
    ("Oracle", "oracle"),
    ("Precisions", "precisions"),
    ("Objectives", "objectives"),
    ("Limits", "limits"),
    ("Device", "device"),
    ("Epochs per trial", "epochs"),
    ("Validation folds", "validation_folds"),
    ("Trials", "trials"),
    ("Rejected before training", "rejected"),
    ("Pruned before the search", "pruned"),
    ("Seed", "seed"),
    ("Directory", "out"),
)


def write_page(results, path):
    """Writes the page of a run; nothing in it is loaded from elsewhere, and it needs no JavaScript.

    The networks of the front are drawn as far as their bundles lie where the document says, beside the page.

    Args:
        results: dict, the result document (`load_results`).
        path: path of the HTML file to write, in the run directory.

    Returns:
        pathlib.Path of the file.
    """
    path = pathlib.Path(path)
    return write_atomically(path, page_html(results, front_networks(results, path.parent)))


def page_html(results, networks=None):
    """Renders the page of a run.

    Args:
        results: dict, the result document.
        networks: dict of identity (trial, precision) to `space.Architecture`, those to draw, the chosen one's first.
            Defaults to `None`, nothing is drawn.

    Returns:
        str, an HTML document.
    """
    text = importlib.resources.files("hwkeras.report").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    # NOTE: everything in the document may come from a user's files; autoescape is what keeps names from being HTML.
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    front, metrics = results.get("front", []), column_metrics(results)
    return environment.from_string(text).render(
        title=_title(results),
        summary=summary_line(results),
        best=results.get("best"),
        headlines=_headlines(results),
        pictures=_pictures(results),
        metric_titles=[column_title(results, name) for name in metrics],
        front_rows=[_row(results, candidate, metrics) for candidate in front],
        all_rows=[_row(results, candidate, metrics) for candidate in results.get("candidates", [])],
        drawings=_drawings(networks or {}),
        profile=_profile_picture(results),
        is_estimated=is_estimated(results),
        settings=_settings(results),
        num_folds=results.get("validation_folds"),
    )


def _title(results):
    data_name = (results.get("data") or {}).get("name")
    return results.get("name") or (f"hwkeras search on {data_name}" if data_name else "hwkeras search")


def _headlines(results):
    best = results.get("best")
    if best is None:
        return []
    named = [name for name in _HEADLINES if best["metrics"].get(name) is not None]
    return [(column_title(results, name), metric_text(name, best["metrics"][name])) for name in named]


def _row(results, candidate, metrics):
    cells = [metric_text(name, candidate["metrics"].get(name)) for name in metrics]
    return {"candidate": candidate, "cells": cells, "is_best": is_best(results, candidate)}


def _pictures(results):
    """One picture for each objective against the quality objective: (caption, markup)."""
    pictures = []
    x_metrics, y = _axes(results)
    candidates, front = results.get("candidates", []), results.get("front", [])
    for x in x_metrics:
        svg = front_svg(candidates, front, x, y, limits=results.get("limits", ()), best=results.get("best"))
        pictures.append((_caption(candidates, front, x, y), Markup(svg)))  # noqa: S704 - front_svg escapes every name
    return pictures


def _drawings(networks):
    """One drawing for each network that differs: (whose it is, markup)."""
    names, kinds = {}, {}
    for (trial, precision), architecture in networks.items():
        names.setdefault(architecture.hash, []).append(f"{trial} {precision}")
        kinds.setdefault(architecture.hash, architecture)
    return [
        (", ".join(names[key]), Markup(architecture_svg(kinds[key])))  # noqa: S704 - architecture_svg escapes all text
        for key in kinds
    ]


def _profile_picture(results):
    """The bars of the best candidate as markup; None where it was not profiled."""
    profile, best = results.get("profile"), results.get("best")
    if not profile or not best:
        return None
    title = f"trial {best['trial']}, {best['precision']}"
    return Markup(profile_svg(profile, title=title))  # noqa: S704 - profile_svg escapes every name


def _axes(results):
    names = [metric_name(objective) for objective in results.get("objectives", ())] or ["accuracy", "latency_ms"]
    quality = [name for name in names if name not in METRICS or METRICS[name].direction == "max"]
    y = quality[0] if quality else names[0]
    return [name for name in names if name != y] or ["latency_ms"], y


def _caption(candidates, front, x, y):
    members = {(member["trial"], member["precision"]): member for member in (*candidates, *front)}
    known = sum(all(member["metrics"].get(name) is not None for name in (x, y)) for member in members.values())
    caption = f"{metric_title(y)} against {metric_title(x).lower()}. Point at a mark for its numbers."
    missing = len(members) - known
    if missing:
        caption += f" Not drawn for want of one of the two numbers: {missing} of {len(members)}."
    return caption


def _settings(results):
    rows = [(title, _setting_text(results[key])) for title, key in _SETTINGS if results.get(key) is not None]
    if results.get("seconds") is not None:
        rows.append(("Time", duration_text(results["seconds"])))
    return [*_data_settings(results), *rows, *_meter_settings(results.get("meter") or {})]


def _data_settings(results):
    data = {**(results.get("data") or {})}
    data.setdefault("fingerprint", results.get("data_fingerprint"))
    told = {key: value for key, value in data.items() if value or value == 0}
    rows = [(f"Data: {key.replace('_', ' ')}", _setting_text(value)) for key, value in told.items()]
    preprocessing = told.get("preprocessing")
    notes = preprocessing.get("notes") if isinstance(preprocessing, dict) else None
    return rows + [("Note on the data", str(note)) for note in notes or ()]


def _meter_settings(meter):
    runtime = " ".join(str(meter[key]) for key in ("runtime", "runtime_version") if meter.get(key))
    return [(title, text) for title, text in (("Processor", meter.get("cpu")), ("Runtime", runtime)) if text]


def _setting_text(value):
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)
