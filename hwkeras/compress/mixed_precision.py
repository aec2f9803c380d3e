"""Mixed precision after training: each operator gets the fewest bits that the outputs bear, as measured.

1. Every operator with weights is tried alone, the others in float, with weights of 8 and of 4 bits, on the calibration
   samples. Its *damage* is how far the outputs then are from the float file's (`hwkeras.convert.agreement`: 0 for
   equal answers, about 1 for answers that say nothing), and the accuracy lost where there are labels.
2. What damages more than the tolerance already with 8 bits stays in float; all else begins with 8 bits.
3. In the order of least disagreement per byte saved, operators go to 4 bits, each only if the *whole file* stays within
   the tolerance of the file without any: a disagreement at most 0.1 larger, an accuracy at most 1 point lower.

A file with 4-bit weights counts only if LiteRT runs it, in a process of its own, and answers as the same numbers do
when they lie in 8 bits. What it does not run so stays at 8 bits, with the reason.

Activations are 8-bit integers and so are both ends of the file, as in precision int8: what the ends lose by that, no
operator in float wins back. The ranges of activations and the choice are taken from the same at most 200 samples, so
the accuracy to trust is that on other data.

4 bits save bytes, but not always time. With LiteRT 2.3 on an x86 processor, dense layers run faster so (0.0024 ms
instead of 0.0033 ms in int8 for 784-256-256-10 units), convolutions slower (0.084 ms
instead of 0.021 ms for four of them and two dense layers on 28 x 28 pixels): measure with a `meter`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.operator_bits import FLOAT_BITS
from hwkeras.compress.operator_bits import OperatorQuantizer
from hwkeras.compress.operator_bits import widened
from hwkeras.compress.output_damage import Damage
from hwkeras.compress.output_damage import DamageJudge
from hwkeras.compress.output_damage import disagreement
from hwkeras.compress.proof import find_kept
from hwkeras.compress.report import OperatorReport
from hwkeras.errors import CompressionError
from hwkeras.errors import ConversionError

# Kernels for 4 and for 8 bits may round differently; wrong ones are further apart.
_MOST_APART = 0.05
# Codes of 4 bits, zero in the middle.
_INT4_CODES = 15
# Files that one process is given; starting it takes longer than running small ones.
_BATCH_BYTES = 32 * 2**20
_FILES_ALONE = 3
_WIDENED = "4 in 8"


@dataclass(frozen=True)
class MixedFile:
    """A file of mixed precision.

    Args:
        content: bytes.
        operators: tuple of OperatorReport, in order of execution.
    """

    content: bytes
    operators: tuple[OperatorReport, ...]


def to_mixed(model, samples, labels=None, kept=()):
    """Converts a tf_keras model to the precision `mixed`.

    Args:
        model: tf_keras.Model without loops.
        samples: list of arrays, one an input, first axis the samples.
        labels: array, one a sample, or None. Defaults to `None`.
        kept: iterable of KeptWeight, what pruning and clustering left in the model. Defaults to `()`.

    Returns:
        MixedFile.

    Raises:
        UserError: the quantizer is not installed.
        ConversionError: the model does not convert, or LiteRT does not run the file.
        CompressionError: the file does not hold the bits that were chosen.
    """
    content = to_flatbuffer(model, "float32", keeps_names=True)
    layers = [layer.name for layer in model.layers if any(len(weight.shape) > 1 for weight in layer.weights)]
    quantizer = OperatorQuantizer(content, layers, samples)
    clustered = {
        one.tensor.place[1]: one.num_values
        for one in find_kept(kept, constant_tensors(content))
        if one.kept.clusters is not None
    }
    batch = max(1, _BATCH_BYTES // (_FILES_ALONE * len(content)))
    return BitChoice(quantizer, DamageJudge(content, samples, labels), clustered, batch).file()


class BitChoice:
    """Finds the bits of each operator by measuring.

    Args:
        quantizer: OperatorQuantizer.
        judge: DamageJudge.
        clustered: mapping of the index of a clustered weight in the float file to its number of values.
        batch: int, how many operators are tried in one process; it changes nothing but the time.
    """

    def __init__(self, quantizer, judge, clustered, batch):
        self._quantizer, self._judge, self._clustered, self._batch = quantizer, judge, clustered, batch
        self._alone, self._bits, self._reasons = {}, {}, {}

    def file(self):
        """Tries, chooses and proves.

        Returns:
            MixedFile.

        Raises:
            ConversionError: the file does not run even without 4 bits.
            CompressionError: the file does not hold what was chosen.
        """
        self._try_alone()
        content, allowed = self._without_int4()
        waiting = sorted((operator for operator, why in self._reasons.items() if why is None), key=self._price)
        while waiting:
            num_decided, content = self._decide_some(waiting[: self._batch], content, allowed)
            waiting = waiting[num_decided:]
        self._prove(content)
        return MixedFile(content, tuple(map(self._report, self._quantizer.operators)))

    def _try_alone(self):
        """Tries each operator alone, and decides between float and 8 bits."""
        operators = self._quantizer.operators
        for start in range(0, len(operators), self._batch):
            files = {operator: self._files_alone(operator) for operator in operators[start : start + self._batch]}
            judged = iter(self._judge.judge([content for own in files.values() for content in own.values()]))
            for operator, own in files.items():
                self._alone[operator] = {name: next(judged) for name in own}
                self._bits[operator], self._reasons[operator] = self._decided(operator)

    def _files_alone(self, operator):
        """The float file with one operator in integers, as far as the quantizer offers that: 8, 4, and 4 in 8 bits."""
        files = {}
        for bits in (8, 4):
            content = self._quantizer.file({operator: bits}, is_quantized=False)
            if self._quantizer.bits_of(content)[operator] == bits:
                files[bits] = content
        if 4 in files:
            files[_WIDENED] = widened(files[4])
        return files

    def _decided(self, operator):
        """Bits to begin with, and why there can be no fewer (None if there can)."""
        if 8 not in self._alone[operator]:
            return FLOAT_BITS, "the quantizer offers no integers for it"
        damage, trial = self._alone[operator][8]
        if damage is None:
            return FLOAT_BITS, _ran_not(8, trial)
        if not damage.is_within(Damage()):
            return FLOAT_BITS, "8 bits alone damage more than the tolerance"
        return 8, self._against_int4(operator)

    def _against_int4(self, operator):
        """Why an operator cannot have 4 bits, whatever they would damage; None if it can."""
        seen, values = self._alone[operator], self._clustered.get(operator.tensor)
        if values is not None and values < _INT4_CODES:
            return f"each channel would round its {values} clusters to other ones of the {_INT4_CODES} codes of 4 bits"
        if not operator.bytes_saved:
            return "there is nothing to save"
        if 4 not in seen:
            return f"the quantizer offers no 4 bits for {operator.kind}"
        (damage, trial), (reference, wide) = seen[4], seen[_WIDENED]
        if damage is None:
            return _ran_not(4, trial)
        if reference is None:
            return _ran_not(8, wide)
        apart = disagreement(wide.outputs, trial.outputs)
        if not apart <= _MOST_APART:
            return f"LiteRT computes something else in 4 bits than with the same numbers in 8 ({apart:.3f} apart)"
        return None

    def _without_int4(self):
        """The file that has no 4 bits yet, with what it damages."""
        content = self._quantizer.file(self._bits)
        for operator, bits in self._quantizer.bits_of(content).items():
            if bits != self._bits[operator]:
                self._bits[operator], self._reasons[operator] = bits, "the quantizer does so in the whole file"
        ((damage, trial),) = self._judge.judge([content])
        if damage is None:
            raise ConversionError(
                f"A file of mixed precision must run. Received: one without 4 bits that does not ({trial.reason}). "
                "Compress to int8 instead."
            )
        return content, damage

    def _price(self, operator):
        return self._alone[operator][4][0].disagreement / operator.bytes_saved

    def _decide_some(self, waiting, content, allowed):
        """Takes operators to 4 bits, one more in each file, up to the first that does too much damage.

        Returns:
            Tuple `(how many are decided, that first one included; the file so far)`.
        """
        taken, files = dict(self._bits), []
        for operator in waiting:
            taken[operator] = 4
            files.append(self._quantizer.file(taken))
        for number, (damage, trial) in enumerate(self._judge.judge(files)):
            operator = waiting[number]
            if damage is None or not damage.is_within(allowed):
                told = _ran_not(4, trial) if damage is None else f"4 bits take the file from {allowed} to {damage}"
                self._reasons[operator] = told
                return number + 1, content
            self._bits[operator], content = 4, files[number]
        return len(waiting), content

    def _prove(self, content):
        found = self._quantizer.bits_of(content)
        wrong = [
            f"{one} with {found[one]} bits, {bits} chosen" for one, bits in self._bits.items() if found[one] != bits
        ]
        if wrong:
            raise CompressionError(
                f"The file must hold the bits that were chosen for each operator. Received: {'; '.join(wrong)}. "
                "Compress to int8 instead."
            )

    def _report(self, operator):
        (at_8, _), (at_4, _) = (self._alone[operator].get(bits, (None, None)) for bits in (8, 4))
        return OperatorReport(
            operator=operator.kind,
            layer=operator.layer,
            bits=self._bits[operator],
            num_weights=operator.num_weights,
            disagreement_int8=None if at_8 is None else at_8.disagreement,
            disagreement_int4=None if at_4 is None else at_4.disagreement,
            accuracy_lost_int8=None if at_8 is None else at_8.accuracy_lost,
            accuracy_lost_int4=None if at_4 is None else at_4.accuracy_lost,
            reason=self._reasons[operator],
        )


def _ran_not(bits, trial):
    return f"LiteRT does not run it with {bits} bits here ({trial.reason})"
