"""An origin that misbehaves on purpose, for tests and campaigns.

    with Rogue() as rogue:
        rogue.serve("/big.bin", pattern(100_000_000), rate=20_000_000)
        rogue.disturb("/big.bin", reset_at(50_000_000), times=1)
        ... rogue.url("/big.bin") ...
        assert rogue.count("/big.bin") == 2

In a process of its own: `python -m tests.rogue --help`.
"""

from tests.rogue.faults import (
    Fault,
    When,
    answers,
    changing,
    close_at,
    drip_head,
    endless,
    every,
    flapping,
    flip_bit,
    gzip_bomb,
    instead,
    login_page,
    long_body,
    not_modified,
    redirect,
    reset_anywhere,
    reset_at,
    reset_before_answer,
    short_body,
    silence,
    slow_first_byte,
    stall_at,
    truncated_gzip,
    undelimited_cut,
    unending_chunks,
)
from tests.rogue.page import Page, Seen, pattern
from tests.rogue.ports import KeptPort, black_hole, refused_port
from tests.rogue.server import Rogue

__all__ = [
    "Fault",
    "KeptPort",
    "Page",
    "Rogue",
    "Seen",
    "When",
    "answers",
    "black_hole",
    "changing",
    "close_at",
    "drip_head",
    "endless",
    "every",
    "flapping",
    "flip_bit",
    "gzip_bomb",
    "instead",
    "login_page",
    "long_body",
    "not_modified",
    "pattern",
    "redirect",
    "refused_port",
    "reset_anywhere",
    "reset_at",
    "reset_before_answer",
    "short_body",
    "silence",
    "slow_first_byte",
    "stall_at",
    "truncated_gzip",
    "undelimited_cut",
    "unending_chunks",
]
