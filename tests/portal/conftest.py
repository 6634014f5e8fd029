"""Fixtures: a store filled by real hand-over folders, the app, a running server, a browser."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


def load(name: str, path: Path) -> ModuleType:
    """Import a helper of this folder by path (the test folders are no packages)."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


people = load("portal_people", HERE / "people.py")
stopgap = load("portal_stopgap", HERE / "stopgap" / "store.py")
