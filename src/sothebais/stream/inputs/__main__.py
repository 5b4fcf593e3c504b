"""``python -m sothebais.stream.inputs DESCRIPTOR``: the reader of one input."""

from sothebais.stream.inputs.reader import main

main()
