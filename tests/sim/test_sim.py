#!/usr/bin/env python3
"""Tries clawmedia-sim itself: the program, its accounts and control, its log, many connections.
Usage: test_sim.py PROGRAM [unittest options]

Nothing here sleeps to wait for something: it polls jobs, or asks /_sim/wait.
"""
import hashlib
import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import rig
from rig import BODY, LIMIT_S, POST, Case, Sim, multipart


class Program(unittest.TestCase):
    def test_help_and_wrong_use(self):
        done = subprocess.run([rig.program, "--help"], capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--max-seconds", done.stdout)
        for wrong in (["--nope"], ["--port", "70000"], ["more"], ["--set", "image_mode=odd"]):
            done = subprocess.run([rig.program, *wrong], capture_output=True, text=True, timeout=LIMIT_S)
            self.assertEqual((done.returncode, done.stdout), (2, ""), wrong)
            self.assertIn("usage:", done.stderr)

    def test_lifetime_is_bounded(self):
        done = subprocess.run([rig.program, "--max-seconds", "1"], capture_output=True, text=True, timeout=LIMIT_S)
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
        open_ones = [self.sim.raw(POST) for _ in range(600)]
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
        s = self.sim.raw(POST.split(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        self.assertIn(b"100 Continue", s.recv(1000))
        s.sendall(BODY)
        self.assertIn(b"HTTP/1.1 200", s.recv(1000))
        s.close()


if __name__ == "__main__":
    rig.main()
