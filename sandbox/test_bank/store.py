"""The bank's memory: every object in dictionaries, written through to one SQLite file so a bank can be restarted.

Reads never touch the file. A verb changes objects in place and says so with `touch`; `commit` writes all that was
touched in one database transaction, so the file never holds half a verb.
"""

import heapq
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Wire = dict[str, Any]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS object (id TEXT PRIMARY KEY, kind TEXT NOT NULL, place INTEGER NOT NULL,
                                   body TEXT NOT NULL, notes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS task (place INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """Something that falls due: at which moment, in which order, what, and for which object."""

    at: int
    place: int
    what: str
    subject: str


@dataclass(slots=True)
class Record:
    """One object as the wire shows it, and the bank's own notes on it, which the wire never shows."""

    kind: str
    place: int
    body: Wire
    notes: Wire = field(default_factory=dict)


class Store:
    """Objects by kind in the order of their making, tasks by time, and settings by name."""

    def __init__(self, path: Path | None = None) -> None:
        self._records: dict[str, Record] = {}
        self._kinds: dict[str, dict[str, Record]] = {}
        self._tasks: list[Task] = []
        self._settings: dict[str, Any] = {}
        self._dirty: dict[str, Record | None] = {}
        self._new_tasks: list[Task] = []
        self._done_tasks: list[int] = []
        self._dirty_settings: set[str] = set()
        self._file = None if path is None else _opened(path)
        if self._file is not None:
            self._load(self._file)

    # --- objects -----------------------------------------------------------------------------------------------------

    def add(self, kind: str, body: Wire, notes: Wire | None = None) -> None:
        """Keep a new object under its `id`."""
        record = Record(kind, self.count("place"), body, notes or {})
        self._index(body["id"], record)
        self._dirty[body["id"]] = record

    def touch(self, identifier: str) -> None:
        """Remember that an object, or the notes on it, changed."""
        self._dirty[identifier] = self._records[identifier]

    def remove(self, identifier: str) -> None:
        """Forget an object."""
        record = self._records.pop(identifier)
        del self._kinds[record.kind][identifier]
        self._dirty[identifier] = None

    def find(self, identifier: str) -> Record | None:
        """Return an object by its identifier, whatever it is."""
        return self._records.get(identifier)

    def newest_first(self, kind: str) -> Iterator[Record]:
        """Yield the objects of a kind, the last made first."""
        yield from reversed(self._kinds.get(kind, {}).values())

    def size(self, kind: str) -> int:
        """Return how many objects of a kind there are."""
        return len(self._kinds.get(kind, ()))

    # --- tasks -------------------------------------------------------------------------------------------------------

    def schedule(self, at: int, what: str, subject: str) -> None:
        """Let something fall due; tasks of one moment are done in the order in which they were scheduled."""
        task = Task(at, self.count("task"), what, subject)
        heapq.heappush(self._tasks, task)
        self._new_tasks.append(task)

    def next_at(self) -> int | None:
        """Return when the next task falls due."""
        return self._tasks[0].at if self._tasks else None

    def due(self, now: int) -> Task | None:
        """Take the first task that is due, if one is."""
        if not self._tasks or self._tasks[0].at > now:
            return None
        task = heapq.heappop(self._tasks)
        self._done_tasks.append(task.place)
        return task

    def waiting(self, what: str) -> list[Task]:
        """Return the tasks of a sort, the first due first."""
        return sorted(task for task in self._tasks if task.what == what)

    def hasten(self, what: str, now: int) -> int:
        """Let every task of a sort fall due now; return how many there were."""
        chosen = self.waiting(what)
        self._tasks = [task for task in self._tasks if task.what != what]
        heapq.heapify(self._tasks)
        self._done_tasks.extend(task.place for task in chosen)
        for task in chosen:
            self.schedule(min(now, task.at), what, task.subject)
        return len(chosen)

    # --- settings ----------------------------------------------------------------------------------------------------

    def setting(self, name: str, *, default: Any) -> Any:
        """Return a setting."""
        return self._settings.get(name, default)

    def set(self, name: str, *, value: Any) -> None:
        """Change a setting."""
        self._settings[name] = value
        self._dirty_settings.add(name)

    def count(self, name: str) -> int:
        """Return 1, 2, 3 … under a name."""
        number: int = self._settings.get(f"count/{name}", 0) + 1
        self.set(f"count/{name}", value=number)
        return number

    # --- the file ----------------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Write what changed, as one database transaction."""
        if self._file is not None:
            with self._file as tx:
                self._write(tx)
        self._dirty.clear()
        self._new_tasks.clear()
        self._done_tasks.clear()
        self._dirty_settings.clear()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.commit()
        if self._file is not None:
            self._file.close()

    def _write(self, tx: sqlite3.Connection) -> None:
        kept = [(key, record) for key, record in self._dirty.items() if record is not None]
        tx.executemany(
            "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?)",
            [(key, item.kind, item.place, json.dumps(item.body), json.dumps(item.notes)) for key, item in kept],
        )
        tx.executemany("DELETE FROM object WHERE id = ?", [(key,) for key, item in self._dirty.items() if item is None])
        tx.executemany(
            "INSERT INTO task VALUES (?, ?, ?, ?)",
            [(task.place, task.at, task.what, task.subject) for task in self._new_tasks],
        )
        tx.executemany("DELETE FROM task WHERE place = ?", [(place,) for place in self._done_tasks])
        settings = [(name, json.dumps(self._settings[name])) for name in self._dirty_settings]
        tx.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", settings)

    def _load(self, file: sqlite3.Connection) -> None:
        for key, kind, place, body, notes in file.execute("SELECT * FROM object ORDER BY place"):
            self._index(key, Record(kind, place, json.loads(body), json.loads(notes)))
        rows = file.execute("SELECT at, place, what, id FROM task ORDER BY at, place")
        self._tasks = [Task(*row) for row in rows]
        self._settings = {name: json.loads(value) for name, value in file.execute("SELECT * FROM setting")}

    def _index(self, identifier: str, record: Record) -> None:
        assert identifier not in self._records, f"{identifier} exists already"
        self._records[identifier] = record
        self._kinds.setdefault(record.kind, {})[identifier] = record


def _opened(path: Path) -> sqlite3.Connection:
    # The bank's one lock keeps threads apart, so SQLite need not insist on one thread.
    file = sqlite3.connect(path, check_same_thread=False)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    file.executescript(_SCHEMA)
    return file
