"""`hwkeras compress`."""

from __future__ import annotations

import datetime
import logging
import pathlib

import click

from hwkeras.cli.output import JsonOutput
from hwkeras.errors import CompressionError
from hwkeras.errors import DeviceError
from hwkeras.errors import HwkerasError
from hwkeras.errors import UserError

_COLUMNS = ("recipe", "size_bytes", "gzip_bytes", "latency_ms", "accuracy", "sparsity")
_TITLES = ("Recipe", "Size", "Gzip", "Latency", "Accuracy", "Zeros")
_UNITS = {
    "size_bytes": "bytes",
    "gzip_bytes": "bytes",
    "latency_ms": "ms",
    "accuracy": "fraction",
    "sparsity": "fraction",
}
_PROBE_SAMPLES = 32


@click.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@click.option("--data", required=True, help="As `hwkeras search` takes it; an .npz may also hold rows of features.")
@click.option(
    "--kind",
    default=None,
    help="Of the data: image, sequence, audio, text or table. [default: of an .npz image, else what is recognized]",
)
@click.option(
    "--front-end",
    type=click.Choice(["outside", "inside"]),
    default=None,
    help="Of sounds: `inside` for a model that takes waveforms. [default: outside]",
)
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    default=("int8",),
    show_default=True,
    help="Such as int8, mixed, prune=0.5+int8_qat, prune=2:4, cluster=16+int8, channels=0.5+distill+int8_qat; "
    "repeatable.",
)
@click.option("--teacher", type=click.Path(path_type=pathlib.Path), help="Model file `distill` learns from.")
@click.option("--epochs", type=click.IntRange(1), default=3, show_default=True, help="Of each fine-tuning.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=1e-3, show_default=True)
@click.option("--device", default="local", show_default=True, help="Where latency is measured.")
@click.option("--raw", is_flag=True, help="Pixels as they are in DATA, for a model that scales them itself.")
@click.option("--allow-lambda", multiple=True, metavar="NAME", help="Run the code of this Lambda layer; repeatable.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=pathlib.Path),
    default=None,
    help="New or empty directory. [default: runs/compress-MODEL-TIME]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def compress(model, out, as_json, **asked):
    """Compress MODEL, trained, by each recipe, and measure the files side by side.

    MODEL is a .keras or .h5 file, or the SavedModel folder of a legacy Keras model: a classifier with one input.
    Accuracy is of the written bytes on x_test, y_test of the data, else on a fifth held back from the fine-tuning, by
    which int8_qat also chooses the weights it keeps.
    """
    with JsonOutput(as_json) as output:
        out = out or pathlib.Path("runs") / f"compress-{model.stem}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
        recipes = _parsed(asked["recipes"])
        _check_directory(out)
        job = _Job(model, out, recipes, asked)
        job.run()
        document = job.document()
        output.put(document)
        if not as_json:
            for line in [*_table(document["results"]), f"Files and report: {out}"]:
                click.echo(line)
        job.raise_failure()


def _parsed(texts):
    """The recipes as they were written -> Recipe."""
    from hwkeras.compress import Recipe

    recipes = {}
    for text in texts:
        recipe = Recipe.parse(text)
        if recipe in recipes.values():
            raise UserError(f"Each recipe is asked for once. Received: --recipe {text} twice. Leave one of them away.")
        recipes["".join(text.split())] = recipe
    return recipes


def _check_directory(out):
    if out.exists() and not out.is_dir():
        raise UserError(f"--out names a directory. Received: {out}, a file.")
    if out.exists() and any(out.iterdir()):
        raise UserError(f"--out must be new or empty. Received: {out}, which holds files. Give another directory.")


class _Job:
    """Everything that is checked before the first training, then one file a recipe."""

    def __init__(self, path, out, recipes, asked):
        from hwkeras.convert import import_tensorflow
        from hwkeras.measure import open_meter

        self.path, self.out, self.recipes, self.asked = path, out, recipes, asked
        self.meter = open_meter(asked["device"])
        import_tensorflow()
        # Of every conversion and training TensorFlow tells what the caller cannot change.
        for name in ("absl", "tensorflow"):
            logging.getLogger(name).setLevel(logging.ERROR)
        from hwkeras.cli.model_data import load_model_data

        self.model = self._load(path)
        of_data = {name: asked[name] for name in ("seed", "raw", "kind", "front_end")}
        self.data = load_model_data(asked["data"], self.model, **of_data)
        self.teacher = self._teacher()
        _prepare_for_training(self.model, self.data)
        self.results, self.failures = [], {}

    def run(self):
        """Runs the recipes and writes their files, then measures all of them in one job and writes the report."""
        from hwkeras.files import write_atomically
        from hwkeras.files import write_json

        contents = []
        for number, (text, recipe) in enumerate(self.recipes.items(), 1):
            click.echo(f"recipe {number}/{len(self.recipes)}: {text}", err=True)
            try:
                result = self._compressed(recipe)
            except HwkerasError as error:  # Of one recipe: the others' work is not lost.
                self.failures[text] = error
                continue
            file = self.out / f"{text.replace(':', '-')}.tflite"
            write_atomically(file, result.tflite)
            contents.append(result.tflite)
            self.results.append(self._result(text, file, result))
        if contents:
            self._measure(contents)
            write_json(self.out / "report.json", self.document())

    def document(self):
        """The results as plain data for JSON."""
        return {
            "model": str(self.path),
            "out": str(self.out),
            "device": self.asked["device"],
            "data": self.data.facts,
            "epochs": self.asked["epochs"],
            "seed": self.asked["seed"],
            "results": self.results,
            "failed": [{"recipe": text, "error": str(error)} for text, error in self.failures.items()],
        }

    def raise_failure(self):
        """Raises what kept a recipe from its file, or the device from its latencies."""
        for error in self.failures.values():
            raise error
        failed = [one for one in self.results if one["metrics"]["latency_ms"] is None]
        if failed:
            measurement = failed[0]["measurement"]
            raise DeviceError(
                f"Device {self.asked['device']!r} gave no latency for {len(failed)} of {len(self.results)} files. "
                f"Received: {measurement['status']} for {failed[0]['file']}. {measurement['message']}".strip()
            )

    def _load(self, path):
        from hwkeras.compress import load_model
        from hwkeras.compress import twin
        from hwkeras.compress.front_end import FrontEnd

        model = load_model(path, allow_lambda=self.asked["allow_lambda"])
        front = FrontEnd.of(model)
        try:
            twin(model if front is None else front.body)
        except CompressionError as error:  # The model, not the work on it: told before anything is trained.
            raise UserError(str(error)) from error
        return model

    def _teacher(self):
        from hwkeras.compress import load_model

        path = self.asked["teacher"]
        if path is None:
            return None
        if not any(recipe.distill for recipe in self.recipes.values()):
            raise UserError(
                f"A teacher is asked by 'distill' alone. Received: --teacher {path} and --recipe "
                f"{' --recipe '.join(self.recipes)}. Write 'distill' into a recipe, or leave --teacher away."
            )
        return load_model(path, allow_lambda=self.asked["allow_lambda"])

    def _compressed(self, recipe):
        import keras

        import hwkeras.compress

        keras.utils.set_random_seed(self.asked["seed"])
        options = {"teacher": self.teacher} if recipe.distill and self.teacher is not None else {}
        return hwkeras.compress.compress(
            self.model,
            recipe,
            self.data.train,
            validation_data=self.data.valid,
            epochs=self.asked["epochs"],
            batch_size=self.asked["batch_size"],
            learning_rate=self.asked["learning_rate"],
            **options,
        )

    def _result(self, text, file, result):
        from hwkeras.convert import score

        report = result.report.to_json()
        metrics = {
            "size_bytes": len(result.tflite),
            "gzip_bytes": report["gzip_bytes"],
            "latency_ms": None,
            "accuracy": score(result.tflite, *self.data.held_out),
            "sparsity": _share_of_zeros(result.tflite),
        }
        return {"recipe": text, "file": str(file), "metrics": metrics, "report": report, "measurement": None}

    def _measure(self, contents):
        for result, measurement in zip(self.results, self.meter.measure(contents), strict=True):
            result["measurement"] = measurement.to_json()
            result["metrics"]["latency_ms"] = measurement.latency_ms


def _prepare_for_training(model, data):
    """Gives a model with a single output its loss; of several, `compress` tells it from the answers."""
    import keras

    if model.outputs[0].shape[-1] != 1:
        return
    answers = keras.ops.convert_to_numpy(model(data.train[0][:_PROBE_SAMPLES], training=False))
    is_probability = answers.min() >= 0 and answers.max() <= 1
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=not is_probability))


def _share_of_zeros(content):
    from hwkeras.compress.flatbuffer import constant_tensors

    tensors = [tensor.values for tensor in constant_tensors(content)]
    size = sum(values.size for values in tensors)
    return sum(int((values == 0).sum()) for values in tensors) / size if size else 0.0


def _table(results):
    """The results as lines of aligned columns."""
    from hwkeras.units import format_quantity

    rows = [_TITLES]
    for result in results:
        metrics = result["metrics"]
        rows.append((result["recipe"], *(format_quantity(metrics[name], _UNITS[name]) for name in _COLUMNS[1:])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if results else []:
        first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([first, *(cell.strip().rjust(len(cell)) for cell in others)])
