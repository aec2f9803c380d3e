"""`Searcher`: the shortest way to a searched model, in the words the articles use."""

from __future__ import annotations

import tempfile

import numpy as np

from hwkeras.build import HardwareHyperModel
from hwkeras.build import as_hypermodel
from hwkeras.build.spaces import FromDict
from hwkeras.data import class_indices
from hwkeras.data.stored import is_stored
from hwkeras.search.tuner import HardwareTuner
from hwkeras.space import OneArchitecture
from hwkeras.space import architecture_from_actions


class Searcher:
    """Searches a space and hands over the best model, trained.

    Args:
        space: `SearchSpace`, any space of `hwkeras.spaces`, a `build(hp)` function, or a dict of lists such as
            `{"global_pooling": [True, False], "dense_units": [16, 32], "dropout_rate": [0.0, 0.2]}`; or one
            architecture as a list of actions such as `["conv", "pool", "pool"]`, which is trained and deployed.
        optimizer: str or keras optimizer, for spaces that do not compile. Defaults to `"adam"`.
        epochs: int, for each network. Defaults to `5`.
        budget: int, networks to train. Defaults to `10`.
        oracle: str, who proposes. Defaults to `"random"`.
        precision: str or sequence of str, what every network is deployed as. Defaults to `"float32"`.
        limits: sequence of str such as `"latency=5ms"`. Defaults to `()`.
        seed: int or None. Defaults to `None`.
        directory: str or None, of the run. Defaults to `None`, a temporary one.

    Attributes:
        tuner: the `HardwareTuner` of the last search: front, candidates, export.

    Example:

    ```python
    space = hw.SearchSpace(input_shape=(32, 32, 3), output_shape=(10,), layer_types=["conv", "pool", "fc"])
    model = hw.Searcher(space, optimizer="adam", epochs=5, budget=3).search(train_data, train_labels)
    loss, accuracy = model.evaluate(test_data, test_labels)
    ```
    """

    def __init__(
        self,
        space,
        optimizer="adam",
        epochs=5,
        *,
        budget=10,
        oracle="random",
        precision="float32",
        limits=(),
        seed=None,
        directory=None,
    ):
        self._space = space
        self._optimizer = optimizer
        self._epochs = epochs
        self._directory = directory
        self._options = {
            "oracle": oracle,
            "max_trials": budget,
            "precision": precision,
            "limits": limits,
            "seed": seed,
            "objectives": ["accuracy"],
        }
        self.tuner = None

    def search(self, train_data, train_labels, **fit_arguments):
        """Trains `budget` networks and returns the one whose deployed bytes are the most accurate.

        Args:
            train_data: array of shape (num_samples, height, width[, channels]), or `data.StoredArray`.
            train_labels: array of shape (num_samples,), (num_samples, 1), or one-hot (num_samples, num_classes).
            **fit_arguments: as for `model.fit`; `validation_data` is split off when it is not given.

        Returns:
            keras.Model, trained and compiled.

        Raises:
            UserError: the data or the space cannot be used.
            InfeasibleError: no network lies within the limits.
        """
        x = train_data if is_stored(train_data) else np.asarray(train_data)
        directory = self._directory or tempfile.mkdtemp(prefix="hwkeras-")
        self.tuner = HardwareTuner(self._hypermodel(x, train_labels), directory=directory, **self._options)
        self.tuner.search(x, np.asarray(train_labels), **({"epochs": self._epochs} | fit_arguments))
        return self.tuner.get_best_models()[0]

    def _hypermodel(self, x, labels):
        space = self._space
        shape = x.shape[1:] if x.ndim == 4 else (*x.shape[1:], 1)
        if isinstance(space, dict):
            space = FromDict(space, shape, _num_classes(labels))
        elif isinstance(space, (list, tuple)):
            space = OneArchitecture(architecture_from_actions(space, shape, _num_classes(labels)))
        hypermodel = as_hypermodel(space)
        if isinstance(hypermodel, HardwareHyperModel) and hypermodel.optimizer is None:
            hypermodel.optimizer = self._optimizer
        return hypermodel


def _num_classes(labels):
    return len(np.unique(class_indices(labels)))
