"""The command `tflite-bench`, `python -m tflite_bench`, and `python tflite_bench` wherever the folder was copied."""

from __future__ import annotations

import os
import sys

if not __package__:
    # The folder itself was run: what Python put first on the path is the inside of the package.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(argv=None):
    """Runs the command.

    Args:
        argv: list of str. Defaults to `None`, the arguments of the process.

    Returns:
        int, exit code: 0 done, 2 wrong arguments, job or model, 4 nothing can be timed here, or not now.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv == ["--timing"]:
        # NOTE: the child process; it alone imports numpy and the runtime.
        from tflite_bench.runner import main as run_timing

        return run_timing()
    from tflite_bench.command import run_command

    return run_command(argv)


if __name__ == "__main__":
    sys.exit(main())
