"""Which compression a search tries on the candidates that are worth it."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.compress import Recipe
from hwkeras.convert import PRECISIONS
from hwkeras.errors import UserError


@dataclass(frozen=True)
class Compression:
    """Recipes of `hwkeras.compress`, each fine-tuned for the candidates near the front alone.

    A network that was trained is deployed in all precisions, which costs seconds. A recipe trains it further, which
    costs about as much as a trial: it is spent where the network, were its first objective a little better, would lie
    on the front; once a recipe was tried on some, where what it did to them would bring the network there.

    Args:
        recipes: sequence of str, such as `("int8_qat", "prune=0.5+int8_qat")`, see `compress.Recipe`. Defaults to `()`.
        epochs: int, of each step of a recipe that trains. Defaults to `None`: a third of those of a trial, at least 1.
        margin: float in [0, 1), what a recipe that was hardly tried may bring: of an accuracy or another share so much,
            of another objective this share of it. Defaults to `0.02`.

    Raises:
        UserError: a wrong recipe, one asked for twice, one that is a precision, or a number out of range.
    """

    recipes: tuple = ()
    epochs: int | None = None
    margin: float = 0.02

    def __post_init__(self):
        given = (self.recipes,) if isinstance(self.recipes, str) else tuple(self.recipes)
        names = ["".join(str(recipe).split()) for recipe in given]
        parsed = [Recipe.parse(name) for name in names]
        for name, recipe in zip(names, parsed, strict=True):
            if name in PRECISIONS:
                raise UserError(
                    f"{name!r} is a precision: every network is deployed in it. Received: recipe {name!r}. Pass "
                    f"precision=(..., {name!r}) (`--precision {name}`)."
                )
            if parsed.count(recipe) > 1:
                raise UserError(f"Each recipe is asked for once. Received: {name!r} twice. Leave one of them out.")
        if self.epochs is not None and (not isinstance(self.epochs, int) or self.epochs < 1):
            raise UserError(f"`epochs` of a recipe must be at least 1. Received: epochs={self.epochs!r}.")
        if not 0 <= self.margin < 1:
            raise UserError(
                f"`margin` must be in [0, 1). Received: margin={self.margin!r}. For two points of accuracy pass 0.02."
            )
        object.__setattr__(self, "recipes", tuple(names))

    @classmethod
    def of(cls, asked):
        """Reads what a tuner was given.

        Args:
            asked: `Compression`, a recipe, a sequence of recipes, or None for none.

        Returns:
            Compression.

        Raises:
            UserError: see the class.
        """
        return asked if isinstance(asked, cls) else cls(asked or ())

    def num_epochs(self, of_trial):
        """Epochs of each step of a recipe that trains.

        Args:
            of_trial: int, the epochs of a trial.

        Returns:
            int.
        """
        return self.epochs or max(1, round(of_trial / 3))

    def to_json(self):
        """Returns dict, JSON-able."""
        return asdict(self) | {"recipes": list(self.recipes)}
