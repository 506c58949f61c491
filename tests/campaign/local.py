"""Every local fault: disk, catalog, clock, descriptors, readers that come, stay, and go."""

import argparse
from collections.abc import Callable, Sequence

from tests.campaign.crowd import (
    check_killed_worker,
    check_leavers,
    check_slow_readers,
    check_stop_under_load,
    check_stop_under_stalled,
)
from tests.campaign.damage import check_damage, check_damage_in_the_dark
from tests.campaign.disk import (
    check_broken_disk,
    check_descriptors,
    check_full_disk,
    check_full_disk_of_two,
    check_read_only,
    check_slow_disk,
)
from tests.campaign.facts import (
    check_clock,
    check_locked_catalog,
    check_lost_catalog,
    check_many_entries,
    check_second_server,
    check_slow_lock,
)
from tests.campaign.table import Table

CHECKS: dict[str, Callable[[Table], None]] = {
    "damage": check_damage,
    "dark": check_damage_in_the_dark,
    "full": check_full_disk,
    "full-two": check_full_disk_of_two,
    "broken": check_broken_disk,
    "slow": check_slow_disk,
    "read-only": check_read_only,
    "files": check_descriptors,
    "locked": check_locked_catalog,
    "locked-start": check_slow_lock,
    "lost": check_lost_catalog,
    "many": check_many_entries,
    "clock": check_clock,
    "second": check_second_server,
    "stop": check_stop_under_load,
    "stalled": check_stop_under_stalled,
    "leavers": check_leavers,
    "worker": check_killed_worker,
    "slow-readers": check_slow_readers,
}


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign local", description=__doc__)
    parser.add_argument("checks", nargs="*", choices=[*CHECKS, []], help="default: all")
    options = parser.parse_args(arguments)
    table = Table("Local faults")
    for name in options.checks or CHECKS:
        CHECKS[name](table)
    return table.show()
