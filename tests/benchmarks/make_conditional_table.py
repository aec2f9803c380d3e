"""Trains every network of a small conditional space and writes the table of `tests/data_tables`.

python tests/benchmarks/make_conditional_table.py --out tests/data_tables/conditional_fashion.csv.gz [--check 12]

The space: depth decides which stages there are, the type of a stage which of its other choices mean anything. Each
network is trained on 14x14 Fashion-MNIST, twice, from other weights and in another order. A killed run goes on where
it was (rows are kept beside the output until it is whole). `--check` converts some networks and compares their files
with the figures of the table instead.
"""

import argparse
import csv
import gzip
import io
import itertools
import math
import os
import pathlib
import time
from dataclasses import dataclass

import numpy as np

from hwkeras.files import write_atomically
from hwkeras.hardware import estimate_latency_ms
from hwkeras.hardware import load_profile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "fashion_mnist_20k.npz"
WIDTHS = (8, 16)
# A kernel is live for two of the types; the third has the one its name stands for.
KERNELS = {"conv": (3, 5), "separable_conv": (3, 5), "inverted_bottleneck": ()}
EXPANSION = 2
STRIDES = (1, 2, 1)
STEM_WIDTH, NUM_CLASSES, EXTENT = 8, 10, 14
# Before the dense head the map is averaged down to so many rows and columns.
POOLED = 2
BOARD = "stm32f746"
NUM_TRAIN, NUM_VALID, BATCH, EPOCHS, SEEDS = 2000, 4000, 50, 3, (0, 1)
LEARNING_RATE, MOMENTUM, EPSILON = 0.05, 0.9, 1e-3
GENES = ("depth", *(f"stage{n}/{gene}" for n in (1, 2, 3) for gene in ("type", "width", "kernel")))
FIGURES = ("accuracy", *(f"accuracy_seed{seed}" for seed in SEEDS), "size_bytes", "macs", "latency_ms")


@dataclass(frozen=True)
class Operator:
    """A convolution with its batch normalization: `kind` is "conv" or "depthwise", extents are squares."""

    kind: str
    kernel: int
    stride: int
    channels: int
    filters: int
    extent: int
    is_active: bool = True
    # The operator whose input is added to the output, counted backwards; 0 for none.
    skip: int = 0

    @property
    def shape(self):
        return (self.kernel, self.kernel, self.channels, self.filters if self.kind == "conv" else 1)

    @property
    def target(self):
        return math.ceil(self.extent / self.stride)

    def cost(self):
        macs = self.target**2 * math.prod(self.shape)
        return {
            "macs": macs,
            "weight_bytes": math.prod(self.shape) + 4 * self.filters,
            "input_bytes": self.extent**2 * self.channels,
            "output_bytes": self.target**2 * self.filters,
        }


def candidates():
    """All values of the space, only what is live; a smaller space of the first options comes first."""
    stages = []
    for name, kernels in KERNELS.items():
        for kernel, width in itertools.product(kernels or (None,), WIDTHS):
            stages.append({"type": name, "width": width} | ({"kernel": kernel} if kernel else {}))
    chosen = [c for depth in (1, 2, 3) for c in itertools.product(range(len(stages)), repeat=depth)]
    for options in sorted(chosen, key=lambda options: (max(options), options)):
        values = {"depth": len(options)}
        for number, option in enumerate(options, 1):
            values |= {f"stage{number}/{name}": value for name, value in stages[option].items()}
        yield values


def operators(values):
    """The network of some values as a chain of operators; the dense head is not among them."""
    chain = [Operator("conv", 3, 2, 1, STEM_WIDTH, EXTENT)]
    for number in range(1, values["depth"] + 1):
        stage = {gene: values.get(f"stage{number}/{gene}") for gene in ("type", "width", "kernel")}
        chain += _stage(stage, STRIDES[number - 1], chain[-1].filters, chain[-1].target)
    return chain


def _stage(stage, stride, channels, extent):
    width, after = stage["width"], math.ceil(extent / stride)
    if stage["type"] == "conv":
        return [Operator("conv", stage["kernel"], stride, channels, width, extent)]
    if stage["type"] == "separable_conv":
        first = Operator("depthwise", stage["kernel"], stride, channels, channels, extent)
        return [first, Operator("conv", 1, 1, channels, width, after)]
    wide = channels * EXPANSION
    is_kept = stride == 1 and channels == width
    return [
        Operator("conv", 1, 1, channels, wide, extent),
        Operator("depthwise", 3, stride, wide, wide, extent),
        Operator("conv", 1, 1, wide, width, after, is_active=False, skip=3 if is_kept else 0),
    ]


def figures(values, profile):
    """What is known before training: bytes of the int8 weights, MACs, and the latency a board's profile gives."""
    chain = operators(values)
    costs = [operator.cost() for operator in chain]
    pooled = POOLED**2 * chain[-1].filters
    before = chain[-1].cost()["output_bytes"]
    costs.append({"macs": 0, "weight_bytes": 0, "input_bytes": before, "output_bytes": pooled})
    dense = {"macs": pooled * NUM_CLASSES, "weight_bytes": pooled * NUM_CLASSES + 4 * NUM_CLASSES}
    costs.append({**dense, "input_bytes": pooled, "output_bytes": NUM_CLASSES})
    return {
        "size_bytes": sum(cost["weight_bytes"] for cost in costs),
        "macs": sum(cost["macs"] for cost in costs),
        "latency_ms": round(estimate_latency_ms(costs, profile, "int8").value, 5),
    }


def load_images(tf):
    with np.load(DATA, allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    chosen = np.random.default_rng(0).permutation(len(arrays["x_train"]))[:NUM_TRAIN]
    parts = [(arrays["x_train"][chosen], arrays["y_train"][chosen])]
    parts.append((arrays["x_test"][:NUM_VALID], arrays["y_test"][:NUM_VALID]))
    tensors = []
    for x, y in parts:
        halves = x.reshape(-1, EXTENT, 2, EXTENT, 2).mean((2, 4), dtype=np.float32)[..., None]
        tensors += [tf.constant((halves - 72.9) / 85.0, tf.float32), tf.constant(y.astype(np.int32))]
    return tensors


class Network:
    """The weights of one candidate, and one graph that trains and scores it."""

    def __init__(self, tf, chain, images):
        self._tf, self._chain, self._images = tf, chain, images
        shapes = [shape for operator in chain for shape in (operator.shape, (operator.filters,))]
        shapes += [(POOLED**2 * chain[-1].filters, NUM_CLASSES), (NUM_CLASSES,)]
        self._variables = [tf.Variable(tf.zeros(shape)) for shape in shapes]
        self._moments = [tf.Variable(tf.zeros(shape)) for shape in shapes]
        self._run = tf.function(self._train_and_score, autograph=False)

    def accuracy(self, seed):
        """Trains from the weights and in the order of a seed; returns the share of the validation set it gets right."""
        rng = np.random.default_rng([seed, 7])
        for variable, moment in zip(self._variables, self._moments, strict=True):
            shape = tuple(variable.shape)
            fan_in = math.prod(shape[:2] if shape[-1] == 1 else shape[:-1])
            scale = math.sqrt(2 / fan_in) if len(shape) > 1 else 0.0
            variable.assign(rng.normal(0.0, 1.0, shape).astype(np.float32) * scale)
            moment.assign(np.zeros(shape, np.float32))
        order = np.concatenate([rng.permutation(NUM_TRAIN) for _ in range(EPOCHS)]).reshape(-1, BATCH)
        return float(self._run(self._tf.constant(order, self._tf.int32)))

    def _train_and_score(self, order):
        tf = self._tf
        x, y, x_valid, y_valid = self._images
        num_steps = order.shape[0]

        def step(number):
            index = order[number]
            with tf.GradientTape() as tape:
                logits, _ = self._forward(tf.gather(x, index))
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(y, index), logits)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, self._variables)
            share = tf.cast(number, tf.float32) / num_steps
            with tf.control_dependencies(self._updates(gradients, 0.5 * (1 + tf.cos(math.pi * share)))):
                return number + 1

        done = tf.while_loop(lambda number: number < num_steps, step, [tf.constant(0)], parallel_iterations=1)
        with tf.control_dependencies(done):
            # Statistics of the whole training set: the moving averages of so few steps would not have arrived.
            _, statistics = self._forward(x)
            logits, _ = self._forward(x_valid, statistics)
            right = tf.argmax(logits, 1, tf.int32) == y_valid
            return tf.reduce_mean(tf.cast(right, tf.float32))

    def _updates(self, gradients, share):
        return [
            self._tf.raw_ops.ResourceApplyKerasMomentum(
                var=v.handle, accum=m.handle, lr=LEARNING_RATE * share, grad=g, momentum=MOMENTUM, use_nesterov=True
            )
            for v, m, g in zip(self._variables, self._moments, gradients, strict=True)
        ]

    def _forward(self, x, statistics=None):
        tf = self._tf
        inputs, collected = [], []
        for place, operator in enumerate(self._chain):
            kernel, offset = (tf.convert_to_tensor(v) for v in self._variables[2 * place : 2 * place + 2])
            inputs.append(x)
            strides = [1, operator.stride, operator.stride, 1]
            convolve = tf.nn.conv2d if operator.kind == "conv" else tf.nn.depthwise_conv2d
            x = convolve(x, kernel, strides, "SAME")
            x, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=x,
                scale=tf.ones(operator.filters),
                offset=offset,
                mean=[] if statistics is None else statistics[place][0],
                variance=[] if statistics is None else statistics[place][1],
                epsilon=EPSILON,
                is_training=statistics is None,
            )
            collected.append((mean, variance))
            x = tf.nn.relu(x) if operator.is_active else x
            x = x + inputs[-operator.skip] if operator.skip else x
        weights, bias = self._variables[-2:]
        size = math.ceil(self._chain[-1].target / POOLED)
        x = tf.nn.avg_pool2d(x, size, size, "SAME")
        return tf.reshape(x, (-1, weights.shape[0])) @ weights + bias, collected


def train(path, seconds):
    """Trains what is not yet in the partial file beside the output, for so many seconds at most."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # A network lives for 240 steps: rewriting its graph costs more than it saves, and each is a graph of its own.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    tf.get_logger().setLevel("ERROR")
    images, profile = load_images(tf), load_profile(BOARD)
    partial = path.with_suffix(".partial")
    done = read_partial(partial)
    missing = [values for values in candidates() if identity(values) not in done]
    start = time.monotonic()
    with open(partial, "a", newline="") as file:
        for number, values in enumerate(missing, 1):
            network = Network(tf, operators(values), images)
            scores = [network.accuracy(seed) for seed in SEEDS]
            told = [f"{score:.5f}" for score in (np.mean(scores), *scores)] + list(figures(values, profile).values())
            csv.writer(file, lineterminator="\n").writerow([*identity(values), *told])
            file.flush()
            spent = time.monotonic() - start
            if number % 50 == 0:
                print(f"{number} of {len(missing)}, {spent:.0f} s, accuracy {np.mean(scores):.3f}", flush=True)
            if spent > seconds:
                break
    finish(path, partial)


def identity(values):
    return tuple(str(values.get(gene, "")) for gene in GENES)


def read_partial(partial):
    """Dict of what identifies a network to its row; rows may stand in any order."""
    if not partial.exists():
        return {}
    with open(partial, newline="") as file:
        return {tuple(row[: len(GENES)]): row for row in csv.reader(file) if len(row) == len(GENES) + len(FIGURES)}


def finish(path, partial):
    """Packs the rows in the order of the space: the same rows give the same bytes."""
    done = read_partial(partial)
    rows = [done[identity(values)] for values in candidates() if identity(values) in done]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[*GENES, *FIGURES], *rows])
    write_atomically(path, gzip.compress(text.getvalue().encode(), 9, mtime=0))
    print(f"{path}: {len(rows)} of {sum(1 for _ in candidates())} networks, {path.stat().st_size} bytes")


def check(count):
    """Converts some networks and compares the files with the figures."""
    from hwkeras.build import build_model
    from hwkeras.convert import convert_untrained
    from hwkeras.measure import analyze
    from hwkeras.space import Architecture
    from hwkeras.space import Layer

    def architecture(values):
        layers = [Layer("input", "input", (), {"shape": (EXTENT, EXTENT, 1)})]
        layers.append(Layer("stem", "conv", ("input",), {"filters": STEM_WIDTH, "kernel": 3, "stride": 2}))
        width = STEM_WIDTH
        for number in range(1, values["depth"] + 1):
            stage = {gene: values.get(f"stage{number}/{gene}") for gene in ("type", "width", "kernel")}
            stride = STRIDES[number - 1]
            params = {"filters": stage["width"], "stride": stride, "kernel": stage["kernel"] or 3}
            if stage["type"] == "inverted_bottleneck":
                params |= {"expansion": EXPANSION, "skip": stride == 1 and width == stage["width"]}
            layers.append(Layer(f"stage{number}", stage["type"], (layers[-1].name,), params))
            width = stage["width"]
        size = math.ceil(operators(values)[-1].target / POOLED)
        layers.append(Layer("pool", "average_pool", (layers[-1].name,), {"size": size, "padding": "same"}))
        layers.append(Layer("flatten", "flatten", ("pool",), {}))
        layers.append(Layer("classifier", "classifier", ("flatten",), {"classes": NUM_CLASSES}))
        return Architecture(tuple(layers))

    profile, every = load_profile(BOARD), list(candidates())
    for index in np.random.default_rng(0).permutation(len(every))[:count]:
        file = convert_untrained(build_model(architecture(every[index])), ["int8"])["int8"]
        analysis, known = analyze(file), figures(every[index], profile)
        told = {name: (known[name], getattr(analysis, name)) for name in ("macs", "size_bytes")}
        told["weight_bytes"] = (known["size_bytes"], analysis.weight_bytes)
        told["latency_ms"] = (known["latency_ms"], round(estimate_latency_ms(analysis.ops, profile).value, 5))
        print(dict(every[index]), told, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default="tests/data_tables/conditional_fashion.csv.gz")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many seconds, to go on later")
    parser.add_argument("--check", type=int, default=0, help="convert so many networks and compare, train none")
    args = parser.parse_args()
    check(args.check) if args.check else train(args.out, args.seconds)


if __name__ == "__main__":
    main()
