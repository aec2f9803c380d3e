"""The dear half's end: a trained model becomes files, and every number is taken from their bytes."""

from __future__ import annotations

import gzip
import math

from hwkeras.convert import convert_all
from hwkeras.convert import evaluate
from hwkeras.convert import take_samples
from hwkeras.files import write_atomically
from hwkeras.measure import analyze
from hwkeras.search.candidate import Candidate

NUM_CALIBRATION_SAMPLES = 200


class Deployer:
    """Turns one trained model into candidates.

    Args:
        latencies: `Latencies`, times all files of a trial in one job.
        data: `TrainingData`, for calibration and validation.
        clock: `StageClock`.
        elsewhere: `Elsewhere`, which adds what further devices say.
        qualities: sequence of names of `convert.quality.QUALITIES`, what is told of the answers of each file.
    """

    def __init__(self, latencies, data, clock, elsewhere, qualities):
        self._latencies = latencies
        self._data = data
        self._clock = clock
        self._elsewhere = elsewhere
        self._qualities = qualities

    def deploy(self, model, precisions, directory, identity):
        """Converts, checks, scores and measures.

        Args:
            model: trained keras.Model.
            precisions: sequence of str.
            directory: pathlib.Path of the trial; receives `<precision>.tflite`.
            identity: dict with `trial`, `architecture`, `architecture_hash`.

        Returns:
            list of Candidate, one for each precision, in that order.

        Raises:
            ConversionError: the model does not convert.
        """
        with self._clock.stage("convert"):
            calibration = take_samples(self._data.x, NUM_CALIBRATION_SAMPLES) if "int8" in precisions else None
            converted = convert_all(model, precisions, calibration)
        contents = {precision: converted[precision].flatbuffer for precision in precisions}
        return self.deploy_files(contents, directory, identity)

    def deploy_files(self, contents, directory, identity):
        """Scores and measures files that were converted before.

        Args:
            contents: dict of precision, or recipe, to the bytes of a file.
            directory: pathlib.Path of the trial; receives the files.
            identity: dict with `trial`, `architecture`, `architecture_hash`.

        Returns:
            list of Candidate, in the order of the files.
        """
        precisions, contents = list(contents), list(contents.values())
        with self._clock.stage("analyze"):
            analyses = [analyze(content) for content in contents]
        with self._clock.stage("measure"):
            measurements = self._latencies.measure_to_ship(contents, analyses)
        candidates = []
        for precision, content, analysis, measurement in zip(precisions, contents, analyses, measurements, strict=True):
            metrics = self._metrics(content, analysis, measurement)
            with self._clock.stage("save"):
                # A colon, as in `prune=2:4`, is no letter of a file's name everywhere.
                file = write_atomically(directory / f"{precision.replace(':', '-')}.tflite", content)
            status = "ok" if measurement.ok else measurement.status
            candidates.append(
                Candidate(
                    precision=precision,
                    metrics=metrics,
                    file=f"{directory.name}/{file.name}",
                    measurement=measurement.to_json(),
                    status=status,
                    **identity,
                )
            )
        return self._elsewhere.complete(candidates, directory.parent)

    def _metrics(self, content, analysis, measurement):
        metrics = analysis.metrics() | {"gzip_bytes": len(gzip.compress(content, mtime=0))}
        with self._clock.stage("evaluate"):
            metrics |= evaluate(content, self._data.x_valid, self._data.y_valid, self._qualities)
        if measurement.ok:
            metrics["latency_ms"] = measurement.latency_ms
        return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
