"""`--augment` of `hwkeras search`: training samples that are changed, as choices of the search."""

from __future__ import annotations

from hwkeras.errors import UserError
from hwkeras.space.augmentation import Augmentation


def augmented(space, texts, name, preprocessing):
    """Adds augmentations to a space.

    Args:
        space: what `own_space.open_space` returned.
        texts: sequence of str, as for `Augmentation.parse`; none leaves the space as it is.
        name: str, what was asked for as `--space`.
        preprocessing: dict, of the `Dataset`.

    Returns:
        what `HardwareTuner` takes.

    Raises:
        UserError: a hypermodel of the user's own, an unknown augmentation, or one that the inputs cannot have.
    """
    if not texts:
        return space
    from hwkeras.build import HardwareHyperModel
    from hwkeras.build import as_hypermodel

    hypermodel = as_hypermodel(space)
    if not isinstance(hypermodel, HardwareHyperModel):
        raise UserError(
            "`--augment` is for spaces, which leave the training to the search. Received: "
            f"--augment {texts[0]} --space {name}. Leave it away, and augment in a `fit` of your own."
        )
    known = [preprocessing.get(each) for each in ("mean", "deviation")]
    hypermodel.augment = Augmentation.parse(texts, None if None in known else known)
    return hypermodel
