"""The command line of the parent process: the standard library alone, and little of it."""

from __future__ import annotations

import argparse
import json
import sys

from tflite_bench import VERSION
from tflite_bench.gating import Reference
from tflite_bench.gating import headline_ms
from tflite_bench.job import Job
from tflite_bench.job import JobError
from tflite_bench.lock import LockError
from tflite_bench.lock import device_lock
from tflite_bench.supervisor import Unfit
from tflite_bench.supervisor import run_job


def run_command(argv):
    """Runs the command.

    Args:
        argv: list of str.

    Returns:
        int, exit code: 0 done, 2 wrong arguments, job or model, 4 nothing can be timed here, or not now.
    """
    options = _parser().parse_args(argv)
    try:
        if options.profile is not None:
            return _profile(options)
        answer = run_job(_job(options))
    except JobError as error:
        print(f"tflite-bench: {error}", file=sys.stderr)
        return 2
    except (Unfit, LockError) as error:
        print(f"tflite-bench: {error}", file=sys.stderr)
        return 4
    as_json = options.json or options.job is not None
    print(json.dumps(answer) if as_json else table(answer))
    return 2 if options.job is None and any(model["status"] != "ok" for model in answer["models"]) else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="tflite-bench",
        description="Times .tflite files on this machine, or one file by operator, so that a busy machine says the "
        "same tomorrow.",
    )
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL.tflite")
    add("--job", metavar="JOB.json", help="a JSON job in a file, or '-' for stdin; prints one JSON line")
    add("--profile", metavar="MODEL.tflite", help="time by operator; prints one JSON line")
    add("--json", action="store_true", help="print one JSON line instead of a table")
    add("--threads", type=int, default=Job.num_threads, help="default: %(default)s")
    add("--rounds", type=int, default=Job.rounds, help="least number of rounds; default: %(default)s")
    add("--max-rounds", type=int, help="most rounds; default: 12, or --rounds where that is more")
    add("--agree-within", type=float, default=Job.agree_within, metavar="SHARE",
        help="rounds go on until the two best agree so well; default: %(default)s")  # fmt: skip
    add("--max-seconds", type=float, default=Job.max_seconds, help="time budget; default: %(default)s")
    add("--model-seconds", type=float, default=Job.model_seconds,
        help="after which one model counts as hung; default: %(default)s")  # fmt: skip
    add("--warmup", type=int, default=Job.warmup, help="untimed invokes before each visit; default: %(default)s")
    add("--affinity", metavar="CPUS", help="CPUs to run on, such as 0 or 2,3; default: all")
    add("--memory-limit", type=int, metavar="BYTES", help="what a model may take; default: all there is")
    add("--seed", type=int, default=Job.seed, help="of the order and the inputs; default: %(default)s")
    add("--no-canary", action="store_true", help="do not time the canary: latencies follow the clock of the CPU")
    add("--lock", metavar="PATH", help="file to lock meanwhile; beside it canary.json keeps the device's speed")
    return parser


def _job(options):
    if options.job is None:
        if not options.models:
            raise JobError("At least one model is needed. Received: none. Pass the path of a .tflite file.")
        return Job.from_json(_job_of_options(options))
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


def _job_of_options(options):
    max_rounds = options.max_rounds
    return {
        "version": VERSION,
        "models": options.models,
        "num_threads": options.threads,
        "affinity": None if options.affinity is None else _cpus(options.affinity),
        "rounds": options.rounds,
        "max_rounds": max(options.rounds, Job.max_rounds) if max_rounds is None else max_rounds,
        "agree_within": options.agree_within,
        "max_seconds": options.max_seconds,
        "model_seconds": options.model_seconds,
        "warmup": options.warmup,
        "memory_limit_bytes": options.memory_limit,
        "seed": options.seed,
        "canary": not options.no_canary,
        "lock": options.lock,
    }


def _cpus(text):
    try:
        return [int(cpu) for cpu in text.split(",")]
    except ValueError:
        raise JobError(f"`--affinity` is CPU numbers with commas between. Received: {text!r}. Pass 0 or 2,3.") from None


def _profile(options):
    """Prints the profile. The model may end this process: who calls it looks at its exit."""
    if options.models or options.job is not None:
        other = "--job" if options.job is not None else repr(options.models[0])
        raise JobError(f"A profile is of one model. Received: --profile and {other}. Pass one of them.")
    from tflite_bench.profiling import profile_model
    from tflite_bench.streams import stdout_kept_for_the_answer

    with device_lock(options.lock, Job.lock_seconds), stdout_kept_for_the_answer() as stdout:
        try:
            profile = profile_model(options.profile, options.threads, seed=options.seed, lock=options.lock)
        # NOTE: a file that is absent or that the runtime refuses, in whatever way.
        except Exception as error:  # noqa: BLE001
            raise JobError(f"The model must run. Received: {type(error).__name__}: {error}") from error
        print(json.dumps(profile), file=stdout)
    return 0


def table(answer):
    """The answer for people.

    Args:
        answer: dict, see the package.

    Returns:
        str, a line a model and one of the environment.
    """
    reference = Reference.of(answer["canary"])
    width = max([5, *(len(model["path"]) for model in answer["models"])])
    lines = [f"{'model':<{width}} {'ms':>10} {'least':>10} {'median':>10} {'p90':>10} {'rounds':>6} {'parts':>5}"]
    for model in answer["models"]:
        rounds = model["rounds"]
        if model["status"] != "ok" or not rounds:
            lines.append(f"{model['path']:<{width}} {model['status']}: {model['error']}")
            continue
        figures = [headline_ms(rounds, reference), min(entry["min_ms"] for entry in rounds)]
        figures += [_median(entry[name] for entry in rounds) for name in ("median_ms", "p90_ms")]
        parts = "-" if model["partitions"] is None else model["partitions"]
        shown = " ".join(f"{value:>10.4g}" for value in figures)
        lines.append(f"{model['path']:<{width}} {shown} {len(rounds):>6} {parts:>5}")
    environment = answer["environment"]
    lines.append(
        f"{environment['runtime']} {environment['runtime_version']}, {environment['cpu_model']}, "
        f"{answer['num_threads']} threads, load {environment['after']['loadavg']}"
    )
    return "\n".join(lines)


def _median(values):
    values = sorted(values)
    return values[len(values) // 2]
