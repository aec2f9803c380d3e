"""`hwkeras bench`: the latency of files, side by side."""

from __future__ import annotations

import dataclasses
import math
import pathlib

import click

from hwkeras.cli.model_argument import read_checked_model
from hwkeras.cli.output import JsonOutput
from hwkeras.errors import DeviceError

_KEYS = (
    "latency_ms", "low_ms", "high_ms", "sustained_ms", "p90_ms", "spread", "rounds", "status", "message", "source",
    "partitions", "first_ms", "load_ms", "rss_bytes", "num_threads", "environment",
)  # fmt: skip


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=pathlib.Path))
@click.option("--device", default="local", show_default=True, help="Where; see `hwkeras devices`.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--rounds", type=click.IntRange(3), default=3, show_default=True, help="At least.")
@click.option("--no-cache", is_flag=True, help="Measure anew, also what was measured before.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def bench(models, device, threads, rounds, no_cache, as_json):
    """Time MODELS on a device, interleaved in one job.

    One model that was measured before is answered from the cache. Several are measured side by side, and each is
    compared with the first.
    """
    with JsonOutput(as_json) as output:
        contents = [read_checked_model(path) for path in models]
        measurements = _measure(contents, device, _options(threads, rounds), not no_cache)
        results = [_result(path, measurement) for path, measurement in zip(models, measurements, strict=True)]
        comparisons = _comparisons(measurements)
        output.put({"results": results, "comparisons": comparisons})
        if not as_json:
            for line in _lines(results, comparisons):
                click.echo(line)
        failed = [result for result in results if result["latency_ms"] is None]
        if len(failed) == len(results):
            raise DeviceError(
                f"Device {device!r} gave no latency. Received: {failed[0]['status']} for {failed[0]['file']}. "
                f"{failed[0]['message']}".strip()
            )


def _options(threads, rounds):
    """What was asked for: not every device takes threads and rounds, an estimate has none."""
    asked = {"num_threads": (threads, 1), "rounds": (rounds, 3)}
    return {name: value for name, (value, default) in asked.items() if value != default}


def _measure(contents, device, options, use_cache):
    from hwkeras.measure import CachedMeter
    from hwkeras.measure import MeasurementCache
    from hwkeras.measure import open_meter

    meter = open_meter(device, **options)
    # Files are compared only within one job: an answer from the cache has met other neighbors.
    if use_cache and len(contents) == 1:
        meter = CachedMeter(meter, MeasurementCache())
    return meter.measure(contents)


def _result(path, measurement):
    document = measurement.to_json()
    return {"file": str(path), "sha256": document["sha256"]} | {key: document[key] for key in _KEYS}


def _comparisons(measurements):
    """Each file against the first, where both have a measured latency."""
    from hwkeras.measure import compare

    first, *others = measurements
    pairs = [(index, other) for index, other in enumerate(others, 1) if first.ok and other.ok]
    return [{"index": index, "with": 0, **_finite(compare(other, first))} for index, other in pairs]


def _finite(comparison):
    """JSON has no infinity: an end of the interval that is unknown is null."""
    return {k: None if v == math.inf else v for k, v in dataclasses.asdict(comparison).items()}


def _lines(results, comparisons):
    by_index = {comparison["index"]: comparison for comparison in comparisons}
    for index, result in enumerate(results):
        yield _line(result) + (_verdict(by_index[index]) if index in by_index else "")


def _line(result):
    from hwkeras.units import format_quantity

    if result["latency_ms"] is None:
        return f"{result['file']}: {result['status']} {result['message']}".strip()
    latency, sustained, p90 = (format_quantity(result[key], "ms") for key in ("latency_ms", "sustained_ms", "p90_ms"))
    if result["source"] == "estimated":
        return f"{result['file']}: {latency} (estimated, never measured)"
    return (
        f"{result['file']}: {latency} (sustained {sustained}, p90 {p90}, {len(result['rounds'])} rounds, "
        f"{result['partitions']} partitions, {result['status']})"
    )


def _verdict(comparison):
    if comparison["verdict"] == "not distinguishable":
        return "; not distinguishable from the first"
    return f"; {comparison['verdict']} than the first, {comparison['ratio']:.2f} of its time"
