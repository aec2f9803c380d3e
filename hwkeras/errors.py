"""The error tree. Each class names whose turn it is and the exit code of the command line."""


class HwkerasError(Exception):
    """Base of every error hwkeras raises on purpose.

    Attributes:
        exit_code: int, what the command line returns when this error ends it.
    """

    exit_code = 1


class UserError(HwkerasError, ValueError):
    """An argument, a file or a model the user gave is wrong; the message says the law, what came, the way out."""

    exit_code = 2


class DataError(UserError):
    """The data set cannot be used as it is."""


class ModelFileError(UserError):
    """A `.tflite` file that cannot be read, or that breaks the format."""


class ConversionError(HwkerasError):
    """A model that does not become a `.tflite` file equal to it in outputs and free of Flex ops.

    Inside a search this fails one trial, not the search.
    """


class InfeasibleError(HwkerasError):
    """No candidate lies within the limits; the message names the limit that binds and the nearest value seen."""

    exit_code = 3


class DeviceError(HwkerasError):
    """The device did not answer, or gave no usable measurement."""

    exit_code = 4


class DeviceLost(DeviceError):
    """A device vanished in the middle of something; what was being measured is lost, the search is not."""


class CompressionError(HwkerasError):
    """A compression step did not leave on the file what was asked for."""
