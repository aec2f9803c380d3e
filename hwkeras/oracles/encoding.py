"""A search space as a table of codes: many candidates at once, drawn, mutated and compared by numpy.

A candidate is a row of whole numbers, one a hyperparameter: the position of its value among the options, or -1 where
the hyperparameter is inactive.
"""

from __future__ import annotations

import numpy as np
from keras_tuner.engine import hyperparameters as kinds

from hwkeras.oracles import sampling

INACTIVE = -1
# A continuous hyperparameter, or one of more options, is seen on a grid of so many.
_MOST_OPTIONS = 32
# A choice among up to so many is taken for one among names: numbers often stand for operations, and so few are soon
# known one by one.
_MOST_NAMES = 6


class Encoding:
    """The codes of a space.

    Args:
        space: `keras_tuner.HyperParameters`; it must not change afterwards.

    Attributes:
        num_genes: int, hyperparameters of the space, the variants of one name counted one by one.
    """

    def __init__(self, space):
        self._genes = tuple(space.space)
        self._options = [_grid(gene) for gene in self._genes]
        self._conditions = [self._compiled(index) for index in range(len(self._genes))]
        self._twins = [
            [other for other in range(index) if self._genes[other].name == gene.name]
            for index, gene in enumerate(self._genes)
        ]
        # Those that another one may strike out.
        self._dependent = [index for index in range(len(self._genes)) if self._conditions[index] or self._twins[index]]
        self.num_genes = len(self._genes)
        self._num_options = np.array([len(options) for options in self._options], dtype=int)
        self._is_ordered = np.array([_is_ordered(gene) and len(o) > 2 for gene, o in self._pairs()], dtype=bool)
        self._groups = self._grouped()

    @property
    def num_choices(self):
        """int, hyperparameters with more than one option."""
        return int(np.count_nonzero(self._num_options > 1))

    def encode(self, rows):
        """Finds the codes of some candidates.

        Args:
            rows: sequence of dict of hyperparameter name to active value.

        Returns:
            int array of shape (num_rows, num_genes); a value between two options has the code of the nearer one.
        """
        codes = np.full((len(rows), self.num_genes), INACTIVE, dtype=np.int16)
        for row, values in enumerate(rows):
            for index, gene in enumerate(self._genes):
                if gene.name in values:
                    codes[row, index] = self._code(index, values[gene.name])
        return self._masked(codes)

    def decode(self, codes):
        """Finds the values of a candidate.

        Args:
            codes: int array of shape (num_genes,).

        Returns:
            dict of hyperparameter name to value, for exactly the active hyperparameters.
        """
        return {
            gene.name: self._options[index][codes[index]]
            for index, gene in enumerate(self._genes)
            if codes[index] != INACTIVE
        }

    def draw(self, number, rng):
        """Draws candidates at random.

        Args:
            number: int.
            rng: np.random.Generator.

        Returns:
            int array of shape (number, num_genes).
        """
        return self._masked(self._any(number, rng))

    def mutate(self, codes, rng, mean_changes=1.6):
        """Changes a few active hyperparameters of each candidate to other options.

        Args:
            codes: int array of shape (num_rows, num_genes).
            rng: np.random.Generator.
            mean_changes: float, at least 1; how many change is drawn for each, geometrically. Defaults to `1.6`.

        Returns:
            int array of the same shape; what becomes active by a change is drawn.
        """
        codes = codes.copy()
        changes = rng.geometric(1.0 / mean_changes, size=len(codes))
        for number in range(int(changes.max(initial=0))):
            is_free = (codes != INACTIVE) & (self._num_options > 1)
            rows = np.flatnonzero((changes > number) & is_free.any(axis=1))
            picked = _pick(is_free[rows], rng)
            steps = rng.integers(1, self._num_options[picked]) if len(rows) else []
            filled = np.where(codes[rows] == INACTIVE, self._any(len(rows), rng), codes[rows])
            here = np.arange(len(rows))
            filled[here, picked] = (filled[here, picked] + steps) % self._num_options[picked]
            codes[rows] = self._masked(filled)
        return codes

    def completed(self, codes, rng):
        """Draws what a candidate of another space lacks.

        Args:
            codes: int array of shape (num_rows, num_genes); -1 also where a live hyperparameter has no code.
            rng: np.random.Generator.

        Returns:
            int array of the same shape, of candidates of this space; one that lacks nothing is as it was.
        """
        return self._masked(np.where(codes == INACTIVE, self._any(len(codes), rng), codes))

    def cross(self, first, second, rng):
        """Takes each code from one of two parents.

        Args:
            first: int array of shape (num_rows, num_genes).
            second: int array of the same shape.
            rng: np.random.Generator.

        Returns:
            int array of the same shape; what neither parent has is drawn.
        """
        child = np.where(rng.random(first.shape) < 0.5, first, second)
        child = np.where(child == INACTIVE, np.maximum(first, second), child)
        return self._masked(np.where(child == INACTIVE, self._any(len(child), rng), child))

    def positions(self, codes):
        """What else there is to compare candidates by than which options they have.

        Args:
            codes: int array of shape (num_rows, num_genes).

        Returns:
            float array of shape (num_rows, num_positions): where the value of each ordered hyperparameter lies between
            its ends, 0 to 1 (0.5 for an inactive one); how often each option occurs among hyperparameters that have
            the same options, such as the operations of a cell; and how many hyperparameters are active.
        """
        spans = np.maximum(self._num_options - 1, 1)
        places = np.where(codes == INACTIVE, 0.5, codes / spans)[:, self._is_ordered]
        counts = [
            np.count_nonzero(codes[:, genes] == option, axis=1)[:, None] / np.sqrt(len(genes))
            for genes, num_options in self._groups
            for option in range(num_options)
        ]
        num_live = np.count_nonzero(codes != INACTIVE, axis=1)[:, None] / max(self.num_genes, 1)
        return np.concatenate([places, *counts, num_live], axis=1)

    # The space as numpy sees it.

    def _pairs(self):
        return zip(self._genes, self._options, strict=True)

    def _any(self, number, rng):
        return (rng.random((number, self.num_genes)) * self._num_options).astype(np.int16)

    def _masked(self, codes):
        """The codes with the inactive ones struck out; a name has one active gene."""
        codes = codes.copy()
        for index in self._dependent:
            live = codes[:, index] != INACTIVE
            for twin in self._twins[index]:
                live &= codes[:, twin] == INACTIVE
            for allowed in self._conditions[index]:
                met = np.zeros(len(codes), dtype=bool)
                for parent, is_allowed in allowed:
                    # NOTE: the last entry stands for INACTIVE, which is -1.
                    met |= is_allowed[codes[:, parent]]
                live &= met
            codes[~live, index] = INACTIVE
        return codes

    def _compiled(self, index):
        """The conditions of a gene: for each, its possible parents with a table of the codes that allow it."""
        compiled = []
        for condition in self._genes[index].conditions:
            parents = []
            for parent in range(index):
                name = self._genes[parent].name
                if name != getattr(condition, "name", name):
                    continue
                allowed = [condition.is_active({name: option}) for option in self._options[parent]]
                parents.append((parent, np.array([*allowed, False], dtype=bool)))
            compiled.append(parents)
        return compiled

    def _grouped(self):
        """Pairs of positions of genes with the same options and the number of these, where there are two and more."""
        groups = {}
        for index, options in enumerate(self._options):
            if 2 <= len(options) < _MOST_OPTIONS:
                groups.setdefault((type(self._genes[index]).__name__, tuple(options)), []).append(index)
        return [(np.array(genes), len(key[1])) for key, genes in groups.items() if len(genes) > 1]

    def _code(self, index, value):
        options = self._options[index]
        if value in options:
            return options.index(value)
        if not isinstance(value, (int, float)) or isinstance(self._genes[index], kinds.Choice):
            return INACTIVE  # a value of another variant of this name
        return int(np.argmin([abs(option - value) for option in options]))


def _grid(gene):
    if sampling.num_options(gene) <= _MOST_OPTIONS:
        return sampling.options(gene)
    return list(dict.fromkeys(gene.prob_to_value((place + 0.5) / _MOST_OPTIONS) for place in range(_MOST_OPTIONS)))


def _is_ordered(gene):
    if isinstance(gene, kinds.Choice):
        return bool(gene.ordered) and len(gene.values) > _MOST_NAMES
    return isinstance(gene, (kinds.Int, kinds.Float))


def _pick(is_free, rng):
    """The position of one True of each row, each as likely."""
    return np.argmax(np.where(is_free, rng.random(is_free.shape), -1.0), axis=1)
