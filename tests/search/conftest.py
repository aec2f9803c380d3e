"""A small real search on digits, shared by the tests of this room."""

import pytest


def image_space(**choices):
    """An image space whose networks train in a second."""
    import hwkeras as hw

    wanted = {
        "stages": 2,
        "layer_types": ("conv", "separable_conv"),
        "depths": (1,),
        "widths": (8, 16),
        "kernels": (3,),
        "resolutions": (1,),
        "squeeze_excite": (False,),
        "activations": ("relu",),
        "dense_units": (0,),
        "dropout_rates": (0.0,),
    }
    return hw.spaces.Image(**({"input_shape": (8, 8, 1), "num_classes": 10} | wanted | choices))


@pytest.fixture(scope="session")
def small_space():
    """The function `(**choices) -> hypermodel`."""
    return image_space


@pytest.fixture(scope="session")
def searched(tmp_path_factory, digits):
    """A finished search: 3 trials, two precisions."""
    import hwkeras as hw

    events = []
    tuner = hw.HardwareTuner(
        image_space(),
        limits=["size=40KiB", "latency=50ms"],
        max_trials=3,
        seed=0,
        directory=tmp_path_factory.mktemp("runs") / "searched",
        progress=lambda event, facts: events.append((event, facts)),
    )
    x, y = digits
    tuner.search(x[:1000], y[:1000], validation_data=(x[1000:], y[1000:]), epochs=6, batch_size=64)
    tuner.events = events
    return tuner
