"""``python -m sothebais`` is the command line."""

from sothebais.cli.app import main

main()
