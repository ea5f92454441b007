"""Who listens: against sockets that this test opens itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.processes import family
from designloop.loop.evaluation.ray import own as own_ray
from designloop.loop.evaluation.ray.listening import Listener, listeners
from designloop.loop.evaluation.ray.own import refuse_exposed

HELPER = """
import socket, sys
held = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
held.bind((sys.argv[1], 0))
held.listen()
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def helper(address: str) -> Iterator[tuple[int, int]]:
    """(process id, port) of a child that listens at an address."""
    command = [sys.executable, "-c", HELPER, address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.communicate()


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("0.0.0.0", False),
        pytest.param("::1", True, marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")),
        pytest.param("::", False, marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")),
        pytest.param("::ffff:127.0.0.1", True, marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")),
    ],
)
def test_a_listening_child_is_seen_with_its_address(address: str, is_loopback: bool) -> None:
    with helper(address) as (pid, port):
        assert pid in family(os.getpid())
        (listener,) = listeners([pid])
    expected = (pid, address.removeprefix("::ffff:"), port, is_loopback)
    assert (listener.pid, listener.address, listener.port, listener.is_loopback) == expected
    assert listener.process.startswith("python")
    assert listeners([pid]) == [], "a process that has ended holds nothing"


def test_a_socket_that_does_not_listen_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            ports = {listener.port for listener in listeners([os.getpid()])}
        assert server.getsockname()[1] in ports
        assert client.getsockname()[1] not in ports


def test_a_grandchild_belongs_to_the_family() -> None:
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HELPER!r}, '127.0.0.1'])"
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert port in {listener.port for listener in listeners(family(os.getpid()))}
        assert os.getpid() not in family(process.pid)
        process.communicate()


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [("192.0.2.7", False), ("fe80::1", False), ("2001:db8::7", False), ("127.255.0.1", True)],
)
def test_addresses_that_no_test_can_bind_to(address: str, is_loopback: bool) -> None:
    assert Listener("1", 1, "raylet", address, 1).is_loopback == is_loopback


def test_what_listens_beyond_loopback_is_refused_by_name(sockets_before: set[str]) -> None:
    with helper("127.0.0.1"):
        refuse_exposed(family(os.getpid()), sockets_before)
    with helper("0.0.0.0") as (pid, port):
        refuse_exposed([pid], {listener.inode for listener in listeners([pid])})  # it was so before
        message = rf"\(process {pid}\) at 0.0.0.0:{port}, expected 127.0.0.1.*{own_ray.OPEN}=1"
        with pytest.raises(NoWorkers, match=message):
            refuse_exposed(family(os.getpid()), sockets_before)


def test_a_user_may_allow_it(
    sockets_before: set[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(own_ray.OPEN, "1")
    with helper("0.0.0.0") as (pid, port):
        refuse_exposed(family(os.getpid()), sockets_before)
    assert f"(process {pid}) at 0.0.0.0:{port}" in caplog.text
    monkeypatch.setenv(own_ray.OPEN, "0")
    with helper("0.0.0.0"), pytest.raises(NoWorkers):
        refuse_exposed(family(os.getpid()), sockets_before)
