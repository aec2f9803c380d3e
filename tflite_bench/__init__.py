"""Times `.tflite` files on the device it runs on: the standard library, numpy and one TFLite runtime are enough.

The folder can be copied to a device as it is; Python 3.8 will do there.

    tflite-bench model.tflite other.tflite          a table
    python tflite_bench --json model.tflite         one JSON line
    python tflite_bench --job job.json              a job in a file, or on stdin with `--job -`; one JSON line

A job is a JSON object; `job.Job` tells its fields. All models are loaded, then visited in a random order, round after
round, with a pause between rounds: a neighbor's burst that slows one round does not slow them all, and the least time
over the rounds is repeatable where the mean of one visit is not.

    {"version": 1, "models": ["a.tflite", "b.tflite"], "num_threads": 1, "rounds": 3}

The answer, with times in milliseconds, holds the raw rounds of each model and the environment:

    {"version": 1, "models": [{"path", "sha256", "size_bytes", "error", "load_ms", "first_ms", "partitions",
     "rss_bytes", "rounds": [{"num_invokes", "min_ms", "p10_ms", "median_ms", "mean_ms", "p90_ms"}]}],
     "environment": {...}, "num_threads": 1, "seconds": 0.9}

A model that the runtime refuses has its reason in `error`; the others are measured. Exit codes: 0 done, 2 the job or
an argument is wrong (or, with a table, a model was refused), 4 no runtime is installed.
"""

VERSION = 1
