import os

import pytest

from hwkeras.files import write_atomically
from hwkeras.files import write_json


def test_a_file_is_written_whole(tmp_path):
    path = write_atomically(tmp_path / "new" / "a.bin", b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"
    assert write_atomically(path, "text").read_text() == "text"
    assert os.listdir(path.parent) == ["a.bin"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_atomically(tmp_path / "a", b"old")

    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(("is_awaited", "num_waits"), [(True, 1), (False, 0)])
def test_the_disk_is_waited_for_where_that_is_wanted(tmp_path, monkeypatch, is_awaited, num_waits):
    waits = []
    monkeypatch.setattr(os, "fsync", waits.append)
    assert write_atomically(tmp_path / "a", b"new", is_awaited=is_awaited).read_bytes() == b"new"
    assert len(waits) == num_waits


def test_json_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()
    assert write_json(tmp_path / "a.json", {"x": 1}).read_text() == '{\n "x": 1\n}\n'
