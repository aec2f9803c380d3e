"""Expected improvement of the hypervolume where all but one objective are known.

Cheap objectives are known before training, so what a candidate may add is a sum in closed form: the space of the cheap
losses is cut into cells by those of the front; in each cell one member has the least dear loss; and a candidate adds
there, for every unit of volume that its cheap losses reach, what its dear loss goes below that one.
"""

from __future__ import annotations

import numpy as np

# Cells grow with the power of the cheap objectives: beyond so many only the members with the least dear loss cut.
_MOST_CELLS = 1500


class Cells:
    """The front seen from its cheap objectives.

    Args:
        dear: float array of shape (num_members,), the dear losses; any points may be given, not only the front.
        cheap: float array of shape (num_members, num_cheap), `num_cheap` at least 1.
        dear_reference: float, the loss that counts where no member reaches.
        cheap_reference: float array of shape (num_cheap,), beyond which nothing counts.
    """

    def __init__(self, dear, cheap, dear_reference, cheap_reference):
        counted = (dear < dear_reference) & (cheap < cheap_reference).all(axis=1)
        dear, cheap = dear[counted], cheap[counted]
        most = int(_MOST_CELLS ** (1.0 / len(cheap_reference))) - 1
        chosen = np.argsort(dear, kind="stable")[: max(most, 1)]
        dear, cheap = dear[chosen], cheap[chosen]
        edges = [np.concatenate([[-np.inf], np.unique(column)]) for column in cheap.T]
        self._lows = edges
        self._highs = [np.append(edge[1:], end) for edge, end in zip(edges, cheap_reference, strict=True)]
        corners = np.stack(np.meshgrid(*edges, indexing="ij"), axis=-1).reshape(-1, len(edges))
        reaches = (cheap[None] <= corners[:, None]).all(axis=2)
        self._bests = np.min(np.where(reaches, dear[None], dear_reference), axis=1, initial=dear_reference)

    def expected_improvement(self, response, means, deviations, cheap):
        """What each candidate is expected to add.

        Args:
            response: `LogResponse` or `PlainResponse`, of the dear objective.
            means: float array of shape (num_candidates,), of the targets.
            deviations: float array of shape (num_candidates,).
            cheap: float array of shape (num_candidates, num_cheap).

        Returns:
            float array of shape (num_candidates,), volume.
        """
        bests, places = np.unique(self._bests, return_inverse=True)
        gains = response.expected_improvement(means[:, None], deviations[:, None], bests[None, :])
        volumes = np.ones((len(means), 1))
        for low, high, column in zip(self._lows, self._highs, cheap.T, strict=True):
            lengths = np.maximum(high[None] - np.maximum(column[:, None], low[None]), 0.0)
            volumes = (volumes[:, :, None] * lengths[:, None, :]).reshape(len(means), -1)
        return np.sum(volumes * gains[:, places.reshape(-1)], axis=1)
