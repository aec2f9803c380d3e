"""Reads the result document of a run, `results.json`, and words its metrics."""

import json
import math
import pathlib

from hwkeras.errors import UserError
from hwkeras.objectives import METRICS
from hwkeras.units import format_quantity

RESULTS_NAME = "results.json"
SCHEMA = 1
TITLES = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "auc": "AUC",
    "log_loss": "Log loss",
    "mean_iou": "Mean IoU",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "latency_ms": "Latency",
    "size_bytes": "Size",
    "gzip_bytes": "Size gzipped",
    "peak_ram_bytes": "Peak RAM",
    "macs": "MACs",
    "params": "Parameters",
    "energy_mj": "Energy",
}


def load_results(directory):
    """Reads what a search wrote into its run directory.

    Args:
        directory: path of the run directory (`hwkeras search --out DIR`).

    Returns:
        dict, the result document.

    Raises:
        UserError: no results there, not JSON, or of another schema version.
    """
    path = pathlib.Path(directory) / RESULTS_NAME
    if not path.is_file():
        raise UserError(
            f"A run directory holds {RESULTS_NAME}. Received: {directory}, which has none. "
            f"Run `hwkeras search --out {directory}` first."
        )
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{RESULTS_NAME} must be JSON. Received: {path}, which is not ({error}).") from error
    if not isinstance(results, dict) or results.get("schema") != SCHEMA:
        schema = results.get("schema") if isinstance(results, dict) else None
        raise UserError(
            f"This version of hwkeras reads results of schema {SCHEMA}. Received: schema={schema!r} in {path}. "
            "Use the version of hwkeras that ran the search."
        )
    return results


def metric_name(objective):
    """Returns the metric of an objective as the document writes it (`"val_auc:max"` is of `val_auc`)."""
    return str(objective).partition(":")[0]


def metric_title(metric):
    """Returns a metric's name for a heading, such as `Peak RAM`; its own name where it is not one of ours."""
    return TITLES.get(metric, metric)


def is_estimated(results):
    """Returns whether the latencies of a run were calculated from a profile, on no device."""
    return bool((results.get("meter") or {}).get("estimated"))


def column_title(results, metric):
    """A metric's name for the heading of a column.

    Args:
        results: dict, the result document.
        metric: str, metric name.

    Returns:
        str; `Latency (estimated)` where no device was asked.
    """
    estimated = metric in ("latency_ms", "energy_mj") and is_estimated(results)
    return metric_title(metric) + (" (estimated)" if estimated else "")


def metric_text(metric, value):
    """Prints a metric's value with its unit.

    Args:
        metric: str, metric name.
        value: float, or None where it is not known.

    Returns:
        str, `"-"` for None and NaN.
    """
    if metric in METRICS:
        return format_quantity(value, METRICS[metric].unit)
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"


def column_metrics(results):
    """Chooses the metrics worth a column: the objectives first, then the known ones that any candidate has.

    Args:
        results: dict, the result document.

    Returns:
        tuple of str.
    """
    objectives = [metric_name(objective) for objective in results.get("objectives", ())]
    members = [*results.get("front", ()), *results.get("candidates", ())]
    present = {name for member in members for name, value in member["metrics"].items() if value is not None}
    return tuple(dict.fromkeys([*objectives, *(name for name in METRICS if name in present)]))


def identity(candidate):
    """Returns what tells one candidate of a run from every other: its trial and its precision."""
    return candidate["trial"], candidate["precision"]


def is_best(results, candidate):
    """Returns whether a candidate is the one the search recommends."""
    best = results.get("best")
    return best is not None and identity(best) == identity(candidate)


def summary_line(results):
    """Says in one line what the run did.

    Args:
        results: dict, the result document.

    Returns:
        str such as `"12 trials, 5 proposals rejected before training, 3 on the front, 2 min 05 s"`.
    """
    trials, rejected = results.get("trials", 0), results.get("rejected", 0)
    words = [
        f"{trials} trial{'' if trials == 1 else 's'}",
        f"{rejected} proposal{'' if rejected == 1 else 's'} rejected before training",
        f"{len(results.get('front', ()))} on the front",
    ]
    if results.get("seconds") is not None:
        words.append(duration_text(results["seconds"]))
    return ", ".join(words)


def duration_text(seconds):
    """Prints a duration for a person.

    Args:
        seconds: float.

    Returns:
        str such as `"4.2 s"`, `"2 min 05 s"` or `"3 h 07 min"`.
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"
