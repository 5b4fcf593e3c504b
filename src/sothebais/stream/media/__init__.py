"""The media process: composes, encodes and sends; nothing else runs beside it.

``messages`` is what it and the stream-manager tell each other, ``link`` how, ``pace`` its clock, ``composing`` and
``sending`` its two threads, ``process`` its whole.
"""
