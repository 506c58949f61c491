"""What the operating system says, as a StoreFailure that a person can read."""

from collections.abc import Iterator
from contextlib import contextmanager

from entrepot.errors import StoreFailure


def failure_of(subject: str, error: OSError) -> StoreFailure:
    return StoreFailure(f"{subject}: {error.strerror or error}")


@contextmanager
def failing_as_store(subject: str) -> Iterator[None]:
    """Turn an OSError into a StoreFailure about `subject`."""
    try:
        yield
    except OSError as error:
        raise failure_of(subject, error) from error
