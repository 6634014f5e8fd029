"""Which peers this machine has: a missing one is an error in CI and a told skip elsewhere."""

import os
import shutil

import pytest

PEERS = {
    "pbx": (("sipp",), "make peers, or apt-get install sip-tester"),
    "browser": (("chromium", "chromedriver"), "make peers, or apt-get install chromium-driver"),
}
"""Marker to the programs it needs and how to get them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("CI"):
        return
    for marker, (programs, remedy) in PEERS.items():
        missing = [p for p in programs if shutil.which(p) is None]
        if missing:
            skip = pytest.mark.skip(reason=f"needs {', '.join(missing)}: {remedy}")
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(skip)
