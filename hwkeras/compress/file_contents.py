"""What the description inside a model file asks to be loaded, looked at before anything of it is."""

from __future__ import annotations

from hwkeras.errors import UserError

_CODE_LAYERS = frozenset({"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"})
_QUANTIZED = frozenset({"QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy", "QuantizeLayer", "QuantizeWrapperV2"})
_WRAPPED = {"PruneLowMagnitude": "strip_pruning", "ClusterWeights": "strip_clustering"}
# What stands among the layers of a model without being one.
_NO_LAYERS = frozenset({"Functional", "Model", "Sequential", "TFOpLambda"})
# What says how the model was trained; it is not loaded.
_SKIPPED = frozenset({"build_config", "compile_config"})
_OWN_MODULES = ("keras", "tf_keras")


def check_contents(config, path, allow_lambda, layer_classes=None, operations=(), our_layers=()):
    """Refuses a file that holds code, or layers that are not Keras' own.

    Args:
        config: structure of dicts and lists, the model's description.
        path: str or PathLike, for the message.
        allow_lambda: collection of str, names of Lambda layers whose code may run.
        layer_classes: module that has every layer class a file may name. Defaults to `None`, not asked.
        operations: collection of str, the bare TensorFlow operations that may run. Defaults to `()`.
        our_layers: collection of str, names by which layers of hwkeras are registered, which may be loaded. Defaults to
            `()`.

    Raises:
        UserError: a Lambda layer that is not allowed, code of another kind, a layer of the user, or a model that is
            quantized or still wears the wrappers of a training.
    """
    for name, entry, is_layer in _entries(config, None):
        kind = entry["class_name"]
        _refuse_code(name, kind, path, allow_lambda)
        _refuse_wrapped(name, kind, entry, path)
        module = entry.get("module")
        if entry.get("registered_name") in our_layers:
            continue
        is_own = module is None or module.split(".")[0] in _OWN_MODULES
        is_known = layer_classes is None or not is_layer or hasattr(layer_classes, kind) or kind in _NO_LAYERS
        if not is_own or ">" in str(entry.get("registered_name")) or not is_known:
            where = f" of {module}" if module else ""
            raise UserError(
                f"A model file is read without running code of others. Received: {path}, whose layer {name!r} needs "
                f"{kind!r}{where}, which is not Keras' own. Load it in Python, where your class is known, and call "
                "`hwkeras.compress.compress`."
            )
        if kind == "TFOpLambda" and entry["config"].get("function") not in operations:
            raise UserError(
                "Of TensorFlow's bare operations those with an equal in Keras 3 are read. Received: "
                f"{path}, whose layer {name!r} is {entry['config'].get('function')!r}. Save the model with Keras "
                "layers in its place."
            )


def _refuse_code(name, kind, path, allow_lambda):
    if kind in ("Lambda", "__lambda__") and name not in allow_lambda:
        raise UserError(
            f"A Lambda layer is Python code and is not run from a file unless asked for by name. Received: {path} with "
            f"the Lambda layer {name!r}. If you trust the file pass --allow-lambda {name} (in Python "
            f"allow_lambda=({name!r},)), or save the model with built-in layers in its place."
        )
    if kind in _CODE_LAYERS:
        raise UserError(
            f"A model to compress is made of Keras layers. Received: {path}, whose layer {name!r} of class {kind} runs "
            "a program of its own. Save the model with built-in layers in its place."
        )


def _refuse_wrapped(name, kind, entry, path):
    config = entry.get("config")
    is_quantized = isinstance(config, dict) and config.get("quantization_config") is not None
    if kind in _QUANTIZED or is_quantized:
        raise UserError(
            f"A model to compress must hold float weights. Received: {path}, whose layer {name!r} is already "
            "quantized. Compress the model it was quantized from."
        )
    if kind in _WRAPPED:
        raise UserError(
            f"A model to compress must be plain. Received: {path}, whose layer {name!r} is wrapped in {kind}. Save it "
            f"after tfmot's `{_WRAPPED[kind]}`."
        )


def _entries(value, name, is_layer=False):
    """Every object of a description: (the layer it belongs to, the object, whether it is a layer)."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _entries(item, name)
    if not isinstance(value, dict):
        return
    if "class_name" in value:
        config = value.get("config")
        has_name = isinstance(config, dict) and isinstance(config.get("name"), str)
        name = config["name"] if has_name and not value["class_name"].endswith("Policy") else name
        yield name, value, is_layer
        if value["class_name"] == "Lambda":
            return  # Its function was allowed by name.
    for key, item in value.items():
        if key == "layers" and isinstance(item, list):
            for layer in item:
                yield from _entries(layer, name, is_layer=True)
        elif key not in _SKIPPED:
            yield from _entries(item, name)
