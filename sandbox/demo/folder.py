"""The demo's folder for databases and logs: its own while it runs, and empty when it begins."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claimed(usual: Path, *, beside: Path) -> Iterator[Path]:
    """Lend an empty folder: the usual one, or the one beside it while another demo runs in that.

    A database that another version left behind is none to go on with, so nothing is kept.

    Raises:
        OSError: neither can be had, or something in it cannot be removed.
    """
    try:
        folder, lock = usual, _locked(usual)
    except BlockingIOError:
        folder, lock = beside, _locked(beside)
    try:
        _empty(folder)
        yield folder
    finally:
        os.close(lock)


def _locked(folder: Path) -> int:
    """Make and lock a folder; the lock ends with the descriptor, and with this process at the latest."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
