"""What the C allocators of the serving processes keep for later: by default, all that a herd of readers once needed."""

import ctypes
import os

JEMALLOC = "narenas:1,dirty_decay_ms:500,muzzy_decay_ms:0"
"""For granian's. Its own choice is four arenas for each core, and to keep for ten seconds what was freed: 500 readers
of one download then took 430 MiB in two workers, and 260 MiB with one arena. Less than half a second costs speed."""
ARENA_MAX, TRIM_THRESHOLD, MMAP_THRESHOLD = -8, -1, -3
"""Parameters of mallopt(3)."""
BIG_BYTES = 1 << 20


def restrain_allocators() -> None:
    """To be called before granian is imported: its allocator reads its settings once."""
    os.environ.setdefault("_RJEM_MALLOC_CONF", JEMALLOC)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return  # Not glibc: another allocator, with other habits.
    mallopt(ARENA_MAX, 1)
    # Setting them also ends their growth: one big index would otherwise make the heap keep 64 MiB for good.
    mallopt(MMAP_THRESHOLD, BIG_BYTES)
    mallopt(TRIM_THRESHOLD, BIG_BYTES)
