"""Augmentation as choices: laws of the values, which inputs they are for, what a trial is told."""

from types import SimpleNamespace

import pytest

from hwkeras.errors import UserError
from hwkeras.space import AUGMENTATIONS
from hwkeras.space import Augmentation

EVERY = {
    "flip": (False, True),
    "crop": (0, 0.125),
    "cutout": (0, 1),
    "mixup": (0, 0.2, 1.5),
    "time_mask": (0, 0.99),
    "frequency_mask": (0, 0.25),
    "time_warp": (0, 0.49),
    "rotate": (0, 1),
    "loudness": (0, 20),
    "noise": (0, 0.1),
    "scale": (0, 2),
}
OF_SEQUENCES = ("crop", "mixup", "time_mask", "time_warp", "rotate", "noise", "scale")
OF_IMAGES = tuple(name for name in EVERY if name not in ("rotate", "loudness"))


def values(**chosen):
    return SimpleNamespace(values={f"augment/{name}": value for name, value in chosen.items()})


def test_only_what_is_named_is_declared_and_one_value_is_fixed():
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    augmentation = Augmentation({"flip": (False, True), "mixup": [0, 0.2], "noise": 0.1})
    augmentation.declare(hp)
    assert hp.values == {"augment/flip": False, "augment/mixup": 0.0}
    assert augmentation.read(hp) == {"noise": 0.1}
    hp.values |= {"augment/flip": True, "augment/mixup": 0.2}
    assert augmentation.read(hp) == {"flip": True, "mixup": 0.2, "noise": 0.1}
    assert augmentation.describe().splitlines() == [
        "augment/flip: False, True",
        "augment/mixup: 0.0, 0.2",
        "augment/noise: 0.1",
    ]


def test_off_is_left_out():
    augmentation = Augmentation(EVERY)
    assert set(EVERY) == set(AUGMENTATIONS)
    assert augmentation.read(values(**{name: chosen[0] for name, chosen in EVERY.items()})) == {}
    chosen = {name: known[-1] for name, known in EVERY.items()}
    assert augmentation.read(values(**chosen)) == chosen


def test_it_is_a_value():
    one = Augmentation({"flip": (False, True), "crop": (0, 0.125)})
    assert one == Augmentation({"flip": [0, 1], "crop": (False, 0.125, 0.125)})
    assert len({one, Augmentation(dict(one.choices))}) == 1
    assert one != Augmentation({"flip": True})
    with pytest.raises(AttributeError):
        one.choices = ()


def test_images_and_spectrograms_take_all_and_sequences_some():
    Augmentation({name: EVERY[name] for name in OF_IMAGES}).require_shape((28, 28, 1))
    for name, chosen in EVERY.items():
        only = Augmentation({name: chosen})
        if name in OF_SEQUENCES:
            only.require_shape((128, 6))
        else:
            said = rf"Received: '{name}' for inputs of shape \(128, 6\). For these there are crop, mixup, time_mask, "
            with pytest.raises(UserError, match=said):
                only.require_shape((128, 6))
        with pytest.raises(UserError, match=rf"'{name}' for inputs of shape \(20,\). There is none for these; leave"):
            only.require_shape((20,))
    with pytest.raises(
        UserError, match=r"'rotate' for inputs of shape \(28, 28, 3\). For these there are flip, crop, "
    ):
        Augmentation({"rotate": 0.1}).require_shape((28, 28, 3))
    with pytest.raises(UserError, match=r"'rotate' for inputs of shape \(128, 4\). For these there are crop, mixup, "):
        Augmentation({"rotate": 0.1}).require_shape((128, 4))


@pytest.mark.parametrize(
    ("name", "wrong", "law"),
    [
        ("flip", 0.5, "True or False"),
        ("crop", 0.6, r"a share in \[0, 0.5\]"),
        ("crop", True, r"a share in \[0, 0.5\]"),
        ("cutout", 1.1, r"a share in \[0, 1\]"),
        ("mixup", -1, "a number of 0 or more"),
        ("mixup", float("inf"), "a number of 0 or more"),
        ("mixup", float("nan"), "a number of 0 or more"),
        ("time_mask", 1.0, r"a share in \[0, 1\)"),
        ("frequency_mask", "half", r"a share in \[0, 1\)"),
        ("time_warp", 0.5, r"a share in \[0, 0.5\)"),
        ("rotate", 1.1, r"a share in \[0, 1\]"),
        ("loudness", -6, r"decibels in \[0, 60\]"),
        ("loudness", 61, r"decibels in \[0, 60\]"),
        ("noise", -0.1, "a number of 0 or more"),
        ("scale", None, "a number of 0 or more"),
    ],
)
def test_each_value_keeps_its_law(name, wrong, law):
    with pytest.raises(UserError, match=rf"`{name}` must be {law}. Received: {name}={wrong!r}"):
        Augmentation({name: (0, wrong)})


def test_the_standardization_that_a_rotation_undoes_is_kept_and_checked():
    augmentation = Augmentation({"rotate": 0.1}, standardization=[[0, 1, 2], [1, 2, 3]])
    assert augmentation.standardization == ((0.0, 1.0, 2.0), (1.0, 2.0, 3.0))
    assert augmentation == Augmentation({"rotate": 0.1}, augmentation.standardization)
    assert augmentation != Augmentation({"rotate": 0.1})
    assert Augmentation.parse(["rotate"], ([0], [1])).standardization == ((0.0,), (1.0,))
    augmentation.require_shape((128, 3))
    with pytest.raises(
        UserError, match=r"that of every channel. Received: means of 3 channels for inputs of shape \(9, 6"
    ):
        augmentation.require_shape((9, 6))
    for wrong in (([0], [0]), ([0, 0], [1]), 3, ([0],), (["a"], [1])):
        with pytest.raises(
            UserError, match="`standardization` must be a mean and a deviation above 0 for each channel"
        ):
            Augmentation({"rotate": 0.1}, standardization=wrong)


def test_loudness_is_of_pictures_whose_bands_are_known():
    bands = ([0.0] * 32, [2.0] * 32)
    Augmentation({"loudness": 12}, bands).require_shape((49, 32, 1))
    with pytest.raises(
        UserError, match=r"that of every band. Received: means of 32 bands for inputs of shape \(28, 28, 1"
    ):
        Augmentation({"loudness": 12}, bands).require_shape((28, 28, 1))
    with pytest.raises(
        UserError,
        match=r"`loudness` is for log-mel pictures.*Received: no `standardization` for inputs of shape \(28, 28",
    ):
        Augmentation({"loudness": 12}).require_shape((28, 28, 1))
    for shape in ((28, 28, 3), (128, 1)):
        with pytest.raises(UserError, match="Received: 'loudness' for inputs of shape"):
            Augmentation({"loudness": 12}, bands).require_shape(shape)
    # Nobody is sent to what is then refused.
    for known, is_named in ((bands, True), (None, False)):
        with pytest.raises(UserError, match="For these there are flip, crop") as refused:
            Augmentation({"rotate": 0.1}, known).require_shape((49, 32, 1))
        assert ("loudness" in str(refused.value)) == is_named


def test_what_is_no_augmentation_is_said():
    with pytest.raises(UserError, match=r"The augmentations are flip, crop, cutout, .*, scale. Received: 'turn'"):
        Augmentation({"turn": 0.1})
    with pytest.raises(UserError, match=r"`augment` is a dict of name to values. Received: augment='flip'. Pass for"):
        Augmentation("flip")
    with pytest.raises(UserError, match=r"must hold 'augment/flip'. Received: \[\]"):
        Augmentation({"flip": (False, True)}).read(values())


def test_it_is_read_from_a_command_line():
    said = Augmentation.parse(["flip", "mixup=0.2", "crop", " noise = 0.05,0.1", "mixup=0.4"])
    assert said == Augmentation(
        {"flip": (False, True), "mixup": (0, 0.2, 0.4), "crop": (0, 0.125), "noise": (0, 0.05, 0.1)}
    )
    assert Augmentation.parse(["flip=1"]) == Augmentation({"flip": (False, True)})
    for name in AUGMENTATIONS:
        ((_, (off, usual)),) = Augmentation.parse([name]).choices
        assert not off and usual
    with pytest.raises(UserError, match=r"NAME=V1,V2 with numbers. Received: 'mixup=much'. Write for example mixup=0"):
        Augmentation.parse(["mixup=much"])
    with pytest.raises(UserError, match="The augmentations are .* Received: ''"):
        Augmentation.parse(["=0.1"])
