"""Every exception Entrepot raises.

EntrepotError
├── BadRequest            400  the request cannot be understood
│   ├── UnreadableLock    400  a lock file that cannot be understood: file, line, what was found
│   ├── UnreadableBill    400  a bill of materials that cannot be understood: file, component, what was found
│   └── UnreadableBundle  400  a bundle that is not as it was written, or not from whom we trust
├── TokenNeeded           401  this is for those who have a token
├── NotServed             404  this repository does not serve such a path
├── MethodRefused         405  not one of the methods this path has
├── WalkUnderWay          409  somebody walks this tree already
├── TooLarge              413  a request body over its cap
├── Misdirected           421  a Host we are not
├── TooManyJobs           429  a client has as many mirror jobs open as it may
├── Refused               403  a cross-site or unauthorised use of what is not public
├── Absent                404  upstream says that this does not exist (410: it is gone)
├── NotCached             504  only stored content may be had (the client asked so, or we are offline), and it is not
├── NotYet                404  not stored; it is fetched behind this answer
├── Withheld              404  not stored, and policy does not have it fetched
├── PolicyRefused         403  policy refuses it, stored or not
├── PolicyHidden          404  policy says that it does not exist (a dated view: not yet)
├── PolicyUnknown         503  what policy depends on cannot be evaluated now
├── UpstreamFailure       502  upstream could not give a usable answer
│   ├── Unreachable       502  no connection
│   ├── UpstreamTimeout   504  silence beyond a limit
│   ├── UpstreamBusy      503  Retry-After is running, or the breaker is open
│   ├── UpstreamStatus    502  a status that is neither success nor absence
│   ├── BodyCut           502  the body ended before its length
│   ├── TooBig            502  the body is over a configured cap
│   ├── EgressRefused     502  an address or origin that configuration does not allow
│   └── LoopDetected      508  our own instance id came back in Via
├── BadContent            502  the bytes are not what they should be
│   ├── DigestMismatch    502  they differ from the published digest
│   ├── VersionChanged    502  they differ from what this name had before
│   └── UnreadableIndex   502  an index that cannot be parsed
├── StoreFailure          503  the local disk or catalog failed
│   └── NotStorable       503  what upstream or configuration does not let us store
├── ServerEnding          503  the server takes no new sessions, because it is about to end
├── ConfigError            -   the configuration is wrong: file, line, remedy
└── InternalError         500  a defect of ours
"""

from typing import ClassVar


class EntrepotError(Exception):
    """Base of all. `status` is what a client sees, `code` is stable and documented."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    @property
    def retry_after(self) -> int | None:
        """Seconds after which trying again makes sense, if known."""
        return None


class BadRequest(EntrepotError):
    status, code = 400, "bad-request"


class UnreadableLock(BadRequest):
    status, code = 400, "unreadable-lock"


class UnreadableBill(BadRequest):
    status, code = 400, "unreadable-bill"


class UnreadableBundle(BadRequest):
    status, code = 400, "unreadable-bundle"


class TokenNeeded(EntrepotError):
    status, code = 401, "token-needed"


class NotServed(EntrepotError):
    status, code = 404, "not-served"


class MethodRefused(EntrepotError):
    status, code = 405, "method-refused"

    def __init__(self, method: str, allowed: str = "GET, HEAD") -> None:
        super().__init__(f"{method} is not served here; allowed: {allowed}")
        self.allowed = allowed


class WalkUnderWay(EntrepotError):
    status, code = 409, "walk-under-way"


class TooLarge(EntrepotError):
    status, code = 413, "too-large"


class Misdirected(EntrepotError):
    status, code = 421, "misdirected"


class TooManyJobs(EntrepotError):
    """`client` has `most` mirror jobs that have not ended."""

    status, code = 429, "too-many-jobs"

    def __init__(self, client: str, most: int) -> None:
        super().__init__(
            f"{most} mirror jobs of {client!r} have not ended, and more are not taken (mirroring.per_token): wait for "
            "some, cancel some, or put more into one order"
        )

    @property
    def retry_after(self) -> int | None:
        return 60


class Refused(EntrepotError):
    status, code = 403, "refused"


class Absent(EntrepotError):
    """Upstream said 404 or 410; `gone` keeps the difference. `asked`: whether upstream could be asked at all."""

    status, code = 404, "absent"

    def __init__(self, subject: str, *, gone: bool = False, asked: bool = True) -> None:
        said = f"upstream says it {'is gone' if gone else 'does not exist'}" if asked else "not stored here"
        super().__init__(f"{subject}: {said}")
        self.gone = gone


class NotCached(EntrepotError):
    status, code = 504, "not-cached"


class NotYet(EntrepotError):
    status, code = 404, "not-yet"


class Withheld(EntrepotError):
    status, code = 404, "withheld"


class PolicyError(EntrepotError):
    """Policy says no; the text names the reason and the rule."""

    def __init__(self, subject: str, reason: str, rule: str) -> None:
        super().__init__(f"{subject}: {reason} ({rule})" if rule else f"{subject}: {reason}")
        self.reason, self.rule = reason, rule


class PolicyRefused(PolicyError):
    status, code = 403, "policy-refused"


class PolicyHidden(PolicyError):
    status, code = 404, "policy-hidden"


class PolicyUnknown(PolicyError):
    status, code = 503, "policy-unknown"


class UpstreamFailure(EntrepotError):
    status, code = 502, "upstream-failure"


class Unreachable(UpstreamFailure):
    status, code = 502, "upstream-unreachable"


class UpstreamTimeout(UpstreamFailure):
    status, code = 504, "upstream-timeout"


class UpstreamBusy(UpstreamFailure):
    status, code = 503, "upstream-busy"

    def __init__(self, origin: str, seconds: float, reason: str) -> None:
        super().__init__(f"{origin}: {reason}; next try in {max(1, round(seconds))} s")
        self.seconds = seconds

    @property
    def retry_after(self) -> int | None:
        return max(1, round(self.seconds))


class UpstreamStatus(UpstreamFailure):
    status, code = 502, "upstream-status"

    def __init__(self, subject: str, upstream_status: int) -> None:
        super().__init__(f"{subject}: upstream answered {upstream_status}")
        self.upstream_status = upstream_status


class BodyCut(UpstreamFailure):
    status, code = 502, "upstream-body-cut"


class TooBig(UpstreamFailure):
    status, code = 502, "upstream-too-big"


class EgressRefused(UpstreamFailure):
    status, code = 502, "egress-refused"


class LoopDetected(UpstreamFailure):
    status, code = 508, "loop-detected"


class BadContent(EntrepotError):
    status, code = 502, "bad-content"


class DigestMismatch(BadContent):
    status, code = 502, "digest-mismatch"

    def __init__(self, subject: str, wanted: str, got: str) -> None:
        super().__init__(f"{subject}: wanted {wanted}, received {got}")


class VersionChanged(BadContent):
    status, code = 502, "version-changed"

    def __init__(self, subject: str, remembered: str, got: str) -> None:
        super().__init__(
            f"{subject}: the bytes under this name changed: remembered {remembered}, received {got}; "
            f"an operator can take the new bytes with `entrepot accept {subject}`"
        )
        self.got = got


class UnreadableIndex(BadContent):
    status, code = 502, "unreadable-index"


class StoreFailure(EntrepotError):
    status, code = 503, "store-failure"


class NotStorable(StoreFailure):
    """No failure of ours: it was, or would be, served all the same."""

    status, code = 503, "not-storable"


class ServerEnding(EntrepotError):
    status, code = 503, "server-ending"


class ConfigError(EntrepotError):
    code = "config"


class InternalError(EntrepotError):
    status, code = 500, "internal"
