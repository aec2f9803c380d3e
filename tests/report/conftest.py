"""The result document of a small run, as a search writes it."""

import copy

import pytest


def candidate(trial, precision, accuracy, latency_ms, size_bytes=4096, **fields):
    """One entry of the document."""
    metrics = {"accuracy": accuracy, "latency_ms": latency_ms, "size_bytes": size_bytes}
    metrics |= {"peak_ram_bytes": 2048, "macs": 123456, "params": 789, "val_accuracy": accuracy}
    return {
        "trial": trial,
        "precision": precision,
        "architecture": "conv16k3s2 | global_pool | dense10",
        "architecture_hash": "ab" * 8,
        "metrics": metrics,
        "file": f"trial_{trial}/{precision}.tflite",
        "status": "ok",
        **fields,
    }


RESULTS = {
    "schema": 1,
    "name": "digits",
    "data": {"name": "digits", "fingerprint": "8f3a91c2", "num_classes": 10},
    "space": "image",
    "oracle": "evolution",
    "precisions": ["float32", "int8"],
    "objectives": ["accuracy", "latency_ms"],
    "limits": ["size=60KiB", "latency=0.9ms"],
    "device": "local",
    "seed": 0,
    "epochs": 5,
    "trials": 3,
    "rejected": 1,
    "seconds": 187.3,
    "front": [candidate("00", "int8", 0.8125, 0.0625), candidate("01", "int8", 0.9375, 0.1875)],
    "best": candidate("01", "int8", 0.9375, 0.1875),
    "candidates": [
        candidate("00", "int8", 0.8125, 0.0625),
        candidate("01", "int8", 0.9375, 0.1875),
        candidate("00", "float32", 0.8, 0.3),
        candidate("01", "float32", 0.94, 1.25, size_bytes=70_000),
        candidate("02", "int8", 0.5, None, status="timeout"),
    ],
    "out": "runs/a",
}


@pytest.fixture
def results():
    """A fresh copy of the document."""
    return copy.deepcopy(RESULTS)


@pytest.fixture(scope="session")
def entry():
    """The function that makes one entry."""
    return candidate
