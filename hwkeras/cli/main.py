"""`hwkeras`: the group of commands."""

from __future__ import annotations

import warnings

import click

from hwkeras.cli.analyzing import analyze
from hwkeras.cli.benching import bench
from hwkeras.cli.compressing import compress
from hwkeras.cli.devices import devices
from hwkeras.cli.inspecting import report
from hwkeras.cli.inspecting import verify
from hwkeras.cli.linting import lint_space
from hwkeras.cli.output import quiet_tensorflow
from hwkeras.cli.output import run
from hwkeras.cli.output import show_warning
from hwkeras.cli.profiles import boards
from hwkeras.cli.profiling import profile
from hwkeras.cli.searching import search
from hwkeras.cli.streaming import stream


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hwkeras")
def hwkeras():
    """Find the Keras models worth shipping on a device, measured on the .tflite files that ship."""


for _command in (search, compress, bench, analyze, profile, devices, boards, lint_space, verify, stream, report):
    hwkeras.add_command(_command)


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: list of str. Defaults to `None`, those of the process.

    Returns:
        int, the exit code.
    """
    quiet_tensorflow()
    if arguments is None:  # The process is ours.
        warnings.showwarning = show_warning
    return run(hwkeras, arguments)
