"""Values of a search space: drawn at random, mutated, crossed over, enumerated; always the active ones only.

`space` is a `keras_tuner.HyperParameters`; its own `values` are not read. A hyperparameter is active when all its
conditions hold for the values of its parents, which the space lists before it.
"""

from __future__ import annotations

import math

from keras_tuner.engine import hyperparameters as kinds

# Up to this many options a mutation of a number picks any other one; beyond, it moves to a nearby one.
_FEW_OPTIONS = 16
# Standard deviation of that move, as a share of the range.
_STEP = 0.2
_REDRAWS = 16


def sample(space, rng):
    """Draws values at random.

    Args:
        space: `keras_tuner.HyperParameters`.
        rng: np.random.Generator.

    Returns:
        dict of name to value, for exactly the active hyperparameters.
    """
    return activate(space, {}, rng)


def activate(space, values, rng):
    """Turns any values into active ones: inactive and impossible ones are dropped, missing ones are drawn.

    Args:
        space: `keras_tuner.HyperParameters`.
        values: dict of name to value.
        rng: np.random.Generator.

    Returns:
        dict of name to value, for exactly the active hyperparameters.
    """
    return _fill(space, lambda gene: [values[gene.name]] if gene.name in values else [], rng)


def mutate(space, values, rng, num_mutations=1):
    """Changes some active values to others; children that become active by it are drawn.

    Args:
        space: `keras_tuner.HyperParameters`.
        values: dict of name to value.
        rng: np.random.Generator.
        num_mutations: int, how many hyperparameters to change, at most. Defaults to `1`.

    Returns:
        dict of name to value; differs from `values` when anything can change.
    """
    values = activate(space, values, rng)
    changed = set()
    for _ in range(num_mutations):
        genes = [gene for gene in live(space, values) if gene.name not in changed and num_options(gene) > 1]
        if not genes:
            break
        gene = genes[rng.integers(len(genes))]
        changed.add(gene.name)
        values = activate(space, {**values, gene.name: _other(gene, values[gene.name], rng)}, rng)
    return values


def crossover(space, first, second, rng):
    """Takes each value from one of two parents, each as likely; what neither has is drawn.

    Args:
        space: `keras_tuner.HyperParameters`.
        first: dict of name to value.
        second: dict of name to value.
        rng: np.random.Generator.

    Returns:
        dict of name to value, for exactly the active hyperparameters.
    """

    def inherited(gene):
        parents = (first, second) if rng.random() < 0.5 else (second, first)
        return [parent[gene.name] for parent in parents if gene.name in parent]

    return _fill(space, inherited, rng)


def enumerate_values(space):
    """Lists all values of a finite space, one after the other.

    Args:
        space: `keras_tuner.HyperParameters`.

    Yields:
        dict of name to value; nothing at all when a hyperparameter is continuous.
    """
    genes = list(space.space)
    if all(math.isfinite(num_options(gene)) for gene in genes):
        yield from _enumerate(genes, {})


def live(space, values):
    """The hyperparameters that are active for some values, one a name.

    Args:
        space: `keras_tuner.HyperParameters`.
        values: dict of name to value, active ones only.

    Returns:
        list of `keras_tuner.engine.hyperparameters.HyperParameter`, in the order of the space.
    """
    genes = {}
    for gene in space.space:
        if gene.name not in genes and _is_active(gene, values):
            genes[gene.name] = gene
    return list(genes.values())


def num_options(gene):
    """How many values a hyperparameter can take.

    Args:
        gene: `keras_tuner.engine.hyperparameters.HyperParameter`.

    Returns:
        int, or infinity for a continuous one.
    """
    if isinstance(gene, kinds.Choice):
        return len(set(gene.values))
    if isinstance(gene, kinds.Boolean):
        return 2
    if isinstance(gene, kinds.Fixed) or gene.min_value == gene.max_value:
        return 1
    if gene.step is None:
        return gene.max_value - gene.min_value + 1 if isinstance(gene, kinds.Int) else math.inf
    if gene.sampling == "linear":
        return int((gene.max_value - gene.min_value) // gene.step + 1)
    return int(math.log(gene.max_value / gene.min_value, gene.step) + 1e-8) + 1


def options(gene):
    """All values a finite hyperparameter can take.

    Args:
        gene: `keras_tuner.engine.hyperparameters.HyperParameter`, not continuous.

    Returns:
        list of distinct values.
    """
    if isinstance(gene, kinds.Choice):
        return list(dict.fromkeys(gene.values))
    if isinstance(gene, kinds.Int) and gene.step is None:
        return list(range(gene.min_value, gene.max_value + 1))
    count = num_options(gene)
    return list(dict.fromkeys(gene.prob_to_value((index + 0.5) / count) for index in range(count)))


def _fill(space, preferred, rng):
    values = {}
    for gene in space.space:
        if gene.name not in values and _is_active(gene, values):
            possible = [value for value in preferred(gene) if _allows(gene, value)]
            values[gene.name] = possible[0] if possible else gene.prob_to_value(float(rng.random()))
    return values


def _is_active(gene, values):
    return all(condition.is_active(values) for condition in gene.conditions)


def _allows(gene, value):
    if isinstance(gene, kinds.Choice):
        return value in gene.values
    if isinstance(gene, kinds.Boolean):
        return isinstance(value, bool)
    if isinstance(gene, kinds.Fixed):
        return value == gene.value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(gene, kinds.Int) and gene.step not in (None, 1):
        return value in options(gene)
    return gene.min_value <= value <= gene.max_value


def _other(gene, value, rng):
    """Another value of a hyperparameter that has more than one."""
    if isinstance(gene, kinds.Choice) or num_options(gene) <= _FEW_OPTIONS:
        others = [option for option in options(gene) if option != value]
        return others[rng.integers(len(others))]
    for _ in range(_REDRAWS):
        moved = abs(gene.value_to_prob(value) + rng.normal(0.0, _STEP)) % 2.0
        other = gene.prob_to_value(min(float(min(moved, 2.0 - moved)), math.nextafter(1.0, 0.0)))
        if other != value and _allows(gene, other):
            return other
    # The ends are always possible, and they are not both the value.
    low, high = gene.prob_to_value(0.0), gene.prob_to_value(math.nextafter(1.0, 0.0))
    return high if value == low else low


def _enumerate(genes, values):
    if not genes:
        yield values
        return
    gene, rest = genes[0], genes[1:]
    if gene.name in values or not _is_active(gene, values):
        yield from _enumerate(rest, values)
        return
    for option in options(gene):
        yield from _enumerate(rest, {**values, gene.name: option})
