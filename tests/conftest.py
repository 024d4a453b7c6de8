"""What holds for all tests."""

import signal

from hypothesis import settings

# How long one example takes says how busy the machine is, and nothing about the code.
settings.register_profile("repository", deadline=None)
settings.load_profile("repository")

# A shell lets what it starts in the background ignore interrupts, and all that comes of it; some tests send them.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
