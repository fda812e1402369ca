"""What holds for all tests: neither a slow machine nor the shell that starts them fails any."""

from __future__ import annotations

import signal
import threading

from hypothesis import settings

settings.register_profile("qjax", deadline=None)
settings.load_profile("qjax")

# A shell without job control starts what runs in its background with interrupts ignored, and every process
# that a test starts would inherit that.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
