"""What a compression did, step by step and layer by layer, and the proof read from the final file."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from hwkeras.units import format_quantity

_FLOAT_BITS = 32


@dataclass(frozen=True)
class LayerReport:
    """What became of one layer with weights.

    Args:
        layer: str, layer name.
        sparsity_asked: float in [0, 1); of a pattern its share of zeros.
        sparsity_before: float, share of zeros in the layer's prunable weights; in all its weights if it was skipped.
        sparsity_after: float, the same after the last step that trained.
        sparsity_in_file: float, the same in the `.tflite` file, or None for a layer that was not pruned.
        skipped: str, why it was not pruned, or None for a layer that was, or that nobody wanted to prune.
        pattern_in_file: float, the share of groups in the file that hold the pattern, or None where none was asked.
        values_in_file: int, the most different values or codes of a tensor of the file that holds a clustered weight
            of the layer, or None for a layer that was not clustered.
        unclustered: str, why it was not clustered, or None as for `skipped`.
    """

    layer: str
    sparsity_asked: float
    sparsity_before: float
    sparsity_after: float
    sparsity_in_file: float | None = None
    skipped: str | None = None
    pattern_in_file: float | None = None
    values_in_file: int | None = None
    unclustered: str | None = None


@dataclass(frozen=True)
class StepReport:
    """What was checked after one step, in the weights that were pruned or clustered until then.

    Args:
        step: str: `"channels"`, `"prune"`, `"cluster"` or `"int8_qat"`.
        num_weights: int, weights that were checked.
        sparsity: float, the least share of zeros in a pruned weight, or None where none is pruned.
        pattern: float, the share of groups that hold the pattern, or None.
        num_values: int, the most different values in a clustered weight, or None.
        params: int, parameters of the model.
    """

    step: str
    num_weights: int
    sparsity: float | None
    pattern: float | None
    num_values: int | None
    params: int

    def __str__(self):
        said = [f"{self.params} parameters"]
        if self.sparsity is not None:
            said.append(f"at least {self.sparsity:.3f} zeros")
        if self.pattern is not None:
            said.append(f"the pattern in {self.pattern:.0%} of groups")
        if self.num_values is not None:
            said.append(f"at most {self.num_values} values")
        return f"  after {self.step}: {', '.join(said)}"


@dataclass(frozen=True)
class OperatorReport:
    """What became of one operator with weights in a file of mixed precision.

    Args:
        operator: str, such as `"CONV_2D"`.
        layer: str, the layer it came from, or `""` where the file does not tell.
        bits: int, of a weight in the file: 4, 8, or 32 for float.
        num_weights: int, without the bias.
        disagreement_int8: float, how far the outputs are from the float file's when this operator alone has 8-bit
            weights, see `hwkeras.convert.agreement`; None where that was not to be had.
        disagreement_int4: float, the same with 4-bit weights, or None.
        accuracy_lost_int8: float, accuracy of the float file minus that of the file with 8-bit weights here alone, on
            the calibration samples, or None without labels of classes.
        accuracy_lost_int4: float, the same with 4-bit weights, or None.
        reason: str, why it has more than 4 bits, or None.
    """

    operator: str
    layer: str
    bits: int
    num_weights: int
    disagreement_int8: float | None = None
    disagreement_int4: float | None = None
    accuracy_lost_int8: float | None = None
    accuracy_lost_int4: float | None = None
    reason: str | None = None

    def __str__(self):
        name = f"{self.layer} ({self.operator})" if self.layer else self.operator
        format_name = "float" if self.bits == _FLOAT_BITS else f"int{self.bits}"
        pairs = [("int8", self.disagreement_int8, self.accuracy_lost_int8)]
        pairs += [("int4", self.disagreement_int4, self.accuracy_lost_int4)]
        tried = [
            f"{known} {figure:.3f}" + ("" if lost is None else f" ({format_points(lost)} points)")
            for known, figure, lost in pairs
            if figure is not None
        ]
        alone = f"; alone {', '.join(tried)}" if tried else ""
        return f"  {name}: {format_name}{alone}" + (f"; {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class CompressionReport:
    """What was asked, what was done, what was skipped and why.

    Args:
        recipe: str, the recipe in full.
        layers: tuple of LayerReport; empty when neither pruning nor clustering was asked.
        size_bytes: int, of the file.
        gzip_bytes: int, of the gzipped file: zeros and clusters make a file smaller only once it is compressed.
        float_operators: tuple of str, the operators an integer file still computes in float; empty for other
            precisions.
        history: mapping of step name (`"channels"`, `"prune"`, `"cluster"`, `"int8_qat"`) to its metrics, each a tuple
            with one float per epoch.
        steps: tuple of StepReport. Defaults to `()`.
        notes: tuple of str, why layers trained or compute in float, and which weights were kept where the last were not
            the best. Defaults to `()`.
        types: mapping of number format to bytes of constants in the file. Defaults to `{}`.
        original_size_bytes: int, of the uncompressed model's float32 file. Defaults to `0`.
        original_gzip_bytes: int, of that file gzipped. Defaults to `0`.
        disagreement: float, how far the file's answers are from those of the model it was converted from, see
            `hwkeras.convert.agreement`. Defaults to `0.0`.
        max_error: float, the largest difference of an output. Defaults to `0.0`.
        accuracy_before: float, of the uncompressed float32 file, or None without labels of classes.
        accuracy_after: float, of the file, or None.
        latency_before_ms: float, of the uncompressed float32 file, or None without a meter.
        latency_ms: float, of the file in the same job, or None.
        channels: ChannelReport, or None where no channels were removed.
        operators: tuple of OperatorReport, of precision `mixed`; else empty. Defaults to `()`.
    """

    recipe: str
    layers: tuple[LayerReport, ...]
    size_bytes: int
    gzip_bytes: int
    float_operators: tuple[str, ...]
    history: Mapping[str, Mapping[str, tuple[float, ...]]]
    steps: tuple[StepReport, ...] = ()
    notes: tuple[str, ...] = ()
    types: Mapping[str, int] = field(default_factory=dict)
    original_size_bytes: int = 0
    original_gzip_bytes: int = 0
    disagreement: float = 0.0
    max_error: float = 0.0
    accuracy_before: float | None = None
    accuracy_after: float | None = None
    latency_before_ms: float | None = None
    latency_ms: float | None = None
    channels: Any = None
    operators: tuple[OperatorReport, ...] = ()

    @property
    def pruned(self):
        """tuple of LayerReport, the layers that were pruned."""
        return tuple(layer for layer in self.layers if layer.sparsity_in_file is not None)

    @property
    def clustered(self):
        """tuple of LayerReport, the layers that were clustered."""
        return tuple(layer for layer in self.layers if layer.values_in_file is not None)

    @property
    def skipped(self):
        """tuple of LayerReport, the layers that were not pruned though that was asked, each with its reason."""
        return tuple(layer for layer in self.layers if layer.skipped is not None)

    @property
    def compression_rate(self):
        """float, `(W - W') / W` of the file's size W' and the uncompressed file's W; None where that is not known."""
        return _loss_of(self.original_size_bytes, self.size_bytes)

    @property
    def gzip_compression_rate(self):
        """float, the same of the gzipped files."""
        return _loss_of(self.original_gzip_bytes, self.gzip_bytes)

    @property
    def performance_loss(self):
        """float, `(P - P') / P` of the file's accuracy P' and the uncompressed file's P; negative for a gain."""
        return _loss_of(self.accuracy_before, self.accuracy_after)

    def to_json(self):
        """The report as a JSON-able dict."""
        document = asdict(self)
        document["history"] = {step: dict(metrics) for step, metrics in self.history.items()}
        document["types"] = dict(self.types)
        for name in ("compression_rate", "gzip_compression_rate", "performance_loss"):
            document[name] = getattr(self, name)
        return document

    def __str__(self):
        size, zipped = (format_quantity(value, "bytes") for value in (self.size_bytes, self.gzip_bytes))
        lines = [f"{self.recipe}: {size}, gzipped {zipped}", *self._gains()]
        if self.channels is not None:
            lines.append(f"  {str(self.channels).splitlines()[0]}")
        lines += map(str, self.steps)
        lines += [_zeros_line(layer) for layer in self.pruned]
        lines += [f"  {layer.layer}: {layer.values_in_file} values in the file" for layer in self.clustered]
        lines += [f"  {layer.layer}: not pruned, {layer.skipped}" for layer in self.skipped]
        lines += [f"  {layer.layer}: not clustered, {layer.unclustered}" for layer in self.layers if layer.unclustered]
        lines += [f"  {note}" for note in self.notes]
        lines += map(str, self.operators)
        if self.float_operators:
            lines.append(f"  still in float: {', '.join(self.float_operators)}")
        return "\n".join(lines)

    def _gains(self):
        """What the compression gained and lost, one line each, where it is known."""
        lines = []
        if self.original_size_bytes:
            lines.append(f"  {self.compression_rate:.1%} smaller, gzipped {self.gzip_compression_rate:.1%}")
        if self.accuracy_after is not None:
            lines.append(f"  accuracy {self.accuracy_before:.4f} -> {self.accuracy_after:.4f}")
        if self.latency_ms is not None and self.latency_before_ms is not None:
            before, after = (format_quantity(value, "ms") for value in (self.latency_before_ms, self.latency_ms))
            lines.append(f"  latency {before} -> {after}")
        return lines


def gzip_size(content):
    """The size of some bytes after gzip, the same on every run.

    Args:
        content: bytes.

    Returns:
        int, bytes.
    """
    return len(gzip.compress(content, mtime=0))


def format_points(accuracy_lost):
    """A loss of accuracy as a change in points.

    Args:
        accuracy_lost: float.

    Returns:
        str, such as `"-1.5"`.
    """
    # Adding zero makes a plain 0.0 of -0.0.
    return f"{round(-100 * accuracy_lost, 1) + 0.0:+.1f}"


def _loss_of(before, after):
    return (before - after) / before if before and after is not None else None


def _zeros_line(layer):
    pattern = "" if layer.pattern_in_file is None else f", the pattern in {layer.pattern_in_file:.0%} of groups"
    return (
        f"  {layer.layer}: {layer.sparsity_before:.3f} -> {layer.sparsity_in_file:.3f} zeros in the file "
        f"({layer.sparsity_asked:g} asked{pattern})"
    )
