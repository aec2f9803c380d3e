"""Laws of the changes of a batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.build.augment import augment
from hwkeras.build.augment import one_hot
from hwkeras.data import LogMel
from hwkeras.data.log_mel import FLOOR

IMAGE = {"flip": True, "crop": 0.25, "cutout": 0.5, "frequency_mask": 0.5}
ANY = {"mixup": 0.4, "time_mask": 0.5, "time_warp": 0.2, "noise": 0.1, "scale": 0.2}
# Those that invent no value beyond what a batch holds.
WITHIN = ("flip", "crop", "cutout", "frequency_mask", "mixup", "time_mask", "time_warp")

sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def batches(draw, rank=None):
    """A batch of images or sequences whose values are all different, its labels, and values for all changes."""
    rank = draw(st.sampled_from([2, 3])) if rank is None else rank
    shape = (draw(sizes), *(draw(sizes) for _ in range(rank - 1)), draw(st.integers(1, 3)))
    dtype = draw(st.sampled_from(["float32", "float64", "float16", "uint8", "int16"]))
    rng = np.random.default_rng(draw(seeds))
    x = rng.integers(0, 250, size=shape).astype(dtype)
    turned = {"rotate": 0.5} if shape[-1] == 3 else {}
    return x, rng.integers(0, 4, size=len(x)), IMAGE | ANY if rank == 3 else dict(ANY, crop=0.25) | turned


def images(num=50, height=12, width=10, channels=2):
    return np.random.default_rng(5).random((num, height, width, channels), dtype=np.float32)


def changed(x, seed=0, **values):
    return augment(x, None, values, np.random.default_rng(seed))[0]


@settings(deadline=None)
@given(batches(), st.data(), seeds)
def test_shape_and_type_stay_and_the_seed_decides(batch, data, seed):
    x, y, every = batch
    values = data.draw(st.sampled_from([every, *({name: value} for name, value in every.items())]))
    before = x.copy()
    one, other = (augment(x, y, values, np.random.default_rng(seed), 4) for _ in range(2))
    assert one[0].shape == x.shape and one[0].dtype == x.dtype and np.isfinite(one[0]).all()
    assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])
    assert np.array_equal(x, before)
    if set(values) <= set(WITHIN):
        slack = 1e-3 * 250 if x.dtype == np.float16 else 1e-3
        assert x.min() - slack <= one[0].min() and one[0].max() <= x.max() + slack


@given(batches(), seeds)
def test_off_is_the_same_batch(batch, seed):
    x, y, every = batch
    for values in ({}, dict.fromkeys(every, 0), {"flip": False}):
        same, labels = augment(x, y, values, np.random.default_rng(seed), 4)
        assert same is x and labels is y


@given(batches(), seeds, st.sampled_from([0.05, 0.4, 2.0]))
def test_mixup_is_convex(batch, seed, alpha):
    x, y, _ = batch
    mixed, labels = augment(x, y, {"mixup": alpha}, np.random.default_rng(seed), 4)
    assert labels.shape == (len(x), 4) and labels.dtype == np.float32
    assert labels.sum(axis=1) == pytest.approx(1) and labels.min() >= 0
    assert np.count_nonzero(labels, axis=1).max() <= 2
    # The larger share is the sample's own, whose weight it therefore keeps.
    assert (labels[np.arange(len(y)), y] >= 0.5).all()
    assert (mixed >= x.min(axis=0)).all() and (mixed <= x.max(axis=0)).all()


def test_inputs_and_targets_are_mixed_alike():
    x = np.random.default_rng(1).random((64, 6, 2))
    numbers = x.sum(axis=(1, 2))
    mixed, targets = augment(x, numbers, {"mixup": 1.0}, np.random.default_rng(0))
    assert targets == pytest.approx(mixed.sum(axis=(1, 2))) and np.abs(targets - numbers).max() > 0.1
    soft = one_hot(np.arange(64) % 2, 2)
    assert augment(x, soft, {"mixup": 1.0}, np.random.default_rng(0))[1].sum(axis=1) == pytest.approx(1)
    binary = np.arange(64) % 2
    halves = augment(x, binary[:, None], {"mixup": 1.0}, np.random.default_rng(0))[1]
    assert halves.shape == (64, 1) and halves.dtype == np.float32
    assert (np.round(halves[:, 0] + 1e-6) == binary).mean() > 0.9
    mixed, nothing = augment(x, None, {"mixup": 1.0}, np.random.default_rng(0), 2)
    assert nothing is None and not np.array_equal(mixed, x)


def test_shares_follow_the_beta_distribution():
    x = np.arange(20000.0)[:, None, None]
    labels = np.arange(20000) % 2
    _, soft = augment(x, labels, {"mixup": 0.2}, np.random.default_rng(0), 2)
    own, partner_differs = soft[np.arange(20000), labels], soft.min(axis=1) > 0
    drawn = np.random.default_rng(1).beta(0.2, 0.2, size=20000)
    assert own[partner_differs].mean() == pytest.approx(np.maximum(drawn, 1 - drawn).mean(), abs=0.01)
    assert partner_differs.mean() == pytest.approx(0.5, abs=0.07)  # of a few the share is too small to see


def test_one_hot():
    assert one_hot([[2], [0]], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_flip_mirrors_about_half_and_twice_is_nothing():
    x = images()
    once = changed(x, flip=True)
    is_flipped = (once != x).any(axis=(1, 2, 3))
    assert 10 < is_flipped.sum() < 40
    assert np.array_equal(once[is_flipped], x[is_flipped, :, ::-1]) and np.array_equal(
        once[~is_flipped], x[~is_flipped]
    )
    assert np.array_equal(changed(once, flip=True), x)  # the same seed flips the same samples


def test_crop_shifts_and_repeats_the_border():
    x = np.arange(12.0)[None, :, None].repeat(200, axis=0)
    cropped = changed(x, crop=0.25)
    shifts = cropped[:, 5, 0] - 5
    assert set(shifts) == set(range(-3, 4))
    for sample, shift in zip(cropped[..., 0], shifts, strict=True):
        assert sample.tolist() == np.clip(np.arange(12) + shift, 0, 11).tolist()
    rows_and_columns = np.stack(np.meshgrid(np.arange(12.0), np.arange(8.0), indexing="ij"), axis=-1)
    both = changed(rows_and_columns[None].repeat(200, axis=0), crop=0.125)
    assert set(both[:, 6, 4, 0] - 6) == {-2, -1, 0, 1, 2} and set(both[:, 6, 4, 1] - 4) == {-1, 0, 1}


@given(st.sampled_from([0.01, 0.25, 0.5, 1.0]), seeds)
def test_cutout_blanks_a_patch_by_the_mean(share, seed):
    x = images()
    cut = changed(x, seed, cutout=share)
    is_cut = (cut != x).any(axis=-1)
    height, width = max(1, round(share * 12)), max(1, round(share * 10))
    for sample, mask, before in zip(cut, is_cut, x, strict=True):
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        assert mask.sum() == rows.sum() * columns.sum()
        assert height // 2 <= rows.sum() <= height and width // 2 <= columns.sum() <= width
        assert mask.any() and np.allclose(sample[mask], before.mean(axis=(0, 1)), atol=1e-6)


def test_cutout_reaches_the_corners():
    x = images(1000)
    assert (changed(x, cutout=0.25) != x).any(axis=(0, 3)).all()


@pytest.mark.parametrize(("name", "axis", "length"), [("time_mask", 1, 12), ("frequency_mask", 2, 10)])
def test_masks_blank_whole_stretches(name, axis, length):
    x = images(300)
    masked = changed(x, **{name: 0.5})
    is_blank = (masked != x).any(axis=-1)
    along = is_blank.any(axis=3 - axis)
    assert np.array_equal(along, is_blank.all(axis=3 - axis))
    assert set(along.sum(axis=1)) == set(range(length // 2 + 1))
    edges = np.diff(np.pad(along.astype(int), [(0, 0), (1, 1)]), axis=1)
    assert (np.abs(edges).sum(axis=1) <= 2).all()
    assert along[:, 0].any() and along[:, -1].any()
    means = np.broadcast_to(x.mean(axis=(1, 2), keepdims=True), x.shape)
    assert np.allclose(masked[is_blank], means[is_blank], atol=1e-6)


def test_time_masks_of_sequences():
    x = np.random.default_rng(0).random((40, 10, 3))
    masked = changed(x, time_mask=0.3)
    is_blank = (masked != x).any(axis=2)
    assert is_blank.sum(axis=1).max() == 3
    assert np.allclose(masked[is_blank], np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)[is_blank])


@given(st.floats(0.01, 0.49), st.integers(2, 40), seeds)
def test_time_warp_keeps_order_and_ends(share, length, seed):
    x = np.arange(float(length))[None, :, None].repeat(20, axis=0)
    warped = changed(x, seed, time_warp=share)[..., 0]
    assert warped[:, 0] == pytest.approx(0, abs=1e-9) and warped[:, -1] == pytest.approx(length - 1)
    assert (np.diff(warped, axis=1) >= -1e-9).all()
    assert np.abs(warped - x[..., 0]).max() <= share * (length - 1) + 1e-6


def test_time_warp_moves_moments_and_whole_columns():
    x = np.arange(40.0)[None, :, None, None].repeat(3, axis=2).repeat(20, axis=0)
    warped = changed(x, time_warp=0.2)
    assert np.abs(warped - x).max() > 2
    assert np.array_equal(warped[:, :, 0], warped[:, :, 1])
    assert np.array_equal(changed(x[:, :1], time_warp=0.2), x[:, :1])


def test_noise_is_in_units_of_the_channel():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 4000, 3)) * [1.0, 100.0, 0.0] + [0, 50, 7]
    added = changed(x, noise=0.1) - x
    assert added.std(axis=(0, 1)) == pytest.approx([0.1, 10.0, 0.0], rel=0.03)
    assert np.array_equal(added[..., 2], np.zeros((20, 4000)))


def test_scale_is_one_factor_a_channel():
    x = images() + 1
    factors = changed(x, scale=0.5) / x
    assert factors.std(axis=(1, 2)).max() < 1e-5
    assert 1 / 1.5 - 1e-5 < factors.min() < 0.75 and 1.35 < factors.max() < 1.5 + 1e-5
    assert np.unique(factors[:, 0, 0].round(5)).size > 90


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.floats(0.01, 1.0), seeds)
def test_rotation_keeps_what_turning_a_device_keeps(steps, sensors, share, seed):
    x = np.random.default_rng(seed).normal(size=(4, steps, 3 * sensors))
    turned = changed(x, seed, rotate=share)
    before, after = x.reshape(4, -1, 3), turned.reshape(4, -1, 3)
    # Lengths, and the angles between all sensors at all times.
    assert np.allclose(before @ before.swapaxes(1, 2), after @ after.swapaxes(1, 2))
    # No mirror image: the vectors span the same volume, with its sign.
    if steps * sensors >= 3:
        assert np.allclose(np.linalg.det(before[:, :3]), np.linalg.det(after[:, :3]))


def test_rotation_is_of_what_was_measured_whatever_was_done_to_it_since():
    rng = np.random.default_rng(3)
    measured = rng.normal(size=(5, 8, 6)) + [0.0, 1.0, 0.0, 3.0, 0.0, 0.0]
    mean, deviation = measured.mean(axis=(0, 1)), rng.uniform(0.5, 2.0, size=6)
    standardized = (measured - mean) / deviation
    one, _ = augment(measured, None, {"rotate": 0.5}, np.random.default_rng(0))
    other, _ = augment(standardized, None, {"rotate": 0.5}, np.random.default_rng(0), standardization=(mean, deviation))
    assert np.allclose(other * deviation + mean, one) and not np.allclose(one, measured, atol=0.1)


def test_rotation_turns_by_the_share_of_half_a_turn_at_most_and_each_sample_its_own_way():
    x = np.tile(np.eye(3), (2000, 1, 1))  # what becomes of the axes is the matrix itself
    turns = changed(x, rotate=0.25)
    angles = np.degrees(np.arccos((np.trace(turns, axis1=1, axis2=2) - 1) / 2))
    assert 43 < angles.max() < 45.001 and angles.mean() == pytest.approx(22.5, rel=0.05)
    # About any axis: on average nothing but a shortening remains.
    assert np.allclose(turns.mean(axis=0), np.eye(3) * turns.mean(axis=0)[0, 0], atol=0.03)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.5, 30.0), seeds)
def test_a_louder_picture_is_the_picture_of_the_louder_sound(most, seed):
    rng = np.random.default_rng(seed)
    front_end = LogMel(8000, seconds=0.1, num_mels=16)
    # Quiet towards the end, where the floor is felt, and silent from there on.
    sounds = 0.02 * rng.normal(size=(4, front_end.num_samples)) * np.geomspace(1, 1e-4, front_end.num_samples)
    sounds[:, -300:] = 0.0
    mean, deviation = rng.normal(-5, 2, size=16), rng.uniform(0.5, 4.0, size=16)

    def pictures(sounds):
        return (front_end(sounds) - mean[:, None]) / deviation[:, None]

    def energies(pictures):
        return np.exp(pictures * deviation[:, None] + mean[:, None]) - FLOOR

    before = pictures(sounds)
    after, _ = augment(before, None, {"loudness": most}, np.random.default_rng(seed), standardization=(mean, deviation))
    loudest = energies(before).reshape(4, -1).argmax(axis=1)
    rows = np.arange(4)
    gains = energies(after).reshape(4, -1)[rows, loudest] / energies(before).reshape(4, -1)[rows, loudest]
    assert np.allclose(after, pictures(sounds * np.sqrt(gains)[:, None]), atol=1e-3)
    assert np.abs(10 * np.log10(gains)).max() <= most + 0.01 and np.unique(gains.round(6)).size == 4


def test_loudness_reaches_the_decibels_that_were_asked_for_both_ways():
    x = np.full((4000, 1, 1, 1), np.log(0.01 + FLOOR))
    louder = 10 * np.log10(np.exp(changed(x, loudness=12)) / 0.01)
    assert -12.01 < louder.min() < -11.9 and 11.9 < louder.max() < 12.01
    assert louder.mean() == pytest.approx(0, abs=0.4) and louder.std() == pytest.approx(24 / 12**0.5, rel=0.03)


def test_whole_numbers_stay_in_their_range():
    x = np.random.default_rng(0).integers(0, 256, size=(30, 6, 6, 1)).astype(np.uint8)
    noisy = changed(x, noise=2.0)
    assert noisy.dtype == np.uint8 and noisy.min() == 0 and noisy.max() == 255
    assert (noisy == 255).mean() > 0.1  # and none came round to 0
