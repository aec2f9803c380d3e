import numpy as np
import pytest

from hwkeras.testing import tiny_cnn
from hwkeras.testing import tiny_mlp


@pytest.mark.parametrize(("make", "shape"), [(tiny_mlp, (2, 4)), (tiny_cnn, (2, 8, 8, 1))])
def test_gives_probabilities_and_is_tiny(make, shape):
    model = make(num_classes=5)
    outputs = np.asarray(model(np.ones(shape, "float32")))
    assert outputs.shape == (2, 5)
    np.testing.assert_allclose(outputs.sum(axis=1), 1.0, rtol=1e-5)
    assert model.count_params() < 500


@pytest.mark.parametrize("make", [tiny_mlp, tiny_cnn])
def test_the_seed_is_the_model(make):
    first, same, other = make(seed=1), make(seed=1), make(seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), same.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.get_weights(), other.get_weights(), strict=True))
