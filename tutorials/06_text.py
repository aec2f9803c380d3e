# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Texts: a spam filter that ships with its words
#
# Author: the hwkeras developers<br>
# Date created: 2026/11/22<br>
# Last modified: 2026/11/22<br>
# Description: From messages in a table to a bundle of less than 100 KiB that runs from raw text.
#
# ## Introduction
#
# A network reads numbers. Which word has which number is as much a part of what ships as the weights are: with another
# table of words the same file answers nonsense. `kind="text"` learns the words from the training part alone, and the
# bundle holds them as `tokenizer.json`, named and hashed in the manifest.
#
# ## Setup
#
# The SMS Spam Collection where it lies beside the repository, else messages made here: the code says which. Every fifth
# message, starting with the first, is kept for the test.

# %%
import os
import pathlib

import numpy as np

import hwkeras as hw
from hwkeras.data import Tokenizer

here = pathlib.Path(globals().get("__file__", "notebook")).resolve()
repository = pathlib.Path(os.environ.get("HWKERAS_REPOSITORY", here.parents[1]))
collection = repository.parent / "shared" / "data" / "sms_spam.tsv"


def collected():
    """One message a line, its label in front."""
    return [line.split("\t") for line in collection.read_text(encoding="utf-8").strip().split("\n")]


def made(number=1500):
    """Messages that share most words; an offer and a long number make the difference."""
    rng = np.random.default_rng(0)
    plain = "i you we are at home now later see ok dinner tomorrow call me please the a to for and".split()
    offers = "win prize free claim cash urgent reply winner £500 offer".split()
    rows = []
    for is_spam in rng.random(number) < 0.2:
        words = rng.choice(plain, rng.integers(5, 20)).tolist()
        if is_spam:
            words += [*rng.choice(offers, 3), str(rng.integers(10**10, 10**11))]
        rows.append(("spam" if is_spam else "ham", " ".join(rng.permutation(words))))
    return rows


print("data:", "real messages" if collection.is_file() else "messages made here")
rows = collected() if collection.is_file() else made()
test, train = rows[::5], [row for number, row in enumerate(rows) if number % 5]
pathlib.Path("messages.tsv").write_text("".join(f"{label}\t{text}\n" for label, text in train), encoding="utf-8")

# %% [markdown]
# ## 1. Words become numbers
#
# Letters are made lower-case, digits become 0, the most frequent words get numbers, all others share one.

# %%
data = hw.load_dataset("messages.tsv", kind="text")
tokenizer = Tokenizer.from_json(data.preprocessing["tokenizer"])
print(tokenizer.num_ids, "numbers,", tokenizer.length, "a message; spam:", round(float(data.y_train.mean()), 3))
print(tokenizer.tokens("URGENT! You've won £1,000"), tokenizer(["URGENT! You've won £1,000"])[0, :8])

# %% [markdown]
# ## 2. The search
#
# Few messages are spam: a filter that never finds any is right in most cases, so the search looks at F1 of the second
# class. On the command line: `hwkeras search messages.tsv --space text --objective f1 --limit size=100KiB`.

# %%
space = hw.spaces.Text.of(data, embedding_units=(8, 16), activations=("relu",), widths=(16, 32))
tuner = hw.HardwareTuner(
    space,
    objectives=["f1", "latency_ms", "size_bytes"],
    limits=["size=100KiB"],
    precision="int8",
    max_trials=3,
    seed=0,
    directory="runs/text",
    overwrite=True,
    data_facts={"name": data.name, "class_names": list(data.class_names), "preprocessing": data.preprocessing},
)
tuner.search(data.x_train, data.y_train, validation_data=(data.x_valid, data.y_valid), epochs=10, batch_size=32)
best = tuner.best()

# %% [markdown]
# ## 3. The bundle, from raw text
#
# What a device does: read the words, number the text, run the file.

# %%
from hwkeras.convert import evaluate
from hwkeras.convert import predict

bundle = tuner.export("spam_bundle", best, overwrite=True)
print(sorted(path.name for path in bundle.iterdir()))
tokenizer = Tokenizer.read(bundle / "tokenizer.json")
content = (bundle / "model.tflite").read_bytes()
for text in ("Are you home for dinner?", "URGENT! Claim your FREE prize now, call 09061701461"):
    print(f"{predict(content, tokenizer([text]))[0, 1]:.2f}", text)
is_spam = np.array([label == "spam" for label, _ in test]).astype(int)
scores = evaluate(content, tokenizer([text for _, text in test]), is_spam, ["f1", "accuracy"])
print("on messages nobody has seen: F1 of spam", round(scores["f1"], 3), "accuracy", round(scores["accuracy"], 3))

# %% [markdown]
# ## Takeaways
#
# - The words ship with the weights, and `hwkeras verify` checks that they belong together.
# - Of rare classes ask for F1; the words' table is most of the file, so its columns are what the search saves on.

# %%
print("chosen:", f"{best.metrics['size_bytes'] / 1024:.1f} KiB,", f"{best.metrics['latency_ms']:.3f} ms")
