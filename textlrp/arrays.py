"""Type aliases for NumPy arrays in signatures. The docstrings give the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Any dtype and shape."""

FloatArray = NDArray[np.float64]
"""float64, any shape."""

IntArray = NDArray[np.int64]
"""int64, any shape: positions, columns or counts."""
