"""Where the tests keep their files: in memory, where there is enough of it.

A test makes a database and throws it away. On a disk that is mostly the file system's own work, a quarter of a second
for PostgreSQL; nothing here has to survive a power cut, and what a killed process leaves is the same in both places.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - below it every run makes a folder of its own
_ENOUGH: Final = 6 << 30


def folder() -> str:
    """The folder to make temporary ones in."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        return str(_MEMORY)
    return "/tmp"  # noqa: S108 - likewise
