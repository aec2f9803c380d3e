"""Two towers find a structure that is known: an affinity of low rank beside a popularity."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import hwkeras as hw
from hwkeras.build.spaces import TwoTower
from hwkeras.convert import predict
from hwkeras.data import IdEncoder
from hwkeras.data import load_dataset

NUM_USERS, NUM_ITEMS, RANK = 60, 50, 2


@pytest.fixture(scope="module")
def world():
    """Each user asked about each item once: pairs, whether it was liked, and the probability that it was drawn with."""
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(NUM_USERS, RANK)), rng.normal(size=(NUM_ITEMS, RANK))
    popularity = rng.normal(size=NUM_ITEMS)
    probability = 1 / (1 + np.exp(-(2 * users @ items.T + popularity))).reshape(-1)
    pairs = np.stack(np.divmod(np.arange(NUM_USERS * NUM_ITEMS), NUM_ITEMS), axis=1)
    order = rng.permutation(len(pairs))
    liked = rng.random(len(pairs)) < probability
    return pairs[order], liked[order].astype(int), probability[order]


def popularity_of(pairs, liked, asked):
    """The share that liked an item, as far as training tells."""
    counts = np.bincount(pairs[:, 1], minlength=NUM_ITEMS)
    likes = np.bincount(pairs[:, 1], liked, minlength=NUM_ITEMS)
    return ((likes + 1) / (counts + 2))[asked[:, 1]]


def test_two_towers_rank_held_out_items_better_than_popularity(world, tmp_path):
    pairs, liked, probability = world
    known, held = slice(0, 2400), slice(2400, None)
    rows = [f"user{user},item{item},{label}" for (user, item), label in zip(pairs[known], liked[known], strict=True)]
    (tmp_path / "liked.csv").write_text("\n".join(["user,item,liked", *rows]))
    dataset = load_dataset(tmp_path / "liked.csv", kind="interactions")
    tuner = hw.HardwareTuner(
        TwoTower.of(dataset, forms="two_towers", embedding_units=4, tower_depths=0, dropout_rates=0.0, biases=True),
        device="fake",
        precision="int8",
        oracle="random",
        objectives=["auc", "size_bytes"],
        max_trials=1,
        seed=0,
        directory=tmp_path / "run",
        data_facts={"name": "liked", "class_names": ["0", "1"], "preprocessing": dict(dataset.preprocessing)},
    )
    valid = (dataset.x_valid, dataset.y_valid)
    tuner.search(dataset.x_train, dataset.y_train, validation_data=valid, epochs=25, batch_size=32)
    bundle = tuner.export(tmp_path / "bundle")
    manifest = json.loads((bundle / "manifest.json").read_text())
    ids = IdEncoder.from_json(manifest["preprocessing"]["ids"])
    content = (bundle / "model.tflite").read_bytes()
    asked = ids([(f"user{user}", f"item{item}") for user, item in pairs[held]])
    scores = {
        "towers": predict(content, asked)[:, 0],
        "popularity": popularity_of(pairs[known], liked[known], pairs[held]),
        "truth": probability[held],
    }
    areas = {name: roc_auc_score(liked[held], score) for name, score in scores.items()}
    assert areas["towers"] > areas["popularity"] + 0.08, areas
    assert areas["towers"] > areas["truth"] - 0.08, areas
    # Somebody never seen gets an answer, which lies between those of people who were.
    stranger = predict(content, ids([("nobody", "item3"), ("nobody", "nothing")]))
    assert stranger.shape == (2, 1) and 0 < stranger.min() and stranger.max() < 1
