"""Real messages, from a table to the int8 file: every fifth row, starting with the first, is for the test."""

import pathlib

import keras
import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.build.spaces import Text
from hwkeras.convert import convert
from hwkeras.convert import evaluate
from hwkeras.data import Tokenizer
from hwkeras.data import load_dataset

# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
SMS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "sms_spam.tsv"


@pytest.mark.slow
@pytest.mark.skipif(not SMS.is_file(), reason="the data are not beside the repository")
def test_spam_is_found_within_100_kib(tmp_path):
    lines = SMS.read_text(encoding="utf-8").strip().split("\n")
    (tmp_path / "train.tsv").write_text("\n".join(line for k, line in enumerate(lines) if k % 5), encoding="utf-8")
    data = load_dataset(tmp_path / "train.tsv", kind="text")
    space = Text.of(
        data,
        embedding_units=16,
        projections=0,
        embedding_dropout_rates=0.2,
        encoders="conv",
        conv_types="separable_conv",
        depths=1,
        widths=32,
        kernels=3,
        strides=1,
        activations="relu",
        poolings="average",
        dense_units=0,
        dropout_rates=0.0,
    )
    keras.utils.set_random_seed(0)
    hp = kt.HyperParameters()
    model = space.build(hp)
    space.fit(hp, model, data.x_train, data.y_train, epochs=8, batch_size=32, verbose=0)
    content = convert(model, "int8", data.x_train).flatbuffer
    texts = [line.split("\t")[1] for line in lines[::5]]
    rows = Tokenizer.from_json(data.preprocessing["tokenizer"])(texts)
    is_spam = np.array([line.startswith("spam\t") for line in lines[::5]]).astype("int64")
    assert len(content) <= 100 * 1024
    assert evaluate(content, rows, is_spam, ["f1"])["f1"] >= 0.93
