"""How well latencies are predicted from few measured networks, on random networks of this machine.

python tests/benchmarks/bench_predictor.py --work FOLDER [--networks 180] [--passes 3] [--quick]

Makes random small CNNs (half from `hwkeras.spaces.Image`, half plain), converts them untrained to float32 and int8,
measures all of them in several passes (the least latency counts: a whole pass may fall into a slow phase of the
machine), then fits on random subsets of 30 and 100 and judges on the others. The folder keeps files and latencies: a
second run measures nothing, `--passes` more adds passes.
"""

import argparse
import json
import pathlib
import random
import types

import numpy as np

from hwkeras.measure import analyze
from hwkeras.measure.predictor import LatencyPredictor

SHAPES = ((28, 28, 1), (32, 32, 1), (32, 32, 3), (48, 48, 1), (48, 48, 3))
PRECISIONS = ("float32", "int8")
BATCH = 20


def make_networks(folder, num_networks, seed):
    """Converts the networks that the folder does not hold yet."""
    from hwkeras.convert import import_tensorflow

    import_tensorflow()
    import keras

    from hwkeras.build.model import build_model
    from hwkeras.convert import convert_untrained
    from hwkeras.space.image import ImageSpace

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_networks):
        paths = {precision: folder / f"{number:03d}.{precision}.tflite" for precision in PRECISIONS}
        if all(path.exists() for path in paths.values()):
            continue
        rng = np.random.default_rng([seed, number])
        keras.utils.set_random_seed(number)
        keras.backend.clear_session()
        shape = SHAPES[rng.integers(len(SHAPES))]
        if number % 2:
            space = ImageSpace(input_shape=shape, num_classes=10)
            values = {choice.name: choice.values[rng.integers(len(choice.values))] for choice in space.choices}
            model = build_model(space.architecture(types.SimpleNamespace(values=values)))
        else:
            model = plain_network(keras, shape, rng)
        for precision, content in convert_untrained(model, PRECISIONS).items():
            paths[precision].write_bytes(content)


def plain_network(keras, shape, rng):
    """A chain of convolutions, separable convolutions, pools and residual additions."""
    layers = keras.layers
    inputs = keras.Input(shape)
    width = int(rng.choice([8, 12, 16, 24, 32]))
    x = layers.Conv2D(width, 3, strides=int(rng.integers(1, 3)), padding="same", activation="relu")(inputs)
    for _ in range(rng.integers(2, 8)):
        kind = rng.choice(["conv", "separable", "pointwise", "pool", "residual"], p=[0.4, 0.25, 0.1, 0.15, 0.1])
        stride = int(rng.choice([1, 2], p=[0.7, 0.3])) if x.shape[1] > 4 else 1
        grows = stride == 2 or rng.random() < 0.3
        width = min(160, int(width * rng.choice([1, 1.5, 2]))) // 4 * 4 if grows else width
        options = {"padding": "same", "activation": "relu"}
        kernel = int(rng.choice([3, 5], p=[0.7, 0.3]))
        if kind == "conv":
            x = layers.Conv2D(width, kernel, strides=stride, **options)(x)
        elif kind == "separable":
            x = layers.DepthwiseConv2D(kernel, strides=stride, **options)(x)
            x = layers.Conv2D(width, 1, activation="relu")(x)
        elif kind == "pointwise":
            x = layers.Conv2D(width, 1, activation="relu")(x)
        elif kind == "pool" and x.shape[1] > 4:
            x = (layers.MaxPooling2D if rng.random() < 0.5 else layers.AveragePooling2D)(2)(x)
        else:
            x = layers.ReLU()(layers.Add()([x, layers.Conv2D(x.shape[-1], kernel, **options)(x)]))
    if rng.random() < 0.6:
        x = layers.GlobalAveragePooling2D()(x)
    else:
        x = layers.Flatten()(layers.MaxPooling2D(2)(x) if x.shape[1] > 8 else x)
    if rng.random() < 0.4:
        x = layers.Dense(int(rng.choice([32, 64, 128])), activation="relu")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def measure_pass(files, path, number):
    """Adds one latency for each file to the journal, in batches of a random order."""
    from hwkeras.measure import open_meter

    files = list(files)
    random.Random(number).shuffle(files)
    meter = open_meter("local", rounds=5)
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        measurements = meter.measure([file.read_bytes() for file in batch])
        with open(path, "a") as journal:
            for file, measurement in zip(batch, measurements, strict=True):
                entry = {"pass": number, "file": file.name, "latency_ms": measurement.latency_ms}
                journal.write(json.dumps(entry) + "\n")


def read_latencies(path):
    """The least latency of each file, and how many passes there were."""
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    least = {}
    for entry in entries:
        if entry["latency_ms"] is not None:
            least[entry["file"]] = min(entry["latency_ms"], least.get(entry["file"], np.inf))
    return least, len({entry["pass"] for entry in entries})


def coarse_amounts(analysis):
    """MACs, weights, activations, operators and 1: what the simplest models see."""
    outputs = sum(op.output_bytes for op in analysis.ops)
    return [analysis.macs, analysis.weight_bytes, outputs, len(analysis.ops), 1]


def by_macs(train, latencies, test):
    macs = np.array([[analysis.macs, 1] for analysis in train], np.float64)
    weights = np.linalg.lstsq(macs, latencies, rcond=None)[0]
    return np.maximum(np.array([[analysis.macs, 1] for analysis in test]) @ weights, 1e-6)


def by_coarse_nnls(train, latencies, test):
    from scipy.optimize import nnls

    rows = np.array([coarse_amounts(analysis) for analysis in train]) / latencies[:, None]
    sizes = np.linalg.norm(rows, axis=0)
    return np.array([coarse_amounts(analysis) for analysis in test]) @ (
        nnls(rows / sizes, np.ones(len(rows)))[0] / sizes
    )


def by_forest(train, latencies, test):
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(200, random_state=0)
    forest.fit(np.log1p([coarse_amounts(analysis) for analysis in train]), np.log(latencies))
    return np.exp(forest.predict(np.log1p([coarse_amounts(analysis) for analysis in test])))


def by_predictor(train, latencies, test):
    predictor = LatencyPredictor().fit(train, latencies)
    return [predictor.predict(analysis) for analysis in test]


MODELS = {
    "linear on MACs": by_macs,
    "NNLS on 5 amounts": by_coarse_nnls,
    "random forest": by_forest,
    "LatencyPredictor": by_predictor,
}


def judge(predictions, truth):
    """Shares within 10% and 20%, median error, Kendall tau, coverage and half-width of the intervals."""
    from scipy.stats import kendalltau

    values = np.array([getattr(prediction, "latency_ms", prediction) for prediction in predictions])
    errors = np.abs(values / truth - 1)
    coverage = width = np.nan
    if hasattr(predictions[0], "low_ms"):
        low, high = np.array([(prediction.low_ms, prediction.high_ms) for prediction in predictions]).T
        coverage, width = np.mean((low <= truth) & (truth <= high)), np.median(high / values - 1)
    tau = kendalltau(values, truth).statistic
    return (errors <= 0.1).mean(), (errors <= 0.2).mean(), np.median(errors), tau, coverage, width


def print_table(files, latencies, num_splits):
    analyses = {file.name: analyze(file) for file in files}
    print(f"{'':46}in 10%  in 20%   MdAPE     tau  coverage  half-width")
    for kind in (*PRECISIONS, "both"):
        names = [name for name in analyses if name in latencies and (kind == "both" or kind in name)]
        truth = np.array([latencies[name] for name in names])
        for num_train in (30, 100):
            if len(names) < num_train + 20:
                continue
            for model, predict in MODELS.items():
                scores = []
                for split in range(num_splits):
                    order = np.random.default_rng(split).permutation(len(names))
                    train, test = order[:num_train], order[num_train:]
                    predictions = predict(
                        [analyses[names[i]] for i in train], truth[train], [analyses[names[i]] for i in test]
                    )
                    scores.append(judge(predictions, truth[test]))
                cells = "".join(f"{value:8.3f}" for value in np.mean(scores, axis=0))
                print(f"{kind:8} {num_train:4} of {len(names):3}  {model:22}{cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--networks", type=int, default=180)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--quick", action="store_true", help="60 networks, one pass, 3 splits")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.networks, arguments.passes, arguments.splits = 60, 1, 3
    make_networks(arguments.work / "files", arguments.networks, arguments.seed)
    journal = arguments.work / "latencies.jsonl"
    files = sorted((arguments.work / "files").glob("*.tflite"))[: 2 * arguments.networks]
    latencies, num_passes = read_latencies(journal)
    for number in range(num_passes, arguments.passes):
        measure_pass(files, journal, number)
        print(f"pass {number + 1} of {arguments.passes} measured", flush=True)
    latencies, num_passes = read_latencies(journal)
    print(f"least latency of {num_passes} passes; means of {arguments.splits} random splits, judged on the rest")
    print_table(files, latencies, arguments.splits)


if __name__ == "__main__":
    main()
