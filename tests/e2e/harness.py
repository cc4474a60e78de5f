"""What the end-to-end tests share: a simulator, a host with the real plugin, and their folders.

A World is one test's own: a simulator on a port of the system's choice, a configuration, a state
folder, a workspace, an outbox. Its close() ends every process that it started and then checks what
must hold after any test: the ledger is sound, nothing half-written lies about, and no key of the
configuration is in any file, output or argument list.

Nothing here sleeps to wait for something: tests wait for a process to end, for a line on its standard
error, or for the simulator to have seen a request (/_sim/wait). Everything is bounded in time.
"""
import argparse
import codecs
import fcntl
import http.client
import json
import os
import pty
import re
import secrets
import select
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
import urllib.parse
import zlib

LIMIT_S = 60        # of any single process or exchange
SIM_LIFE_S = 240    # a simulator ends by itself after this, whatever happens to the test

programs = argparse.Namespace(host=None, plugin=None, crash=None, sim=None, mcp=None,
                              clients=None, sanitize=False)

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer")


def main():
    """Takes the programs' paths from the command line, and leaves the rest to unittest."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--crash")
    parser.add_argument("--sim", required=True)
    parser.add_argument("--mcp", help="agent-host-mcp")
    parser.add_argument("--clients", help="folder with the MCP clients and their Node")
    parser.add_argument("--sanitize", action="store_true", help="the programs are built so")
    _, rest = parser.parse_known_args(namespace=programs)
    for name in ("host", "plugin", "crash", "sim", "mcp", "clients"):
        if getattr(programs, name):
            setattr(programs, name, os.path.abspath(getattr(programs, name)))
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


class Sim:
    """A running simulator and its control."""

    def __init__(self, key, *options):
        self.process = subprocess.Popen(
            [programs.sim, "--port", "0", "--max-seconds", str(SIM_LIFE_S), "--key", key, *options],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        if not match:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("the simulator gave no address: %r" % line)
        self.port = int(match.group(1))
        self.base = "http://127.0.0.1:%d" % self.port

    def ask(self, method, path, body=None):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            data = None if body is None else json.dumps(body).encode()
            conn.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            answer = conn.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            conn.close()

    def control(self, method, path, body=None):
        status, answer = self.ask(method, "/_sim/" + path, body)
        if status != 200:
            raise AssertionError("%s /_sim/%s: %d %r" % (method, path, status, answer))
        return answer

    def set(self, **settings):
        self.control("POST", "settings", settings)

    def fault(self, route, kind, **more):
        self.control("POST", "faults", dict(more, route=route, kind=kind))

    def faults(self):
        return self.control("GET", "faults")["faults"]

    def no_faults(self):
        self.control("DELETE", "faults")

    def log(self, **query):
        return self.control("GET", "log?" + urllib.parse.urlencode(query))["requests"]

    def totals(self):
        return self.control("GET", "totals")

    def wait(self, count=1, timeout_ms=20000, **query):
        """Until the simulator has seen so many such requests."""
        query = urllib.parse.urlencode(dict(query, count=count, timeout_ms=timeout_ms))
        status, answer = self.ask("GET", "/_sim/wait?" + query)
        if status != 200:
            raise AssertionError("never seen: %s (%d %r)" % (query, status, answer))

    def jobs(self):
        return self.control("GET", "jobs")["jobs"]

    def job(self, job, status, **more):
        self.control("POST", "jobs/" + job, dict(more, status=status))

    def close(self):
        self.process.terminate()
        try:
            rest, _ = self.process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert self.process.returncode == 0, "the simulator ended with %d" % self.process.returncode
        assert rest == "", "more than one line on the simulator's stdout: %r" % rest


class Done:
    """How a host process ended."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self):
        """The one line of standard output."""
        if self.out.count("\n") != 1 or not self.out.endswith("\n"):
            raise AssertionError("not exactly one line on stdout: %r\n%s" % (self.out, self.err))
        value = json.loads(self.out)
        assert isinstance(value, dict), self.out
        return value

    def __repr__(self):
        return "exit %d\n--- stdout\n%s--- stderr\n%s" % (self.code, self.out, self.err[-6000:])


class Host:
    """One running agent-host. Its output is gathered by two threads of the test."""

    def __init__(self, argv, env, cwd, stdin=None):
        self.argv = argv
        self.text = {"out": "", "err": ""}
        self.more = threading.Condition()
        self.process = subprocess.Popen(
            argv, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        if stdin is not None:
            self.process.stdin.write(stdin.encode())
            self.process.stdin.close()
        self.pid = self.process.pid
        self.readers = [threading.Thread(target=self._read, args=(name, stream), daemon=True)
                        for name, stream in (("out", self.process.stdout),
                                             ("err", self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, stream):
        while True:
            piece = os.read(stream.fileno(), 65536)
            with self.more:
                self.text[name] += piece.decode("utf-8", "replace")
                self.more.notify_all()
            if not piece:
                stream.close()
                return

    def wait_err(self, pattern, timeout=LIMIT_S):
        """Until standard error holds what the pattern asks for."""
        with self.more:
            found = self.more.wait_for(lambda: re.search(pattern, self.text["err"]), timeout)
            if not found:
                raise AssertionError("never on stderr: %s\n%s" % (pattern, self.text["err"][-6000:]))

    def signal(self, sig):
        self.process.send_signal(sig)

    def running(self):
        return self.process.poll() is None

    def end(self, timeout=LIMIT_S):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("still running after %g s: %s\n%s" %
                                 (timeout, " ".join(self.argv), self.text["err"][-6000:]))
        for reader in self.readers:
            reader.join(LIMIT_S)
        return Done(code, self.text["out"], self.text["err"])

    def kill(self):
        if self.running():
            self.process.kill()
        return self.end()


class Terminal:
    """agent-host with a person in front of it. Standard output is a pipe of its own, or with whole=True
    the terminal, too."""

    def __init__(self, world, *args, columns=100, rows=24, whole=False, program=None, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        argv = [program or programs.host, "--plugin", programs.plugin, "--config", world.config,
                "--state", world.state, "--workspace", world.workspace, "--check", *args]
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave if whole else subprocess.PIPE,
                                        stderr=slave, cwd=world.workspace, start_new_session=True,
                                        env=world.environment({"TERM": "xterm", **(env or {})}))
        os.close(slave)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.text = ""

    def read(self):
        if not select.select([self.master], [], [], LIMIT_S)[0]:
            raise AssertionError("silent: %r" % self.text)
        try:
            piece = os.read(self.master, 4096)
        except OSError:     # the other end is closed
            return False
        self.text += self.decoder.decode(piece)
        return bool(piece)

    def until(self, pattern):
        end = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.text):
            if time.monotonic() > end or not self.read():
                raise AssertionError("never came: %r in %r" % (pattern, self.text))

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, code):
        """The JSON on standard output, if that is not the terminal and there is some."""
        while self.read():
            pass
        out = (self.process.communicate(timeout=LIMIT_S)[0] or b"").decode()
        os.close(self.master)
        assert self.process.returncode == code, (self.process.returncode, out, self.text)
        return json.loads(out) if out else None


class World:
    """Folders, configuration, simulator and hosts of one test."""

    def __init__(self, settings=None, provider=None, providers=None, sim_options=(), sim=True):
        self.dir = tempfile.mkdtemp(prefix="clawmedia-e2e-")
        self.key = "sk-e2e-" + secrets.token_hex(12)
        self.secrets = [self.key]
        self.hosts = []
        self.more_sims = []
        self.state = self.path("state")
        self.workspace = self.path("workspace")
        self.outbox = self.path("outbox")
        self.config = self.path("openclaw.json")
        self.home = self.path("home")
        self.idle = True    # at the end nothing half-written may be left
        self.env = {}       # of every host, beside what each is started with
        os.mkdir(self.home)
        os.mkdir(self.workspace)
        self.sim = Sim(self.key, *sim_options) if sim else None
        if sim:
            own = {"poll_floor_ms": 40, "poll_ceiling_ms": 400, "typical_seconds": 0}
            own.update(settings or {})
            entry = {"baseUrl": self.sim.base + "/v1", "apiKey": self.key,
                     "models": [{"id": "sim-image"}, {"id": "sim-video"}]}
            entry.update(provider or {})
            self.configure(dict({"sim": entry}, **(providers or {})), {"sim": own})

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def configure(self, providers, settings=None, **more):
        """Writes the configuration, in JSON5 as people write it."""
        root = {"models": {"providers": providers},
                "plugins": {"entries": {"clawmedia": {"config": dict(more, providers=settings or {})}}}}
        text = json.dumps(root, indent=2)
        text = re.sub(r'^( *)"(\w+)":', r"\1\2:", text, flags=re.M)
        text = re.sub(r'([\]}"\d])\n( *[}\]])', r"\1,\n\2", text)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("// of a test\n" + text + "\n")
        os.chmod(self.config, 0o600)

    def environment(self, more=None):
        """All that a process of this world finds around it."""
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.home, "LANG": "C.UTF-8",
                "ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1",
                **self.env, **(more or {})}

    def picture(self, name="a.png", width=80, height=60):
        """A PNG in the workspace; its name."""
        with open(os.path.join(self.workspace, name), "wb") as f:
            f.write(png(width, height))
        return name

    def second_sim(self, key=None, *options):
        key = key or "sk-two-" + secrets.token_hex(12)
        self.secrets.append(key)
        sim = Sim(key, *options)
        sim.key = key
        self.more_sims.append(sim)
        return sim

    # --- hosts ---

    def start(self, *args, plugin=None, outbox=None, env=None, stdin=None, check=True):
        # Loudly, so that a failure shows what happened, and that keys are looked for in all of it.
        argv = [programs.host, "--verbose", "--plugin", plugin or programs.plugin, "--config",
                self.config, "--state", self.state, "--workspace", self.workspace]
        if outbox:
            argv += ["--outbox", self.outbox]
        if check:
            argv.append("--check")
        argv += args
        host = Host(argv, self.environment(env), self.workspace, stdin)
        self.hosts.append(host)
        return host

    def run(self, *args, want=(0,), timeout=LIMIT_S, **more):
        return self.check(self.start(*args, **more).end(timeout), want)

    def check(self, done, want=(0,)):
        want = (want,) if isinstance(want, int) else want
        assert done.code in want, "wanted exit %r, got %r" % (want, done)
        return done

    def call(self, tool, args, *options, **more):
        """One tool call; the result's JSON with how the process ended as .done."""
        text = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
        done = self.run(*options, "call", tool, text, **more)
        result = Result(done.json)
        result.done = done
        return result

    def submit(self, tool, args, *options, **more):
        """In the background, to be delivered; the job's handle."""
        result = self.call(tool, args, "--background", *options, outbox=True, **more)
        assert result["status"] == "submitted", result
        assert re.fullmatch(r"job_\w+", result["job"]), result
        return result["job"]

    def until_idle(self, *options, **more):
        more.setdefault("outbox", True)
        return self.run(*options, "run", "--until-idle", **more)

    # --- what is there afterwards ---

    def messages(self):
        """The outbox, by job and then by key."""
        found = []
        if os.path.isdir(self.outbox):
            for name in sorted(os.listdir(self.outbox)):
                if name.endswith(".json"):
                    with open(os.path.join(self.outbox, name), encoding="utf-8") as f:
                        found.append(json.load(f))
        return sorted(found, key=lambda m: (m["job"], m["key"]))

    def repeats(self):
        try:
            with open(os.path.join(self.outbox, "repeats.log"), encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def rows(self, sql, *values):
        db = sqlite3.connect("file:%s?mode=ro" % self.path("state", "clawmedia.db"), uri=True,
                             timeout=20)
        try:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, values)]
        finally:
            db.close()

    def ledger(self):
        """The jobs in order of acceptance."""
        if not os.path.exists(self.path("state", "clawmedia.db")):
            return []
        if not self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'jobs'"):
            return []
        return self.rows("SELECT * FROM jobs ORDER BY number")

    def job(self, job):
        (row,) = self.rows("SELECT * FROM jobs WHERE id = ?", job)
        return row

    def files(self, *below):
        """All files below a folder of this world, relative to it."""
        root = self.path(*below)
        return sorted(os.path.relpath(os.path.join(at, name), root)
                      for at, _, names in os.walk(root) for name in names)

    def parts(self):
        return [name for name in self.files() if name.endswith(".part")]

    def media(self):
        return [name for name in self.files("workspace") if not name.endswith(".part")]

    # --- the end ---

    def close(self, check=True):
        try:
            ended = [host.kill() for host in self.hosts]
            for sim in [self.sim] * bool(self.sim) + self.more_sims:
                sim.close()
            if check:
                self.inspect(ended)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def inspect(self, ended):
        for host, done in zip(self.hosts, ended):
            assert not SANITIZER.search(done.err), done
            assert "broke" not in done.err or "rules of their contract" not in done.err, done
            for secret in self.secrets:
                assert secret not in done.out + done.err, "a key is in the output: %r" % done
                assert secret not in " ".join(host.argv)
        for name in self.files():
            if name in ("openclaw.json", "home/.nexu/libtv.json"):   # where keys belong
                continue
            with open(self.path(name), "rb") as f:
                data = f.read()
            for secret in self.secrets:
                assert secret.encode() not in data, "a key is in " + name
        if os.path.exists(self.path("state", "clawmedia.db")):
            (answer,) = self.rows("PRAGMA integrity_check")
            assert answer["integrity_check"] == "ok", answer
        if self.idle:
            assert not self.parts(), "half-written files are left: %r" % self.parts()


class Result(dict):
    """A result's JSON."""


class Case(unittest.TestCase):
    """A test with worlds that are closed at its end."""
    maxDiff = 4000
    KIND = "image"  # of what its calls make, unless they say otherwise

    def world(self, *args, **more):
        world = World(*args, **more)
        self.addCleanup(self._close, world)
        return world

    def _close(self, world):
        # What went wrong in the test matters more than what it left behind.
        failed = any(error for _, error in getattr(self._outcome, "errors", []) or [])
        if not failed and hasattr(self._outcome, "result"):
            result = self._outcome.result
            failed = any(test is self for test, _ in result.failures + result.errors)
        world.close(check=not failed)

    def made(self, result, kind=None, count=1):
        """What a call that waited has made; the first file."""
        self.assertEqual(result["status"], "done", result)
        self.assertEqual(len(result["files"]), count, result)
        for file in result["files"]:
            check_media(file["path"], kind or self.KIND)
        return result["files"][0]

    def on_terminal(self, world, *args, **more):
        terminal = Terminal(world, *args, **more)
        self.addCleanup(lambda: terminal.process.poll() is None and terminal.process.kill())
        return terminal

    def one_message(self, world, job):
        """The only message about a job."""
        found = [m for m in world.messages() if m["job"] == job]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def delivered(self, world, job, kind, count=1):
        """A delivered job: its message, with valid copies of valid files."""
        message = self.one_message(world, job)
        self.assertEqual(message["kind"], "result", message)
        self.assertEqual(len(message["files"]), count, message)
        stored = world.rows("SELECT * FROM files WHERE job = ? ORDER BY number", job)
        self.assertEqual(len(stored), count)
        for file, row in zip(message["files"], stored):
            check_media(file["path"], kind)
            with open(file["path"], "rb") as copy, open(row["path"], "rb") as original:
                self.assertEqual(copy.read(), original.read())
        self.assertEqual(world.job(job)["state"], "delivered")
        self.assertEqual(world.job(job)["open"], 0)
        return message


# --- files ---

def check_png(data):
    """Every chunk and its checksum; (width, height)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG signature: %r" % data[:16]
    at, names, pixels = 8, [], b""
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        (crc,) = struct.unpack(">I", data[at + 8 + size:at + 12 + size])
        assert crc == zlib.crc32(data[at + 4:at + 8 + size]), "bad CRC in %r" % name
        if name == b"IDAT":
            pixels += data[at + 8:at + 8 + size]
        names.append(name)
        at += 12 + size
    assert names[0] == b"IHDR" and names[-1] == b"IEND" and at == len(data), "cut PNG"
    zlib.decompress(pixels)
    return struct.unpack(">II", data[16:24])


def check_mp4(data):
    """Whole boxes to the end, with the three that a player needs."""
    at, names = 0, []
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        if size == 1:
            (size,) = struct.unpack(">Q", data[at + 8:at + 16])
        assert size >= 8, "a box of %d bytes" % size
        names.append(name)
        at += size
    assert at == len(data), "cut MP4"
    assert names[0] == b"ftyp" and b"moov" in names and b"mdat" in names, names


def check_media(path, kind):
    with open(path, "rb") as f:
        data = f.read()
    if kind == "video":
        check_mp4(data)
    elif data[:2] == b"\xff\xd8":
        assert data[-2:] == b"\xff\xd9", "cut JPEG"
    else:
        check_png(data)
    return data


def ffprobe(path):
    """What ffprobe says, after ffmpeg has decoded every frame without complaint."""
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-"],
                             capture_output=True, text=True, timeout=LIMIT_S)
    assert decoded.returncode == 0 and not decoded.stderr, decoded.stderr
    shown = subprocess.run(["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format",
                            path], capture_output=True, text=True, timeout=LIMIT_S, check=True)
    return json.loads(shown.stdout)


def png(width, height):
    """A PNG made here."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = b"".join(b"\0" + bytes((x * 3 + y) & 255 for x in range(width * 3)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


# --- processes ---

def tasks_of(pid):
    """The threads of a process; 0 when it is gone."""
    try:
        return len(os.listdir("/proc/%d/task" % pid))
    except FileNotFoundError:
        return 0


def children_of(pid):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as f:
                if int(f.read().rsplit(b")", 1)[1].split()[1]) == pid:
                    found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def peak_kib(pid):
    """VmHWM, or 0 when the process is gone."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0
