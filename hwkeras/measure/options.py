"""The options of an operator: few scalars that the schema keeps in a table of its own for each kind of operator."""

from __future__ import annotations

import struct

from hwkeras.errors import ModelFileError

# The union member of each operator and, by name, the slot, the form and the default of the fields that are used here.
_POOL = ("Pool2DOptions", {"stride_w": (1, "<i", 0), "stride_h": (2, "<i", 0), "filter_w": (3, "<i", 0),
                           "filter_h": (4, "<i", 0), "activation": (5, "<b", 0)})  # fmt: skip
_FIELDS = {
    "CONV_2D": ("Conv2DOptions", {"padding": (0, "<b", 0), "stride_w": (1, "<i", 0), "stride_h": (2, "<i", 0),
                                  "activation": (3, "<b", 0), "dilation_w": (4, "<i", 1), "dilation_h": (5, "<i", 1)}),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", {
        "padding": (0, "<b", 0), "stride_w": (1, "<i", 0), "stride_h": (2, "<i", 0), "multiplier": (3, "<i", 0),
        "activation": (4, "<b", 0), "dilation_w": (5, "<i", 1), "dilation_h": (6, "<i", 1)}),
    "TRANSPOSE_CONV": ("TransposeConvOptions", {"padding": (0, "<b", 0), "stride_w": (1, "<i", 0),
                                                "stride_h": (2, "<i", 0), "activation": (3, "<b", 0)}),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "L2_POOL_2D": _POOL,
    "FULLY_CONNECTED": ("FullyConnectedOptions", {"activation": (0, "<b", 0), "weights_format": (1, "<b", 0),
                                                  "keep_num_dims": (2, "<b", 0)}),
    "BATCH_MATMUL": ("BatchMatMulOptions", {"adj_x": (0, "<b", 0), "adj_y": (1, "<b", 0)}),
    "ADD": ("AddOptions", {"activation": (0, "<b", 0)}),
    "SUB": ("SubOptions", {"activation": (0, "<b", 0)}),
    "MUL": ("MulOptions", {"activation": (0, "<b", 0)}),
    "DIV": ("DivOptions", {"activation": (0, "<b", 0)}),
    "CONCATENATION": ("ConcatenationOptions", {"axis": (0, "<i", 0), "activation": (1, "<b", 0)}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": (0, "<f", 0.0)}),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": (0, "<f", 0.0)}),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", {"align_corners": (2, "<b", 0), "half_pixel_centers": (3, "<b", 0)}),
    "MEAN": ("ReducerOptions", {"keep_dims": (0, "<b", 0)}),
    "SUM": ("ReducerOptions", {"keep_dims": (0, "<b", 0)}),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", {"block_size": (0, "<i", 0)}),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", {"block_size": (0, "<i", 0)}),
    "SPLIT": ("SplitOptions", {"num_splits": (0, "<i", 0)}),
    "STRIDED_SLICE": ("StridedSliceOptions", {
        "begin_mask": (0, "<i", 0), "end_mask": (1, "<i", 0), "ellipsis_mask": (2, "<i", 0),
        "new_axis_mask": (3, "<i", 0), "shrink_axis_mask": (4, "<i", 0), "offset": (5, "<b", 0)}),
    "GELU": ("GeluOptions", {"approximate": (0, "<b", 0)}),
    "WHILE": ("WhileOptions", {"cond": (0, "<i", 0), "body": (1, "<i", 0)}),
    "IF": ("IfOptions", {"then": (0, "<i", 0), "else": (1, "<i", 0)}),
    "CALL_ONCE": ("CallOnceOptions", {"init": (0, "<i", 0)}),
    "CALL": ("CallOptions", {"body": (0, "<I", 0)}),
    "VAR_HANDLE": ("VarHandleOptions", {"container": (0, "text", ""), "shared_name": (1, "text", "")}),
}  # fmt: skip
# Operators that name their options in the second union of the schema.
_FIELDS_2 = {
    "STABLEHLO_COMPOSITE": ("StableHLOCompositeOptions", {"name": (0, "text", ""), "decomposition": (1, "<i", 0)}),
}


def read_options(schema, op, table):
    """Reads the options of one operator.

    Args:
        schema: module, the generated readers.
        op: str, the operator's name.
        table: generated `Operator`, in a file that passed `check_structure`.

    Returns:
        dict of str to int, float or str; empty where the operator has none that are used here.

    Raises:
        ModelFileError: a field outside its table.
    """
    if op in _FIELDS:
        member, fields = _FIELDS[op]
        wanted, found, options = schema.BuiltinOptions, table.BuiltinOptionsType(), table.BuiltinOptions
    elif op in _FIELDS_2:
        member, fields = _FIELDS_2[op]
        wanted, found, options = schema.BuiltinOptions2, table.BuiltinOptions2Type(), table.BuiltinOptions2
    else:
        return {}
    union = options() if found == getattr(wanted, member) else None
    return _defaults(fields) if union is None else read_fields(union.Bytes, union.Pos, fields, op)


def read_fields(data, position, fields, what):
    """Reads fields of one table.

    Args:
        data: bytes, the file.
        position: int, where the table begins; its frame lies inside the file.
        fields: dict of str to (slot, form, default); the form is one of `struct`, or `"text"`.
        what: str, of what the table is, for the message.

    Returns:
        dict of str to int, float or str.

    Raises:
        ModelFileError: a field outside its table, or a text outside the file.
    """
    vtable = position - struct.unpack_from("<i", data, position)[0]
    vtable_bytes, table_bytes = struct.unpack_from("<HH", data, vtable)
    values = _defaults(fields)
    for name, (slot, form, _) in fields.items():
        entry = 4 + 2 * slot
        offset = struct.unpack_from("<H", data, vtable + entry)[0] if entry + 2 <= vtable_bytes else 0
        if not offset:
            continue
        if offset + (4 if form == "text" else struct.calcsize(form)) > table_bytes:
            raise ModelFileError(
                f"A field of a table lies inside it. Received: `{name}` of {what} at byte {offset} of {table_bytes}. "
                "The file is corrupt: copy or convert it again."
            )
        at = position + offset
        values[name] = _text(data, at, name, what) if form == "text" else struct.unpack_from(form, data, at)[0]
    return values


def _text(data, at, name, what):
    start = at + struct.unpack_from("<I", data, at)[0]
    num_bytes = struct.unpack_from("<I", data, start)[0] if start + 4 <= len(data) else len(data)
    if start + 4 + num_bytes > len(data):
        raise ModelFileError(
            f"Every part of a `.tflite` file must lie inside it. Received: {len(data)} bytes, the text `{name}` of "
            f"{what} at byte {start}. The file is truncated or corrupt: copy or convert it again."
        )
    return bytes(data[start + 4 : start + 4 + num_bytes]).decode("utf-8", "replace")


def _defaults(fields):
    return {name: default for name, (_, _, default) in fields.items()}
