"""The profiler inside LiteRT's own library, reached through its C functions.

The Python package offers no way to it, but `libLiteRt.so` exports it. The functions are not promised to stay, so the
version and the symbols are asked first, and whoever calls this runs it in a process that may die.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import re
from dataclasses import dataclass

import numpy as np

from tflite_bench.inputs import make_input

# The structures below are those of these versions: from the first to before the second.
VERSIONS = ((2, 2), (3, 0))
_LIBRARIES = ("libLiteRt.so", "libLiteRt.dylib", "LiteRt.dll", "libLiteRt.dll")
_MAX_RANK = 8
_CPU = 1
_WRITE = 1
# kLiteRtElementType..., by the dtype a buffer of it is filled with.
_DTYPES = {
    1: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_, 7: np.int16, 9: np.int8, 10: np.float16,
    11: np.float64, 13: np.uint64, 16: np.uint32, 17: np.uint16,
}  # fmt: skip
# An operator of the graph, and an operator inside a delegate; what is around them.
NODE, KERNEL = 2, 8
_FRAME = 1


class ProfilerMissing(RuntimeError):
    """This runtime has no profiler that can be used; the message says why and what else there is."""


@dataclass(frozen=True)
class Event:
    """What the profiler recorded of one operator in one run.

    Args:
        kind: int, `NODE` or `KERNEL`.
        tag: str, the runtime's name of it.
        node: int, the index of the operator in its graph, or of the kernel in its delegate.
        subgraph: int, index of the graph; 0 is the main one.
        elapsed_us: int, microseconds.
    """

    kind: int
    tag: str
    node: int
    subgraph: int
    elapsed_us: int

    @property
    def identity(self):
        """What stays from run to run."""
        return (self.kind, self.tag, self.node, self.subgraph)


@dataclass(frozen=True)
class Run:
    """What the profiler recorded of one run.

    Args:
        events: list of `Event`, in the order they were recorded.
        invoke_us: int, microseconds of the whole graph, the recording included.
    """

    events: list
    invoke_us: int


class _Layout(ctypes.Structure):
    _fields_ = [
        ("rank", ctypes.c_uint, 7),
        ("has_strides", ctypes.c_uint, 1),
        ("dimensions", ctypes.c_int32 * _MAX_RANK),
        ("strides", ctypes.c_uint32 * _MAX_RANK),
    ]


class _TensorType(ctypes.Structure):
    _fields_ = [("element_type", ctypes.c_int), ("layout", _Layout)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("node", ctypes.c_uint64),
        ("subgraph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    ]


_POINTER, _OUT, _INDEX, _INT = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_int
_RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_FUNCTIONS = {
    "LiteRtCreateEnvironment": (_INT, _POINTER, _OUT),
    "LiteRtCreateModelFromFile": (_POINTER, ctypes.c_char_p, _OUT),
    "LiteRtCreateOptions": (_OUT,),
    "LiteRtSetOptionsHardwareAccelerators": (_POINTER, _INT),
    "LiteRtCreateOpaqueOptions": (ctypes.c_char_p, _POINTER, _RELEASE, _OUT),
    "LiteRtAddOpaqueOptions": (_POINTER, _POINTER),
    "LiteRtCreateCompiledModel": (_POINTER, _POINTER, _POINTER, _OUT),
    "LiteRtGetModelSignature": (_POINTER, _INDEX, _OUT),
    "LiteRtGetNumSignatureInputs": (_POINTER, ctypes.POINTER(_INDEX)),
    "LiteRtGetNumSignatureOutputs": (_POINTER, ctypes.POINTER(_INDEX)),
    "LiteRtGetSignatureInputTensorByIndex": (_POINTER, _INDEX, _OUT),
    "LiteRtGetSignatureOutputTensorByIndex": (_POINTER, _INDEX, _OUT),
    "LiteRtGetRankedTensorType": (_POINTER, ctypes.POINTER(_TensorType)),
    "LiteRtGetQuantizationTypeId": (_POINTER, ctypes.POINTER(_INT)),
    "LiteRtGetCompiledModelInputBufferRequirements": (_POINTER, _INDEX, _INDEX, _OUT),
    "LiteRtGetCompiledModelOutputBufferRequirements": (_POINTER, _INDEX, _INDEX, _OUT),
    "LiteRtCreateManagedTensorBufferFromRequirements": (_POINTER, ctypes.POINTER(_TensorType), _POINTER, _OUT),
    "LiteRtLockTensorBuffer": (_POINTER, _OUT, _INT),
    "LiteRtUnlockTensorBuffer": (_POINTER,),
    "LiteRtRunCompiledModel": (_POINTER, _INDEX, _INDEX, _OUT, _INDEX, _OUT),
    "LiteRtCompiledModelGetProfiler": (_POINTER, _OUT),
    "LiteRtStartProfiler": (_POINTER,),
    "LiteRtStopProfiler": (_POINTER,),
    "LiteRtGetNumProfilerEvents": (_POINTER, ctypes.POINTER(_INT)),
    "LiteRtGetProfilerEvents": (_POINTER, _INT, ctypes.POINTER(_Event)),
}


def find_library():
    """The library of the installed LiteRT, if its profiler is one this module knows.

    Returns:
        str, path.

    Raises:
        ProfilerMissing: no LiteRT, another version, or no such library.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or not spec.submodule_search_locations:
        raise ProfilerMissing("The profiler is part of ai_edge_litert. Received: it is not installed here.")
    version = _version()
    if not VERSIONS[0] <= _numbers(version) < VERSIONS[1]:
        low, high = (".".join(map(str, bound)) for bound in VERSIONS)
        raise ProfilerMissing(f"The profiler is known for ai-edge-litert {low} to {high}. Received: {version}.")
    folder = next(iter(spec.submodule_search_locations))
    for name in _LIBRARIES:
        if os.path.isfile(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise ProfilerMissing(f"The profiler is in {' or '.join(_LIBRARIES[:2])} beside ai_edge_litert. Received: neither.")


def _version():
    for name in ("ai-edge-litert", "ai-edge-litert-nightly"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def _numbers(version):
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def open_library(path):
    """Loads the library and declares its functions.

    Args:
        path: str.

    Returns:
        ctypes.CDLL.

    Raises:
        ProfilerMissing: it cannot be loaded, or lacks a function.
    """
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ProfilerMissing(f"The library of the profiler must load. Received: {path!r} ({error}).") from error
    missing = [name for name in _FUNCTIONS if not hasattr(library, name)]
    if missing:
        raise ProfilerMissing(f"The library must export {missing[0]}. Received: {path!r}, which does not.")
    for name, arguments in _FUNCTIONS.items():
        getattr(library, name).argtypes = arguments
        getattr(library, name).restype = ctypes.c_int
    return library


class ProfiledModel:
    """A model that is run with the profiler on; nothing is ever freed, the process is meant to end.

    Args:
        library: what `open_library` returned.
        path: str, the `.tflite` file.
        num_threads: int.
        rng: np.random.Generator, of the inputs.

    Raises:
        ProfilerMissing: the library refuses a step; the message names it.
    """

    def __init__(self, library, path, num_threads, rng):
        self._library = library
        self._kept = []
        self._environment = self._made("LiteRtCreateEnvironment", 0, None)
        model = self._made("LiteRtCreateModelFromFile", self._environment, os.fsencode(path))
        self._compiled = self._made("LiteRtCreateCompiledModel", self._environment, model, self._options(num_threads))
        signature = self._made("LiteRtGetModelSignature", model, 0)
        self._inputs = self._buffers(signature, "Input")
        self._outputs = self._buffers(signature, "Output")
        for buffer, (kind, is_quantized) in self._inputs:
            self._fill(buffer, kind, is_quantized, rng)
        self._profiler = self._made("LiteRtCompiledModelGetProfiler", self._compiled)
        if not self._profiler.value:
            raise ProfilerMissing("The model must carry a profiler. Received: none, `enable_profiling` was not heard.")

    def run(self):
        """Runs the model without recording."""
        inputs, outputs = self._arrays()
        self._call("LiteRtRunCompiledModel", self._compiled, 0, len(inputs), inputs, len(outputs), outputs)

    def profiled_runs(self, num_runs):
        """Runs the model with the profiler on.

        Args:
            num_runs: int.

        Yields:
            Run.
        """
        inputs, outputs = self._arrays()
        for _ in range(num_runs):
            # NOTE: this empties the profiler, too; `LiteRtResetProfiler` would also switch it off.
            self._call("LiteRtStartProfiler", self._profiler)
            self._call("LiteRtRunCompiledModel", self._compiled, 0, len(inputs), inputs, len(outputs), outputs)
            yield self._recorded()
        self._call("LiteRtStopProfiler", self._profiler)

    def _recorded(self):
        number = _INT()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(number))
        events = (_Event * number.value)()
        self._call("LiteRtGetProfilerEvents", self._profiler, number, events)
        # NOTE: other kinds are frames around the operators, and some carry no time but garbage.
        return Run(
            [
                Event(event.kind, event.tag.decode("utf-8", "replace"), event.node, event.subgraph, event.elapsed_us)
                for event in events
                if event.kind in (NODE, KERNEL)
            ],
            sum(event.elapsed_us for event in events if event.kind == _FRAME and event.tag == b"Invoke"),
        )

    def _options(self, num_threads):
        options = self._made("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        for name, text in (
            (b"runtime_options_string", b"enable_profiling = true\n"),
            (b"xnnpack", b"num_threads = %d\n" % num_threads),
        ):
            payload, release = ctypes.create_string_buffer(text), _RELEASE(_keep)
            self._kept += [payload, release]
            address = ctypes.cast(payload, ctypes.c_void_p)
            opaque = self._made("LiteRtCreateOpaqueOptions", name, address, release)
            self._call("LiteRtAddOpaqueOptions", options, opaque)
        return options

    def _buffers(self, signature, side):
        """The buffers of the inputs or outputs, each with its tensor type and whether it is quantized."""
        number = _INDEX()
        self._call(f"LiteRtGetNumSignature{side}s", signature, ctypes.byref(number))
        return [self._buffer(signature, side, index) for index in range(number.value)]

    def _buffer(self, signature, side, index):
        tensor = self._made(f"LiteRtGetSignature{side}TensorByIndex", signature, index)
        kind, quantization = _TensorType(), _INT()
        self._call("LiteRtGetRankedTensorType", tensor, ctypes.byref(kind))
        self._call("LiteRtGetQuantizationTypeId", tensor, ctypes.byref(quantization))
        layout = kind.layout
        # NOTE: a batch of unknown size is -1 in the file, and a buffer of it is refused.
        layout.dimensions[: layout.rank] = [max(1, size) for size in layout.dimensions[: layout.rank]]
        needs = self._made(f"LiteRtGetCompiledModel{side}BufferRequirements", self._compiled, 0, index)
        buffer = self._made(
            "LiteRtCreateManagedTensorBufferFromRequirements", self._environment, ctypes.byref(kind), needs
        )
        return buffer, (kind, quantization.value != 0)

    def _fill(self, buffer, kind, is_quantized, rng):
        if kind.element_type not in _DTYPES:
            raise ProfilerMissing(f"An input must hold plain numbers. Received: element type {kind.element_type}.")
        shape = kind.layout.dimensions[: kind.layout.rank]
        value = np.ascontiguousarray(make_input(shape, _DTYPES[kind.element_type], is_quantized, rng))
        address = ctypes.c_void_p()
        self._call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), _WRITE)
        ctypes.memmove(address, value.ctypes.data, value.nbytes)
        self._call("LiteRtUnlockTensorBuffer", buffer)

    def _arrays(self):
        return tuple(
            (ctypes.c_void_p * len(buffers))(*(buffer.value for buffer, _ in buffers))
            for buffers in (self._inputs, self._outputs)
        )

    def _made(self, name, *arguments):
        """Calls a function whose last argument is where it puts what it made."""
        made = ctypes.c_void_p()
        self._call(name, *arguments, ctypes.byref(made))
        return made

    def _call(self, name, *arguments):
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise ProfilerMissing(f"{name} must return 0. Received: status {status}.")


def _keep(_):
    """Releases nothing: the payloads belong to Python."""
