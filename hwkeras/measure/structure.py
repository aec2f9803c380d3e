"""Bounds of a flatbuffer: a `.tflite` file of which any table, vector or string reaches past its end is refused.

The generated readers of the schema follow any offset they find. Checked here first, they can be trusted afterwards.
"""

from __future__ import annotations

import struct

from hwkeras.errors import ModelFileError

IDENTIFIER = b"TFL3"

# Fields of each table by slot: the size in bytes of a scalar, or what the offset leads to. `vector:N` holds items of N
# bytes, `table:X` a table X, `tables:X` a vector of them, `any` a table of which only the frame is checked.
_SCHEMA = {
    "Model": (4, "tables:OperatorCode", "tables:SubGraph", "vector:1", "tables:Buffer", "vector:4", "tables:Metadata",
              "tables:SignatureDef"),
    "OperatorCode": (1, "vector:1", 4, 4),
    "SubGraph": ("tables:Tensor", "vector:4", "vector:4", "tables:Operator", "vector:1", 4),
    "Tensor": ("vector:4", 1, 4, "vector:1", "table:Quantization", 1, "table:Sparsity", "vector:4", 1, "tables:any"),
    "Quantization": ("vector:4", "vector:4", "vector:4", "vector:8", 1, "table:any", 4),
    "Sparsity": ("vector:4", "vector:4", "tables:Dimension"),
    "Dimension": (1, 4, 1, "table:any", 1, "table:any"),
    "Operator": (4, "vector:4", "vector:4", 1, "table:any", "vector:1", 1, "vector:1", "vector:4", 8, 8, 1, "table:any",
                 4),
    "Buffer": ("vector:1", 8, 8),
    "Metadata": ("vector:1", 4),
    "SignatureDef": ("tables:TensorMap", "tables:TensorMap", "vector:1", "vector:1", 4),
    "TensorMap": ("vector:1", 4),
    "any": (),
}  # fmt: skip


def check_structure(data):
    """Verifies that a file is a `.tflite` flatbuffer whose parts all lie inside it.

    Args:
        data: bytes, the whole file.

    Raises:
        ModelFileError: another format, or a part that reaches past the end.
    """
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise ModelFileError(
            f"A `.tflite` file has the identifier {IDENTIFIER.decode()!r} in its bytes 4 to 8. Received: "
            f"{len(data)} bytes that begin with {bytes(data[:8])!r}. Pass the file that the converter wrote."
        )
    try:
        _Walk(data).table(_read(data, "<I", 0), "Model")
    except _OutOfBounds as error:
        raise ModelFileError(
            f"Every part of a `.tflite` file must lie inside it. Received: {len(data)} bytes, {error}. "
            "The file is truncated or corrupt: copy or convert it again."
        ) from error


class _OutOfBounds(Exception):
    """A part that reaches past the end of the file."""


class _Walk:
    """One pass over all tables; a table that several others share is visited once."""

    def __init__(self, data):
        self.data = data
        self.seen = set()

    def table(self, position, kind):
        if (position, kind) in self.seen:
            return
        self.seen.add((position, kind))
        self._inside(position, 4, kind)
        vtable = position - _read(self.data, "<i", position)
        self._inside(vtable, 4, f"{kind} vtable")
        vtable_bytes, table_bytes = struct.unpack_from("<HH", self.data, vtable)
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise _OutOfBounds(f"a {kind} at byte {position} without a valid vtable")
        self._inside(vtable, vtable_bytes, f"{kind} vtable")
        self._inside(position, table_bytes, kind)
        slots = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", self.data, vtable + 4)
        for field, offset in zip(_SCHEMA[kind], slots, strict=False):
            if offset:
                self._field(field, position, offset, table_bytes, kind)

    def _field(self, field, position, offset, table_bytes, kind):
        size = field if isinstance(field, int) else 4
        if offset + size > table_bytes:
            raise _OutOfBounds(f"a field of the {kind} at byte {position} outside its table")
        if isinstance(field, int):
            return
        target = position + offset + _read(self.data, "<I", position + offset)
        form, _, name = field.partition(":")
        if form == "table":
            self.table(target, name)
        elif form == "vector":
            self._vector(target, int(name), kind)
        else:
            for item in range(self._vector(target, 4, kind)):
                entry = target + 4 + 4 * item
                self.table(entry + _read(self.data, "<I", entry), name)

    def _vector(self, position, item_bytes, kind):
        self._inside(position, 4, f"vector of a {kind}")
        num_items = _read(self.data, "<I", position)
        self._inside(position + 4, num_items * item_bytes, f"vector of a {kind}")
        return num_items

    def _inside(self, position, size, what):
        if position < 0 or position + size > len(self.data):
            raise _OutOfBounds(f"the {what} at byte {position} needs {size}")


def _read(data, form, position):
    return struct.unpack_from(form, data, position)[0]
