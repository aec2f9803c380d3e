"""Numbers to predict, in standard deviations from their mean while a network is trained.

Prices in thousands would take thousands of steps to reach from weights near 0, and lengths in meters drown in the first
steps. The scale goes into the last layer when the training ends, so the network that ships answers in the data's unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class TargetScale:
    """Where the targets of a training lie.

    Args:
        mean: float array of shape (num_outputs,).
        deviation: float array of shape (num_outputs,), above 0.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, y):
        """Finds the scale.

        Args:
            y: array of shape (num_samples,) or (num_samples, num_outputs).

        Returns:
            TargetScale; what never varies keeps its unit.
        """
        targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        deviation = targets.std(axis=0)
        return cls(targets.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    @classmethod
    def of_arguments(cls, arguments):
        """Finds the scale of a training.

        Args:
            arguments: dict of the arguments of `model.fit`.

        Returns:
            TargetScale, or None where targets or validation targets are not arrays.
        """
        y, valid = arguments.get("y"), arguments.get("validation_data")
        is_known = y is not None and (valid is None or (isinstance(valid, (tuple, list)) and len(valid) > 1))
        return cls.of(y) if is_known else None

    def applied_to(self, arguments):
        """What changes of the arguments of a training.

        Args:
            arguments: dict of the arguments of `model.fit`.

        Returns:
            dict with `y`, and `validation_data` where there are any.
        """
        changed, valid = {"y": self.standardized(arguments["y"])}, arguments.get("validation_data")
        if valid is not None:
            changed["validation_data"] = (valid[0], self.standardized(valid[1]), *valid[2:])
        return changed

    def standardized(self, y):
        """Targets as they are trained on.

        Args:
            y: array of shape (num_samples,) or (num_samples, num_outputs).

        Returns:
            float32 array of the same shape.
        """
        targets = np.asarray(y, dtype=np.float64)
        scaled = (targets.reshape(len(targets), -1) - self.mean) / self.deviation
        return scaled.reshape(targets.shape).astype(np.float32)

    def metrics(self):
        """Metrics for standardized targets that tell the errors in the data's unit.

        Returns:
            list of keras.metrics.Metric: `mae` and `rmse`, each over all outputs.
        """
        deviation = self.deviation.astype(np.float32)
        return [_MeanAbsoluteError(deviation), _RootMeanSquaredError(deviation)]

    def remove_from(self, layer):
        """Lets a layer that was trained before answer in standard deviations; one that was not is left alone.

        Args:
            layer: keras.layers.Dense, the last one.
        """
        kernel, bias = layer.get_weights()
        # NOTE: a bias begins at exactly 0, and no training leaves it there.
        if bias.any():
            layer.set_weights([kernel / self.deviation, (bias - self.mean) / self.deviation])

    def put_into(self, layer):
        """Lets a layer answer in the data's unit.

        Args:
            layer: keras.layers.Dense, the last one.
        """
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * self.deviation, bias * self.deviation + self.mean])


def usual_metrics():
    """Metrics for targets in the data's unit.

    Returns:
        list of keras.metrics.Metric: `mae` and `rmse`.
    """
    return [keras.metrics.MeanAbsoluteError(name="mae"), keras.metrics.RootMeanSquaredError(name="rmse")]


class _MeanAbsoluteError(keras.metrics.MeanAbsoluteError):
    def __init__(self, deviation):
        super().__init__(name="mae")
        self._deviation = deviation

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(*_in_units(y_true, y_pred, self._deviation), sample_weight)


class _RootMeanSquaredError(keras.metrics.RootMeanSquaredError):
    def __init__(self, deviation):
        super().__init__(name="rmse")
        self._deviation = deviation

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(*_in_units(y_true, y_pred, self._deviation), sample_weight)


def _in_units(y_true, y_pred, deviation):
    y_pred = keras.ops.convert_to_tensor(y_pred)
    y_true = keras.ops.reshape(keras.ops.cast(y_true, y_pred.dtype), keras.ops.shape(y_pred))
    return y_true * deviation, y_pred * deviation
