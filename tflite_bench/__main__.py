"""The command `tflite-bench`, `python -m tflite_bench`, and `python tflite_bench` wherever the folder was copied."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import sys

if not __package__:
    # The folder itself was run: what Python put first on the path is the inside of the package.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from tflite_bench import VERSION
from tflite_bench.job import Job
from tflite_bench.job import JobError
from tflite_bench.runner import run_job
from tflite_bench.runtimes import RuntimeMissing
from tflite_bench.runtimes import find_runtime


def main(argv=None):
    """Runs the command.

    Args:
        argv: list of str. Defaults to `None`, the arguments of the process.

    Returns:
        int, exit code: 0 done, 2 wrong arguments, job or model, 4 no runtime.
    """
    options = _parser().parse_args(argv)
    try:
        with _stdout_kept_for_the_answer() as stdout:
            job = _job(options)
            answer = run_job(job, find_runtime())
            as_json = options.json or options.job is not None
            print(json.dumps(answer) if as_json else _table(answer), file=stdout)
    except JobError as error:
        print(f"tflite-bench: {error}", file=sys.stderr)
        return 2
    except RuntimeMissing as error:
        print(f"tflite-bench: {error}", file=sys.stderr)
        return 4
    return 2 if options.job is None and any(model["error"] for model in answer["models"]) else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="tflite-bench", description="Times .tflite files on this machine: the least time over separate rounds."
    )
    parser.add_argument("models", nargs="*", metavar="MODEL.tflite")
    parser.add_argument(
        "--job", metavar="JOB.json", help="a JSON job in a file, or '-' for stdin; prints one JSON line"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of a table")
    parser.add_argument("--threads", type=int, default=Job.num_threads, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=Job.rounds, help="least number of rounds; default: %(default)s")
    return parser


def _job(options):
    if options.job is None:
        if not options.models:
            raise JobError("At least one model is needed. Received: none. Pass the path of a .tflite file.")
        job = {"version": VERSION, "models": options.models, "num_threads": options.threads, "rounds": options.rounds}
        return Job.from_json({**job, "max_rounds": max(options.rounds, Job.max_rounds)})
    if options.models:
        raise JobError(f"The models are named in the job. Received: --job and {options.models[0]!r}. Pass one of them.")
    try:
        if options.job == "-":
            return Job.from_json(json.load(sys.stdin))
        with open(options.job, encoding="utf-8") as file:
            return Job.from_json(json.load(file))
    except OSError as error:
        raise JobError(f"A job file must be readable. Received: {options.job!r} ({error.strerror}).") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JobError(f"A job is a JSON object. Received: {error}.") from error


@contextlib.contextmanager
def _stdout_kept_for_the_answer():
    """Yields the true stdout; until the end, all that others write there, native code included, goes to stderr."""
    stdout = sys.stdout
    stdout.flush()
    with contextlib.redirect_stdout(sys.stderr), _native_stdout_on_stderr() as kept:
        if kept is None or not _is_native(stdout):
            yield stdout
            return
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as answers:
            yield answers


@contextlib.contextmanager
def _native_stdout_on_stderr():
    """Points the file descriptor 1 at 2; yields a copy of what it was, None where the process has none."""
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        yield None
        return
    try:
        yield kept
    finally:
        if os.name == "posix":
            # What is left in the buffers of C's stdio would else reach stdout when the process ends.
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


def _is_native(stream):
    """Whether a stream writes to the file descriptor 1, and not where a caller in this process wants it."""
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):
        return False


def _table(answer):
    width = max([5, *(len(model["path"]) for model in answer["models"])])
    lines = [f"{'model':<{width}} {'best ms':>10} {'median ms':>10} {'p90 ms':>10} {'rounds':>6} {'parts':>5}"]
    for model in answer["models"]:
        if model["error"]:
            lines.append(f"{model['path']:<{width}} {model['error']}")
            continue
        rounds = model["rounds"]
        best = min(entry["min_ms"] for entry in rounds)
        median = sorted(entry["median_ms"] for entry in rounds)[len(rounds) // 2]
        p90 = sorted(entry["p90_ms"] for entry in rounds)[len(rounds) // 2]
        parts = "-" if model["partitions"] is None else model["partitions"]
        lines.append(f"{model['path']:<{width}} {best:>10.4g} {median:>10.4g} {p90:>10.4g} {len(rounds):>6} {parts:>5}")
    environment = answer["environment"]
    lines.append(
        f"{environment['runtime']} {environment['runtime_version']}, {environment['cpu_model']}, "
        f"{answer['num_threads']} threads, load {environment['after']['loadavg']}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
