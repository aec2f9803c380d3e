"""Times `.tflite` files on the device it runs on: the standard library, numpy and one TFLite runtime are enough.

The folder (`*.py` and `canary*.tflite`) can be copied to a device as it is; Python 3.8 will do there.

    tflite-bench model.tflite other.tflite          a table
    python tflite_bench --json model.tflite         one JSON line
    python tflite_bench --job job.json              a job in a file, or on stdin with `--job -`; one JSON line
    python tflite_bench --profile model.tflite      time by operator; one JSON line

A job is a JSON object; `job.Job` tells its fields. Each round visits every model in several short bursts, in a random
order, with the model loaded anew each time: a neighbor's burst, or an unlucky place in memory, spoils one visit and not
the round. Bursts alternate with a canary, a small network that is always the same one, so that each visit tells how
fast the device was just then (`gating`).

    {"version": 2, "models": ["a.tflite", "b.tflite"], "num_threads": 1, "rounds": 3}

The answer, with times in milliseconds, holds the raw rounds of each model and the environment:

    {"version": 2, "models": [{"path", "sha256", "size_bytes", "status", "error", "load_ms", "first_ms", "partitions",
     "rss_bytes", "output": [{"dtype", "shape", "sha256", "values"}],
     "rounds": [{"num_invokes", "min_ms", "p10_ms", "median_ms", "mean_ms", "p90_ms", "canary_ms", "at_s",
     "bursts": [{"at_s", "guard", "turns": [[least_ms, canary_ms], ...]}]}]}],
     "canary": {"sha256", "best_ms", "typical_ms", "reference_ms", "guard", "guard_reference"},
     "environment": {...}, "num_threads": 1, "seconds": 0.9}

The `status` of a model is "ok"; "error" (the runtime refuses it, `error` says why); "timeout"; "out_of_memory"; or
"crashed:SIGABRT" and the like. The timing runs in a child process, so whatever one model does to it is the result of
that model and the others are measured. Exit codes: 0 done, 2 the job or an argument is wrong (or, with a table, a model
has no latency), 4 no runtime is installed, the timing does not start, or another job has the device.
"""

VERSION = 2
