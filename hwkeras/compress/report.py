"""What a compression did, layer by layer, and the proof read from the final file."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.units import format_quantity


@dataclass(frozen=True)
class LayerReport:
    """What became of one layer with weights.

    Args:
        layer: str, layer name.
        sparsity_asked: float in [0, 1).
        sparsity_before: float, share of zeros in the layer's prunable weights; in all its weights if it was skipped.
        sparsity_after: float, the same after the pruning step.
        sparsity_in_file: float, the same in the `.tflite` file, or None for a layer that was skipped.
        skipped: str, the reason, or None for a layer that was pruned.
    """

    layer: str
    sparsity_asked: float
    sparsity_before: float
    sparsity_after: float
    sparsity_in_file: float | None = None
    skipped: str | None = None


@dataclass(frozen=True)
class CompressionReport:
    """What was asked, what was done, what was skipped and why.

    Args:
        recipe: str, the recipe in full.
        layers: tuple of LayerReport; empty when no pruning was asked.
        size_bytes: int, of the file.
        gzip_bytes: int, of the gzipped file: zeros make a file smaller only once it is compressed.
        float_operators: tuple of str, the operators an int8 file still computes in float; empty for other precisions.
        history: mapping of step name (`"prune"`, `"int8_qat"`) to its metrics, each a tuple with one float per epoch.
    """

    recipe: str
    layers: tuple[LayerReport, ...]
    size_bytes: int
    gzip_bytes: int
    float_operators: tuple[str, ...]
    history: Mapping[str, Mapping[str, tuple[float, ...]]]

    @property
    def pruned(self):
        """tuple of LayerReport, the layers that were pruned."""
        return tuple(layer for layer in self.layers if layer.skipped is None)

    @property
    def skipped(self):
        """tuple of LayerReport, the layers that were not, each with its reason."""
        return tuple(layer for layer in self.layers if layer.skipped is not None)

    def to_json(self):
        """The report as a JSON-able dict."""
        document = asdict(self)
        document["history"] = {step: dict(metrics) for step, metrics in self.history.items()}
        return document

    def __str__(self):
        size, zipped = (format_quantity(value, "bytes") for value in (self.size_bytes, self.gzip_bytes))
        lines = [f"{self.recipe}: {size}, gzipped {zipped}"]
        lines += [
            f"  {layer.layer}: {layer.sparsity_before:.3f} -> {layer.sparsity_in_file:.3f} zeros in the file "
            f"({layer.sparsity_asked:g} asked)"
            for layer in self.pruned
        ]
        lines += [f"  {layer.layer}: not pruned, {layer.skipped}" for layer in self.skipped]
        if self.float_operators:
            lines.append(f"  still in float: {', '.join(self.float_operators)}")
        return "\n".join(lines)


def gzip_size(content):
    """The size of some bytes after gzip, the same on every run.

    Args:
        content: bytes.

    Returns:
        int, bytes.
    """
    return len(gzip.compress(content, mtime=0))
