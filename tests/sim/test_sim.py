#!/usr/bin/env python3
"""Tries every route, setting and fault of clawmedia-sim. Usage: test_sim.py PROGRAM [unittest options]

Only the standard library, plus ffmpeg and ffprobe as judges of pictures and videos. Nothing here
sleeps to wait for something: it polls jobs, or asks /_sim/wait.
"""
import base64
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

PROGRAM = None
KEY = "test-key"
LIMIT_S = 60  # of any single exchange


class Sim:
    """The running program and requests to it."""

    def __init__(self, *options):
        self.process = subprocess.Popen([PROGRAM, "--port", "0", "--max-seconds", "280", *options],
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
    @classmethod
    def setUpClass(cls):
        cls.sim = Sim()

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


class Program(unittest.TestCase):
    def test_help_and_wrong_use(self):
        done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--max-seconds", done.stdout)
        for wrong in (["--nope"], ["--port", "70000"], ["more"], ["--set", "image_mode=odd"]):
            done = subprocess.run([PROGRAM, *wrong], capture_output=True, text=True, timeout=LIMIT_S)
            self.assertEqual((done.returncode, done.stdout), (2, ""), wrong)
            self.assertIn("usage:", done.stderr)

    def test_lifetime_is_bounded(self):
        done = subprocess.run([PROGRAM, "--max-seconds", "1"], capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0)

    def test_options(self):
        with tempfile.TemporaryDirectory() as d:
            sim = Sim("--port-file", d + "/port", "--key", "other", "--credits", "3", "--set", "price_image=2")
            try:
                with open(d + "/port") as f:
                    self.assertEqual(int(f.read()), sim.port)
                sim.json("GET", "/v1/models", want=401)
                sim.json("GET", "/v1/models", key="other")
                sim.json("POST", "/v1/images/generations", {"prompt": "x", "model": "m"}, key="other")
                sim.json("POST", "/v1/images/generations", {"prompt": "x", "model": "m"}, 429, key="other")
            finally:
                self.assertEqual(sim.stop(signal.SIGINT)[0], 0)

    def test_listens_on_loopback_only(self):
        sim = Sim()
        try:
            with open("/proc/%d/net/tcp" % sim.process.pid) as f:
                rows = [line.split() for line in f]
            with open("/proc/%d/net/tcp6" % sim.process.pid) as f:
                rows6 = [line.split() for line in f]
            mine = [r[1] for r in rows if r[1].endswith(":%04X" % sim.port) and r[3] == "0A"]
            self.assertEqual(mine, ["0100007F:%04X" % sim.port])
            self.assertFalse([r for r in rows6 if r[1].endswith(":%04X" % sim.port) and r[3] == "0A"])
        finally:
            sim.stop()

    def test_stops_with_requests_in_flight(self):
        sim = Sim("--set", "image_delay_ms=600000")
        body = json.dumps({"prompt": "x", "model": "m"}).encode()
        head = (b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-key\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        sim.control("faults", {"route": "GET /media/make", "kind": "slow_drip", "bytes": 1, "ms": 60000,
                               "nth": "every"})
        open_ones = [sim.raw(head + body), sim.raw(b"GET /_sim/wait?count=9&path=/none HTTP/1.1\r\nHost: x\r\n\r\n"),
                     sim.raw(b"GET /media/make/x.png HTTP/1.1\r\nHost: x\r\n\r\n"),
                     sim.raw(head)]
        sim.control("wait?count=2")
        self.assertEqual(sim.stop()[0], 0)
        for s in open_ones:
            s.close()


class Accounts(Case):
    def test_keys(self):
        for key in (None, "wrong", "test-ke", "test-key2", "x" * 5000):
            answer = self.sim.json("GET", "/v1/models", want=401, key=key)
            self.assertIn(self.error_code(answer), ("missing_api_key", "invalid_api_key"))
        self.assertEqual(self.sim.json("GET", "/v1/models")["object"], "list")

    def test_credits(self):
        self.sim.control("accounts", {"key": "poor", "name": "needy", "credits": 1})
        self.sim.json("POST", "/v1/images/generations", {"prompt": "a", "model": "m"}, key="poor")
        answer = self.sim.json("POST", "/v1/images/generations", {"prompt": "a", "model": "m"}, 429, key="poor")
        self.assertEqual(self.error_code(answer), "insufficient_quota")
        self.sim.control("accounts", {"key": "poor", "credits_status": 402})
        self.sim.json("POST", "/v1/images/generations", {"prompt": "a", "model": "m"}, 402, key="poor")
        totals = self.sim.control("totals")
        self.assertEqual((totals["submissions"], totals["charges"]), (3, 1))
        self.assertEqual(totals["credits"]["needy"], 0)
        self.assertEqual(totals["credits"]["default"], 100000)

    def test_settings_of_an_account_and_of_a_model(self):
        self.sim.control("accounts", {"key": "k2", "settings": {"image_mode": "top_b64"}})
        self.assertIn("b64_json", self.sim.json("POST", "/v1/images/generations",
                                                {"prompt": "a", "model": "m"}, key="k2"))
        answer = self.sim.json("POST", "/v1/images/generations",
                               {"prompt": "a", "size": "64x64", "model": "m@image_mode=url,image_bytes=9000"}, key="k2")
        _, head, data = self.sim.ask("GET", answer["data"][0]["url"], key=None)
        self.assertTrue(8900 <= len(data) <= 9100, len(data))
        self.picture(model="m@image_mode=none", want=400)

    def test_no_key_in_the_log(self):
        self.sim.ask("GET", "/v1/models?api_key=test-key", headers={"X-Api-Key": "test-key"})
        self.picture()
        text = json.dumps(self.sim.control("log")) + json.dumps(self.sim.control("accounts"))
        self.assertNotIn("test-key", text)
        self.assertIn("(hidden)", text)

    def test_bad_control_requests_change_nothing(self):
        before = self.sim.control("settings")
        for path, body in (("settings", {"image_bytes": 5, "nope": 1}), ("settings", {"image_mode": "x"}),
                           ("settings", {"image_mode": 3}), ("settings", [1]), ("settings", {"strict": 7}),
                           ("accounts", {}), ("accounts", {"key": ""}), ("accounts", {"key": "a", "credits_status": 1}),
                           ("faults", [{"route": "GET /x", "kind": "reset"}, {"route": "GET /x", "kind": "odd"}]),
                           ("faults", {"route": "/x", "kind": "reset"}),
                           ("faults", {"route": "GET /x", "kind": "redirect"}),
                           ("faults", {"route": "GET /x", "kind": "reset", "nth": 0}), ("faults", 4),
                           ("accounts", {"key": "a", "name": "é" * 40}),
                           ("jobs/none", {"status": "completed"})):
            status, _, data = self.sim.ask("POST", "/_sim/" + path, json.dumps(body).encode(), key=None,
                                           headers={"Content-Type": "application/json"})
            self.assertIn(status, (400, 404), (path, body))
            self.assertIn("message", json.loads(data))
        self.assertEqual(self.sim.control("settings"), before)
        self.assertEqual(self.sim.control("faults")["faults"], [])
        self.sim.json("GET", "/_sim/none", want=404, key=None)
        self.assertEqual(self.sim.control("wait?count=-1", want=400)["error"], "bad_wait")


class Pictures(Case):
    def decoded(self, answer, i=0):
        return base64.b64decode(answer["data"][i]["b64_json"], validate=True)

    def test_png(self):
        answer = self.picture(size="640x360")
        data = self.decoded(answer)
        check_png_chunks(data)
        stream = probe(data)["streams"][0]
        self.assertEqual((stream["codec_name"], stream["width"], stream["height"]), ("png", 640, 360))
        self.assertEqual((answer["size"], answer["output_format"]), ("640x360", "png"))
        self.assertEqual(self.decoded(self.picture(size="640x360")), data, "same prompt, same picture")
        self.assertNotEqual(self.decoded(self.picture(size="640x360", prompt="a tin boat")), data)

    def test_sizes(self):
        for size in ("1x1", "4096x4096", "3x4096", "16x9", "1024x1024"):
            data = self.decoded(self.picture(size=size))
            stream = probe(data)["streams"][0]
            self.assertEqual("%dx%d" % (stream["width"], stream["height"]), size)
        self.assertLess(len(json.dumps(self.picture())), 128 * 1024, "the default answer is small")
        for size in ("4097x1", "0x5", "x", "10", "5x5x5", "-1x5", "99999999999999999999x1"):
            self.assertEqual(self.error_code(self.picture(size=size, want=400)), "invalid_value")

    def test_jpeg_and_formats(self):
        data = self.decoded(self.picture(size="200x100", output_format="jpeg"))
        stream = probe(data)["streams"][0]
        self.assertEqual((stream["codec_name"], stream["width"], stream["height"]), ("mjpeg", 200, 100))
        self.picture(output_format="webp", want=400)
        self.picture(output_format="jpeg", background="transparent", want=400)
        clear = self.decoded(self.picture(background="transparent", size="64x64"))
        self.assertIn(b"tRNS", clear)

    def test_several(self):
        answer = self.picture(n=3, size="32x32")
        self.assertEqual(len({self.decoded(answer, i) for i in range(3)}), 3)
        self.assertEqual(self.sim.control("totals")["credits"]["default"], 100000 - 3)
        for n in (0, 11, "2", 1.5, True):
            self.picture(n=n, want=400)

    def test_wrong_requests(self):
        self.assertEqual(self.picture(prompt="", want=400)["error"]["param"], "prompt")
        self.picture(prompt=5, want=400)
        self.assertEqual(self.error_code(self.picture(model="no-such-model", want=404)), "model_not_found")
        self.picture(model="gpt-image-1", response_format="url", want=400)
        self.assertIn("url", self.picture(model="dall-e-3", response_format="url")["data"][0])
        for body in (b"", b"{", b"[1]", b"7", b"\xff\xfe", b'{"prompt":"\\ud800"}'):
            status, _, _ = self.sim.ask("POST", "/v1/images/generations", body,
                                        headers={"Content-Type": "application/json"})
            self.assertEqual(status, 400, body)
        answer = self.picture(size="x" + "é" * 50, want=400)
        self.assertTrue(answer["error"]["message"].startswith("Invalid size"))
        self.assertEqual(self.sim.control("totals")["charges"], 1)
        self.sim.json("POST", "/v1/v1/images/generations", {}, 404)
        self.sim.json("GET", "/v1/images/generations", want=404)
        self.sim.json("POST", "/relay/v1/images/generations", {"prompt": "x", "model": "m"})

    def fetch(self, url):
        status, head, data = self.sim.ask("GET", url, key=None)
        self.assertEqual((status, head["Content-Type"]), (200, "image/png"))
        self.assertEqual(int(head["Content-Length"]), len(data))
        check_png_chunks(data)
        return data

    def test_modes(self):
        def links(mode, **more):
            self.settings(image_mode=mode)
            return self.picture(size="40x40", n=2, **more)
        first = links("url")["data"][0]["url"]
        self.assertTrue(re.fullmatch(re.escape(self.sim.base) + r"/media/\w+\.png", first), first)
        plain = self.fetch(first)
        self.assertEqual(self.fetch(links("signed_url")["data"][0]["url"]), plain)
        self.assertRegex(links("relative")["data"][1]["url"], r"^/v1/files/\w+\.png$")
        self.assertEqual(self.fetch(links("relative")["data"][0]["url"]), plain)
        self.assertEqual(self.fetch(links("path")["data"][0]["path"]), plain)
        self.assertEqual(self.fetch(links("nested")["result"]["outputs"][0]["url"]), plain)
        text = links("markdown")["choices"][0]["message"]["content"]
        self.assertEqual(self.fetch(re.findall(r"!\[image\]\((\S+)\)", text)[0]), plain)
        text = links("html")["choices"][0]["message"]["content"]
        found = re.findall(r'<img alt="image" src="([^"]+)">', text)
        self.assertEqual((self.fetch(found[0]), len(found)), (plain, 2))
        url = links("data_url")["output"]
        self.assertEqual(base64.b64decode(url.removeprefix("data:image/png;base64,"), validate=True), plain)
        self.assertEqual(base64.b64decode(links("top_b64")["b64_json"], validate=True), plain)
        self.settings(image_mode="moderated")
        self.assertEqual(self.error_code(self.picture(want=400)), "moderation_blocked")
        for mode, kind in (("html_raw", "text/html; charset=utf-8"), ("markdown_raw", "text/markdown")):
            self.settings(image_mode=mode)
            _, head, data = self.sim.ask("POST", "/v1/images/generations", {"prompt": "a paper boat", "model": "m"})
            self.assertEqual(head["Content-Type"], kind)
            self.assertIn(b"/media/img_", data)
        self.settings(image_mode="url", media_base="http://localhost:%d" % self.sim.port)
        self.assertTrue(self.picture()["data"][0]["url"].startswith("http://localhost:"))

    def events(self, path, body, headers=None):
        status, head, data = self.sim.ask("POST", path, body, headers=headers)
        self.assertEqual((status, head["Content-Type"]), (200, "text/event-stream"))
        blocks = data.decode().strip().split("\n\n")
        self.assertEqual(blocks.pop(), "data: [DONE]")
        pairs = [re.fullmatch(r"event: (\S+)\ndata: (.*)", b).groups() for b in blocks]
        for name, text in pairs:
            self.assertEqual(json.loads(text)["type"], name)
            check_png_chunks(base64.b64decode(json.loads(text)["b64_json"], validate=True))
        return [name for name, _ in pairs]

    def test_stream(self):
        names = self.events("/v1/images/generations", {"prompt": "a", "model": "m", "stream": True,
                                                       "partial_images": 2, "size": "32x32"})
        self.assertEqual(names, ["image_generation.partial_image"] * 2 + ["image_generation.completed"])
        self.settings(image_mode="sse")
        body, head = multipart([("image", "a.png", "image/png", png(8, 8, False)), ("prompt", None, None, b"x")])
        self.assertEqual(self.events("/v1/images/edits", body, head), ["image_edit.completed"])

    def test_padding(self):
        for size in (0, 3000, 70000, 1048588, 3000000, 3000001, 3000011, 60 << 20):
            for form in ("png", "jpeg"):
                self.settings(image_bytes=size)
                data = self.decoded(self.picture(output_format=form, size="64x64"))
                if size > 2500:
                    self.assertTrue(abs(len(data) - size) < 16, (form, size, len(data)))
                self.assertEqual(probe(data)["streams"][0]["width"], 64)
                if form == "png":
                    check_png_chunks(data)

    def test_large_answer_costs_no_memory(self):
        def peak():
            with open("/proc/%d/status" % self.sim.process.pid) as f:
                return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))
        self.picture()
        before = peak()
        self.settings(image_bytes=200 << 20)
        s = self.sim.raw(b"POST /v1/images/generations HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer test-key\r\n"
                         b"Content-Length: 28\r\n\r\n" + b'{"prompt":"a", "model": "m"}')
        total = 0
        while piece := s.recv(1 << 20):
            total += len(piece)
        s.close()
        self.assertGreater(total, 4 * (200 << 20) // 3)
        self.assertLess(peak() - before, 24 << 10)


class Edits(Case):
    def edit(self, parts, want=200):
        body, head = multipart(parts)
        return self.sim.json("POST", "/v1/images/edits", body, want, headers=head)

    def test_parts(self):
        image = png(48, 32, False)
        for name in ("image", "image[]", "image[0]"):
            answer = self.edit([("model", None, None, b"gpt-image-1"), ("prompt", None, None, "猫".encode()),
                                (name, "a.png", "image/png", image), ("mask", "m.png", "image/png", png(48, 32, True))])
            stream = probe(base64.b64decode(answer["data"][0]["b64_json"]))["streams"][0]
            self.assertEqual((stream["width"], stream["height"]), (48, 32))
        self.assertEqual(self.edit([("prompt", None, None, b"x"), ("image", "a.png", "image/png", image),
                                    ("size", None, None, b"64x16"), ("n", None, None, b"2")])["size"], "64x16")
        entry = self.sim.log()[0]
        self.assertEqual(entry["fields"], {"model": "gpt-image-1", "prompt": "猫"})
        self.assertEqual(entry["prompt"], "猫")
        self.assertEqual(entry["parts"][0], {
            "name": "image", "filename": "a.png", "content_type": "image/png", "bytes": len(image),
            "sha256": hashlib.sha256(image).hexdigest(), "sniffed": "image/png", "width": 48, "height": 32,
            "alpha": False})

    def test_strict(self):
        image, prompt = png(48, 32, False), ("prompt", None, None, b"x")
        good = ("image", "a.png", "image/png", image)
        cases = [
            ([prompt, ("image", "a.png", "application/octet-stream", image)], "unsupported_file_mimetype"),
            ([prompt, ("image", "a.png", None, image)], "unsupported_file_mimetype"),
            ([prompt, ("image", "a.png", "image/jpeg", image)], "invalid_image_file"),
            ([prompt, ("image", "a.png", "image/png", b"")], "invalid_image_file"),
            ([prompt, good, ("mask", "m.png", "image/png", png(48, 32, False))], "invalid_mask_image_format"),
            ([prompt, good, ("mask", "m.png", "image/png", png(47, 32, True))], "invalid_mask_size"),
            ([prompt, good, ("mask", "m.png", "application/octet-stream", png(48, 32, True))], "invalid_mask"),
        ]
        for parts, code in cases:
            self.assertEqual(self.error_code(self.edit(parts, 400)), code)
        for parts, code in [([prompt], "missing_required_parameter"), ([good], "missing_required_parameter"),
                            ([prompt] + [("image[]", "a.png", "image/png", image)] * 17, "too_many_images")]:
            self.assertEqual(self.error_code(self.edit(parts, 400)), code)
        self.assertEqual(self.sim.control("totals")["charges"], 0)
        self.settings(strict=False)
        for parts, _ in cases:
            self.edit(parts)
        self.assertEqual(self.sim.control("totals")["charges"], len(cases))

    def test_json_variant(self):
        url = "data:image/png;base64," + base64.b64encode(png(20, 30, False)).decode()
        answer = self.sim.json("POST", "/v1/images/edits", {"model": "m", "prompt": "x", "images": [{"image_url": url}]})
        self.assertEqual(answer["size"], "20x30")
        self.sim.json("POST", "/v1/images/edits", {"model": "m", "prompt": "x", "images": [
            {"image_url": "https://example.org/a.png"}, {"file_id": "file-1"}], "mask": {"file_id": "f"}})
        for images in ([], None, [{}], [{"image_url": "data:image/png;base64,AAAA"}], [{"image_url": "/a.png"}],
                       [{"image_url": url, "file_id": "x"}], ["x"], [{"image_url": url}] * 17):
            self.sim.json("POST", "/v1/images/edits", {"model": "m", "prompt": "x", "images": images}, 400)

    def test_multipart_in_pieces(self):
        """However the bytes arrive, the parts are the same."""
        parts = [("prompt", None, None, b"line\r\n--b0un\r\nline"), ("image[]", "a.png", "image/png", png(3, 5, False)),
                 ("image[]", "b.jpg", "image/png", png(7, 5, True)), ("nsfw", None, None, b""),
                 ("tag", None, None, b"1"), ("tag", None, None, b"2")]
        body, head = multipart(parts)
        for step in (1, 2, 3, 7, 64, 100000):
            self.sim.control("reset", {})
            s = self.sim.raw(b"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-key\r\n"
                             b"Content-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                             % (head["Content-Type"].encode(), len(body)))
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(body), step):
                s.sendall(body[i:i + step])
            answer = b""
            while piece := s.recv(65536):
                answer += piece
            s.close()
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), (step, answer[:200]))
            entry = self.sim.log()[0]
            self.assertEqual(entry["fields"], {"prompt": "line\r\n--b0un\r\nline", "nsfw": "", "tag": ["1", "2"]})
            self.assertEqual([(p["filename"], p["width"], p["bytes"]) for p in entry["parts"]],
                             [("a.png", 3, len(parts[1][3])), ("b.jpg", 7, len(parts[2][3]))])

    def test_broken_multipart(self):
        body, head = multipart([("prompt", None, None, b"x"), ("image", "a.png", "image/png", png(3, 5, False))])
        for data, kind in ((body[:-30], head["Content-Type"]), (body, "multipart/form-data"), (b"", head["Content-Type"])):
            status, _, _ = self.sim.ask("POST", "/v1/images/edits", data, headers={"Content-Type": kind})
            self.assertEqual(status, 400)


class Videos(Case):
    def create(self, want=200, **fields):
        return self.sim.json("POST", "/v1/videos", {"model": "sim-video", "prompt": "waves", "size": "160x90", **fields}, want)

    def check_mp4(self, data, width, height, seconds):
        shown = probe(data)
        stream = shown["streams"][0]
        self.assertEqual((stream["codec_name"], stream["width"], stream["height"]), ("mjpeg", width, height))
        self.assertAlmostEqual(float(shown["format"]["duration"]), seconds, 2)
        self.assertEqual(int(stream["nb_read_frames"]), seconds * 2)
        self.assertIn("mp4", shown["format"]["format_name"])

    def test_family_a(self):
        made = self.create(seconds="8")
        self.assertEqual((made["status"], made["seconds"], made["object"]), ("queued", "8", "video"))
        done = self.finished("/v1/videos/" + made["id"])
        self.assertEqual((done["progress"], done["error"]), (100, None))
        self.assertNotIn("url", done)
        self.assertGreaterEqual(done["expires_at"], done["completed_at"])
        content = "/v1/videos/%s/content" % made["id"]
        status, head, data = self.sim.ask("GET", content)
        self.assertEqual((status, head["Content-Type"], int(head["Content-Length"])), (200, "video/mp4", len(data)))
        self.check_mp4(data, 160, 90, 8)
        self.assertEqual(self.sim.ask("GET", content, key=None)[0], 401)
        _, head, data = self.sim.ask("GET", content + "?variant=thumbnail")
        self.assertEqual(head["Content-Type"], "image/jpeg")
        self.assertEqual(probe(data)["streams"][0]["width"], 160)
        log = self.sim.control("log")
        self.assertGreaterEqual(log["polls"][made["id"]], 1)
        self.assertEqual((log["submissions"], log["charges"], log["credits"]["default"]), (1, 1, 99990))
        self.assertEqual(log["requests"][0]["job"], made["id"])

    def test_progress(self):
        self.settings(video_ms=1000)
        path = "/v1/videos/" + self.create()["id"]
        seen = []
        while not seen or seen[-1][0] != "completed":
            answer = self.sim.json("GET", path)
            seen.append((answer["status"], answer["progress"]))
        self.assertEqual(list(dict.fromkeys(s for s, _ in seen)), ["queued", "in_progress", "completed"])
        self.assertEqual([p for _, p in seen], sorted(p for _, p in seen))

    def test_multipart_with_reference(self):
        def send(kind, data, want, model=b"sora-2"):
            body, head = multipart([("model", None, None, model), ("prompt", None, None, b"x"), ("seconds", None, None, b"4"),
                                    ("size", None, None, b"1280x720"), ("input_reference", "f.png", kind, data)])
            return self.sim.json("POST", "/v1/videos", body, want, headers=head)
        self.assertEqual(send("image/png", png(1280, 720, False), 200)["size"], "1280x720")
        self.assertIn("must match", send("image/png", png(64, 64, False), 400)["error"]["message"])
        send("application/octet-stream", png(1280, 720, False), 400)
        self.settings(strict=False)
        send("application/octet-stream", png(64, 64, False), 200)

    def test_wrong_requests(self):
        for fields in ({"model": "sora-2", "seconds": 4}, {"model": "sora-2", "seconds": "5"}, {"seconds": "x"},
                       {"model": "sora-2-pro", "size": "160x90"}, {"prompt": ""}, {"size": "big"}, {"seconds": 0}):
            self.create(want=400, **fields)
        self.create(want=404, model="no-such")
        self.create(seconds=6)
        self.sim.json("GET", "/v1/videos/none", want=404)
        self.assertEqual(self.sim.control("totals")["charges"], 1)

    def test_other_account_sees_nothing(self):
        self.sim.control("accounts", {"key": "k2"})
        job = self.create()["id"]
        self.sim.json("GET", "/v1/videos/" + job, want=404, key="k2")
        self.assertEqual(self.sim.json("GET", "/v1/videos", key="k2")["data"], [])

    def test_list_remix_delete(self):
        self.settings(video_ms=-1)
        jobs = [self.create()["id"] for _ in range(5)]
        page = self.sim.json("GET", "/v1/videos?limit=2&after=" + jobs[0])
        self.assertEqual([v["id"] for v in page["data"]], jobs[1:3])
        self.assertEqual((page["first_id"], page["last_id"], page["has_more"]), (jobs[1], jobs[2], True))
        path = "/v1/videos/" + jobs[0]
        for method, sub in (("DELETE", ""), ("GET", "/content"), ("POST", "/remix")):
            self.sim.json(method, path + sub, {"prompt": "y"} if method == "POST" else None, 409)
        self.sim.control("jobs/" + jobs[0], {"status": "completed"})
        remix = self.sim.json("POST", path + "/remix", {"prompt": "at night"})
        self.assertEqual(remix["remixed_from_video_id"], jobs[0])
        self.assertTrue(self.sim.json("DELETE", path)["deleted"])
        self.sim.json("GET", path, want=404)

    def test_by_hand(self):
        self.settings(video_ms=-1)
        job = self.create()["id"]
        for _ in range(3):
            self.assertIn(self.sim.json("GET", "/v1/videos/" + job)["status"], ("queued", "in_progress"))
        self.sim.control("jobs/" + job, {"status": "failed", "code": "odd", "message": "broke"})
        answer = self.sim.json("GET", "/v1/videos/" + job)
        self.assertEqual((answer["status"], answer["error"]), ("failed", {"code": "odd", "message": "broke"}))
        self.sim.control("jobs/" + job, {"status": "bent"}, want=400)

    def test_modes(self):
        self.settings(video_mode="url", video_ms=0)
        url = self.finished("/v1/videos/" + self.create(seconds=2)["id"])["url"]
        self.check_mp4(self.sim.ask("GET", url, key=None)[2], 160, 90, 2)
        for mode, code in (("failed", "video_generation_failed"), ("moderated", "moderation_blocked")):
            self.settings(video_mode=mode)
            self.assertEqual(self.finished("/v1/videos/" + self.create()["id"], ("failed",))["error"]["code"], code)
        self.settings(video_mode="never")
        job = self.create()["id"]
        self.assertEqual([self.sim.json("GET", "/v1/videos/" + job)["status"] for _ in range(5)][-1], "in_progress")
        self.settings(video_mode="instant")
        self.assertIn("url", self.create())
        self.settings(video_mode="data_wrapped")
        self.assertEqual(self.finished("/v1/videos/" + self.create()["data"]["id"])["code"], 0)
        self.settings(video_mode="url", video_words="upper")
        self.finished("/v1/videos/" + self.create()["id"], ("SUCCESS",))
        self.settings(video_words="plain")
        self.finished("/v1/videos/" + self.create()["id"], ("succeeded",))

    def test_status_url(self):
        for mode in ("status_url", "status_path"):
            self.settings(video_mode=mode, video_ms=0)
            made = self.create()
            self.assertEqual(set(made), {"task_id", "status", "status_url"})
            self.assertEqual(made["status_url"].startswith("/v1/status/"), mode == "status_path")
            self.sim.json("GET", "/v1/videos/" + made["task_id"], want=404)
            self.check_mp4(self.sim.ask("GET", self.finished(made["status_url"])["url"], key=None)[2], 160, 90, 4)

    def test_at_once(self):
        self.settings(video_seconds=1)
        for mode, pattern in (("html", r'<video controls src="(\S+)"></video>'), ("markdown", r"!\[video\]\((\S+)\)")):
            self.settings(video_mode=mode)
            url = re.fullmatch(pattern, self.create()["choices"][0]["message"]["content"]).group(1)
            self.check_mp4(self.sim.ask("GET", url, key=None)[2], 160, 90, 1)
        self.settings(video_mode="data_url")
        text = self.create()["output"].removeprefix("data:video/mp4;base64,")
        self.check_mp4(base64.b64decode(text, validate=True), 160, 90, 1)
        self.settings(video_mode="b64")
        self.check_mp4(base64.b64decode(self.create()["data"][0]["b64_json"], validate=True), 160, 90, 1)
        self.settings(video_mode="relative", video_ms=0)
        url = self.create()["url"]
        self.assertTrue(url.startswith("/v1/files/"))
        self.check_mp4(self.sim.ask("GET", url, key=None)[2], 160, 90, 1)
        self.settings(video_mode="nested")
        self.assertTrue(self.create()["output"]["videos"][0]["video_url"].startswith(self.sim.base))

    def test_edges(self):
        self.settings(video_mode="url", video_ms=0, video_edge="thumbnail_first")
        names = list(self.create())
        self.assertLess(names.index("thumbnail_url"), names.index("url"))
        self.settings(video_edge="two_keys")
        answer = self.create()
        self.assertEqual(answer["url"], answer["video_url"])
        self.settings(video_edge="nested_id")
        self.assertEqual(self.create()["input"]["id"], "not_the_job")
        self.settings(content_mode="redirect")
        status, head, _ = self.sim.ask("GET", "/v1/videos/%s/content" % self.create()["id"])
        self.assertEqual(status, 302)
        self.assertEqual(self.sim.ask("GET", head["Location"], key=None)[0], 200)

    def test_families_b_and_c(self):
        self.settings(video_ms=50)
        for path, id_name in (("/v1/video/generations", "task_id"), ("/v1/videos/generations", "id"),
                              ("/v2/video/generations", "id")):
            made = self.sim.json("POST", path, {"model": "kling", "prompt": "waves", "duration": 3, "width": 96,
                                                "height": 64, "metadata": {"seed": 7}, "odd": [1]})
            self.assertEqual(self.sim.log()[-1]["fields"]["odd"], [1])
            done = self.finished("%s/%s" % (path, made[id_name]))
            url = done["url"] if id_name == "task_id" else done["video"]["url"]
            status, head, data = self.sim.ask("GET", url, key=None)
            self.assertEqual((status, head["Content-Type"]), (200, "video/mp4"))
            self.check_mp4(data, 96, 64, 3)
            if id_name == "id":
                self.sim.json("GET", path + "?generation_id=" + made["id"])
            for wrong in ({"prompt": "x"}, {"model": "m"}, {"model": "m", "prompt": "x", "duration": 0},
                          {"model": "m", "prompt": "x", "width": "96"}):
                self.sim.json("POST", path, wrong, 400)
            self.sim.json("GET", path + "/none", want=404)
        self.settings(video_mode="data_wrapped")
        made = self.sim.json("POST", "/v1/video/generations", {"model": "m", "prompt": "x"})
        self.assertIn("url", self.finished("/v1/video/generations/" + made["data"]["task_id"])["data"])
        self.settings(video_mode="failed")
        made = self.sim.json("POST", "/v1/video/generations", {"model": "m", "prompt": "x"})
        self.assertIn("error", self.finished("/v1/video/generations/" + made["task_id"], ("failed",)))

    def test_padding(self):
        for size in (100000, 3000001, 40 << 20):
            self.settings(video_bytes=size, video_ms=0)
            _, _, data = self.sim.ask("GET", "/v1/videos/%s/content" % self.create()["id"])
            self.assertEqual(len(data), size)
            self.check_mp4(data, 160, 90, 4)
            self.assertNotEqual(subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-"],
                                               input=data[:1000], capture_output=True, timeout=LIMIT_S).stderr, b"")

    def test_four_gigabytes(self):
        conn = http.client.HTTPConnection("127.0.0.1", self.sim.port, timeout=LIMIT_S)
        conn.request("GET", "/media/make/big.mp4?bytes=5000000000&size=64x64")
        answer = conn.getresponse()
        self.assertEqual(answer.headers["Content-Length"], "5000000000")
        self.assertEqual(answer.read(1000)[4:8], b"ftyp")
        conn.sock.close()
        conn.close()

    def test_made_size(self):
        self.settings(video_size="64x48", video_seconds=1, video_ms=0)
        _, _, data = self.sim.ask("GET", "/v1/videos/%s/content" % self.create(seconds="12", size="1280x720")["id"])
        self.check_mp4(data, 64, 48, 1)


class Faults(Case):
    BODY = json.dumps({"model": "m", "prompt": "a", "size": "32x32"}).encode()
    POST = (b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-key\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)) + BODY
    ROUTE = "POST /v1/images/generations"

    def totals(self):
        t = self.sim.control("totals")
        return t["submissions"], t["charges"]

    def everything(self, s):
        data = b""
        while piece := s.recv(1 << 20):
            data += piece
        s.close()
        return data

    def test_drop_after_accept(self):
        self.fault(self.ROUTE, "drop_after_accept")
        self.assertEqual(self.everything(self.sim.raw(self.POST)), b"")
        self.assertEqual(self.totals(), (1, 1))
        entry = self.sim.log()[0]
        self.assertEqual((entry["fault"], entry["charged"], entry["status"], entry["ended"]),
                         ("drop_after_accept", True, 0, "closed"))
        self.picture()
        self.assertEqual(self.totals(), (2, 2))

    def test_drop_keeps_the_job(self):
        self.fault("POST =/v1/videos", "drop_after_accept")
        with self.assertRaises(http.client.RemoteDisconnected):
            self.sim.ask("POST", "/v1/videos", {"model": "m", "prompt": "x"})
        self.assertEqual(len(self.sim.control("jobs")["jobs"]), 1)

    def test_reset(self):
        for more in ({}, {"at": "headers"}):
            self.fault(self.ROUTE, "reset", **more)
            with self.assertRaises(ConnectionResetError):
                s = self.sim.raw(self.POST)
                self.everything(s)
            s.close()
        self.assertEqual(self.totals(), (2, 0))

    def test_statuses(self):
        self.fault(self.ROUTE, "status", status=502)
        self.fault(self.ROUTE, "status", nth=2, charged=True)
        self.fault(self.ROUTE, "rate_limit", nth=3, retry_after=7, retry_after_ms=10)
        self.fault(self.ROUTE, "redirect", nth=4, to="http://169.254.169.254/x", status=307)
        seen = [self.sim.ask("POST", "/v1/images/generations", {"model": "m", "prompt": "a"}) for _ in range(5)]
        self.assertEqual([s for s, _, _ in seen], [502, 503, 429, 307, 200])
        self.assertIn("error", json.loads(seen[0][2]))
        self.assertEqual((seen[2][1]["Retry-After"], seen[2][1]["retry-after-ms"]), ("7", "10"))
        self.assertEqual(seen[3][1]["Location"], "http://169.254.169.254/x")
        self.assertEqual(self.totals(), (5, 2))

    def test_counting(self):
        self.sim.control("faults", [{"route": "GET /v1/models", "kind": "status", "nth": 2, "count": 2},
                                    {"route": "* /v1/models", "kind": "status", "nth": "every", "status": 500, "count": 3}])
        got = [self.sim.ask("GET", "/v1/models")[0] for _ in range(6)]
        self.assertEqual(got, [500, 503, 503, 500, 500, 200])
        state = self.sim.control("faults")["faults"]
        self.assertEqual([(f["seen"], f["fired"], f["left"]) for f in state], [(6, 2, False), (6, 3, False)])
        self.sim.json("DELETE", "/_sim/faults", key=None)
        self.assertEqual(self.sim.control("faults")["faults"], [])

    def test_patterns(self):
        self.settings(video_ms=0)
        job = self.sim.json("POST", "/v1/videos", {"model": "m", "prompt": "x"})["id"]
        paths = ["/v1/videos", "/v1/videos/" + job, "/v1/videos/%s/content" % job]
        for pattern, hit in (("/v1/videos", 3), ("=/v1/videos", 1), ("/v1/videos/", 2), ("/v1/videos/*", 1),
                             ("/v1/videos/*/content", 1), ("/v1/video", 0)):
            self.sim.json("DELETE", "/_sim/faults", key=None)
            self.fault("GET " + pattern, "status", nth="every")
            self.assertEqual([self.sim.ask("GET", p)[0] for p in paths].count(503), hit, pattern)

    def test_time(self):
        self.fault(self.ROUTE, "delay", ms=300)
        start = time.monotonic()
        self.picture()
        self.assertGreaterEqual(time.monotonic() - start, 0.29)
        self.fault("GET /media/make", "slow_drip", bytes=100, ms=20)
        start = time.monotonic()
        _, head, data = self.sim.ask("GET", "/media/make/x.png?size=4x4", key=None)
        self.assertGreaterEqual(time.monotonic() - start, (len(data) // 100 - 1) * 0.018)
        check_png_chunks(data)

    def test_hang(self):
        self.fault(self.ROUTE, "hang", nth="every", charged=True)
        s = self.sim.raw(self.POST)
        self.sim.control("wait?count=1&path=/v1/images")
        self.assertEqual(self.totals(), (1, 1))
        s.close()
        end = time.monotonic() + LIMIT_S
        while self.sim.log()[0]["ended"] != "gone":
            self.assertLess(time.monotonic(), end)
        self.sim.json("DELETE", "/_sim/faults", key=None)
        self.fault(self.ROUTE, "hang", ms=50)
        self.assertEqual(self.everything(self.sim.raw(self.POST)), b"")
        self.assertEqual(self.totals(), (2, 1))

    def test_truncate(self):
        self.fault("GET /media/make", "truncate", bytes=1000)
        self.fault("GET /media/make", "truncate", nth=2)
        for want in (1000, 25000):
            data = self.everything(self.sim.raw(b"GET /media/make/x.png?bytes=50000 HTTP/1.1\r\nHost: x\r\n\r\n"))
            head, body = data.split(b"\r\n\r\n", 1)
            self.assertGreater(int(re.search(rb"Content-Length: (\d+)", head).group(1)), 49000)
            self.assertTrue(abs(len(body) - want) < 100, len(body))

    def test_bodies(self):
        def got(kind, **more):
            self.fault(self.ROUTE, kind, **more)
            return self.sim.ask("POST", "/v1/images/generations", {"model": "m", "prompt": "a", "size": "8x8"})
        plain = json.loads(self.sim.ask("POST", "/v1/images/generations", {"model": "m", "prompt": "a", "size": "8x8"})[2])
        status, head, data = got("wrong_type")
        self.assertEqual((status, head["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(json.loads(data)["data"], plain["data"])
        self.assertEqual(got("wrong_type", content_type="image/png")[1]["Content-Type"], "image/png")
        data = got("duplicate")[2]
        self.assertEqual(data[:len(data) // 2], data[len(data) // 2:])
        self.assertRaises(ValueError, json.loads, got("malformed_json")[2])
        self.assertNotIsInstance(json.loads(got("wrong_types")[2])["data"], list)
        data = got("deep_nesting")[2]
        self.assertEqual((data.count(b"["), data.count(b"]")), (10000, 10000))
        self.assertEqual(got("empty")[2], b"")
        self.assertEqual(len(json.loads(got("huge_body", bytes=20 << 20)[2])["data"]), 20 << 20)
        status, head, data = got("body", status=201, content_type="text/x", body="<html>no</html>")
        self.assertEqual((status, head["Content-Type"], data), (201, "text/x", b"<html>no</html>"))
        self.assertEqual(self.totals(), (10, 10))
        self.fault("POST =/v1/videos", "wrong_types")
        self.assertEqual(self.sim.json("POST", "/v1/videos", {"model": "m", "prompt": "x"})["id"], 17)

    def test_endless_header(self):
        self.fault(self.ROUTE, "endless_header", nth="every", bytes=10 << 20)
        data = self.everything(self.sim.raw(self.POST))
        self.assertTrue(data.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertGreater(len(data), 10 << 20)
        self.assertEqual(data.count(b"\n"), 2)
        s = self.sim.raw(self.POST)
        s.recv(1000)
        s.close()
        self.picture_after_all()

    def picture_after_all(self):
        self.sim.json("DELETE", "/_sim/faults", key=None)
        self.picture()

    def test_large_default_is_streamed(self):
        self.fault("GET /v1/models", "huge_body", bytes=1 << 40)
        s = self.sim.raw(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-key\r\n\r\n")
        got = 0
        while got < 1 << 20:
            got += len(s.recv(1 << 16))
        s.close()
        self.picture_after_all()


class Server(Case):
    def test_wait(self):
        self.assertEqual(self.sim.control("wait?path=/v1/models&timeout_ms=10", want=408)["missing"], 1)
        answers = []
        waiter = threading.Thread(target=lambda: answers.append(
            self.sim.control("wait?path=/v1/models&method=GET&count=2&timeout_ms=50000")))
        waiter.start()
        while self.sim.control("health")["requests_open"] < 2:
            pass
        self.sim.json("GET", "/v1/models")
        self.sim.ask("POST", "/v1/models", {})
        self.assertFalse(answers)
        self.sim.json("GET", "/v1/models")
        waiter.join(LIMIT_S)
        self.assertTrue(answers and answers[0]["reached"])
        self.assertTrue(self.sim.control("wait?path=/v1/models&count=3&timeout_ms=0")["reached"])
        self.sim.control("wait?spends=1&timeout_ms=1", want=408)

    def test_log(self):
        long = "x" * 10000 + "é"
        self.picture(prompt=long, seed=7, nsfw=True, reference_images=[{"a": None}])
        self.sim.json("GET", "/v1/models")
        self.sim.ask("POST", "/elsewhere", b"\x00\x01", headers={"Content-Type": "application/octet-stream"})
        log = self.sim.log()
        self.assertEqual([e["path"] for e in log], ["/v1/images/generations", "/v1/models", "/elsewhere"])
        self.assertEqual((log[0]["fields"]["seed"], log[0]["fields"]["nsfw"], log[0]["fields"]["reference_images"]),
                         (7, True, [{"a": None}]))
        self.assertEqual(log[0]["prompt"], long)
        self.assertLess(len(log[0]["fields"]["prompt"]), 200)
        self.assertEqual((log[2]["status"], log[2]["body_sha256"]), (404, hashlib.sha256(b"\x00\x01").hexdigest()))
        self.assertEqual(len(self.sim.log("?path=/v1/images&method=POST")), 1)
        self.assertEqual(len(self.sim.log("?spends=1")), 1)
        self.assertEqual([e["n"] for e in self.sim.log("?since=%d" % log[1]["n"])], [log[2]["n"]])
        self.assertEqual([e["account"] for e in log], ["default", "default", "none"])
        self.sim.ask("GET", "/media/make/a.png", key=None)
        self.assertNotIn("Authorization", self.sim.log()[-1]["headers"])
        self.assertEqual(log[1]["headers"]["Authorization"], "(hidden)")

    def test_reset(self):
        self.settings(image_mode="url", price_image=5)
        self.fault("GET /v1/models", "reset", nth="every")
        url = self.picture()["data"][0]["url"]
        self.sim.control("accounts", {"key": "k2"})
        self.sim.control("reset", {})
        self.assertEqual(self.sim.control("log"), {"requests": [], "submissions": 0, "charges": 0,
                                                   "credits": {"default": 100000}, "polls": {}})
        self.assertEqual(self.sim.control("settings")["image_mode"], "b64")
        self.sim.json("GET", "/v1/models")
        self.assertEqual(self.sim.ask("GET", url, key=None)[0], 404)
        self.sim.json("GET", "/v1/models", key="k2", want=401)

    def test_uploads(self):
        data = os.urandom(5 << 20)
        for method in ("POST", "PUT"):
            answer = self.sim.json(method, "/media/sink", data, headers={"Content-Type": "application/octet-stream"})
            self.assertEqual((answer["bytes"], answer["sha256"]), (len(data), hashlib.sha256(data).hexdigest()))
        body, head = multipart([("f", "x.bin", "video/mp4", data)])
        self.assertEqual(self.sim.json("POST", "/media/sink", body, headers=head)["parts"], 1)
        self.assertEqual(self.sim.log()[-1]["parts"][0]["sha256"], hashlib.sha256(data).hexdigest())

    def test_redirect_helper(self):
        status, head, _ = self.sim.ask("GET", "/media/redirect?to=http://10.0.0.1/a&status=301", key=None)
        self.assertEqual((status, head["Location"]), (301, "http://10.0.0.1/a"))
        self.sim.json("GET", "/media/redirect", want=400, key=None)

    def test_many(self):
        """Ten thousand jobs at once, and hundreds of connections held open at once."""
        self.settings(video_ms=-1, video_size="16x16", price_video=1)
        conn = http.client.HTTPConnection("127.0.0.1", self.sim.port, timeout=LIMIT_S)
        head = {"Authorization": "Bearer test-key", "Content-Type": "application/json"}
        for i in range(10000):
            conn.request("POST", "/v1/videos", json.dumps({"model": "m", "prompt": "p%d" % i}), head)
            conn.getresponse().read()
        conn.close()
        self.assertEqual(self.sim.control("totals")["charges"], 10000)
        self.settings(image_delay_ms=600000)
        open_ones = [self.sim.raw(Faults.POST) for _ in range(600)]
        self.sim.control("wait?path=/v1/images&count=600&timeout_ms=60000")
        self.assertGreaterEqual(self.sim.control("health")["requests_open"], 600)
        for s in open_ones:
            s.close()
        end = time.monotonic() + LIMIT_S
        while self.sim.control("health")["requests_open"] > 1:
            self.assertLess(time.monotonic(), end)

    def test_keep_alive_and_continue(self):
        conn = http.client.HTTPConnection("127.0.0.1", self.sim.port, timeout=LIMIT_S)
        for _ in range(3):
            conn.request("GET", "/_sim/health")
            self.assertEqual(conn.getresponse().read()[:11], b'{"ok":true,')
        conn.close()
        s = self.sim.raw(Faults.POST.split(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        self.assertIn(b"100 Continue", s.recv(1000))
        s.sendall(Faults.BODY)
        self.assertIn(b"HTTP/1.1 200", s.recv(1000))
        s.close()


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=1)
