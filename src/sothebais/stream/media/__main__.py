"""The stream-manager starts it: ``python -m sothebais.stream.media DESCRIPTOR [LOG FOLDER]``, with its end of a socket
pair. What ends it without an exception (a fault in a library) leaves its stacks in ``media.crash``.
"""

import faulthandler
import logging as standard
import os
import signal
import sys
from pathlib import Path

from sothebais import heap, priorities
from sothebais.telemetry import logging

SERVICE, PART = "stream-manager", "media"

folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
try:
    logging.configure(SERVICE, folder=folder, part=PART)
    if folder is not None:
        # open for as long as the process lives
        faulthandler.enable((folder / SERVICE / f"{PART}.crash").open("a"), all_threads=True)
except OSError:
    # a disk that takes no logs must not take the picture too
    logging.configure(SERVICE, folder=None, part=PART)
    faulthandler.enable(all_threads=True)
# Ctrl-C and SIGTERM are for the manager; this process ends with its last message
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)

heap.keep_even()
# the threads that are begun from here on have it too
priorities.come_first()

try:
    from sothebais.stream.media.process import run

    code = run(int(sys.argv[1]))
except Exception:
    standard.getLogger(__name__).exception("stream.media_failed")
    code = 1
finally:
    standard.shutdown()
# at once: threads that draw and encode do not survive the interpreter's own way of ending
os._exit(code)
