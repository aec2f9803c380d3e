"""The command that looks into a file without running it: `analyze`."""

from __future__ import annotations

import pathlib
from collections import Counter

import click

from hwkeras.cli.model_argument import read_checked_model
from hwkeras.cli.output import JsonOutput


@click.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@click.option("--tensors", is_flag=True, help="One line for each weight tensor: zeros, distinct values, quantization.")
@click.option("--arena", is_flag=True, help="Ask TFLite-Micro for its arena, in a process of its own.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def analyze(model, tensors, arena, as_json):
    """MACs, parameters, weights, peak RAM, operators and what keeps them off an accelerator, without running MODEL."""
    with JsonOutput(as_json) as output:
        from hwkeras.measure.analysis import analyze as analyze_bytes
        from hwkeras.measure.arena import tflm_arena
        from hwkeras.measure.delegation import analyze_delegation
        from hwkeras.measure.model_file import naming_file
        from hwkeras.measure.quantization import analyze_quantization
        from hwkeras.measure.weights import analyze_weights

        with naming_file(model):
            content = read_checked_model(model)
            analysis = analyze_bytes(content)
            findings = {
                "weights": analyze_weights(content),
                "quantization": analyze_quantization(content),
                "delegation": analyze_delegation(content),
                "arena": tflm_arena(content) if arena else None,
            }
        plain = {name: found.to_json() if found else None for name, found in findings.items()}
        output.put({"file": str(model), **analysis.to_json(), **plain})
        if not as_json:
            for line in (*_analysis_lines(model, analysis), *_finding_lines(**findings)):
                click.echo(line)
            for tensor in findings["weights"].tensors if tensors else ():
                click.echo(_tensor_line(tensor))
            if analysis.uncounted:
                click.echo(f"  not counted in MACs: {', '.join(analysis.uncounted)}")


def _analysis_lines(model, analysis):
    from hwkeras.units import format_quantity

    yield (
        f"{model}: {format_quantity(analysis.size_bytes, 'bytes')}, "
        f"{format_quantity(analysis.macs, 'count')} MACs, "
        f"{format_quantity(analysis.params, 'count')} parameters, "
        f"peak RAM {format_quantity(analysis.peak_ram_bytes, 'bytes')}"
    )
    for op in analysis.ops:
        yield f"  {op.op:<24} {op.macs:>12,} MACs {op.weight_bytes:>10,} B weights {op.output_bytes:>10,} B out"
    yield f"  operators: {_counts(analysis.op_histogram)}"


def _finding_lines(weights, quantization, delegation, arena):
    sparsity = "unknown" if weights.sparsity is None else f"{weights.sparsity:.1%}"
    two_of_four = sum(tensor.is_two_of_four is True for tensor in weights.tensors)
    yield (
        f"  weights: {sparsity} zeros, at most {weights.max_unique or 'unknown'} distinct values in a tensor, "
        f"{two_of_four} of {len(weights.tensors)} tensors in the 2:4 pattern"
    )
    yield f"  quantization: {_counts(quantization.schemes) or 'no operator with weights'}"
    partitions = "unknown" if delegation.num_partitions is None else delegation.num_partitions
    left = Counter((op.op, op.reason) for op in delegation.undelegated)
    yield f"  XNNPACK: {partitions} partitions, {left.total()} of {len(delegation.ops)} operators left out"
    for (op, reason), num_ops in left.items():
        yield f"    {num_ops} {op}: {reason}"
    targets = Counter()
    for hint in delegation.hints:
        targets[hint.target] += hint.num_ops
    for target, num_ops in targets.items():
        yield f"  {target}: {num_ops} of {len(delegation.ops)} operators outside what is documented"
    if arena is not None and arena.status == "ok":
        yield f"  TFLite-Micro arena: {arena.total_bytes:,} B ({arena.head_bytes:,} head, {arena.tail_bytes:,} tail)"
    elif arena is not None:
        yield f"  TFLite-Micro arena: {arena.status}. {' '.join(arena.message.split())}"


def _tensor_line(tensor):
    sparsity = "?" if tensor.sparsity is None else f"{tensor.sparsity:.1%}"
    unique = "?" if tensor.num_unique is None else tensor.num_unique
    note = f" ({tensor.unknown})" if tensor.unknown else ""
    return f"    {sparsity:>6} zeros {unique:>8} distinct  {tensor.quantization:<36} {tensor.shape} {tensor.name}{note}"


def _counts(histogram):
    return ", ".join(f"{count} {name}" for name, count in histogram.items())
