"""``python -m sothebais`` is the command line, and every role's process.

What modules make while they are read stays, so the collector does not look for rubbish among it: a sixth of the start.
"""

import gc

gc.disable()

from sothebais.cli.app import main  # noqa: E402 - after the collector is off

gc.freeze()
gc.enable()
main()
