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
}
_EXISTING = ", ".join(["prune=<sparsity>", *_PRECISIONS])


@dataclass(frozen=True)
class Recipe:
    """What compression is asked for.

    Args:
        sparsity: float in [0, 1), the share of zeros in each prunable weight; `0.0` asks for no pruning.
            Defaults to `0.0`.
        precision: str, `"float32"`, `"float16"`, `"dynamic"`, `"int8"` or `"int8_qat"`. Defaults to `"float32"`.
    """

    sparsity: float = 0.0
    precision: str = "float32"

    def __post_init__(self):
        if not 0 <= self.sparsity < 1:
            raise UserError(
                f"`sparsity` must be in [0, 1). Received: sparsity={self.sparsity}. For 50% zeros write 'prune=0.5'."
            )
        if self.precision not in _PRECISIONS:
            raise UserError(
                f"`precision` must be one of {', '.join(_PRECISIONS)}. Received: precision={self.precision!r}. "
                "Write 'int8' for post-training quantization."
            )

    @classmethod
    def parse(cls, text):
        """Reads a recipe such as `"prune=0.5+int8_qat"`.

        Args:
            text: str, steps joined by `+`, in any order: `prune=<sparsity>` and at most one precision. Without a
                precision the file is float32. A `Recipe` is returned as it is.

        Returns:
            Recipe.

        Raises:
            UserError: an unknown step (the message lists what exists), a value that is not one, a step given twice,
                two precisions.
        """
        if isinstance(text, cls):
            return text
        settings = {}
        for step in str(text).split("+"):
            key, value = _parse_step(step.strip(), text)
            if key in settings:
                raise UserError(
                    f"A recipe takes one pruning step and one precision. Received: {text!r}. "
                    "Keep one of them, as in 'prune=0.5+int8_qat'."
                )
            settings[key] = value
        return cls(**settings)

    @property
    def file_precision(self):
        """str, the precision of the file: `"float32"`, `"float16"`, `"dynamic"` or `"int8"`."""
        return _PRECISIONS[self.precision][0]

    @property
    def is_quantization_aware(self):
        """bool, whether training simulates int8."""
        return _PRECISIONS[self.precision][1]

    @property
    def needs_training(self):
        """bool, whether any step fine-tunes the model."""
        return self.is_quantization_aware or self.sparsity > 0

    def __str__(self):
        return f"prune={self.sparsity:g}+{self.precision}" if self.sparsity else self.precision


def _parse_step(step, text):
    name, equals, value = step.partition("=")
    if name == "prune" and equals:
        return "sparsity", _parse_sparsity(value, text)
    if step in _PRECISIONS:
        return "precision", step
    raise UserError(
        f"A recipe is made of the steps {_EXISTING}, joined by '+'. Received: {text!r} with the step {step!r}. "
        "Write for example 'prune=0.5+int8_qat'."
    )


def _parse_sparsity(value, text):
    try:
        return float(value)
    except ValueError:
        raise UserError(
            f"`prune` takes the share of zeros, a number in [0, 1). Received: {text!r} with prune={value!r}. "
            "For 50% zeros write 'prune=0.5'."
        ) from None
