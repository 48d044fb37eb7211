"""Opening by a path in which nobody can put a symbolic link: every part of it is walked without following any.

For paths that lead through directories of other users. Knows nothing of what the files are. Blocks.
"""

from __future__ import annotations

import os


def open_parent(path: str) -> int:
    """An O_PATH descriptor of the directory above an absolute, normal ``path``.

    Raises ``OSError`` whose ``filename`` is the part that is a link (ELOOP or ENOTDIR), is missing or is no directory.
    """
    descriptor = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    walked = ""
    for part in path.split("/")[1:-1]:
        walked += f"/{part}"
        try:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
        except OSError as error:
            error.filename = walked
            raise
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def open_path(path: str) -> int:
    """An O_PATH descriptor of the file itself; of the link, if that is what it is. Raises ``OSError`` as above."""
    parent = open_parent(path)
    try:
        return os.open(os.path.basename(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    finally:
        os.close(parent)
