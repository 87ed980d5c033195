"""Rates of change over time of values with gaps."""

import numpy as np
from scipy.signal import savgol_filter

from motionhub.skeletons.findings import runs


def rates(values: np.ndarray, fps: float, seconds: float = 0.1) -> np.ndarray:
    """The change per second along axis 1 of `(people, frames, ...)`; NaN where it cannot be measured.

    The slope of a parabola fitted to the frames within `seconds` (Savitzky-Golay; at least 3 frames): exact for
    constant and for evenly changing rates. Missing frames are not bridged, and runs of fewer than 3 frames have none.
    """
    values = np.asarray(values, dtype=np.float64)
    columns = np.moveaxis(values, 1, 0).reshape(values.shape[1], values[:, :1].size if values.shape[1] else 0)
    slopes = np.full_like(columns, np.nan)
    window = max(3, 2 * round(seconds * fps / 2) + 1)
    for column in range(columns.shape[1]):
        for first, end in runs(np.isfinite(columns[:, column])):
            length = min(window, end - first - (end - first + 1) % 2)
            if length >= 3:
                part = columns[first:end, column]
                slopes[first:end, column] = savgol_filter(part, length, 2, deriv=1, delta=1 / fps)
    shape = (values.shape[1], values.shape[0], *values.shape[2:])
    return np.moveaxis(slopes.reshape(shape), 0, 1)
