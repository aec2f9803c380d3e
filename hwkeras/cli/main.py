"""`hwkeras`: the group of commands."""

from __future__ import annotations

import click

import hwkeras.cli.inspecting as inspecting
import hwkeras.cli.searching as searching
from hwkeras.cli.output import quiet_tensorflow
from hwkeras.cli.output import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hwkeras")
def hwkeras():
    """Find the Keras models worth shipping on a device, measured on the .tflite files that ship."""


for _command in (
    searching.search,
    inspecting.bench,
    inspecting.analyze,
    inspecting.devices,
    inspecting.verify,
    inspecting.report,
):
    hwkeras.add_command(_command)


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: list of str. Defaults to `None`, those of the process.

    Returns:
        int, the exit code.
    """
    quiet_tensorflow()
    return run(hwkeras, arguments)
