"""The command `stream`: a network that hears frame by frame."""

from __future__ import annotations

import pathlib

import click

from hwkeras.cli.output import JsonOutput


@click.command()
@click.argument("bundle", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--out", type=click.Path(path_type=pathlib.Path), help="New directory. [default: BUNDLE-streaming, beside it]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def stream(bundle, out, as_json):
    """Make the network of BUNDLE take a few frames at a time.

    BUNDLE comes of `hwkeras search --space audio_streaming`. Written are streaming.tflite, which takes frames and
    states and gives an answer and the next states, and streaming.json, which says what a device must know to feed it.
    """
    with JsonOutput(as_json) as output:
        from hwkeras.export import write_streaming

        out = bundle.with_name(f"{bundle.name}-streaming") if out is None else out
        facts = write_streaming(bundle, out)
        output.put({**facts, "directory": str(out)})
        if not as_json:
            for line in _lines(facts):
                click.echo(line)
            click.echo(f"Written: {out}")


def _lines(facts):
    check = facts["check"]
    share = facts["macs_per_step"] / facts["macs_per_window"]
    yield (
        f"A step takes {facts['num_frames']} of a window's {facts['window_frames']} frames and "
        f"{facts['macs_per_step']:,} MACs, {share:.1%} of a window's."
    )
    yield (
        f"Accuracy on {check['num_samples']} samples: {check['accuracy']:.4f} step by step, "
        f"{check['accuracy_of_windows']:.4f} in one go."
    )
    yield f"States: {len(facts['states'])}; each goes from its output into the input of the same number."
