"""Whether a search space keeps its word: networks drawn from it build, convert in every precision, and have a twin."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass

import keras
import keras_tuner as kt
import numpy as np

from hwkeras.build import as_hypermodel
from hwkeras.build import require_model
from hwkeras.convert import PRECISIONS
from hwkeras.convert import convert_all
from hwkeras.convert import require_precisions
from hwkeras.errors import HwkerasError
from hwkeras.errors import UserError
from hwkeras.measure import analyze
from hwkeras.oracles import sampling
from hwkeras.search.naming import Naming
from hwkeras.space import Architecture
from hwkeras.space.cost import least_cost

_NUM_CALIBRATION_SAMPLES = 8
# Metrics of which `least_cost` is a lower bound in a float32 file.
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold of one network.

    Args:
        check: str, `"declare"`, `"build"`, `"names"`, `"cost"`, `"convert"` or `"twin"`.
        message: str.
        values: dict of hyperparameter name to value.
        architecture: str, one line; empty where there is none.
    """

    check: str
    message: str
    values: dict
    architecture: str = ""


@dataclass(frozen=True)
class SpaceReport:
    """What was found.

    Args:
        num_samples: int, networks drawn.
        num_hyperparameters: int, of the space.
        findings: tuple of `Finding`.
        sizes: tuple of int, bytes of the float32 files that were made.
        precisions: tuple of str, those every network was converted to.
    """

    num_samples: int
    num_hyperparameters: int
    findings: tuple[Finding, ...]
    sizes: tuple[int, ...]
    precisions: tuple[str, ...]

    @property
    def ok(self):
        """bool, whether nothing was found."""
        return not self.findings

    def to_json(self):
        """The report as a dict of JSON values."""
        return asdict(self) | {"ok": self.ok}

    def __str__(self):
        converted = f"{len(self.sizes)} of {self.num_samples} networks converted to {', '.join(self.precisions)}"
        smallest = f", {min(self.sizes):,} to {max(self.sizes):,} bytes in float32" if self.sizes else ""
        lines = [f"{self.num_hyperparameters} hyperparameters; {converted}{smallest}."]
        lines += [f"{each.check}: {each.message} ({each.architecture or each.values})" for each in self.findings]
        return "\n".join(lines)


def lint_space(space, num_samples=20, *, precisions=PRECISIONS, twins=True, seed=0):
    """Draws networks from a space and checks each.

    Checked are: that the values of a network declare nothing new; that it builds, with the space's input shape and, for
    a classifier, an output for each class; that equal values make equal networks, and the architecture survives JSON;
    that `space.cost` is a lower bound of the file; that it converts in every precision, loads and agrees with the Keras
    model; and that it, or what stands behind a front end that stays float, has an equal tf_keras twin, which
    compression needs.

    Args:
        space: what `HardwareTuner` takes: one of `hwkeras.spaces`, a `keras_tuner.HyperModel`, a `build(hp)` function.
        num_samples: int, networks. Defaults to `20`.
        precisions: sequence of str. Defaults to all of `hwkeras.convert.PRECISIONS`.
        twins: bool, whether twins are made. Defaults to `True`.
        seed: int, of the draws and of the weights: the global seed of Keras and numpy is set. Defaults to `0`.

    Returns:
        SpaceReport.

    Raises:
        UserError: `num_samples` is not positive, an unknown precision, or not a space.
    """
    if num_samples < 1:
        raise UserError(f"`num_samples` must be at least 1. Received: num_samples={num_samples!r}.")
    lint = _Lint(as_hypermodel(space), require_precisions(precisions), twins, seed)
    rng = np.random.default_rng(seed)
    for number in range(num_samples):
        keras.utils.set_random_seed((seed + number) % 2**32)  # what is found in some weights is found again
        lint.check(sampling.sample(lint.declared, rng))
    number = len(lint.declared.space)
    return SpaceReport(num_samples, number, tuple(lint.findings), tuple(lint.sizes), lint.precisions)


class _Lint:
    """The checks of one space."""

    def __init__(self, hypermodel, precisions, twins, seed):
        self._hypermodel = hypermodel
        self._naming = Naming(hypermodel)
        self._twins = twins
        self._rng = np.random.default_rng([seed, 1])
        self.precisions = precisions
        self.declared = self._declare()
        self.findings = []
        self.sizes = []

    def _declare(self):
        hp = kt.HyperParameters()
        if hasattr(self._hypermodel, "architecture"):
            self._hypermodel.declare_hyperparameters(hp)
        else:
            self._hypermodel.build(hp)  # what a function declares is known when it has run
        return hp

    def check(self, values):
        """Checks one network.

        Args:
            values: dict of hyperparameter name to value.
        """
        keras.backend.clear_session()
        hp = self.declared.copy()
        hp.values = dict(values)
        try:
            model = require_model(self._hypermodel.build(hp))
            architecture = self._naming.architecture(hp)
        except (HwkerasError, ValueError) as error:  # ValueError: Keras' word for layers that do not fit each other
            return self._find("build", error, values)
        said = architecture.summary() if architecture is not None else ""
        self._check_shape(model, values, said)
        if len(hp.space) != len(self.declared.space) and architecture is not None:
            self._find("declare", "`build` declares hyperparameters that `declare` does not", values, said)
        converted = self._converted(model, values, said)
        if architecture is not None:
            self._check_architecture(architecture, hp, converted, values, said)
        if self._twins:
            self._check_twin(model, values, said)

    def _check_shape(self, model, values, said):
        for name, wanted, found in (
            ("input_shape", getattr(self._hypermodel, "input_shape", None), model.input_shape[1:]),
            ("num_classes", getattr(self._hypermodel, "num_classes", None), model.output_shape[-1]),
        ):
            if wanted is not None and found != (tuple(wanted) if name == "input_shape" else wanted):
                self._find("build", f"the network has {found} where the space says {name}={wanted}", values, said)

    def _converted(self, model, values, said):
        shape = (_NUM_CALIBRATION_SAMPLES, *model.input_shape[1:])
        samples = self._rng.normal(size=shape).astype(model.inputs[0].dtype)
        try:
            converted = convert_all(model, self.precisions, samples)
        except (HwkerasError, ValueError) as error:
            self._find("convert", error, values, said)
            return None
        self.sizes.append(converted[self.precisions[0]].size_bytes)
        return converted

    def _check_architecture(self, architecture, hp, converted, values, said):
        again = self._naming.architecture(hp)
        if again.hash != architecture.hash:
            self._find("names", "the same values make another network", values, said)
        if Architecture.from_json(architecture.to_json()) != architecture:
            self._find("names", "the architecture read from JSON is another", values, said)
        if converted is None or "float32" not in converted:
            return
        known = analyze(converted["float32"].flatbuffer).metrics()
        for metric, least in least_cost(architecture, _FLOAT_BYTES, _FLOAT_BYTES).metrics().items():
            if known.get(metric) is not None and least > known[metric]:
                self._find("cost", f"`least_cost` says {metric}={least}, the file {known[metric]}", values, said)

    def _check_twin(self, model, values, said):
        from hwkeras.compress import twin
        from hwkeras.compress.front_end import FrontEnd

        try:
            # A front end that stays float is no part of what a recipe compresses.
            parts = FrontEnd.of(model)
            twin(model if parts is None else parts.body)
        except HwkerasError as error:
            self._find("twin", error, values, said)

    def _find(self, check, message, values, said=""):
        self.findings.append(Finding(check, str(message), values, said))
