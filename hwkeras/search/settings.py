"""What `search.json` of a run says was asked for."""

from __future__ import annotations


def settings_of(tuner, data, devices, data_facts):
    """Describes a search.

    Args:
        tuner: `HardwareTuner`.
        data: `TrainingData`.
        devices: `Devices`.
        data_facts: dict, what manifests say of the data.

    Returns:
        dict, JSON-able, as for `Run.open`.
    """
    return {
        "data_fingerprint": data.fingerprint,
        "data": data_facts,
        "objectives": [objective.metric for objective in tuner.objectives],
        "limits": [str(limit) for limit in tuner.limits],
        "precisions": list(tuner.precisions),
        **devices.describe(),
        "space": type(tuner.hypermodel).__name__,
        "oracle": type(tuner.oracle).__name__,
        "seed": tuner.seed,
        "epochs": data.num_epochs,
        "validation_folds": data.num_folds,
        "compression": tuner.compression.to_json(),
        "economy": tuner.economy.to_json(),
        # A search that goes on has nothing to prune: it was done when it began.
        "pruned": tuner.pruned.summary() if tuner.pruned else (tuner.run.settings() or {}).get("pruned", ""),
    }
