"""Recipes for the candidates near the front, while the search goes on and when it ends."""

from __future__ import annotations

import dataclasses

import keras

from hwkeras.errors import HwkerasError
from hwkeras.errors import UserError
from hwkeras.oracles.fidelity import Fidelity
from hwkeras.search.recipe_promise import RecipePromise
from hwkeras.search.training_data import is_arrays

_BATCH_SIZE = 64


class TrialCompressor:
    """Compresses trained networks by the recipes of a search that promise enough for them, see `RecipePromise`.

    Args:
        compression: `Compression`.
        data: `TrainingData`, to fine-tune on; of what is not in memory, on samples (see `TrainingData.in_memory`).
        deployer: `Deployer` of that data.
        services: `trial_life.Services`.
        seed: int, of the fine-tunings.

    Raises:
        UserError: recipes for data without labels.
    """

    def __init__(self, compression, data, deployer, services, seed):
        if compression.recipes and is_arrays(data.fit_args[0]) and len(data.fit_args) < 2:
            raise UserError(
                f"Recipes fine-tune on x and y. Received: recipe {compression.recipes[0]!r} and y=None. Pass y, or no "
                "recipes."
            )
        self._compression = compression
        self._data = data
        self._deployer = deployer
        self._its = services
        self._seed = seed
        self._promise = RecipePromise(
            services.outcome, services.oracle.objectives, services.oracle.limits, compression.margin
        )

    def add_to(self, candidates, model, trial):
        """Compresses the network of a trial by the recipes that promise enough for it.

        Args:
            candidates: non-empty list of `Candidate`, what the trial was deployed as.
            model: keras.Model, trained; left as it is.
            trial: keras_tuner Trial.

        Returns:
            tuple: list of Candidate, those given and one for each recipe that took; int, the epochs that were trained.
        """
        return self._add(self._promising(candidates, trial), candidates, model, trial)

    def complete(self, load_model, budget):
        """Gives networks on the front the recipes that they lack and that promise enough.

        A search that goes on with other recipes lacks all of those.

        Args:
            load_model: callable from a keras_tuner Trial to its trained keras.Model.
            budget: `Budget`; the most accurate networks come first, and no other follows once its epochs are spent.

        Returns:
            list of dict: `trial` and `recipes` of each network that the budget had no epochs left for.
        """
        left = []
        for trial_id in dict.fromkeys(candidate.trial for candidate in self._its.outcome.front()):
            known = self._its.outcome.candidates_of(trial_id)
            trial = self._its.oracle.get_trial(trial_id)
            recipes = self._promising(known, trial)
            if not recipes:
                continue
            if left or budget.num_epochs_left < self._compression.num_epochs(self._data.num_epochs):
                left.append({"trial": trial_id, "recipes": recipes})
                continue
            candidates, num_epochs = self._add(recipes, known, load_model(trial), trial)
            self._its.journal.write("front_compressed", trial=trial_id, epochs=num_epochs)
            budget.spend(num_epochs)
            if len(candidates) > len(known):
                self._its.outcome.replace(trial_id, candidates)
        self._its.journal.write("recipes_left", left=left)
        return left

    def _add(self, recipes, candidates, model, trial):
        files, num_epochs = {}, 0
        for recipe in recipes:
            number = self._compression.recipes.index(recipe)
            keras.utils.set_random_seed((self._seed + int(trial.trial_id) + number) % 2**32)
            result = self._compressed(model, recipe, trial.trial_id)
            if result is not None:
                files[recipe] = result.tflite
                num_epochs += sum(_num_epochs(history) for history in result.report.history.values())
        if not files:
            return candidates, num_epochs
        directory = self._its.run.directory / f"trial_{trial.trial_id}"
        added = self._deployer.deploy_files(files, directory, self._its.naming.of_trial(trial))
        # Keras' own metrics are those of the network before it was compressed, as they are of every precision.
        of_keras = {name: value for name, value in candidates[0].metrics.items() if name.startswith("val_")}
        return [*candidates, *(dataclasses.replace(c, metrics=of_keras | c.metrics) for c in added)], num_epochs

    def _compressed(self, model, recipe, trial_id):
        """The result of a recipe, or None where it cannot be: the trial does not fail for it."""
        # NOTE: imported here, because a search without recipes does without tfmot.
        from hwkeras.compress import compress

        x, y, sample_weight = self._data.in_memory()
        weights = {"class_weight": self._data.fit_kwargs.get("class_weight"), "sample_weight": sample_weight}
        with self._its.clock.stage("compress"):
            try:
                result = compress(
                    model,
                    recipe,
                    (x, y),
                    validation_data=(self._data.x_valid, self._data.y_valid),
                    epochs=self._compression.num_epochs(self._data.num_epochs),
                    batch_size=self._data.fit_kwargs.get("batch_size") or _BATCH_SIZE,
                    **{name: value for name, value in weights.items() if value is not None},
                )
            except HwkerasError as error:
                self._its.journal.write("recipe_failed", trial=trial_id, recipe=recipe, message=str(error))
                return None
        self._its.journal.write("compressed", trial=trial_id, recipe=recipe, report=result.report.to_json())
        return result

    def _promising(self, candidates, trial):
        """The recipes that the network lacks and that promise enough for it; none before it is trained in full."""
        fidelity = Fidelity.of(trial.hyperparameters.values)
        if fidelity is not None and fidelity.epochs < self._data.num_epochs:
            return []
        events = self._its.journal.read("recipe_failed")
        known = {candidate.precision for candidate in candidates}
        known |= {event["recipe"] for event in events if event["trial"] == trial.trial_id}
        lacking = [recipe for recipe in self._compression.recipes if recipe not in known]
        return self._promise.of(lacking, candidates) if lacking else []


def _num_epochs(history):
    return max(map(len, history.values()), default=0)
