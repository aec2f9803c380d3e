"""From a candidate to the bundle that ships."""

from __future__ import annotations

import shutil

from hwkeras.convert import node_paths
from hwkeras.export import BundleSource
from hwkeras.export import write_bundle
from hwkeras.measure import Measurement
from hwkeras.measure import profile


class Shipping:
    """Writes bundles of the candidates of a run.

    Args:
        run: `Run`.
        naming: `Naming`.
        oracle: `HardwareOracle`, which knows the trials.
        load_model: callable from a keras_tuner Trial to its trained keras.Model.
    """

    def __init__(self, run, naming, oracle, load_model):
        self._run = run
        self._naming = naming
        self._oracle = oracle
        self._load_model = load_model

    def ship(self, directory, candidate, overwrite=False):
        """Writes one bundle.

        Args:
            directory: str or PathLike of the new bundle.
            candidate: `Candidate`.
            overwrite: bool, whether an earlier bundle there is replaced. Defaults to `False`.

        Returns:
            pathlib.Path of the bundle.

        Raises:
            UserError: the directory is in use.
        """
        return write_bundle(directory, self._source(candidate), overwrite=overwrite)

    def ship_front(self, document, front):
        """Writes a bundle for every member of the front, in `front/` of the run, in place of earlier ones.

        Args:
            document: dict, the result document; `file` of its `front` and `best` become those of the bundles.
            front: list of `Candidate`, those of the document.
        """
        shutil.rmtree(self._run.directory / "front", ignore_errors=True)
        for candidate in front:
            bundle = self.ship(self._run.directory / "front" / f"{candidate.trial}-{candidate.precision}", candidate)
            for entry in [*document["front"], document["best"]]:
                if (entry["trial"], entry["precision"]) == (candidate.trial, candidate.precision):
                    entry["file"] = f"front/{bundle.name}/model.tflite"

    def profile(self, candidate, meter):
        """Where the time of a candidate's file goes.

        Args:
            candidate: `Candidate`.
            meter: `Meter`.

        Returns:
            Profile, by operator and by layer of the architecture.
        """
        trial = self._oracle.get_trial(candidate.trial)
        architecture = self._naming.architecture(trial.hyperparameters)
        return profile(
            self._run.directory / candidate.file,
            meter=meter,
            node_paths=node_paths(self._load_model(trial)),
            layers=[layer.name for layer in architecture.layers] if architecture is not None else (),
        )

    def _source(self, candidate):
        trial = self._oracle.get_trial(candidate.trial)
        settings = self._run.settings()
        x, y = self._run.check_samples()
        return BundleSource(
            flatbuffer=(self._run.directory / candidate.file).read_bytes(),
            model=self._load_model(trial),
            precision=candidate.precision,
            metrics=candidate.metrics,
            measurement=Measurement.from_json(candidate.measurement),
            architecture=self._naming.architecture(trial.hyperparameters),
            hyperparameters=dict(trial.hyperparameters.values),
            seed=settings["seed"],
            data_fingerprint=settings["data_fingerprint"],
            preprocessing=settings["data"]["preprocessing"],
            validation_folds=settings.get("validation_folds"),
            class_names=settings["data"]["class_names"],
            limits=settings["limits"],
            device=settings["device"],
            check_x=x,
            check_y=y,
        )
