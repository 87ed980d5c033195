"""Dynamic time warping of a matrix of costs (Sakoe and Chiba 1978).

Our own, since the costs are of poses with missing joints: dtaidistance and fastdtw take complete sequences only, and
of those that take a matrix dtw-python is GPL and librosa brings numba. Motions of a repetition are short.
"""

import numpy as np


BAND = 0.35  # of the length: how far a moment may be from its place at constant speed


def warping_path(costs: np.ndarray) -> np.ndarray:
    """`(steps, 2)` row and column from the first corner to the last, with the least sum of costs.

    A diagonal step counts twice, so that detours are not cheaper. Moments farther than `BAND` from the diagonal are
    not matched.

    Args:
        costs: `(rows, columns)`, finite and not negative.

    Raises:
        ValueError: no row or column, or costs that are not finite.
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.ndim != 2 or not costs.size or not np.isfinite(costs).all():
        raise ValueError(f"Expected a matrix of finite costs with a row and a column or more, got {costs.shape}.")
    rows, columns = costs.shape
    places = np.abs(np.linspace(0, 1, rows)[:, None] - np.linspace(0, 1, columns))
    # At least two moments wide, or the path of a short motion is cut.
    banded = np.where(places <= max(BAND, 2 / min(rows, columns)), costs, np.inf)
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = -costs[0, 0]  # the first moment counts once
    for row in range(rows):
        for column in range(columns):
            cost = banded[row, column]
            diagonal = total[row, column] + 2 * cost
            total[row + 1, column + 1] = min(diagonal, total[row, column + 1] + cost, total[row + 1, column] + cost)
    return _traced(total, banded)


def _traced(total: np.ndarray, costs: np.ndarray) -> np.ndarray:
    row, column = costs.shape[0] - 1, costs.shape[1] - 1
    path = [(row, column)]
    while row or column:
        cost = costs[row, column]
        steps = (
            (total[row, column] + 2 * cost, row - 1, column - 1),
            (total[row, column + 1] + cost, row - 1, column),
            (total[row + 1, column] + cost, row, column - 1),
        )
        _, row, column = min(step for step in steps if step[1] >= 0 and step[2] >= 0)
        path.append((row, column))
    return np.array(path[::-1])


def onto(path: np.ndarray, values: np.ndarray, rows: int) -> np.ndarray:
    """`values` `(columns, ...)` at the time of each row: the mean of the columns that the path matches to it."""
    sums = np.zeros((rows, *values.shape[1:]))
    counts = np.zeros((rows, *values.shape[1:]))
    taken = values[path[:, 1]]
    np.add.at(sums, path[:, 0], np.nan_to_num(taken))
    np.add.at(counts, path[:, 0], np.isfinite(taken))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / counts)
