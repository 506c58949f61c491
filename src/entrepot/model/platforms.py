"""Where packages will be used: `linux/amd64`, `linux/arm64/musl`, `darwin/arm64`, `windows/amd64`."""

from dataclasses import dataclass

from entrepot.errors import BadRequest

_SYSTEMS = {"linux": "linux", "darwin": "darwin", "macos": "darwin", "windows": "windows", "win32": "windows"}
_PROCESSORS = {
    "amd64": "amd64",
    "x86_64": "amd64",
    "x64": "amd64",
    "arm64": "arm64",
    "aarch64": "arm64",
    "386": "386",
    "i386": "386",
    "i686": "386",
    "x86": "386",
    "ia32": "386",
    "arm": "arm",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "ppc64": "ppc64",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
_LIBRARIES = {"glibc": "glibc", "gnu": "glibc", "musl": "musl"}


@dataclass(frozen=True, slots=True)
class Platform:
    """Go's names of systems and processors; `libc` is empty where it was not said, or is not Linux."""

    system: str
    processor: str
    libc: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.system, self.processor, self.libc) if part)


def parse_platform(text: str) -> Platform | str:
    """A platform, or the text itself where it has no slash: a pattern in the ecosystem's own terms (a wheel's tags).
    Raises BadRequest for a system, processor or C library that nobody knows."""
    parts = text.strip().lower().split("/")
    if len(parts) == 1 and parts[0]:
        return text.strip()
    system, processor = _SYSTEMS.get(parts[0]), _PROCESSORS.get(parts[1]) if len(parts) > 1 else None
    libc = _LIBRARIES.get(parts[2]) if len(parts) > 2 else ""
    if system is None or processor is None or libc is None or len(parts) > 3:
        raise BadRequest(
            f"{text!r} is no platform; write SYSTEM/PROCESSOR or SYSTEM/PROCESSOR/LIBC, like linux/amd64 or "
            "linux/arm64/musl"
        )
    return Platform(system, processor, libc)
