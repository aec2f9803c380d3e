import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.io import wavfile

from hwkeras.data import LogMel
from hwkeras.data import load_dataset
from hwkeras.errors import DataError
from hwkeras.errors import UserError

RATE = 8000
RNG = np.random.default_rng(0)


def tone(hertz, seconds=0.5, level=0.5):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def folder(tmp_path, rates=(RATE, RATE), dtype="int16", channels=1):
    for name, hertz, rate in (("high", 2000, rates[0]), ("low", 300, rates[1])):
        (tmp_path / name).mkdir()
        for number in range(4):
            sound = tone(hertz, 0.3 + 0.05 * number) + RNG.normal(0, 1e-3, round((0.3 + 0.05 * number) * RATE))
            sound = (sound * 32000).astype(dtype) if dtype == "int16" else sound.astype(dtype)
            sound = np.stack([sound] * channels, axis=1) if channels > 1 else sound
            wavfile.write(tmp_path / name / f"{number}.wav", rate, sound)
    return tmp_path


def test_a_tone_lies_in_the_band_of_its_frequency():
    front_end = LogMel(RATE, seconds=0.5, num_mels=16)
    bands = front_end([tone(hertz) for hertz in (200, 700, 2500)])[..., 0].mean(axis=1)
    assert list(np.argmax(bands, axis=1)) == sorted(np.argmax(bands, axis=1))
    assert len(set(np.argmax(bands, axis=1))) == 3


@given(st.floats(0.05, 1.0), st.floats(0.1, 0.9))
@settings(max_examples=20, deadline=None)
def test_twice_as_loud_is_the_logarithm_of_four_more(level, factor):
    front_end = LogMel(RATE, seconds=0.2, num_mels=8)
    loud, soft = front_end([tone(500, 0.2, level), tone(500, 0.2, level * factor)])
    top = loud > -2  # where the floor under the energies does not matter
    np.testing.assert_allclose((loud - soft)[top], -2 * np.log(factor), atol=0.05)


def test_frames_follow_each_other_by_the_hop():
    front_end = LogMel(RATE, seconds=0.2, frame_ms=32, hop_ms=20)
    assert front_end.shape == (1 + (1600 - 256) // 160, 32, 1)
    sound = np.zeros(1600)
    sound[800:] = tone(1000, 0.1)
    loudness = front_end([sound])[0, ..., 0].max(axis=1)
    assert (loudness[:3] < -13).all()  # 160 frames a hop: the fourth begins at 480 and ends before 800
    assert (loudness[5:] > -5).all()


def test_a_folder_of_sounds_becomes_standardized_pictures(tmp_path):
    dataset = load_dataset(folder(tmp_path), kind="audio")
    assert dataset.class_names == ("high", "low")
    assert dataset.input_shape == LogMel(RATE, seconds=0.5).shape
    np.testing.assert_allclose(dataset.x_train.mean(axis=(0, 1)), 0, atol=1e-4)
    assert dataset.preprocessing["front_end"]["sample_rate"] == RATE
    assert dataset.preprocessing["num_mixed_to_mono"] == 0
    facts = dataset.preprocessing
    again = LogMel(**facts["front_end"])([np.pad(tone(300, 0.3), (0, 1600))])
    picture = (again[0, ..., 0] - facts["mean"]) / facts["deviation"]
    low = dataset.x_train[dataset.y_train == 1][..., 0]
    high = dataset.x_train[dataset.y_train == 0][..., 0]
    assert np.abs(low - picture).mean() < np.abs(high - picture).mean()


def test_inside_the_network_waveforms_stay_waveforms(tmp_path):
    root = folder(tmp_path)
    outside, inside = (load_dataset(root, kind="audio", front_end=place) for place in ("outside", "inside"))
    assert inside.input_shape == (4000,)
    assert inside.x_train.dtype == np.float32
    np.testing.assert_array_equal(inside.y_train, outside.y_train)
    told = dict(inside.preprocessing["front_end_inside"])
    mean, deviation = told.pop("mean"), told.pop("deviation")
    assert (mean, deviation) == (outside.preprocessing["mean"], outside.preprocessing["deviation"])
    pictures = (LogMel(**told)(inside.x_valid)[..., 0] - mean) / deviation
    np.testing.assert_allclose(pictures, outside.x_valid[..., 0], atol=1e-5)
    # A device has nothing to do but to fit the length.
    assert not {"front_end", "mean", "deviation"} & set(inside.preprocessing)
    assert (inside.preprocessing["sample_rate"], inside.preprocessing["num_samples"]) == (RATE, 4000)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(kind="audio", front_end="within"), "one of outside, inside. Received: front_end='within' and kind='aud"),
        (dict(kind="image", front_end="inside"), "Received: front_end='inside' and kind='image'. Pass kind='audio'"),
    ],
)
def test_the_place_of_a_front_end_cannot_be_told_wrong(tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        load_dataset(tmp_path, **options)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_several_channels_are_averaged_and_told(tmp_path, dtype):
    (tmp_path / "mono").mkdir()
    (tmp_path / "stereo").mkdir()
    stereo = load_dataset(folder(tmp_path / "stereo", dtype=dtype, channels=2), kind="audio")
    assert stereo.preprocessing["num_mixed_to_mono"] == 8
    assert stereo.input_shape == (24, 32, 1)


def test_an_archive_of_sounds_is_read(tmp_path):
    sounds = np.stack([tone(hertz + detuned) for detuned in (0, 5, 20) for hertz in (300, 310, 2000, 2010)])
    y = np.array([0, 0, 1, 1] * 3)
    whole = (sounds * 32767).astype("int16")
    np.savez(tmp_path / "a.npz", x_train=whole, y_train=y, sample_rate=RATE, x_test=whole[:2] // 2, y_test=y[:2])
    dataset = load_dataset(tmp_path / "a.npz", kind="audio")
    assert len(dataset.x_test) == 2
    assert dataset.preprocessing["longest_seconds"] == 0.5


def test_wrong_sounds_are_refused(tmp_path):
    with pytest.raises(DataError, match="Sounds are read from an .npz file, or a folder of class folders with .wav"):
        load_dataset(tmp_path / "none", kind="audio")
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 900)), y=[0, 1, 0, 1])
    with pytest.raises(DataError, match="An .npz of sounds must hold `sample_rate`, samples a second. Received: "):
        load_dataset(tmp_path / "a.npz", kind="audio")
    np.savez(tmp_path / "b.npz", x=np.zeros((4, 900, 2)), y=[0, 1, 0, 1], sample_rate=RATE)
    with pytest.raises(DataError, match=r"`x_train` must hold waveforms of one channel, shape \(n, samples\)"):
        load_dataset(tmp_path / "b.npz", kind="audio")
    np.savez(tmp_path / "d.npz", x=np.zeros((0, 900)), y=[], sample_rate=RATE)
    with pytest.raises(DataError, match="`x_train` must hold at least one sound. Received: none."):
        load_dataset(tmp_path / "d.npz", kind="audio")
    np.savez(tmp_path / "e.npz", x=np.float32(3), y=[0, 1], sample_rate=RATE)
    with pytest.raises(DataError, match=r"`x_train` must hold waveforms of one channel.* a sound of shape \(\)"):
        load_dataset(tmp_path / "e.npz", kind="audio")
    for rate in ([8000, 16000], 0, "fast"):
        np.savez(tmp_path / "f.npz", x=np.zeros((4, 900)), y=[0, 1, 0, 1], sample_rate=rate)
        with pytest.raises(DataError, match="`sample_rate` must be one positive number. Received: "):
            load_dataset(tmp_path / "f.npz", kind="audio")
    np.savez(tmp_path / "c.npz", x=np.full((4, 900), np.nan), y=[0, 1, 0, 1], sample_rate=RATE)
    with pytest.raises(DataError, match="Samples of `x_train` must be finite. Received: some that are NaN"):
        load_dataset(tmp_path / "c.npz", kind="audio")


def test_a_wrong_rate_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"All sounds must have one sample rate. Received: .*\.wav with (16|8)000 Hz"):
        load_dataset(folder(tmp_path, rates=(16000, RATE)), kind="audio")


def test_an_unreadable_or_empty_sound_is_named(tmp_path):
    root = folder(tmp_path)
    (root / "low" / "9.wav").write_bytes(b"RIFF but no more")
    with pytest.raises(DataError, match=r"Every sound must be a readable .wav. Received: .*9\.wav"):
        load_dataset(root, kind="audio")
    wavfile.write(root / "low" / "9.wav", RATE, np.zeros(0, "int16"))
    with pytest.raises(DataError, match=r"Every sound must hold samples. Received: .*9\.wav with none"):
        load_dataset(root, kind="audio")


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"seconds": 0}, "`seconds` must be positive. Received: seconds=0."),
        (
            {"high_hz": 5000},
            "`high_hz` must lie above `low_hz` and not above half the sample rate. Received: ",
        ),
        ({"seconds": 0.01}, "A sound must hold one frame at least. Received: seconds=0.01, frame_ms=32."),
        ({"num_mels": 200}, "Every band must hold a frequency that the frames tell apart. Received: num_mels=200"),
    ],
)
def test_a_front_end_cannot_be_made_wrong(numbers, said):
    with pytest.raises(UserError, match=said):
        LogMel(RATE, **numbers)
