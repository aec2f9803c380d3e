"""Where the time of a trial goes: shares of each stage outside `fit`, for a small image space on digits.

python tests/benchmarks/bench_trial_stages.py [--trials 4] [--epochs 5]
"""

import argparse
import json
import tempfile

import hwkeras as hw
from hwkeras.convert import import_tensorflow

import_tensorflow()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--limit", default="latency=5ms", help="makes the screen measure, too")
    arguments = parser.parse_args()
    data = hw.load_dataset("digits")
    space = hw.spaces.Image(input_shape=data.input_shape, num_classes=data.num_classes, stages=2, depths=(1, 2))
    with tempfile.TemporaryDirectory() as directory:
        tuner = hw.HardwareTuner(
            space, limits=[arguments.limit], max_trials=arguments.trials, seed=0, directory=f"{directory}/run"
        )
        valid = (data.x_valid, data.y_valid)
        tuner.search(data.x_train, data.y_train, validation_data=valid, epochs=arguments.epochs, batch_size=64)
    seconds = tuner.stage_seconds
    fit = seconds.pop("fit")
    outside = sum(seconds.values())
    shares = {stage: round(spent / outside, 3) for stage, spent in seconds.items()}
    per_trial = {"fit": round(fit / arguments.trials, 2), "outside": round(outside / arguments.trials, 2)}
    print(json.dumps({"share_of_time_outside_fit": shares, "seconds_per_trial": per_trial}, indent=1))


if __name__ == "__main__":
    main()
