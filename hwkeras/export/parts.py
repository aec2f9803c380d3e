"""Parts of the preprocessing that are files of their own in a bundle, because a device needs them and no more.

The manifest names such a file where the part was, `{"file": "tokenizer.json"}`, and hashes it like every other.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwkeras.data import Tokenizer
from hwkeras.errors import UserError
from hwkeras.export.check import Check
from hwkeras.files import write_json

TOKENIZER_NAME = "tokenizer.json"


def write_parts(folder, preprocessing):
    """Writes the file of each part that has one.

    Args:
        folder: pathlib.Path.
        preprocessing: what was done to a raw sample; of a dict the key `"tokenizer"` is such a part, the JSON of a
            `data.Tokenizer`.

    Raises:
        UserError: a tokenizer that is none.
    """
    document = _tokenizer_of(preprocessing)
    if document is not None:
        write_json(folder / TOKENIZER_NAME, Tokenizer.from_json(document).to_json())


def referred(preprocessing):
    """What the manifest says of the preprocessing.

    Args:
        preprocessing: as for `write_parts`.

    Returns:
        the same, with the name of its file in place of each part that has one.
    """
    if _tokenizer_of(preprocessing) is None:
        return preprocessing
    return {**preprocessing, "tokenizer": {"file": TOKENIZER_NAME}}


def _tokenizer_of(preprocessing):
    return preprocessing.get("tokenizer") if isinstance(preprocessing, Mapping) else None


def check_tokenizer(directory, manifest):
    """Reads the tokenizer a manifest names: its rows must be as long as the file's input, its numbers in the table.

    Args:
        directory: pathlib.Path of the bundle.
        manifest: dict.

    Returns:
        list of Check: one, or none where no tokenizer is named.
    """
    named = _tokenizer_of(manifest.get("preprocessing"))
    if named is None:
        return []
    expected = manifest["inputs"][0].get("shape") if manifest["inputs"] else None
    try:
        tokenizer = Tokenizer.read(directory / TOKENIZER_NAME)
    except UserError as error:
        return [Check("tokenizer", False, expected, None, f"cannot be read: {error}")]
    received, num_rows = [1, tokenizer.length], _rows_of_table(manifest)
    if received != expected:
        return [Check("tokenizer", False, expected, received, f"makes rows of {tokenizer.length} numbers")]
    if num_rows is not None and tokenizer.num_ids > num_rows:
        message = f"has {tokenizer.num_ids} numbers, the model's table {num_rows} rows"
        return [Check("tokenizer", False, num_rows, tokenizer.num_ids, message)]
    return [Check("tokenizer", True, expected, received, f"{tokenizer.num_ids} numbers, {tokenizer.length} a text")]


def _rows_of_table(manifest):
    """int, of the embedding behind the input; None where no architecture tells."""
    layers = (manifest.get("architecture") or {}).get("layers", [])
    sizes = [layer["params"]["vocabulary"] for layer in layers if layer.get("kind") == "embedding"]
    return min(sizes, default=None)
