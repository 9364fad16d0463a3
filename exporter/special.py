"""SciPy's special functions, without the rest of NumPy.

On its import ``scipy.special`` asks NumPy for every public name that it has, and so imports what
NumPy would only import when it is used: f2py, its test support, random numbers. That is some 8 MB
of memory for nothing that runs here. They are out of sight while it is imported; whoever
wants one later imports it as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

UNUSED: Final = frozenset(
    (
        "char", "ctypeslib", "f2py", "polynomial", "random", "rec", "strings", "testing",
    )
)  # fmt: skip


@contextmanager
def _out_of_sight() -> Iterator[None]:
    # NumPy lists them under a name of its own; another NumPy may not, and then all are imported.
    numpy: Any = np
    lists = {name: getattr(numpy, name) for name in ("__all__", "__numpy_submodules__")
             if hasattr(numpy, name)}  # fmt: skip
    for name, listed in lists.items():
        setattr(numpy, name, type(listed)(one for one in listed if one not in UNUSED))
    try:
        yield
    finally:
        for name, listed in lists.items():
            setattr(numpy, name, listed)


with _out_of_sight():
    from scipy import special

__all__ = ["special"]
