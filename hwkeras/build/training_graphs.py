"""What keeps the graphs of a training in memory after it, and is done away with before."""

from __future__ import annotations

import tensorflow as tf


def let_graphs_go(model, x, y):
    """Prepares a compiled model so that TensorFlow can free the graphs of its training, which it else never does.

    A process would keep the graphs of all networks it has trained, of a small one some ten megabytes, and each training
    would take longer than the last. Two things hold them:

    1. variables of the optimizer and of metrics that are made while the training step is traced: each leaves a
       conditional in the graph, which refers to it out of the garbage collector's sight. They are made here.
    2. the sum of the gradients over replicas, whose own gradient TensorFlow registers for good, each time it is traced.
       With one replica there is nothing to sum.

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
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        # NOTE: no public name leads there. Where Keras calls it otherwise this does nothing, and a test says so.
        model.optimizer._all_reduce_sum_gradients = _as_they_are


def _as_they_are(grads_and_vars):
    return grads_and_vars
