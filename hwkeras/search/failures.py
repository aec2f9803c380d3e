"""Failed trials: which end the search, and what is said of them."""

from __future__ import annotations

import keras_tuner as kt

from hwkeras.errors import HwkerasError
from hwkeras.errors import UserError

# A network that diverges costs its trial; this many failures in a row are the program's or the data's.
MAX_FAILURES_IN_A_ROW = 5


class FatalTrialError(kt.errors.FatalError, HwkerasError):
    """Carries an error of ours through keras-tuner's loop, which goes on after every other kind."""


def reason_of_failures(oracle, journal):
    """Why a search ended, where keras-tuner ends it after failed trials in a row by an error that holds a traceback.

    Args:
        oracle: `HardwareOracle`.
        journal: `Journal`, which holds the traces.

    Returns:
        UserError; None where the last trial did not fail.
    """
    ended = [oracle.trials[trial_id] for trial_id in oracle.end_order]
    if not ended or ended[-1].status != "FAILED":
        return None
    last_line = (ended[-1].message or "unknown error").strip().splitlines()[-1]
    return UserError(
        f"A search ends after {oracle.max_consecutive_failed_trials} failed trials in a row. "
        f"Received in the last one: {last_line} The traces are in {journal.path}."
    )
