"""The commands that look at files: `bench`, `analyze`, `devices`, `verify`, `report`."""

from __future__ import annotations

import pathlib

import click

from hwkeras.cli.output import JsonOutput
from hwkeras.errors import DeviceError
from hwkeras.errors import UserError

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
_BENCH_KEYS = ("latency_ms", "sustained_ms", "p90_ms", "rounds", "status", "partitions", "first_ms", "environment")


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=pathlib.Path))
@click.option("--device", default="local", show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--rounds", type=click.IntRange(3), default=3, show_default=True, help="Rounds separated in time, at least 3."
)
@click.option("--no-cache", is_flag=True, help="Measure anew. Nothing is cached yet: every call does.")
@_JSON
def bench(models, device, threads, rounds, no_cache, as_json):
    """Time MODELS on a device, interleaved in one job."""
    with JsonOutput(as_json) as output:
        from hwkeras.measure import open_meter

        contents = [_read(path) for path in models]
        measurements = open_meter(device, num_threads=threads, rounds=rounds).measure(contents)
        results = [_bench_result(path, m) for path, m in zip(models, measurements, strict=True)]
        output.put({"results": results})
        if not as_json:
            for result in results:
                click.echo(_bench_line(result))
        failed = [result for result in results if result["latency_ms"] is None]
        if len(failed) == len(results):
            raise DeviceError(
                f"Device {device!r} gave no latency. Received: {failed[0]['status']} for {failed[0]['file']}."
            )


def _bench_result(path, measurement):
    document = measurement.to_json()
    return {"file": str(path), "sha256": document["sha256"]} | {key: document[key] for key in _BENCH_KEYS}


def _bench_line(result):
    from hwkeras.units import format_quantity

    latency, sustained, p90 = (format_quantity(result[key], "ms") for key in ("latency_ms", "sustained_ms", "p90_ms"))
    return (
        f"{result['file']}: {latency} (sustained {sustained}, p90 {p90}, {len(result['rounds'])} rounds, "
        f"{result['partitions']} partitions, {result['status']})"
    )


@click.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@_JSON
def analyze(model, as_json):
    """MACs, parameters, weight bytes, peak RAM and operators of MODEL, without running it."""
    with JsonOutput(as_json) as output:
        from hwkeras.measure import analyze as analyze_bytes
        from hwkeras.units import format_quantity

        analysis = analyze_bytes(_read(model))
        output.put({"file": str(model), **analysis.to_json()})
        if not as_json:
            click.echo(
                f"{model}: {format_quantity(analysis.size_bytes, 'bytes')}, "
                f"{format_quantity(analysis.macs, 'count')} MACs, "
                f"{format_quantity(analysis.params, 'count')} parameters, "
                f"peak RAM {format_quantity(analysis.peak_ram_bytes, 'bytes')}"
            )
            for op in analysis.ops:
                click.echo(
                    f"  {op.op:<24} {op.macs:>12,} MACs {op.weight_bytes:>10,} B weights {op.output_bytes:>10,} B out"
                )
            if analysis.uncounted:
                click.echo(f"  not counted in MACs: {', '.join(analysis.uncounted)}")


@click.command()
@_JSON
def devices(as_json):
    """The devices latency can be measured on."""
    with JsonOutput(as_json) as output:
        from hwkeras.measure import list_devices

        found = list_devices()
        output.put({"devices": found})
        if not as_json:
            for device in found:
                click.echo("  ".join(f"{key}={value}" for key, value in device.items()))


@click.command()
@click.argument("bundle", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--latency-tolerance",
    type=click.FloatRange(0),
    default=0.25,
    show_default=True,
    help="How much slower than recorded still holds, as a share.",
)
@_JSON
def verify(bundle, latency_tolerance, as_json):
    """Re-hash, re-analyze, re-run and re-measure BUNDLE; exit 1 where something no longer holds."""
    with JsonOutput(as_json) as output:
        from hwkeras.export import verify as verify_bundle

        verification = verify_bundle(bundle, latency_tolerance=latency_tolerance)
        output.put(verification.to_json())
        if not as_json:
            for check in verification.checks:
                click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.message}")
    return 0 if verification.ok else 1


@click.command()
@click.argument("directory", type=click.Path(path_type=pathlib.Path))
@_JSON
def report(directory, as_json):
    """The front of the run in DIRECTORY: a table, and a page `report.html` in it."""
    with JsonOutput(as_json) as output:
        from hwkeras.report import load_results
        from hwkeras.report import print_front
        from hwkeras.report import write_page

        results = load_results(directory)
        page = write_page(results, directory / "report.html")
        output.put({"page": str(page), **results})
        if not as_json:
            print_front(results)
            click.echo(f"Report: {page}")


def _read(path):
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"A model is a .tflite file. Received: {path}, which {what}.")
    from hwkeras.measure import analyze as analyze_bytes

    content = path.read_bytes()
    analyze_bytes(content)  # a broken file is told here, in one line, before any runtime sees it
    return content
