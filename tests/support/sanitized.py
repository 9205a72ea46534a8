"""Whether tests run under a sanitizer (tests/sanitizers), which makes steps many times as long."""

import os

SLOWER = 20 if "san.so" in os.environ.get("LD_PRELOAD", "") else 1
