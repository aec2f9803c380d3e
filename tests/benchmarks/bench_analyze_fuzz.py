"""What `analyze` does with corrupted files: `python tests/benchmarks/bench_analyze_fuzz.py [--copies 2000] [--seed 0]`.

Truncations, flipped bits and wrong offsets in copies of ten files. Each copy goes through every static analysis in a
process that may take 500 MB beyond what it started with, and 2 s of CPU time a copy. Prints one JSON document.
"""

import argparse
import collections
import json
import pathlib
import random
import resource
import signal
import sys
import time

from hwkeras.errors import ModelFileError
from hwkeras.measure.analysis import analyze
from hwkeras.measure.delegation import analyze_delegation
from hwkeras.measure.quantization import analyze_quantization
from hwkeras.measure.weights import analyze_weights

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "tflite"
FILES = (
    "mlperf_tiny/ad01_int8", "mlperf_tiny/kws_ref_model", "mlperf_tiny/kws_ref_model_float32",
    "mlperf_tiny/pretrainedResnet", "mlperf_tiny/pretrainedResnet_quant", "mlperf_tiny/vww_96_int8",
    "tflm/hello_world_float", "tflm/hello_world_int8", "tflm/keyword_scrambled", "tflm/micro_speech_quantized",
)  # fmt: skip
ANALYSES = (analyze, analyze_weights, analyze_quantization, analyze_delegation)
MAX_BYTES = 500 * 10**6
MAX_CPU_S = 2.0


class Hang(Exception):
    """A copy that took longer than it may."""


def corrupt(data, rng):
    """One damaged copy: cut, with flipped bits, or with words replaced by what an offset or a count may not be."""
    kind = rng.randrange(3)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    copy = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = _position(len(copy), rng)
        if kind == 1:
            copy[at] ^= 1 << rng.randrange(8)
        else:
            numbers = (0, 0xFFFFFFFF, 0x7FFFFFFF, rng.getrandbits(32), rng.randrange(len(copy)), rng.randrange(64))
            copy[at - at % 4 : at - at % 4 + 4] = rng.choice(numbers).to_bytes(4, "little")
    return bytes(copy)


def outcome(data, function):
    """How one analysis of one copy ends: `"result"`, `"error"` for the error it may end with, or what went wrong."""
    signal.setitimer(signal.ITIMER_PROF, MAX_CPU_S)
    try:
        json.dumps(function(data).to_json())
        return "result"
    except ModelFileError as error:
        return "error" if "Received: " in str(error) else f"unclear: {error}"
    except Hang:
        return f"hang in {function.__name__}"
    except Exception as error:  # noqa: BLE001 whatever else comes is what this looks for
        return f"{type(error).__name__} in {function.__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def run(num_copies, seed):
    """Counts of outcomes over copies of all files, and the most CPU time one analysis took."""
    contents = [(SHARED / f"{name}.tflite").read_bytes() for name in FILES]
    rng = random.Random(seed)
    counts, worst_s = collections.Counter(), 0.0
    for number in range(num_copies):
        copy = corrupt(contents[number % len(contents)], rng)
        for function in ANALYSES:
            start = time.process_time()
            counts[outcome(copy, function)] += 1
            worst_s = max(worst_s, time.process_time() - start)
    return {"copies": num_copies, "outcomes": dict(counts), "worst_cpu_s": round(worst_s, 3)}


def limit_memory():
    """Lets this process grow by `MAX_BYTES` and no more; returns how much it has now."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    now = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MAX_BYTES, resource.RLIM_INFINITY))
    return now


def peak_rss_mb():
    """The most memory this process had; `ru_maxrss` would include the parent it was forked from."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1000


def _position(size, rng):
    """Tables lie at the ends of a file, weights between: two of three positions are near an end."""
    near = min(size, 8192)
    return min(size - 4, rng.choice((rng.randrange(size), rng.randrange(near), size - 1 - rng.randrange(near))))


def _raise_hang(number, frame):
    raise Hang


def main():
    """Prints the outcomes; exits 1 where one is neither a result nor a clear error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    signal.signal(signal.SIGPROF, _raise_hang)
    analyze((SHARED / f"{FILES[0]}.tflite").read_bytes())  # imports first, the limit after
    limit_memory()
    found = run(arguments.copies, arguments.seed)
    found["peak_rss_mb"] = peak_rss_mb()
    print(json.dumps(found))
    return 0 if set(found["outcomes"]) <= {"result", "error"} else 1


if __name__ == "__main__":
    sys.exit(main())
