"""Shared by the oracle tests: no waiting for the disk, and projects made by driving a real oracle."""

import os

import pytest

from hwkeras.oracles import get
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import opened


@pytest.fixture(autouse=True)
def no_flush(monkeypatch):
    """Each test writes hundreds of small files; that a disk keeps what it was told to keep is not what they test."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def open_oracle(tmp_path):
    """A function that makes a silent oracle on the toy space in this test's folder, reloaded when asked to."""

    def open_oracle(name="random", is_reloaded=False, **arguments):
        arguments = {"objectives": ["accuracy", "latency_ms"], "seed": 0, "hyperparameters": toy_space(), **arguments}
        oracle = opened(get(name)(**arguments), tmp_path)
        if is_reloaded:
            oracle.reload()
        return oracle

    return open_oracle
