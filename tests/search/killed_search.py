"""A search of 4 trials that kills itself, by SIGKILL, in the second epoch of the trial named in DIE_IN_TRIAL."""

import json
import os
import signal

import keras
from sklearn.datasets import load_digits

import hwkeras as hw


def build(hp):
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(hp.Int("filters", 4, 24), 3, activation="relu")]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Killer(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and len(started) - 1 == int(os.environ.get("DIE_IN_TRIAL", -1)):
            os.kill(os.getpid(), signal.SIGKILL)


started = []
images, labels = load_digits(return_X_y=True)
images = (images.reshape(-1, 8, 8, 1) / 16).astype("float32")
tuner = hw.HardwareTuner(
    build,
    precision="float32",
    max_trials=4,
    seed=0,
    directory=os.environ["RUN"],
    progress=lambda event, facts: started.append(facts["trial"]) if event == "trial_started" else None,
)
tuner.search(
    images[:300], labels[:300], validation_data=(images[300:500], labels[300:500]), epochs=2, callbacks=[Killer()]
)
print(json.dumps({"trained_now": started, "trials": tuner.results()["trials"]}))
