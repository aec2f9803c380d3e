"""The recipe: which compression steps, in the one notation of Python, the command line and the search."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError

# How the numbers of the file are stored -> (the file's precision, whether training simulates it).
_PRECISIONS = {
    "float32": ("float32", False),
    "float16": ("float16", False),
    "dynamic": ("dynamic", False),
    "int8": ("int8", False),
    "int8_qat": ("int8", True),
    "int16x8": ("int16x8", False),
    "mixed": ("mixed", False),
}
_EXISTING = ", ".join(
    ["channels=<share>", "prune=<sparsity>", "prune=<zeros>:<group>", "cluster=<values>", "distill", *_PRECISIONS]
)
_EXAMPLE = "Write for example 'prune=0.5+cluster=16+int8_qat'."
# int8 has no more codes.
_MOST_CLUSTERS = 256
# 2 of 4 is what hardware knows; longer groups than this have no use.
_LONGEST_GROUP = 64


@dataclass(frozen=True)
class Recipe:
    """What compression is asked for.

    The steps run in one order, however they are written: channels, prune, cluster, quantization-aware training,
    conversion. Pruning followed by `int8_qat` keeps the zeros (PQAT), clustering the shared values (CQAT), both both
    (PCQAT).

    Args:
        sparsity: float in [0, 1), the share of zeros in each prunable weight; `0.0` asks for no pruning.
            Defaults to `0.0`.
        pattern: tuple `(zeros, group)`, at least `zeros` zeros in each `group` neighbors along the input channels,
            such as `(2, 4)` for `prune=2:4`; instead of `sparsity`. Defaults to `None`.
        clusters: int in [2, 256], the most different values of a clustered weight, zero included. Defaults to `None`.
        channels: float in [0, 1), the share of channels removed from each prunable layer. Defaults to `0.0`.
        distill: bool, whether every step that trains also learns from a teacher. Defaults to `False`.
        precision: str, `"float32"`, `"float16"`, `"dynamic"`, `"int8"`, `"int8_qat"`, `"int16x8"` or `"mixed"`: int4,
            int8 or float for each operator, as measured, see `hwkeras.compress.mixed_precision`.
            Defaults to `"float32"`.

    Raises:
        UserError: a value outside its range, or settings that contradict each other.
    """

    sparsity: float = 0.0
    pattern: tuple[int, int] | None = None
    clusters: int | None = None
    channels: float = 0.0
    distill: bool = False
    precision: str = "float32"

    def __post_init__(self):
        if not 0 <= self.sparsity < 1:
            raise UserError(
                f"`sparsity` must be in [0, 1). Received: sparsity={self.sparsity}. For 50% zeros write 'prune=0.5'."
            )
        if not 0 <= self.channels < 1:
            raise UserError(
                f"`channels` is the share of channels to remove and must be in [0, 1). Received: channels="
                f"{self.channels}. To halve the layers write 'channels=0.5'."
            )
        if self.precision not in _PRECISIONS:
            raise UserError(
                f"`precision` must be one of {', '.join(_PRECISIONS)}. Received: precision={self.precision!r}. "
                "Write 'int8' for post-training quantization."
            )
        self._check_pattern()
        self._check_clusters()
        if self.distill and not self.needs_training:
            raise UserError(
                "'distill' changes how a step trains, so a recipe with it needs a step that trains: channels, prune, "
                f"cluster or int8_qat. Received: 'distill+{self.precision}'. Write for example 'distill+int8_qat'."
            )

    def _check_pattern(self):
        if self.pattern is None:
            return
        zeros, group = self.pattern
        if not 0 < zeros < group <= _LONGEST_GROUP:
            raise UserError(
                f"A pattern puts some zeros, not all, in each group of at most {_LONGEST_GROUP}. Received: "
                f"prune={zeros}:{group}. Write 'prune=2:4' for 2 zeros in every 4."
            )
        if self.sparsity:
            raise UserError(
                "A recipe prunes by a share or by a pattern, not both. Received: "
                f"sparsity={self.sparsity}, pattern={zeros}:{group}. Keep 'prune=0.5' or 'prune=2:4'."
            )

    def _check_clusters(self):
        if self.clusters is None:
            return
        if not 2 <= self.clusters <= _MOST_CLUSTERS:
            raise UserError(
                f"`cluster` is the number of different values in a weight, from 2 to {_MOST_CLUSTERS}. Received: "
                f"cluster={self.clusters}. Write 'cluster=16' for 16 values."
            )
        if self.prunes and self.clusters < 3:
            raise UserError(
                "In a pruned weight zero is one of the values, so 'prune' with 'cluster' needs at least 3. Received: "
                f"cluster={self.clusters}. Write 'cluster=16', or leave 'prune' out."
            )

    @classmethod
    def parse(cls, text):
        """Reads a recipe such as `"prune=0.5+int8_qat"`.

        Args:
            text: str, steps joined by `+`, in any order: `channels=<share>`, `prune=<sparsity>` or
                `prune=<zeros>:<group>`, `cluster=<values>`, `distill`, and at most one precision. Without a precision
                the file is float32. A `Recipe` is returned as it is.

        Returns:
            Recipe.

        Raises:
            UserError: an unknown step (the message lists what exists), a value that is not one, a step given twice,
                two precisions, or steps that contradict each other.
        """
        if isinstance(text, cls):
            return text
        settings, kinds = {}, set()
        for step in str(text).split("+"):
            kind, key, value = _parse_step(step.strip(), text)
            if kind in kinds:
                raise UserError(
                    f"A recipe takes one precision, and every other step once. Received: {text!r} with two of "
                    f"{kind!r}. Keep one of them, as in 'prune=0.5+int8_qat'."
                )
            kinds.add(kind)
            settings[key] = value
        return cls(**settings)

    @property
    def file_precision(self):
        """str, the precision of the file: `"float32"`, `"float16"`, `"dynamic"`, `"int8"`, `"int16x8"` or `"mixed"`."""
        return _PRECISIONS[self.precision][0]

    @property
    def is_quantization_aware(self):
        """bool, whether training simulates int8."""
        return _PRECISIONS[self.precision][1]

    @property
    def prunes(self):
        """bool, whether weights are set to zero, by share or by pattern."""
        return self.sparsity > 0 or self.pattern is not None

    @property
    def needs_training(self):
        """bool, whether any step fine-tunes the model."""
        return self.is_quantization_aware or self.prunes or self.clusters is not None or self.channels > 0

    @property
    def needs_calibration(self):
        """bool, whether the converter must see samples."""
        return self.file_precision in ("int8", "int16x8", "mixed")

    def __str__(self):
        steps = []
        if self.channels:
            steps.append(f"channels={float(self.channels)!r}")
        if self.pattern:
            steps.append("prune={}:{}".format(*self.pattern))
        elif self.sparsity:
            steps.append(f"prune={float(self.sparsity)!r}")
        if self.clusters is not None:
            steps.append(f"cluster={self.clusters}")
        if self.distill:
            steps.append("distill")
        return "+".join([*steps, self.precision])


def _parse_step(step, text):
    """A step as (its kind, which may come once; the Recipe's field; the value)."""
    name, equals, value = step.partition("=")
    if name == "prune" and ":" in value:
        return "prune", "pattern", _parse_pattern(value, text)
    if name == "prune" and equals:
        return "prune", "sparsity", _parse_share(name, "zeros", value, text)
    if name == "channels" and equals:
        return "channels", "channels", _parse_share(name, "channels to remove", value, text)
    if name == "cluster" and equals:
        return "cluster", "clusters", _parse_count(value, text)
    if step == "distill":
        return "distill", "distill", True
    if step in _PRECISIONS:
        return "precision", "precision", step
    raise UserError(
        f"A recipe is made of the steps {_EXISTING}, joined by '+'. Received: {text!r} with the step {step!r}. "
        f"{_EXAMPLE}"
    )


def _parse_share(name, of, value, text):
    try:
        return float(value)
    except ValueError:
        raise UserError(
            f"`{name}` takes the share of {of}, a number in [0, 1). Received: {text!r} with {name}={value!r}. "
            f"For one half write '{name}=0.5'."
        ) from None


def _parse_pattern(value, text):
    parts = value.split(":")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UserError(
            "A pattern is two whole numbers, the zeros in each group and its length. "
            f"Received: {text!r} with prune={value!r}. Write 'prune=2:4' for 2 zeros in every 4."
        )
    return int(parts[0]), int(parts[1])


def _parse_count(value, text):
    if not value.strip().isdecimal():
        raise UserError(
            f"`cluster` takes a whole number of values. Received: {text!r} with cluster={value!r}. "
            "Write 'cluster=16' for 16 values."
        )
    return int(value)
