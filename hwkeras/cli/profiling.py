"""The command `profile`: where the time of a file goes."""

from __future__ import annotations

import pathlib

import click

from hwkeras.cli.model_argument import read_checked_model
from hwkeras.cli.output import JsonOutput
from hwkeras.errors import UserError


@click.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@click.option("--device", default="local", show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--method",
    type=click.Choice(("auto", "profiler", "difference")),
    default="auto",
    show_default=True,
    help="The runtime's profiler, or the difference between growing pieces of the graph.",
)
@click.option(
    "--top", type=click.IntRange(1), default=10, show_default=True, help="Lines of a table, bars of a picture."
)
@click.option("--svg", type=click.Path(path_type=pathlib.Path), metavar="FILE", help="Write the bars as a picture.")
@click.option(
    "--keras",
    "keras_file",
    type=click.Path(path_type=pathlib.Path),
    metavar="FILE",
    help="The .keras model the file was made of, which names its layers. [default: the one in the file's bundle]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def profile(model, device, threads, method, top, svg, keras_file, as_json):
    """The time of each operator of MODEL, and the shares of each type and layer.

    MODEL is a .tflite file, or the directory of a bundle.
    """
    with JsonOutput(as_json) as output:
        from hwkeras.measure.op_profile import profile as profile_model

        path = model / "model.tflite" if model.is_dir() else model
        content = read_checked_model(path)
        if svg is not None:
            _require_folder(svg)
        node_paths, layers = _names(path, content, keras_file)
        found = profile_model(
            content, device=device, num_threads=threads, method=method, node_paths=node_paths, layers=layers
        )
        document = {"file": str(path), **found.to_json()}
        if svg is not None:
            _write_svg(document, svg, path.name, top)
        output.put({**document, "svg": str(svg) if svg is not None else None})
        if not as_json:
            from hwkeras.report.profile_bars import print_profile

            print_profile(document, top)
            if svg is not None:
                click.echo(f"Picture: {svg}")


def _require_folder(svg):
    if not svg.absolute().parent.is_dir():
        raise UserError(
            f"A picture is written into a folder that exists. Received: --svg {svg}. Make the folder first."
        )


def _write_svg(document, svg, title, top):
    from hwkeras.files import write_atomically
    from hwkeras.report.profile_bars import profile_svg

    write_atomically(svg, profile_svg(document, title, top) + "\n")


def _names(path, content, keras_file):
    """What the names in the file stand for, and the layers of its architecture, as far as anybody knows."""
    manifest = _manifest(path, content)
    layers = ((manifest.get("architecture") or {}).get("layers") or []) if manifest else []
    if keras_file is None and manifest and "model.keras" in manifest["files"]:
        keras_file = path.with_name("model.keras")
    if keras_file is None:
        return None, ()
    return _node_paths(keras_file), tuple(layer["name"] for layer in layers)


def _manifest(path, content):
    """The manifest of the bundle the file is the model of; None where it is of none."""
    if path.name != "model.tflite" or not path.with_name("manifest.json").is_file():
        return None
    import hashlib

    from hwkeras.export.manifest import read_manifest

    manifest = read_manifest(path.parent)
    recorded = manifest["files"].get(path.name, {}).get("sha256")
    return manifest if recorded == hashlib.sha256(content).hexdigest() else None


def _node_paths(keras_file):
    if not keras_file.is_file():
        raise UserError(f"The layers are named by a .keras file. Received: {keras_file}, which does not exist.")
    from hwkeras.convert import import_tensorflow

    import_tensorflow()
    import keras

    from hwkeras.convert.converter import node_paths

    try:
        model = keras.models.load_model(keras_file, compile=False)
    # NOTE: Keras raises ValueError, TypeError, OSError and others for a file it cannot read.
    except Exception as error:  # noqa: BLE001
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"A .keras file must load. Received: {keras_file} ({reason}). "
            "Pass another with --keras, or copy the .tflite file out of its bundle."
        ) from error
    return node_paths(model)
