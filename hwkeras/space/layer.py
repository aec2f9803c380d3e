"""One typed layer of an architecture: a frozen value that cannot be built wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from hwkeras.errors import UserError
from hwkeras.space.kinds import KINDS
from hwkeras.space.kinds import REQUIRED

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Params(Mapping):
    """A frozen mapping of parameter name to value; can be hashed, pickled and copied.

    Args:
        values: mapping of str to a value that can be hashed.
    """

    __slots__ = ("_items",)

    def __init__(self, values):
        object.__setattr__(self, "_items", tuple(sorted(dict(values).items())))

    def __setattr__(self, name, value):
        raise AttributeError("Params are frozen. Make a new Layer with the parameters you want.")

    def __reduce__(self):
        return (Params, (dict(self._items),))

    def __getitem__(self, name):
        for known, value in self._items:
            if known == name:
                return value
        raise KeyError(name)

    def __iter__(self):
        return (name for name, _ in self._items)

    def __len__(self):
        return len(self._items)

    def __hash__(self):
        return hash(self._items)

    def __repr__(self):
        return f"Params({dict(self._items)!r})"


@dataclass(frozen=True)
class Layer:
    """A layer: its kind, where its inputs come from, and its parameters with the defaults filled in.

    Args:
        name: str of letters, digits and underscores; part of the Keras layers' names.
        kind: str, a key of `KINDS`.
        inputs: tuple of names of earlier layers; one name may be given as it is. Defaults to `()`.
        params: mapping of parameter name to value. Defaults to `{}`.

    Raises:
        UserError: an unknown kind or parameter, one that is missing or breaks its law, a wrong number of inputs.
    """

    name: str
    kind: str
    inputs: tuple[str, ...] = ()
    params: Mapping = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise UserError(
                f"A layer's name must be letters, digits and underscores, a letter first. Received: name={self.name!r}."
            )
        if self.kind not in KINDS:
            raise UserError(f"`kind` must be one of {', '.join(KINDS)}. Received: kind={self.kind!r}.")
        inputs = (self.inputs,) if isinstance(self.inputs, str) else tuple(self.inputs)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "params", Params(self._verified_params()))
        self._verify_inputs()

    def _verified_params(self):
        parameters = KINDS[self.kind].parameters
        where = f" of {self.kind} layer {self.name!r}"
        unknown = sorted(set(self.params) - set(parameters))
        if unknown:
            known = ", ".join(parameters) or "no parameters"
            raise UserError(f"A {self.kind} layer takes {known}. Received: {unknown[0]!r} for layer {self.name!r}.")
        values = {}
        for name, parameter in parameters.items():
            value = self.params.get(name, parameter.default)
            if value is REQUIRED:
                raise UserError(f"`{name}`{where} must be given: {parameter.law.text}.")
            values[name] = value if value is parameter.default else parameter.law.apply(name, value, where)
        # A pool's stride is its size unless said otherwise; both spellings are one layer.
        if values.get("stride", 1) is None:
            values["stride"] = values["size"]
        return values

    def _verify_inputs(self):
        kind = KINDS[self.kind]
        count = len(self.inputs)
        if count < kind.least_inputs or (kind.most_inputs is not None and count > kind.most_inputs):
            wanted = str(kind.least_inputs) if kind.most_inputs is not None else f"at least {kind.least_inputs}"
            raise UserError(
                f"A {self.kind} layer takes {wanted} input(s). Received: inputs={self.inputs!r} for layer "
                f"{self.name!r}."
            )

    def to_json(self):
        """The layer as a dict of JSON values.

        Returns:
            dict with `name`, `kind`, `inputs` and `params`.
        """
        params = {name: list(value) if isinstance(value, tuple) else value for name, value in self.params.items()}
        return {"name": self.name, "kind": self.kind, "inputs": list(self.inputs), "params": params}

    @classmethod
    def from_json(cls, document):
        """Reads what `to_json` wrote.

        Args:
            document: dict.

        Returns:
            Layer.

        Raises:
            UserError: a key is missing, or a value breaks its law.
        """
        if not isinstance(document, dict) or not {"name", "kind", "inputs", "params"} <= set(document):
            raise UserError(f"A layer in JSON must hold name, kind, inputs and params. Received: {document!r}.")
        return cls(document["name"], document["kind"], tuple(document["inputs"]), document["params"])
