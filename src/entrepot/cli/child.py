"""Another program in our place: its own terminal, its own signals, its exit status."""

import os
import shutil
import signal
from collections.abc import Collection, Mapping, Sequence

from entrepot.errors import EntrepotError

PASSED_ON = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2})
NOT_RUNNABLE, NOT_FOUND = 126, 127
"""What shells say (POSIX, 2.8.2)."""
BY_SIGNAL = 128


class CannotRun(EntrepotError):
    code = "cannot-run"

    def __init__(self, command: str, reason: str, exit_status: int) -> None:
        super().__init__(f"{command}: {reason}")
        self.exit_status = exit_status


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end; its exit status, or 128 and the number of the signal that ended it. Standard streams
    are the child's. Raises CannotRun."""
    watched = {*PASSED_ON, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = _start(command, environment, before)
        while (status := _status_of(child)) is None:
            told = signal.sigwaitinfo(watched)
            # What the terminal sends (from no process) it sends to the child as well: twice would be once too often.
            if told.si_signo in PASSED_ON and told.si_pid:
                os.kill(child, told.si_signo)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return status if status >= 0 else BY_SIGNAL - status


def _start(command: Sequence[str], environment: Mapping[str, str], mask: Collection[int]) -> int:
    # The child's own PATH counts: there may be programs in front of others.
    program = shutil.which(command[0], path=environment.get("PATH")) or command[0]
    try:
        return os.posix_spawnp(
            program, list(command), environment, setsigmask=mask, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ)
        )
    except FileNotFoundError as error:
        raise CannotRun(command[0], "command not found", NOT_FOUND) from error
    except OSError as error:
        raise CannotRun(command[0], f"cannot be run: {error.strerror}", NOT_RUNNABLE) from error


def _status_of(child: int) -> int | None:
    """The exit status, negative for a signal; None while it runs."""
    ended, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None
