import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.search.run import Run

SETTINGS = {"data_fingerprint": "a" * 64, "precisions": ["int8"], "limits": ["size=10KiB"]}


def test_a_run_remembers_and_goes_on_with_new_limits(tmp_path):
    run = Run(tmp_path / "run")
    assert run.settings() is None
    run.open(SETTINGS)
    created = run.settings()["created"]
    run.open(SETTINGS | {"limits": ["size=20KiB"]})
    assert run.settings()["limits"] == ["size=20KiB"]
    assert run.settings()["created"] == created


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"data_fingerprint": "b" * 64}, r"belongs to another data set \(aaaaaaaaaaaa\.\.\., not bbbbbbbbbbbb\.\.\.\)"),
        ({"precisions": ["float32"]}, r"belongs to other precisions \(\['int8'\], not \['float32'\]\)"),
    ],
)
def test_a_run_belongs_to_its_data(tmp_path, other, said):
    run = Run(tmp_path / "run")
    run.open(SETTINGS)
    before = (tmp_path / "run" / "search.json").read_bytes()
    with pytest.raises(UserError, match=said):
        run.open(SETTINGS | other)
    assert (tmp_path / "run" / "search.json").read_bytes() == before


def test_settings_that_are_not_json_are_told(tmp_path):
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(UserError, match=r"`search.json` of a run must be JSON\. Received: .*search.json that is not"):
        Run(tmp_path).settings()


def test_samples_are_kept_once(tmp_path):
    run = Run(tmp_path)
    assert run.check_samples() == (None, None)
    run.save_check_samples(np.ones((100, 2)), np.arange(100))
    run.save_check_samples(np.zeros((100, 2)), np.arange(100))
    x, y = run.check_samples()
    np.testing.assert_array_equal(x, np.ones((64, 2)))
    assert len(y) == 64 and (y[0], y[-1]) == (0, 99)
    assert set(np.diff(y)) == {1, 2}
