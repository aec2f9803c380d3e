"""The commands that look at what a search left: `verify`, `report`."""

from __future__ import annotations

import pathlib

import click

from hwkeras.cli.output import JsonOutput
from hwkeras.errors import UserError

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")


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
@click.option(
    "--drawing",
    type=click.Path(path_type=pathlib.Path, dir_okay=False),
    help="Write the drawing of the best candidate's network there too, an SVG.",
)
@_JSON
def report(directory, drawing, as_json):
    """The front of the run in DIRECTORY: a table, and a page `report.html` in it, with its networks drawn."""
    with JsonOutput(as_json) as output:
        from hwkeras.report import load_results
        from hwkeras.report import print_front
        from hwkeras.report import write_page

        results = load_results(directory)
        page = write_page(results, directory / "report.html")
        if drawing is not None:
            _draw_best(results, directory, drawing)
        output.put({"page": str(page), **results})
        if not as_json:
            print_front(results)
            click.echo(f"Report: {page}")


def _draw_best(results, directory, path):
    from hwkeras.files import write_atomically
    from hwkeras.report import architecture_svg
    from hwkeras.report import front_networks

    best = results.get("best")
    architecture = front_networks(results, directory).get((best["trial"], best["precision"])) if best else None
    if architecture is None:
        raise UserError(
            f"A network is drawn from the bundle of the best candidate. Received: {directory}, where "
            f"{'it has none, or one of a space of your own' if best else 'no candidate is within the limits'}. "
            "Leave --drawing away."
        )
    title = f"{best['trial']} {best['precision']}"
    write_atomically(path, architecture_svg(architecture, title=title))
