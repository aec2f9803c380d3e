"""What the command line prints, and the exit code it ends with."""

from __future__ import annotations

import json
import os
import sys

import click

from hwkeras.errors import HwkerasError

INTERRUPTED = 130


class JsonOutput:
    """Keeps stdout for one JSON document; whatever else is printed meanwhile, native code included, goes to stderr.

    Args:
        enabled: bool, whether `--json` was asked for; else nothing is changed and nothing is printed.
    """

    def __init__(self, enabled):
        self._enabled = enabled
        self._document = None

    def put(self, document):
        """Sets the document that is printed at the end.

        Args:
            document: JSON-able value.
        """
        self._document = document

    def __enter__(self):
        if self._enabled:
            sys.stdout.flush()
            self._saved = os.dup(1)
            os.dup2(2, 1)
        return self

    def __exit__(self, kind, error, trace):
        if not self._enabled:
            return
        sys.stdout.flush()
        os.dup2(self._saved, 1)
        os.close(self._saved)
        if self._document is not None:
            click.echo(json.dumps(self._document, indent=1, allow_nan=False))


def quiet_tensorflow():
    """Silences TensorFlow's start-up chatter, here and in children; must come before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def show_warning(message, category, filename, lineno, file=None, line=None):
    """Prints a warning as one line for a person, without the place in the code; see `warnings.showwarning`."""
    click.echo(f"warning: {' '.join(str(message).split())}", err=True)


def run(command, arguments):
    """Runs a click command; turns errors into one line on stderr and an exit code.

    Args:
        command: click.Command.
        arguments: list of str, or None for those of the process.

    Returns:
        int: 0 done; 2 the user's arguments or data are wrong; 3 nothing within the limits; 4 the device failed;
        1 something else, such as a bundle that does not verify.
    """
    try:
        return command.main(args=arguments, prog_name="hwkeras", standalone_mode=False) or 0
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except HwkerasError as error:
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("Interrupted. Finished trials are kept; the same command with --resume goes on.", INTERRUPTED)


def _fail(message, code):
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return code
