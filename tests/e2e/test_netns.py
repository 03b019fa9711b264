"""The namespace of a program, without a stack: the wire is what a connection depends on."""

import sys

import pytest

from tests.kit import process

GUARDED = """
import os, socket
from smolctl import netns
namespace = netns.enter(1500)
held = netns.guard(namespace)
here = {"local": "192.0.2.2", "prefixlen": 24, "gateway": "192.0.2.1"}
netns.configure([here])
with socket.create_server((here["local"], 0)) as listener:
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
os.close(held)
theirs.sendall(b"the wire is there")
print(ours.recv(100).decode())
os.close(namespace.tap)
try:
    ours.recv(1)
except ConnectionAbortedError as error:
    print(error.strerror)
"""


@pytest.mark.netns
def test_a_connection_lasts_as_long_as_the_wire() -> None:
    ended = process.run([sys.executable, "-c", GUARDED], check=True)
    assert ended.stdout == "the wire is there\nSoftware caused connection abort\n"
