"""`hwkeras search`."""

from __future__ import annotations

import datetime
import pathlib
import warnings

import click

from hwkeras.cli.augmenting import augmented
from hwkeras.cli.output import JsonOutput
from hwkeras.cli.own_space import agree_on_kind
from hwkeras.cli.own_space import open_space
from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.oracles import names as oracle_names

# Steps of training a candidate gets when `--epochs` is not given: enough to rank small networks (see README).
_DEFAULT_STEPS = 1000
_MAX_DEFAULT_EPOCHS = 30
# A table of some hundred rows has a few steps an epoch, each of which takes no time.
_MAX_DEFAULT_EPOCHS_OF_ROWS = 150
# Told first: what share of the space fits the limits.
_SATISFIABILITY_SECONDS = 4.0


@click.command()
@click.argument("data", default="digits")
@click.option(
    "--space",
    default=None,
    help="`image`, `cells`, `nasnet`, `segmentation`, `sequence`, `audio`, `audio_streaming`, `text`, `tabular`, "
    "`two_tower`, a well-known network such as `mobilenet_v2`; transfer:BACKBONE of a .keras or .h5 file, or of a "
    "network of keras.applications and its weights, such as transfer:mobilenet_v2@imagenet; or your build(hp): "
    "FILE.py:NAME or MODULE:NAME. [default: the one for the kind of the data]",
)
@click.option(
    "--kind",
    default=None,
    help="Of the data: image, masks, sequence, audio, text, table or interactions. [default: the space's, else what is "
    "recognized]",
)
@click.option("--words", type=click.IntRange(1), default=None, help="Of texts: the most to learn. [default: 4000]")
@click.option("--stream", is_flag=True, help="Leave samples in the files of a folder: for sets larger than memory.")
@click.option(
    "--front-end",
    type=click.Choice(["outside", "inside"]),
    default=None,
    help="Of sounds: who makes pictures of waveforms, whoever feeds the network, or the network. [default: outside]",
)
@click.option("--target", default=None, help="Of a table: the column to predict. [default: the last one]")
@click.option("--task", default=None, help="classification or regression. [default: as the targets of a table suggest]")
@click.option(
    "--device",
    "devices",
    multiple=True,
    default=("local",),
    show_default=True,
    help="Where latency is measured; see `hwkeras devices`. Repeatable: a further one gives latency@NAME.",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of the interpreter.")
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    help="To optimize; repeatable. [default: accuracy, latency_ms, size_bytes; rmse for accuracy where the space "
    "predicts numbers, mean_iou where it answers for every pixel, log_loss where fewer than 30 samples validate]",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    help="latency=5ms, p90=8ms, latency@DEVICE=8ms, size=200KiB, peak_ram=96KiB, macs=3M; repeatable.",
)
@click.option("--precision", default="float32,int8", show_default=True, help="Of float32, float16, dynamic, int8.")
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    help="Also compress the networks near the front: int8_qat, prune=0.5+int8_qat, ...; repeatable.",
)
@click.option("--oracle", default="pareto", show_default=True, help=f"Who proposes: {', '.join(oracle_names())}.")
@click.option("--trials", type=click.IntRange(1), default=None, help="Networks to train. [default: 10]")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=None,
    help="Begin no trial that would end later. [default: 3 without --trials and --total-epochs]",
)
@click.option("--total-epochs", type=click.IntRange(1), default=None, help="Begin no trial that would train more.")
@click.option(
    "--min-gain",
    type=click.FloatRange(0, 1, max_open=True),
    default=None,
    help="Stop when trials are expected to add less than this share, such as 0.01, to the hypervolume.",
)
@click.option("--stop-hopeless", is_flag=True, help="End trials whose learning curve cannot reach the front.")
@click.option("--inherit-weights", is_flag=True, help="Start a network from a trained one that shares most layers.")
@click.option(
    "--train-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Train each network on this share of the training data, the same for all.",
)
@click.option(
    "--warm-start",
    type=click.Path(),
    multiple=True,
    help="Learn from the earlier run in this directory; repeatable.",
)
@click.option("--zero-cost", is_flag=True, help="Score untrained networks, as hints for the oracle.")
@click.option(
    "--epochs", type=click.IntRange(1), default=None, help="Epochs for each network. [default: by the data's size]"
)
@click.option(
    "--class-weight",
    type=click.Choice(["balanced"]),
    default=None,
    help="Each class weighs the same in training, however few samples it has.",
)
@click.option(
    "--augment",
    "augments",
    multiple=True,
    help="Change training samples, as a choice: NAME or NAME=V1,V2 of flip, crop, cutout, mixup, time_mask, "
    "frequency_mask, time_warp, rotate, loudness, noise, scale; repeatable.",
)
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True)
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=None,
    help="For few samples: each of so many parts is judged by a file trained on the others; what ships is trained on "
    "all. Groups stay in one part. [default: a fifth of the samples is held back]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1),
    default=1,
    show_default=True,
    help="Trials at a time; one, so that no trial disturbs another's latency.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=pathlib.Path),
    default=None,
    help="Directory of the run. [default: runs/DATA-TIME]",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def search(data, out, as_json, **asked):
    """Search for the networks worth shipping on DATA.

    DATA is a built-in name (digits, mnist, fashion_mnist, cifar10), an .npz file with x_train, y_train[, x_test,
    y_test], a folder of class folders with images, .wav or .txt files, a folder of images/ and masks/, a .tsv or .csv
    of labels and texts, or a .csv or .parquet file whose first line names the columns, of which --target is to be
    predicted.

    Samples of an .npz are images; sequences where they have many steps of few channels; waveforms beside sample_rate;
    texts where they are strings. y_train may be a class for every pixel. Rows of numbers need --kind table or
    sequence; a file of user, item and target is a table unless --space two_tower recommends.
    """
    with JsonOutput(as_json) as output:
        out = out or pathlib.Path("runs") / f"{_stem(data)}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
        tuner, dataset, fit_arguments = _prepare(data, out, asked)
        results = _search(tuner, dataset, fit_arguments, live=not as_json)
        output.put(results)


def _prepare(data, out, asked):
    """Checks everything that can be checked before the first file is written."""
    _check_directory(out, asked["resume"])
    from hwkeras.convert import import_tensorflow
    from hwkeras.convert import require_precisions
    from hwkeras.measure import open_meter
    from hwkeras.objectives import Limit
    from hwkeras.objectives import Objective

    precisions = require_precisions([name.strip() for name in asked["precision"].split(",")])
    limits = [Limit.parse(limit) for limit in asked["limits"]]
    objectives = [Objective.parse(objective) for objective in asked["objectives"]]
    # Not every device takes a number of threads: a profile is of one core.
    options = {} if asked["threads"] == 1 else {"num_threads": asked["threads"]}
    meters = [open_meter(device, **options) for device in asked["devices"]]
    asked["kind"], asked["space"], recognized = agree_on_kind(data, asked["kind"], asked["space"])
    dataset = _load(data, asked, recognized)
    fit_arguments = _fit_arguments(dataset, asked)
    import_tensorflow()
    space = augmented(open_space(asked["space"], dataset), asked["augments"], asked["space"], dataset.preprocessing)

    from hwkeras.search import Economy
    from hwkeras.search import HardwareTuner

    switches = ("stop_hopeless", "inherit_weights", "train_share", "warm_start", "zero_cost")
    tuner = HardwareTuner(
        space,
        objectives=objectives or _usual_objectives(space, dataset, asked["folds"]),
        limits=limits,
        device=asked["devices"],
        meter=meters,
        precision=precisions,
        oracle=asked["oracle"],
        # A trial trains an epoch at least: of epochs alone there are no more trials.
        max_trials=asked["trials"] or asked["total_epochs"] or 10,
        max_minutes=asked["minutes"] or (None if asked["trials"] or asked["total_epochs"] else 3),
        max_total_epochs=asked["total_epochs"],
        min_gain=asked["min_gain"],
        compression=asked["recipes"],
        economy=Economy(**{name: asked[name] for name in switches}),
        satisfiability_seconds=_SATISFIABILITY_SECONDS,
        seed=asked["seed"],
        directory=out,
        data_facts={
            "name": dataset.name,
            "class_names": [str(name) for name in dataset.class_names],
            "preprocessing": dict(dataset.preprocessing),
        },
    )
    return tuner, dataset, fit_arguments


def _load(data, asked, recognized):
    """The data set, and what is to be known of it as notes on stderr."""
    from hwkeras.data import DataWarning
    from hwkeras.data import load_dataset

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the notes say the same
        dataset = load_dataset(
            data,
            kind=asked["kind"],
            seed=asked["seed"],
            target=asked["target"],
            task=asked["task"],
            num_words=asked["words"],
            stream=asked["stream"],
            front_end=asked["front_end"],
        )
    for note in (*filter(None, [recognized]), *dataset.preprocessing.get("notes", ())):
        click.echo(f"Note: {note}", err=True)
    return dataset


def _usual_objectives(space, dataset, folds):
    from hwkeras.build import as_hypermodel
    from hwkeras.search import goals

    num_validation = len(dataset.x_valid) + (len(dataset.x_train) if folds else 0)
    usual = goals.usual_objectives(as_hypermodel(space), num_validation)
    if "log_loss" in usual:
        click.echo(
            f"Note: {num_validation} samples validate: log_loss is the objective, as many files will have the same "
            "accuracy of them. (Of --objective accuracy the smallest of those is called best.) With --folds 5 all "
            "samples train and validate.",
            err=True,
        )
    return usual


def _fit_arguments(dataset, asked):
    from hwkeras.data import class_weights

    folds = {} if asked["folds"] is None else {"validation_folds": asked["folds"]}
    if folds and dataset.groups is not None:
        folds["validation_groups"] = dataset.groups
    weights = class_weights(asked["class_weight"], dataset.y_train)
    return {
        "epochs": asked["epochs"] or _default_epochs(len(dataset.x_train), asked),
        "batch_size": asked["batch_size"],
        **({} if weights is None else {"class_weight": weights}),
        **folds,
    }


def _search(tuner, dataset, fit_arguments, live):
    from hwkeras.cli.progress import LiveProgress
    from hwkeras.report import is_estimated
    from hwkeras.report import print_front
    from hwkeras.report import write_page

    with LiveProgress(tuner, enabled=live):
        tuner.search(
            dataset.x_train,
            dataset.y_train,
            validation_data=(dataset.x_valid, dataset.y_valid),
            **fit_arguments,
        )
    results = tuner.export_front()
    if results["best"] is not None and not is_estimated(results):
        results["profile"] = _profile_of_best(tuner)
        tuner.run.save_results(results)
    write_page(results, tuner.run.directory / "report.html")
    if live:
        print_front(results)
        click.echo(f"Bundles, results and report: {tuner.run.directory}")
    for entry in filter(None, [*results["front"], *results["candidates"], results["best"]]):
        entry["file"] = str(tuner.run.directory / entry["file"])
    return results


def _profile_of_best(tuner):
    """The profile as plain data; None where the device gives none, which is no reason to lose a search over."""
    try:
        return tuner.profile().to_json()
    except (DeviceError, UserError) as error:
        click.echo(f"The best candidate is not profiled: {error}", err=True)
        return None


def _stem(data):
    return pathlib.Path(data).stem or "data"


def _check_directory(out, resume):
    if out.exists() and not out.is_dir():
        raise UserError(f"--out names a directory. Received: {out}, a file.")
    has_run = (out / "search.json").exists()
    if has_run and not resume:
        raise UserError(
            f"A run is not overwritten. Received: --out {out}, which holds one. Pass --resume to go on with it, or "
            "another --out."
        )
    if resume and not has_run and not out.exists():
        raise UserError(
            f"--resume goes on with a run. Received: --out {out}, which does not exist. Leave --resume away to start "
            "one."
        )
    if out.exists() and not has_run and any(out.iterdir()) and not (out / "oracle.json").exists():
        raise UserError(f"--out must be new, empty or a run. Received: {out}, which holds other files.")


def _default_epochs(num_samples, asked):
    is_of_rows = asked["kind"] in ("table", "interactions")
    most = _MAX_DEFAULT_EPOCHS_OF_ROWS if is_of_rows else _MAX_DEFAULT_EPOCHS
    return max(1, min(most, round(_DEFAULT_STEPS * asked["batch_size"] / num_samples)))
