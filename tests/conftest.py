"""What holds for all tests: a slow machine fails none of them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("qjax", deadline=None)
settings.load_profile("qjax")
