"""What the tests of clawmedia-sim share: the program and requests to it, pictures made and looked at
without its help, and a case with a simulator of its own.
"""
import http.client
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

program = None  # set by main()
KEY = "test-key"
LIMIT_S = 60  # of any single exchange

# One submit, as bytes.
BODY = json.dumps({"model": "m", "prompt": "a", "size": "32x32"}).encode()
POST = (b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-key\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)) + BODY


def main():
    """Takes the program's path from the command line, and leaves the rest to unittest."""
    global program
    program = sys.argv.pop(1)
    unittest.main(verbosity=1)


class Sim:
    """The running program and requests to it."""

    def __init__(self, *options):
        self.process = subprocess.Popen([program, "--port", "0", "--max-seconds", "280", *options],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        if not match:
            raise RuntimeError("no address line: %r" % line)
        self.port = int(match.group(1))
        self.base = "http://127.0.0.1:%d" % self.port

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        rest = self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(LIMIT_S), rest

    def ask(self, method, path, body=None, key=KEY, headers=None):
        """One exchange: (status, headers, bytes). A dict as body is sent as JSON."""
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            head = dict(headers or {})
            if key:
                head["Authorization"] = "Bearer " + key
            if isinstance(body, (dict, list)):
                body = json.dumps(body).encode()
                head.setdefault("Content-Type", "application/json")
            conn.request(method, path.removeprefix(self.base), body, head)
            answer = conn.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            conn.close()

    def json(self, method, path, body=None, want=200, **more):
        status, _, data = self.ask(method, path, body, **more)
        if status != want:
            raise AssertionError("%s %s: %d instead of %d: %r" % (method, path, status, want, data[:300]))
        return json.loads(data)

    def control(self, path, body=None, want=200):
        return self.json("GET" if body is None else "POST", "/_sim/" + path, body, want, key=None)

    def log(self, query=""):
        return self.control("log" + query)["requests"]

    def raw(self, text):
        """Sends bytes on a fresh socket and returns the open socket."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S)
        s.sendall(text)
        return s


def multipart(parts):
    """parts: (name, filename or None, type or None, bytes); returns body and header."""
    out = b""
    for name, filename, kind, data in parts:
        out += b'--b0undary\r\nContent-Disposition: form-data; name="%s"' % name.encode()
        if filename is not None:
            out += b'; filename="%s"' % filename.encode()
        if kind:
            out += b"\r\nContent-Type: " + kind.encode()
        out += b"\r\n\r\n" + data + b"\r\n"
    return out + b"--b0undary--\r\n", {"Content-Type": "multipart/form-data; boundary=b0undary"}


def png(width, height, alpha):
    """A PNG made without the simulator's help."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    row = b"\0" + b"\x40" * width * (4 if alpha else 3)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6 if alpha else 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b""))


def check_png_chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG signature"
    at, names = 8, []
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        (crc,) = struct.unpack(">I", data[at + 8 + size:at + 12 + size])
        assert crc == zlib.crc32(data[at + 4:at + 8 + size]), "bad CRC in " + repr(name)
        names.append(name)
        at += 12 + size
    assert names[-1] == b"IEND" and at == len(data), "PNG does not end well"


def probe(data):
    """What ffprobe says about the bytes, after ffmpeg has decoded all of them without complaint."""
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        decoded = subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", f.name, "-f", "null", "-"],
                                 capture_output=True, text=True, timeout=LIMIT_S)
        assert decoded.returncode == 0 and not decoded.stderr, decoded.stderr
        shown = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_streams",
                                "-show_format", f.name], capture_output=True, text=True,
                               timeout=LIMIT_S, check=True)
        return json.loads(shown.stdout)


class Case(unittest.TestCase):
    """One simulator for a class, as new before every test."""

    OPTIONS = ()  # of the simulator

    @classmethod
    def setUpClass(cls):
        cls.sim = Sim(*cls.OPTIONS)

    @classmethod
    def tearDownClass(cls):
        code, rest = cls.sim.stop()
        assert code == 0, "the simulator ended with %d" % code
        assert rest == "", "more than one line on stdout: %r" % rest

    def setUp(self):
        self.sim.control("reset", {})

    def settings(self, **values):
        self.sim.control("settings", values)

    def fault(self, route, kind, **more):
        self.sim.control("faults", {"route": route, "kind": kind, **more})

    def picture(self, want=200, **fields):
        return self.sim.json("POST", "/v1/images/generations",
                             {"model": "sim-image", "prompt": "a paper boat", **fields}, want)

    def finished(self, path, words=("completed",), key=KEY):
        """Looks until the job has one of the words; the last answer."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            answer = self.sim.json("GET", path, key=key)
            if answer.get("data", answer)["status"] in words:
                return answer
        raise AssertionError("the job did not end: %r" % answer)

    def error_code(self, answer):
        self.assertEqual(set(answer["error"]), {"message", "type", "param", "code"})
        return answer["error"]["code"]
