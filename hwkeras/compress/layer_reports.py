"""Layer by layer: what was asked, what the model holds, what the file holds."""

from __future__ import annotations

import numpy as np

from hwkeras.compress.clustering import unclustered_reason
from hwkeras.compress.proof import num_groups
from hwkeras.compress.pruning import prunable_weights
from hwkeras.compress.pruning import skip_reason
from hwkeras.compress.pruning import sparsity_of
from hwkeras.compress.report import LayerReport
from hwkeras.compress.report import StepReport
from hwkeras.compress.structure import num_broken_groups


def sparsities(model):
    """The share of zeros in each layer with weights.

    Args:
        model: tf_keras.Model.

    Returns:
        dict of layer name to float; of the prunable weights, or of all where there are none.
    """
    return {layer.name: _sparsity(layer) for layer in model.layers if layer.weights}


def step_report(step, model, kept):
    """What a step left.

    Args:
        step: str.
        model: tf_keras.Model after it.
        kept: tuple of KeptWeight as they are now.

    Returns:
        StepReport.
    """
    pruned = [weight for weight in kept if weight.is_pruned]
    groups = sum(weight.num_groups for weight in kept)
    clustered = [weight for weight in kept if weight.clusters is not None]
    return StepReport(
        step=step,
        num_weights=len(kept),
        sparsity=min((weight.num_zeros / weight.values.size for weight in pruned), default=None),
        pattern=1.0 - sum(weight.broken_groups for weight in kept) / groups if groups else None,
        num_values=max((weight.num_values for weight in clustered), default=None),
        params=int(model.count_params()),
    )


def layer_reports(recipe, model, before, found):
    """What became of every layer with weights.

    Args:
        recipe: Recipe.
        model: tf_keras.Model after pruning and clustering, before quantization.
        before: dict of layer name to share of zeros, before them.
        found: tuple of Found, the kept weights in the file.

    Returns:
        Tuple of LayerReport; empty where neither was asked.
    """
    if not recipe.prunes and recipe.clusters is None:
        return ()
    return tuple(_layer_report(recipe, layer, before[layer.name], found) for layer in model.layers if layer.weights)


def _layer_report(recipe, layer, before, found):
    mine = [one for one in found if one.kept.layer == layer.name]
    pruned = [one.tensor.values for one in mine if one.kept.is_pruned]
    clustered = [one.num_values for one in mine if one.kept.clusters is not None]
    is_unpruned, is_unclustered = recipe.prunes and not pruned, recipe.clusters is not None and not clustered
    zeros, group = recipe.pattern or (0, 1)
    return LayerReport(
        layer=layer.name,
        sparsity_asked=zeros / group if recipe.pattern else recipe.sparsity,
        sparsity_before=before,
        sparsity_after=_sparsity(layer),
        sparsity_in_file=sparsity_of(pruned) if pruned else None,
        skipped=skip_reason(layer, recipe.pattern) if is_unpruned else None,
        pattern_in_file=_pattern_share(mine, recipe.pattern) if recipe.pattern and pruned else None,
        values_in_file=max(clustered, default=None),
        unclustered=unclustered_reason(layer, recipe.clusters) if is_unclustered else None,
    )


def _pattern_share(found, pattern):
    groups = sum(num_groups(one, pattern) for one in found)
    broken = sum(num_broken_groups(one.tensor.values, pattern) for one in found)
    return 1.0 - broken / groups


def _sparsity(layer):
    return sparsity_of(np.asarray(weight) for weight in prunable_weights(layer) or layer.weights)
