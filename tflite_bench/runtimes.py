"""The TFLite runtime that is installed, whichever it is."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from collections.abc import Callable
from dataclasses import dataclass


class RuntimeMissing(RuntimeError):
    """No TFLite runtime is installed."""


@dataclass(frozen=True)
class Runtime:
    """A TFLite runtime.

    Args:
        name: str, the module it comes from.
        version: str.
        interpreter: callable, its `Interpreter` class.
    """

    name: str
    version: str
    interpreter: Callable

    def load(self, content, num_threads):
        """Loads a model, ready to invoke.

        Args:
            content: bytes of a `.tflite` file.
            num_threads: int.

        Returns:
            Interpreter with its tensors allocated.

        Raises:
            ValueError or RuntimeError: the runtime refuses the model.
        """
        with warnings.catch_warnings():
            # NOTE: tf.lite.Interpreter warns of its deprecation each time; it is the last of the three to be tried.
            warnings.simplefilter("ignore")
            interpreter = self.interpreter(model_content=content, num_threads=num_threads)
        interpreter.allocate_tensors()
        return interpreter


def find_runtime():
    """The first runtime of `ai_edge_litert`, `tflite_runtime`, `tensorflow` that is installed and loads.

    Returns:
        Runtime.

    Raises:
        RuntimeMissing: there is none; the message says why each was not taken.
    """
    reasons = []
    for name, find, distributions in _CANDIDATES:
        try:
            return Runtime(name, _version(name, distributions), find())
        # NOTE: besides ImportError, a wheel built for another numpy or CPU fails with whatever it likes.
        except Exception as error:  # noqa: BLE001
            reasons.append(f"{name}: {error}")
    raise RuntimeMissing(
        "A TFLite runtime must be installed. Received: none. Install one, such as `pip install ai-edge-litert`. "
        + " ".join(reasons)
    )


def count_partitions(interpreter):
    """How many parts of the graph a delegate runs; more than a few slow a model down.

    Args:
        interpreter: with its tensors allocated.

    Returns:
        int; None where this runtime does not tell.
    """
    # NOTE: not public in any of the runtimes, so its absence is not an error.
    details = getattr(interpreter, "_get_ops_details", None)
    if details is None:
        return None
    return sum(operator.get("op_name") == "DELEGATE" for operator in details())


def _litert():
    return importlib.import_module("ai_edge_litert.interpreter").Interpreter


def _tflite_runtime():
    return importlib.import_module("tflite_runtime.interpreter").Interpreter


def _tensorflow():
    return importlib.import_module("tensorflow").lite.Interpreter


_CANDIDATES = (
    ("ai_edge_litert", _litert, ("ai-edge-litert", "ai-edge-litert-nightly")),
    ("tflite_runtime", _tflite_runtime, ("tflite-runtime", "tflite-runtime-nightly")),
    ("tensorflow", _tensorflow, ("tensorflow", "tensorflow-cpu", "tf-nightly")),
)


def _version(name, distributions):
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return getattr(importlib.import_module(name), "__version__", "unknown")
