"""`LatencyCallback`: deployed cost as metrics of any keras-tuner search."""

from __future__ import annotations

import copy

import keras

from hwkeras.convert import convert_untrained
from hwkeras.convert import require_precisions
from hwkeras.errors import DeviceError
from hwkeras.measure import analyze
from hwkeras.measure import open_meter


class LatencyCallback(keras.callbacks.Callback):
    """Converts the model of a trial to TFLite and adds what the bytes cost to the logs of every epoch.

    Works alone in any keras-tuner tuner, on anybody's `build(hp)`: `latency_ms`, `size_bytes`, `peak_ram_bytes` and
    `macs` become metrics of the trial, so that `kt.Objective("latency_ms", "min")` can be searched for. These four do
    not depend on the values of the weights: they are taken once, before training, and hold for the trained model.

    keras-tuner deep-copies callbacks for every trial: the copy opens its own meter, nothing is shared.

    Args:
        precision: str, one of `hwkeras.convert.PRECISIONS`. Defaults to `"float32"`.
        device: str, where latency is measured. Defaults to `"local"`.
        meter: `Meter`, used instead of opening `device`; must survive `copy.deepcopy`. Defaults to `None`.

    Raises:
        UserError: an unknown precision or device.
        DeviceError: the device gave no measurement.

    Example:

    ```python
    tuner = kt.RandomSearch(build, objective=kt.Objective("latency_ms", "min"), max_trials=2)
    tuner.search(x, y, validation_data=(xv, yv), epochs=2, callbacks=[hw.LatencyCallback(precision="int8")])
    ```
    """

    def __init__(self, precision="float32", device="local", meter=None):
        super().__init__()
        require_precisions([precision])
        self.precision = precision
        self.device = device
        self.deployed_metrics = {}
        self._meter = meter if meter is not None else open_meter(device)

    def on_train_begin(self, logs=None):
        """Converts and measures the model that is about to be trained."""
        content = convert_untrained(self.model, [self.precision])[self.precision]
        measurement = self._meter.measure([content])[0]
        if not measurement.ok:
            raise DeviceError(
                f"Device {self.device!r} gave no latency: {measurement.status} {measurement.message}".strip()
            )
        metrics = analyze(content).metrics()
        self.deployed_metrics = {name: metrics[name] for name in ("size_bytes", "peak_ram_bytes", "macs")}
        self.deployed_metrics["latency_ms"] = measurement.latency_ms

    def on_epoch_end(self, epoch, logs=None):
        """Adds the metrics; keras-tuner keeps those of the best epoch, so each epoch carries them."""
        if logs is not None:
            logs.update(self.deployed_metrics)

    def __deepcopy__(self, memo):
        return type(self)(self.precision, self.device, copy.deepcopy(self._meter, memo))
