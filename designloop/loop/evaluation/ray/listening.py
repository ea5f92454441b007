"""Who listens on which TCP port, as the kernel tells it in /proc."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from designloop.loop.evaluation.processes import name_of

_LISTEN = "0A"
"""The state of a socket that waits for connections, in /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that waits for connections."""

    inode: str
    """The kernel's number of the socket."""
    pid: int
    process: str
    """The process's name."""
    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only processes of this machine can connect."""
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.process} (process {self.pid}) at {host}:{self.port}"


def listeners(pids: Iterable[int]) -> list[Listener]:
    """The listening TCP sockets of some processes, by process and port; of one that has ended there are none."""
    sockets = _listening_sockets()
    held = {(pid, inode) for pid in pids for inode in _inodes(pid) if inode in sockets}
    every = [Listener(inode, pid, name_of(pid) or "a process that has ended", *sockets[inode]) for pid, inode in held]
    return sorted(every, key=lambda listener: (listener.pid, listener.port))


def _listening_sockets() -> dict[str, tuple[str, int]]:
    """Inode -> (address, port) of each TCP socket of this network namespace that listens."""
    sockets = {}
    for file in (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6")):
        if not file.exists() and file.name == "tcp6":  # a kernel without IPv6
            continue
        for line in file.read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
            if state == _LISTEN:
                host, port = local.split(":")
                sockets[inode] = (_address(host), int(port, 16))
    return sockets


def _address(text: str) -> str:
    """An address from the kernel's hexadecimal words, each in the byte order of the machine.

    One of IPv4 that a socket of IPv6 is bound to (``::ffff:127.0.0.1``) is given as such.
    """
    words = struct.unpack(f">{len(text) // 8}I", bytes.fromhex(text))
    address = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    return str(getattr(address, "ipv4_mapped", None) or address)


def _inodes(pid: int) -> set[str]:
    """Returns the inodes of the sockets that a process holds."""
    held = set()
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = _target(descriptor)
            if target.startswith("socket:["):
                held.add(target[len("socket:[") : -1])
    except FileNotFoundError:  # it has ended
        return set()
    return held


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # it was closed meanwhile
        return ""
