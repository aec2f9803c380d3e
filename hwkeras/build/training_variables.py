"""The variables a training adds to those of the network, made before it begins."""

from __future__ import annotations


def make_training_variables(model, x, y):
    """Makes the variables of a compiled model's optimizer and metrics, where they are not made yet.

    Keras would make them while it traces the training step. Each then leaves a conditional in the graph, and TensorFlow
    never frees a graph that holds one, nor those that the conditional chooses between: of a small network with Adam
    thirty. The graph of the training step itself stays all the same.

    Args:
        model: keras.Model; one that is not compiled is left as it is.
        x: inputs of one sample or more, array or list or dict of arrays.
        y: their labels.
    """
    if not model.compiled:
        return
    outputs = model(x, training=False)
    model.optimizer.build(model.trainable_variables)
    model.compute_metrics(x, y, outputs)
    model.reset_metrics()
