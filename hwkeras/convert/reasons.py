"""The one useful line of what TensorFlow, Keras and the converter say in hundreds."""

from __future__ import annotations

import re

_COLOR = re.compile(r"\x1b\[\d*m")
_FRAME = re.compile(
    r"Exception encountered when|Graph execution error|Detected at node|File \"|\[\[\{\{node|Arguments received"
)
_FOREIGN = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_UNQUANTIZED = re.compile(r"not yet supported for op: '(\w+)'")
_MOST = 300


def failure_reason(error):
    """What an exception of Keras or TensorFlow is about, without its frames and colors.

    Args:
        error: the exception.

    Returns:
        str, one line of at most 300 characters that ends with a full stop.
    """
    lines = [line.strip() for line in _COLOR.sub("", str(error)).splitlines()]
    useful = [line for line in lines if line and not _FRAME.match(line)]
    return _sentence((useful or [type(error).__name__])[0])


def conversion_reason(message, printed):
    """Why the converter refused a model.

    Args:
        message: str, its exception's text.
        printed: str, what it printed meanwhile.

    Returns:
        str, one line that names the operators, and the way out where there is one.
    """
    text = f"{message}\n{printed}"
    foreign = sorted(set(_FOREIGN.findall(text)))
    if foreign:
        return (
            f"the model needs {', '.join(foreign)}, not among TFLite's builtin operators (Flex and custom operators "
            "are never enabled). Replace the layers that use them."
        )
    unquantized = sorted(set(_UNQUANTIZED.findall(text)))
    if unquantized:
        return (
            f"TFLite has no integer kernel for {', '.join(unquantized)}. Replace the layer, or ship another precision."
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if "error:" in line] or lines or ["the converter gave no reason"]
    return _sentence(re.sub(r"^.*?error: ", "", lines[0]))


def _sentence(line):
    return line[:_MOST].rstrip(".") + "."
