"""The stream-manager starts it with the number of its end of a socket pair."""

import signal
import sys

from sothebais.stream.media.process import run
from sothebais.telemetry import logging

# Ctrl-C and SIGTERM are for the manager; this process ends with its last message
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
logging.configure("stream-manager", folder=None)
sys.exit(run(int(sys.argv[1])))
