"""agent-host-mcp with the real plugin in a World of the end-to-end tests, spoken to line by line."""
import json
import os
import subprocess
import threading

import harness
from harness import LIMIT_S, programs

MODERN = "2026-07-28"
HANDSHAKE = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
META = "io.modelcontextprotocol/"
TASKS = META + "tasks"


def command(world, *options, allow=True):
    """How a client would start it."""
    return [programs.mcp, "--plugin", programs.plugin, "--config", world.config, "--state",
            world.state, *(["--allow", world.workspace] if allow else []), "--check", "--verbose",
            *options]


class Server:
    """A running server. What it writes is kept as messages, in order; each is handed out once."""

    def __init__(self, world, *options, allow=True):
        self.argv = command(world, *options, allow=allow)
        self.process = subprocess.Popen(self.argv, env=world.environment(), cwd=world.workspace,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.messages = []
        self.order = []     # all of them, for ever
        self.out = b""
        self.err = ""
        self.paused = False
        self.hung = False
        self.ended = None
        self.next_id = 1
        self.more = threading.Condition()
        self.readers = [threading.Thread(target=target, daemon=True)
                        for target in (self._read_out, self._read_err)]
        for reader in self.readers:
            reader.start()
        world.hosts.append(self)

    def _read_out(self):
        while True:
            with self.more:
                self.more.wait_for(lambda: self.hung or not self.paused, LIMIT_S)
                if self.hung:
                    self.process.stdout.close()
                    return
            piece = os.read(self.process.stdout.fileno(), 65536)
            with self.more:
                self.out += piece
                *lines, rest = self.out.split(b"\n")
                self.out = rest
                # Whatever is on standard output must be a message.
                self.messages += [json.loads(line) for line in lines]
                self.order += self.messages[len(self.messages) - len(lines):]
                if not piece:
                    self.ended = True
                self.more.notify_all()
            if not piece:
                return

    def _read_err(self):
        while True:
            piece = os.read(self.process.stderr.fileno(), 65536)
            with self.more:
                self.err += piece.decode("utf-8", "replace")
                self.more.notify_all()
            if not piece:
                return

    def pause(self, paused=True):
        """Stops taking what the server writes, or goes on."""
        with self.more:
            self.paused = paused
            self.more.notify_all()

    def hang_up(self):
        """Closes the end that the server writes to."""
        self.pause()
        self.ask("ping")    # the reader is past its read now
        with self.more:
            self.hung = True
            self.more.notify_all()
        self.readers[0].join(LIMIT_S)

    # --- sending ---

    def write(self, data):
        self.process.stdin.write(data if isinstance(data, bytes) else data.encode())
        self.process.stdin.flush()

    def send(self, *messages):
        for message in messages:
            self.write(json.dumps(message, ensure_ascii=False) + "\n")

    def begin(self, method, params=None, id=None):
        """Sends a request; its id."""
        if id is None:
            id, self.next_id = self.next_id, self.next_id + 1
        message = {"jsonrpc": "2.0", "id": id, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)
        return id

    def notify(self, method, params=None):
        self.send({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})

    # --- receiving ---

    def take(self, what, is_wanted, timeout=LIMIT_S):
        """The first message that is wanted, and takes it out."""
        def find():
            return next((m for m in self.messages if is_wanted(m)), None)
        with self.more:
            self.more.wait_for(lambda: find() is not None or self.ended, timeout)
            message = find()
            if message is None:
                raise AssertionError("no %s; there is %r\n%s" % (what, self.messages, self.err[-4000:]))
            self.messages.remove(message)
            return message

    def answer(self, id, timeout=LIMIT_S):
        return self.take("answer to %r" % id, lambda m: m.get("id") == id and "method" not in m, timeout)

    def notification(self, method, timeout=LIMIT_S):
        return self.take(method, lambda m: m.get("method") == method and "id" not in m, timeout)

    def request(self, method, timeout=LIMIT_S):
        """One of the server's to the client."""
        return self.take(method, lambda m: m.get("method") == method and "id" in m, timeout)

    def ask(self, method, params=None, timeout=LIMIT_S):
        """A request's result."""
        answer = self.answer(self.begin(method, params), timeout)
        assert "result" in answer, answer
        return answer["result"]

    def fail(self, method, params=None):
        """A request's error."""
        answer = self.answer(self.begin(method, params))
        assert "error" in answer, answer
        return answer["error"]

    def call(self, tool, args=None, meta=None, **params):
        if meta:
            params["_meta"] = meta
        return self.ask("tools/call", dict(params, name=tool, arguments=args or {}))

    def initialize(self, revision=HANDSHAKE[-1], **capabilities):
        result = self.ask("initialize", {"protocolVersion": revision, "capabilities": capabilities,
                                         "clientInfo": {"name": "test", "version": "1"}})
        self.notify("notifications/initialized")
        return result

    # --- the end ---

    def end(self, timeout=LIMIT_S):
        """Closes its input, as a client does; how it ended."""
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        return self.wait(timeout)

    def wait(self, timeout=LIMIT_S, is_whole=True):
        self.pause(False)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("still running after %g s\n%s" % (timeout, self.err[-4000:]))
        for reader in self.readers:
            reader.join(LIMIT_S)
        for stream in (self.process.stdout, self.process.stderr, self.process.stdin):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        assert not is_whole or self.out == b"", "half a message: %r" % self.out
        return harness.Done(code, "".join(json.dumps(m) for m in self.messages), self.err)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdout.closed:
            return harness.Done(self.process.returncode, "", self.err)
        return self.wait(is_whole=False)


def meta(extensions=(), revision=MODERN, token=None, **capabilities):
    """What each request of the new era carries."""
    if extensions:
        capabilities["extensions"] = {name: {} for name in extensions}
    found = {META + "protocolVersion": revision, META + "clientCapabilities": capabilities,
             META + "clientInfo": {"name": "test", "version": "1"}}
    if token is not None:
        found["progressToken"] = token
    return found
