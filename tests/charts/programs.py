"""Both programs as processes, without Kubernetes and without AWS."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

# Until a program that was started answers as it should, or has ended.
LIMIT = 60


def free_ports(count: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> list:
    """All different: each is kept until the last one is found."""
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(socket.socket(type=kind)) for _ in range(count)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


def environment(**more: str) -> dict:
    """Nothing of what says where the programs are: `ISOCHRON_COORDINATOR` is a key of the plane's configuration."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ISOCHRON_")}
    return env | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-west-1"} | more


@contextlib.contextmanager
def running(command: list, env: dict, log: Path):
    words = [str(word) for word in command]
    with open(log, "w") as out, subprocess.Popen(words, env=env, stdout=out, stderr=out) as it:
        try:
            yield it
        finally:
            it.terminate()
            try:
                it.wait(LIMIT)
            except subprocess.TimeoutExpired:
                it.kill()


def get(port: int, path: str) -> tuple:
    """Status and body; 0: nobody answered."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait(port: int, path: str, fits, log: Path) -> str:
    """The first body that fits."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        status, body = get(port, path)
        if fits(status, body):
            return body
        time.sleep(0.2)
    raise AssertionError(f"{path} said {status} {body}\n{log.read_text()[-2000:]}")
