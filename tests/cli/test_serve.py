"""`entrepot serve`: what it does before it serves."""

import socket

from tests.cli.house import House, status_of


def test_port_0_takes_a_free_port_and_tells_it(house: House) -> None:
    with house.serving() as address:
        assert not address.endswith(":0")
        assert status_of(f"{address}/ready") == 200


def test_a_port_that_is_in_use_is_refused(house: House) -> None:
    with socket.socket() as other:
        # As another server's worker holds it: the kernel alone would let us in.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        listener = f"127.0.0.1:{other.getsockname()[1]}"
        done = house.process("serve", "--listen", listener)
    assert done.status == 2
    assert done.err.startswith(f"entrepot: error: {listener} cannot be listened on: Address already in use; ")


def test_a_second_server_on_the_same_directory_is_refused(house: House) -> None:
    with house.serving():
        done = house.process("serve", "--listen", "127.0.0.1:0")
    assert done.status == 2
    assert "uses this data directory" in done.err


def test_a_host_that_is_not_ours_is_refused(house: House) -> None:
    done = house.process("serve", "--listen", "127.0.0.1.invalid:0")
    assert done.status == 2
    assert done.err.count("\n") == 1
