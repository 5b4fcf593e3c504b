"""The C heap of processes that live for hours.

The C library gives large blocks back to the system when they are freed, at first. Having freed one it keeps all up to
that size (32 MB at most) in its heaps, among small ones that stay: pictures that come and go then take a new heap now
and then, hours after the start. See ``mallopt(3)``.
"""

import ctypes
from typing import Final

#: Blocks from this size on are the system's again when they are freed, always: pictures and surfaces. To take them anew
#: costs a fault for each page: nothing to pictures that stay for minutes, half as much again to a voice, which computes
#: with hundreds of such blocks a second.
OWN_BLOCK_BYTES_MIN: Final = 1 << 20
#: So much may stay free at the end of the heap, for what is smaller.
FREE_BYTES_MAX: Final = 16 << 20
# of malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_even() -> bool:
    """Have large blocks given back for as long as this process lives; whether its C library can (glibc can)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, OWN_BLOCK_BYTES_MIN)) and bool(mallopt(_TRIM_THRESHOLD, FREE_BYTES_MAX))


def give_back() -> bool:
    """Give the system what is free at this moment, wherever it lies; whether there was any. 8 to 14 ms after
    forty texts of a voice; see ``malloc_trim(3)``."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
