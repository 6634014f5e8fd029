"""For all tests: which peers this machine has, and inputs by chance that are the same every time.

A missing peer is an error in CI and a told skip elsewhere.
"""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")
"""What fails here fails everywhere, and a slow machine is no fault. For inputs that nobody has
tried: ``pytest --hypothesis-profile=default``."""

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
