"""The ready-made space for recommendations: what a user will think of an item, of their two numbers."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.law import COUNT
from hwkeras.space.law import FLAG
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import RATE
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace

TWO_TOWERS = "two_towers"
WIDE_AND_DEEP = "wide_and_deep"
FORMS = (TWO_TOWERS, WIDE_AND_DEEP)
TASKS = ("classification", "regression")
_SIDES = ("user", "item")
_CHOICE_LAWS = {
    "forms": one_of(FORMS),
    "embedding_units": POSITIVE,
    "dropout_rates": RATE,
    "biases": FLAG,
    "tower_depths": COUNT,
    "deep_depths": POSITIVE,
    "widths": POSITIVE,
    "activations": one_of(ACTIVATIONS),
}


@dataclass(frozen=True)
class TwoTowerSpace(MenuSpace):
    """Recommenders: one int32 input of shape (2,), the row numbers of user and item in their embeddings.

    Row 0 of both embeddings is for whom training never saw (`data.IdEncoder` numbers so).

    - `"two_towers"`: each embedding goes through dense layers of its own, and the two vectors are multiplied value by
      value. A dense layer with one output and a sigmoid adds the products up: a dot product in which each place has a
      weight, which may be multiplied into either tower to look for items by plain dot products (He et al.,
      10.1145/3038912.3052569, call it generalized matrix factorization). `biases` adds a number for each user and each
      item to the sum: how much somebody likes, and how popular something is.
    - `"wide_and_deep"`: dense layers on both embeddings side by side, beside those two numbers (Cheng et al.,
      10.1145/2988450.2988454).

    Every argument from `forms` on is a tuple of values to choose from; a single value is fixed.

    Args:
        num_users: int, rows of the users' embedding, row 0 included: `data.IdEncoder.num_users`.
        num_items: int, likewise.
        task: str, `"classification"`: the probability that the answer is the second class; or `"regression"`: a number
            such as a rating. Defaults to `"classification"`.
        forms: see above. Defaults to both.
        embedding_units: columns of the embeddings, which are nearly the whole file. Defaults to `(8, 4, 16)`.
        dropout_rates: dropout behind the embeddings, 0 for none. Defaults to `(0.0, 0.2)`.
        biases: whether two towers have biases of users and items. Defaults to `(True, False)`.
        tower_depths: dense layers of each tower; the last one is linear. Defaults to `(0, 1, 2)`.
        deep_depths: dense layers of the deep part. Defaults to `(1, 2)`.
        widths: units of the dense layers. Defaults to `(16, 32)`.
        activations: between the dense layers. Defaults to `("relu", "hard_swish")`.

    Raises:
        UserError: an argument breaks its law.
    """

    num_users: int
    num_items: int
    task: str = TASKS[0]
    forms: tuple = FORMS
    embedding_units: tuple = (8, 4, 16)
    dropout_rates: tuple = (0.0, 0.2)
    biases: tuple = (True, False)
    tower_depths: tuple = (0, 1, 2)
    deep_depths: tuple = (1, 2)
    widths: tuple = (16, 32)
    activations: tuple = ("relu", "hard_swish")

    def __post_init__(self):
        for name in ("num_users", "num_items"):
            object.__setattr__(self, name, POSITIVE.apply(name, getattr(self, name)))
        object.__setattr__(self, "task", one_of(TASKS).apply("task", self.task))
        for name, law in _CHOICE_LAWS.items():
            object.__setattr__(self, name, law.apply_all(name, getattr(self, name)))
        self.__dict__["_menu"] = Menu(self._choices())

    @property
    def input_shape(self):
        """(2,): user, item."""
        return (2,)

    @property
    def num_classes(self):
        """1, the outputs: a probability, or a number."""
        return 1

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def _choices(self):
        yield Choice("form", self.forms)
        yield Choice("embedding/units", self.embedding_units)
        yield Choice("embedding/dropout", self.dropout_rates)
        towers, wide = (("form", (TWO_TOWERS,)),), (("form", (WIDE_AND_DEEP,)),)
        yield Choice("towers/biases", self.biases, None, towers)
        yield Choice("towers/depth", self.tower_depths, None, towers)
        has_layers = (*towers, ("towers/depth", tuple(depth for depth in self.tower_depths if depth)))
        yield Choice("towers/width", self.widths, None, has_layers)
        yield Choice("towers/activation", self.activations, None, has_layers)
        yield Choice("deep/depth", self.deep_depths, None, wide)
        yield Choice("deep/width", self.widths, None, wide)
        yield Choice("deep/activation", self.activations, None, wide)

    def _network(self, values):
        draft = Draft(self.input_shape, dtype="int32")
        sizes = zip(_SIDES, (self.num_users, self.num_items), strict=True)
        vectors = [_append_vector(draft, side, rows, values) for side, rows in sizes]
        if values["form"] == WIDE_AND_DEEP:
            draft.append("both", "concat", vectors)
            for number in range(1, values["deep/depth"] + 1):
                draft.append(f"deep{number}", "dense", units=values["deep/width"], activation=values["deep/activation"])
            has_biases = True
        else:
            draft.append(
                "product",
                "multiply",
                [_append_tower(draft, *each, values) for each in zip(_SIDES, vectors, strict=True)],
            )
            has_biases = values["towers/biases"]
        if has_biases:
            parts = [draft.last, *(_append_bias(draft, side, getattr(self, f"num_{side}s")) for side in _SIDES)]
            draft.append("sum", "concat", parts)
        if self.task == "regression":
            draft.append_head(1)
        else:
            draft.append("classifier", "classifier", classes=1, activation="sigmoid")
        return draft.finish()


def _append_vector(draft, side, rows, values):
    draft.append(f"{side}_id", "slice", ("input",), begin=_SIDES.index(side), size=1)
    draft.append(f"{side}_table", "embedding", vocabulary=rows, units=values["embedding/units"])
    draft.append(f"{side}_vector", "flatten")
    if values["embedding/dropout"]:
        draft.append(f"{side}_dropout", "dropout", rate=values["embedding/dropout"])
    return draft.last


def _append_tower(draft, side, vector, values):
    draft.go_on_from(vector)
    depth = values["towers/depth"]
    for number in range(1, depth + 1):
        # The last layer may be of either sign, as the values of an embedding are.
        activation = values["towers/activation"] if number < depth else "linear"
        draft.append(f"{side}_dense{number}", "dense", units=values["towers/width"], activation=activation)
    return draft.last


def _append_bias(draft, side, rows):
    draft.append(f"{side}_bias_table", "embedding", (f"{side}_id",), vocabulary=rows, units=1)
    return draft.append(f"{side}_bias", "flatten")
