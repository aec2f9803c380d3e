"""Weights that are inherited: a new network that shares most layers with a trained one begins where that one ended.

The idea is that of Real et al., "Large-Scale Evolution of Image Classifiers", ICML 2017 (arXiv:1703.01041): a layer
whose weights have the same shapes keeps them. No layer is told from its parameters or from the code that made it, so it
works for any `build(hp)`.
"""

from __future__ import annotations

import collections
import math
from dataclasses import dataclass

import keras
import numpy as np

from hwkeras.oracles.fidelity import PARENT

# Less than half of it, and a network is rather another one.
MIN_SHARE = 0.5


@dataclass(frozen=True)
class LayerShape:
    """What must be equal for a layer to take over the weights of another one.

    Args:
        kind: str, the class of the layer.
        shapes: tuple of tuple of int, of its weights in their order.
        name: str, of the layer; of two layers that are equal otherwise the one of the same name is preferred.
    """

    kind: str
    shapes: tuple
    name: str

    @classmethod
    def of(cls, layer):
        """Reads a layer.

        Args:
            layer: keras Layer, built.

        Returns:
            LayerShape.
        """
        shapes = tuple(tuple(int(size) for size in weight.shape) for weight in layer.weights)
        return cls(type(layer).__name__, shapes, layer.name)

    @classmethod
    def from_json(cls, document):
        """Reads what `to_json` wrote.

        Args:
            document: list.

        Returns:
            LayerShape.
        """
        kind, shapes, name = document
        return cls(kind, tuple(map(tuple, shapes)), name)

    def to_json(self):
        """Returns list, JSON-able; `from_json` reads it back."""
        return [self.kind, [list(shape) for shape in self.shapes], self.name]

    @property
    def key(self):
        """What is compared: kind and shapes."""
        return self.kind, self.shapes

    @property
    def num_parameters(self):
        """int, numbers in all weights, statistics included."""
        return sum(int(np.prod(shape, dtype=np.int64)) for shape in self.shapes)


def weighted_layers(model):
    """The layers of a model that hold weights, in its order; those of models within it in their place.

    Args:
        model: keras.Model, built.

    Returns:
        list of keras Layer; one that is used several times is there once.
    """
    found = {}
    for layer in model.layers:
        for each in weighted_layers(layer) if isinstance(layer, keras.Model) else [layer]:
            if each.weights:
                found[id(each)] = each
    return list(found.values())


def align(child, parent):
    """Pairs the layers of two networks in their order, so that as many parameters as can be are in pairs.

    A longest common subsequence, each layer as long as it has parameters; a pair of one name counts half a parameter
    more, which decides between layers that are equal otherwise.

    Args:
        child: sequence of LayerShape.
        parent: sequence of LayerShape.

    Returns:
        list of tuple `(index in child, index in parent)`, both rising.
    """
    best = np.zeros((len(child) + 1, len(parent) + 1))
    for i in reversed(range(len(child))):
        for j in reversed(range(len(parent))):
            best[i, j] = max(best[i + 1, j], best[i, j + 1], _gain(child[i], parent[j]) + best[i + 1, j + 1])
    pairs, i, j = [], 0, 0
    while i < len(child) and j < len(parent):
        gain = _gain(child[i], parent[j])
        if gain > 0 and best[i, j] == gain + best[i + 1, j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i, j] == best[i + 1, j]:
            i += 1
        else:
            j += 1
    return pairs


def share_of(child, pairs):
    """The share of the parameters of a network that are in pairs.

    Args:
        child: sequence of LayerShape.
        pairs: list of `align`.

    Returns:
        float in [0, 1]; 0.0 for a network without parameters.
    """
    total = sum(layer.num_parameters for layer in child)
    return sum(child[i].num_parameters for i, _ in pairs) / total if total else 0.0


class Inheritance:
    """Gives new networks the weights of completed trials.

    The parent is the completed trial that shares the most parameters with the new network, at least half of them; of
    equal ones the best in the first objective, then the latest. Trials that were stopped or continued by another trial
    are no parents. Which layers a trial has is in the journal (`"layers"`), and so is who inherited (`"inherited"`):
    only the parent that was chosen is built again.

    Args:
        hypermodel: keras_tuner.HyperModel.
        weights: `Weights`.
        journal: `Journal`.
        oracle: `HardwareOracle`, which knows the trials.
    """

    def __init__(self, hypermodel, weights, journal, oracle):
        self._hypermodel = hypermodel
        self._weights = weights
        self._journal = journal
        self._oracle = oracle
        self._layers = {event["trial"]: event["layers"] for event in journal.read("layers")}
        self._shapes = {}

    def note(self, trial_id, model):
        """Keeps which layers a trial has.

        Args:
            trial_id: str.
            model: keras.Model of it, built.
        """
        layers = [LayerShape.of(layer).to_json() for layer in weighted_layers(model)]
        if self._layers.get(trial_id) != layers:
            self._journal.write("layers", trial=trial_id, layers=layers)
            self._layers[trial_id] = layers
            self._shapes.pop(trial_id, None)

    def parent_of(self, trial_id, model):
        """Chooses whose weights a new network starts from.

        Args:
            trial_id: str, of the new network.
            model: keras.Model, built.

        Returns:
            str, the id of a completed trial; None where none is near enough.
        """
        child = [LayerShape.of(layer) for layer in weighted_layers(model)]
        candidates = [each for each in self._possible() if each != trial_id]
        # The most that could be shared, order aside, is cheap to know: most trials need no alignment.
        bounds = {each: _most_shared(child, self._shape(each)) for each in candidates}
        best, best_share = None, MIN_SHARE
        for each in sorted(candidates, key=lambda each: (-bounds[each], self._rank(each))):
            if bounds[each] < best_share:
                break
            share = share_of(child, align(child, self._shape(each)))
            if share > best_share or (share == best_share and (best is None or self._rank(each) < self._rank(best))):
                best, best_share = each, share
        return best

    def bequeath(self, trial_id, model, parent_id):
        """Gives a new network the weights of its parent.

        Args:
            trial_id: str, of the new network.
            model: keras.Model, built; layers without a partner stay as they are.
            parent_id: str, of `parent_of`.

        Raises:
            OSError: the weights of the parent are lost or cut short.
            ValueError: they are of another network.
            KeyError: alike.
        """
        hp = self._oracle.trials[parent_id].hyperparameters
        share = inherit(model, self._weights.load(self._hypermodel.build(hp), parent_id))
        self._journal.write("inherited", trial=trial_id, parent=parent_id, share=share)

    def _possible(self):
        """Completed trials whose weights are those of a whole training and are kept."""
        trials = self._oracle.trials
        completed = [trial_id for trial_id in self._oracle.end_order if trials[trial_id].status == "COMPLETED"]
        continued = {trials[trial_id].hyperparameters.values.get(PARENT) for trial_id in completed}
        stopped = {event["trial"] for event in self._journal.read("stopped")}
        return [each for each in completed if each in self._layers and each not in continued | stopped]

    def _rank(self, trial_id):
        objective = self._oracle.objectives[0]
        score = self._oracle.trials[trial_id].score
        return objective.loss(math.nan if score is None else score), -int(trial_id)

    def _shape(self, trial_id):
        if trial_id not in self._shapes:
            self._shapes[trial_id] = [LayerShape.from_json(layer) for layer in self._layers[trial_id]]
        return self._shapes[trial_id]


def inherit(model, parent):
    """Copies the weights of one network to another, layer by layer, where kind, shapes and order agree.

    Args:
        model: keras.Model, built; its other layers stay as they are.
        parent: keras.Model, built.

    Returns:
        float, the share of the parameters of `model` that were copied.
    """
    ours, theirs = weighted_layers(model), weighted_layers(parent)
    child = [LayerShape.of(layer) for layer in ours]
    pairs = align(child, [LayerShape.of(layer) for layer in theirs])
    for i, j in pairs:
        ours[i].set_weights(theirs[j].get_weights())
    return share_of(child, pairs)


def _gain(one, other):
    if one.key != other.key:
        return 0.0
    return one.num_parameters + (0.5 if one.name == other.name else 0.0)


def _most_shared(child, parent):
    """The share of the parameters that would be in pairs if the order of layers did not matter."""
    left = collections.Counter(layer.key for layer in parent)
    shared = 0
    for layer in child:
        if left[layer.key]:
            left[layer.key] -= 1
            shared += layer.num_parameters
    total = sum(layer.num_parameters for layer in child)
    return shared / total if total else 0.0
