"""Find the parts of streampay-extras, which live in the SDK's one tree.

In the repository that tree stands beside this folder; a source archive carries its parts itself.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PARTS = (  # the core, in ../pyproject.toml, leaves out the same
    "_async.py",
    "_async_surface.py",
    "_async_surface.pyi",
    "_httpx.py",
    "adapters",
    "async_client.py",
    "cli",
    "gateway/sqlalchemy.py",
    "testing",
)


class PartsHook(BuildHookInterface[Any]):
    """Tell hatchling what to put into an archive; its configuration alone knows one place and no other."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Include each part under its import name; an editable installation points at the tree instead."""
        if version == "editable":
            return
        folder = Path(self.root)
        tree = folder / "streampay" if (folder / "streampay").is_dir() else folder.parent / "streampay"
        build_data["force_include"] |= {str(tree / name): f"streampay/{name}" for name in PARTS}
