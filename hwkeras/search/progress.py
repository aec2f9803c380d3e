"""What a search says while it runs: one line for each trial, on stderr."""

from __future__ import annotations

import sys

from hwkeras.objectives import METRICS
from hwkeras.units import format_quantity

# By name where it is not plain which it is.
_NAMED = ("f1", "auc", "log_loss", "mean_iou", "rmse")
_SHOWN = ("accuracy", *_NAMED, "latency_ms", "size_bytes")


def print_progress(event, facts):
    """Prints resumption, finished and failed trials.

    Args:
        event: str: `"pruned"`, `"economy"`, `"resumed"`, `"rejected"`, `"trial_started"`, `"trial_finished"`,
            `"trial_failed"`, `"recipes_left"`, `"remeasured"`, `"satisfiability"` or `"finished"`.
        facts: dict of what is known of it.
    """
    line = progress_line(event, facts)
    if line:
        print(line, file=sys.stderr, flush=True)


def progress_line(event, facts):
    """The line for an event.

    Args:
        event: str, as for `print_progress`.
        facts: dict.

    Returns:
        str, or None for events that are not worth a line.
    """
    if event == "trial_finished":
        parts = [describe(candidate) for candidate in facts["candidates"]] or [_stopped(facts.get("stopped"))]
        found = f", hypervolume {facts['hypervolume']:.4f}" if "hypervolume" in facts else ""
        told = f"{' | '.join(parts)} (rejected {facts['rejected']}{found})"
        return f"trial {facts['num_trials']}/{facts['max_trials']}: {told}"
    if event == "resumed":
        return f"going on with a run: {facts['num_done']} of {facts['max_trials']} trials are done"
    if event == "recipes_left":
        return _left(facts["left"]) if facts["left"] else None
    if event == "remeasured":
        return f"{len(facts['candidates'])} finalists measured again, side by side"
    if event in ("pruned", "economy", "satisfiability", "finished"):
        return facts["message"] or None
    if event == "trial_failed":
        return f"trial {facts['num_trials']}/{facts['max_trials']} failed: {facts['message']}"
    return None


def describe(candidate):
    """A candidate in a few words: `int8 0.9811, 0.0213 ms, 11.2 KiB`.

    Args:
        candidate: `Candidate`.

    Returns:
        str.
    """
    shown = [_text(candidate, name) for name in _SHOWN if name in candidate.metrics]
    return f"{candidate.precision} {', '.join(shown)}" + ("" if candidate.status == "ok" else f" [{candidate.status}]")


def _stopped(stopped):
    if not stopped:
        return "no candidates"
    told = f"stopped after {stopped['epochs']} of {stopped['num_epochs']} epochs"
    values = {name: _value(stopped["metric"], stopped[name]) for name in ("optimistic", "to_beat")}
    return f"{told}: {stopped['metric']} {values['optimistic']} at best, {values['to_beat']} is known"


def _left(left):
    told = ", ".join(f"trial {each['trial']} ({', '.join(each['recipes'])})" for each in left)
    return f"no epochs of the budget are left to compress {told}; searching on with more epochs in all does it"


def _value(metric, value):
    return format_quantity(value, METRICS[metric].unit) if metric in METRICS else f"{value:.4g}"


def _text(candidate, name):
    text = format_quantity(candidate.metrics[name], METRICS[name].unit)
    is_estimated = name == "latency_ms" and candidate.measurement.get("source") == "estimated"
    text = f"{name} {text}" if name in _NAMED else text
    return f"{text} (estimated)" if is_estimated else text
