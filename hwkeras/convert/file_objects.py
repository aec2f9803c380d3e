"""A `.tflite` file as objects that can be changed, and back."""

from __future__ import annotations

_ALIGNMENT = 16


def unpack(flatbuffer):
    """Reads a file.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        `ai_edge_litert.schema_py_generated.ModelT`.
    """
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(flatbuffer), 0))


def pack(model):
    """Writes a file.

    Args:
        model: `ModelT`, as `unpack` gives it.

    Returns:
        bytes.
    """
    import flatbuffers

    for buffer in model.buffers:
        buffer.Pack = _aligned(buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _aligned(buffer):
    """Writes constants where every kernel can load them: the generated code knows no alignment of bytes."""
    from ai_edge_litert import schema_py_generated as schema

    def pack(builder):
        data = None
        if buffer.data is not None and len(buffer.data):
            content = bytes(bytearray(buffer.data))
            builder.Prep(_ALIGNMENT, len(content))
            data = builder.CreateByteVector(content)
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)

    return pack
