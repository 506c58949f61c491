"""A name server for the namespace that knows no name and writes down which were asked for."""

import socket
import sys
from pathlib import Path

ADDRESS = "127.0.0.53"
_REFUSED = 5


def question_of(packet: bytes) -> str:
    """The name in a query (RFC 1035 §4.1.2)."""
    labels, position = [], 12
    while position < len(packet) and packet[position]:
        size = packet[position]
        labels.append(packet[position + 1 : position + 1 + size].decode("latin-1"))
        position += size + 1
    return ".".join(labels)


def refusal(packet: bytes) -> bytes:
    """The same query as an answer that says no (RFC 1035 §4.1.1)."""
    return packet[:2] + bytes((0x80 | packet[2], 0x80 | _REFUSED)) + packet[4:]


def main(record: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, record.open("a", buffering=1) as file:
        server.bind((ADDRESS, 53))
        print("listening", flush=True)
        while True:
            packet, client = server.recvfrom(4096)
            file.write(question_of(packet) + "\n")
            server.sendto(refusal(packet), client)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
