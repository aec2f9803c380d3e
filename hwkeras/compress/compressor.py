"""A Keras 3 model in, a compressed `.tflite` file out, with the report that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwkeras.compress.channels import prune_channels
from hwkeras.compress.cluster_codes import unify_codes
from hwkeras.compress.clustering import cluster
from hwkeras.compress.distillation import Distillation
from hwkeras.compress.distillation import check_teacher
from hwkeras.compress.evaluation import accuracy
from hwkeras.compress.evaluation import check_agreement
from hwkeras.compress.evaluation import latencies
from hwkeras.compress.finetuning import FineTuning
from hwkeras.compress.finetuning import legacy_loss
from hwkeras.compress.flatbuffer import bytes_by_type
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.compress.flatbuffer import float_operators
from hwkeras.compress.flatbuffer import require_calibratable
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.front_end import FrontEnd
from hwkeras.compress.layer_reports import layer_reports
from hwkeras.compress.layer_reports import sparsities
from hwkeras.compress.layer_reports import step_report
from hwkeras.compress.mixed_precision import to_mixed
from hwkeras.compress.operator_bits import require_quantizer
from hwkeras.compress.proof import check_file
from hwkeras.compress.proof import find_kept
from hwkeras.compress.pruning import prune
from hwkeras.compress.qat import quantize_aware
from hwkeras.compress.recipe import Recipe
from hwkeras.compress.report import CompressionReport
from hwkeras.compress.report import gzip_size
from hwkeras.compress.samples import calibration_samples
from hwkeras.compress.samples import checked_data
from hwkeras.compress.samples import labeled_calibration_samples
from hwkeras.compress.structure import kept_after
from hwkeras.compress.twinning import twin
from hwkeras.errors import UserError


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Args:
        tflite: bytes, the file to ship.
        model: tf_keras.Model it was converted from, fine-tuned; with quantization wrappers after `int8_qat`. Of a
            model with a front end that stays float, what stands behind that.
        report: CompressionReport.
    """

    tflite: bytes
    model: Any
    report: CompressionReport


def compress(
    model,
    recipe,
    data,
    *,
    validation_data=None,
    epochs=3,
    batch_size=64,
    learning_rate=1e-3,
    teacher=None,
    temperature=3.0,
    teacher_weight=0.7,
    meter=None,
    **fit_arguments,
):
    """Compresses a trained Keras 3 model; the model itself is left as it is.

    Each step that trains (`channels`, `prune`, `cluster`, `int8_qat`) fine-tunes for `epochs` with Adam and the loss
    the model was compiled with. After each step, and in the final bytes, what was asked for is looked up again. A front
    end that stays float (see `spaces.Audio`) is left as it is: what stands behind it is compressed.

    Args:
        model: keras.Model, Sequential or functional, trained.
        recipe: str such as `"prune=0.5"`, `"int8"`, `"cluster=16+int8"`, `"channels=0.5+distill+int8_qat"`, see
            `Recipe`, or a Recipe.
        data: tuple `(x, y)` of training data as `fit` takes it, arrays with the samples on the first axis; `x` a list
            of arrays for several inputs. `y` may be None where nothing is trained.
        validation_data: tuple `(x, y)`, evaluated after each epoch into `report.history`; of `int8_qat`, the weights
            that do best on it are kept, those before its first step among them. The accuracies of the report are told
            on it, else on `data`, on at most 2000 samples. Defaults to `None`.
        epochs: int, of each fine-tuning. Defaults to `3`.
        batch_size: int. Defaults to `64`.
        learning_rate: float, the highest of each fine-tuning, which falls to nothing in the end; of `int8_qat`, a
            tenth of it. Defaults to `1e-3`.
        teacher: keras.Model whose answers `distill` learns from. Defaults to `None`: `model`.
        temperature: float, of `distill`, see `Distillation`. Defaults to `3.0`.
        teacher_weight: float in (0, 1], of the teacher's answers beside the labels. Defaults to `0.7`.
        meter: hwkeras.measure.Meter that times the uncompressed and the compressed file in one job.
            Defaults to `None`.
        **fit_arguments: `callbacks`, `class_weight`, `sample_weight`, `shuffle`, `validation_batch_size`,
            `validation_freq` and `verbose` (`0` unless given), passed to `fit` as they are.

    Returns:
        Compressed.

    Raises:
        UserError: a wrong recipe, argument, or a model without a layer graph; a layer `int8_qat` cannot take; `mixed`
            without its quantizer, which `pip install "hwkeras[mixed]"` brings.
        DataError: data that does not fit the model, or no labels where training needs them.
        CompressionError: no equal tf_keras model, or a step that did not take.
        ConversionError: the converter refuses the result, or the file answers something else than the model.
    """
    recipe = Recipe.parse(recipe)
    if teacher is not None and not recipe.distill:
        raise UserError(
            f"A `teacher` is asked by 'distill' alone. Received: a teacher and the recipe '{recipe}'. Write "
            "'distill' into the recipe, or leave `teacher` out."
        )
    if recipe.file_precision == "mixed":
        require_quantizer()
    front = FrontEnd.of(model)
    scored = validation_data if validation_data is not None else data
    if front is not None:
        model, teacher = front.body, front.behind(teacher)
        data, validation_data = front.heard(data), front.heard(validation_data)
    start = twin(model)
    x, y = checked_data(start, recipe, data)
    fine_tuning = None
    if recipe.needs_training:
        loss = legacy_loss(model, x, y)
        fine_tuning = FineTuning(loss, x, y, validation_data, epochs, batch_size, learning_rate, fit_arguments)
    if recipe.distill:
        distillation = Distillation(model if teacher is None else teacher, temperature, teacher_weight)
        check_teacher(distillation.teacher, start)
        fine_tuning = distillation.taught(fine_tuning)
    if not recipe.is_quantization_aware:
        require_calibratable(start, recipe.file_precision)
    # Now: pruning trains the twin itself.
    original = to_flatbuffer(start, "float32")
    run = _Compression(recipe, (x, y), fine_tuning)
    run.remove_channels(model, start)
    run.train()
    content, proof = run.converted()
    if front is not None:
        original, content = front.joined(original), front.joined(content)
    return Compressed(content, run.model, run.report(original, content, proof, scored, meter))


class _Compression:
    """One run of a recipe's steps, in their fixed order: channels, prune, cluster, quantize, convert, prove."""

    def __init__(self, recipe, data, fine_tuning):
        self.recipe = recipe
        self.data = data
        self.fine_tuning = fine_tuning
        self.history = {}
        self.steps = []
        self.kept = ()
        self.notes = ()
        self.channels = None
        self.model = None

    def remove_channels(self, model, start):
        """Makes the tf_keras model that the other steps work on.

        Args:
            model: keras.Model.
            start: tf_keras.Model, its twin.
        """
        self.model = start
        if self.recipe.channels:
            smaller, self.channels = prune_channels(model, self.recipe.channels, self.data)
            self.model = twin(smaller)
            self.history["channels"] = self.fine_tuning.fit(self.model)
            self._prove("channels")
        self.before = sparsities(self.model)

    def train(self):
        """Runs the steps that train; each is checked before the next begins."""
        recipe, fine_tuning = self.recipe, self.fine_tuning
        if recipe.prunes:
            self.kept, self.history["prune"] = prune(self.model, recipe, fine_tuning)
            self._prove("prune")
        if recipe.clusters is not None:
            self.model, self.kept, self.history["cluster"] = cluster(
                self.model, recipe.clusters, fine_tuning, self.kept
            )
            self._prove("cluster")
        self.trained = self.model
        if recipe.is_quantization_aware:
            keeps = {"keeps_zeros": recipe.prunes, "keeps_clusters": recipe.clusters is not None}
            self.model, self.history["int8_qat"], self.notes = quantize_aware(self.model, fine_tuning, **keeps)
            self.kept = kept_after(self.kept, self.model, "int8_qat")
            self._prove("int8_qat")

    def _prove(self, step):
        self.steps.append(step_report(step, self.model, self.kept))

    def converted(self):
        """Converts the model and proves what the bytes hold.

        Returns:
            Tuple of the bytes and of what the report tells of them, a dict.
        """
        precision, x = self.recipe.file_precision, self.data[0]
        content, operators = self._file(precision)
        content = unify_codes(content, find_kept(self.kept, constant_tensors(content)))
        found = find_kept(self.kept, constant_tensors(content))
        check_file(found)
        agreement = check_agreement(content, self.model, precision, x)
        return content, {
            "layers": layer_reports(self.recipe, self.trained, self.before, found),
            "float_operators": float_operators(content) if self.recipe.needs_calibration else (),
            "disagreement": agreement.figure,
            "max_error": agreement.max_error,
            "operators": operators,
        }

    def report(self, original, content, proof, scored, meter):
        """What is told of the file that ships.

        Args:
            original: bytes, the float32 file of the uncompressed model.
            content: bytes, the compressed file.
            proof: dict, what `converted` told.
            scored: tuple `(x, y, ...)` on which accuracy is told.
            meter: Meter or None.

        Returns:
            CompressionReport.
        """
        before_ms, after_ms = latencies(meter, [original, content])
        return CompressionReport(
            recipe=str(self.recipe),
            size_bytes=len(content),
            gzip_bytes=gzip_size(content),
            history=self.history,
            steps=tuple(self.steps),
            notes=self.notes,
            types=bytes_by_type(content),
            original_size_bytes=len(original),
            original_gzip_bytes=gzip_size(original),
            accuracy_before=accuracy(original, scored),
            accuracy_after=accuracy(content, scored),
            latency_before_ms=before_ms,
            latency_ms=after_ms,
            channels=self.channels,
            **proof,
        )

    def _file(self, precision):
        """The bytes, and of mixed precision an OperatorReport for each operator with weights."""
        if precision == "mixed":
            mixed = to_mixed(self.model, *labeled_calibration_samples(self.data), self.kept)
            return mixed.content, mixed.operators
        calibration = calibration_samples(self.data[0]) if self.recipe.needs_calibration else None
        return to_flatbuffer(self.model, precision, calibration), ()
