#!/usr/bin/env python3
"""Tries every fault of clawmedia-sim. Usage: test_sim_faults.py PROGRAM [unittest options]"""
import http.client
import json
import re
import time

import rig
from rig import LIMIT_S, POST, Case, check_png_chunks

ROUTE = "POST /v1/images/generations"


class Faults(Case):
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
        self.fault(ROUTE, "drop_after_accept")
        self.assertEqual(self.everything(self.sim.raw(POST)), b"")
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
            self.fault(ROUTE, "reset", **more)
            with self.assertRaises(ConnectionResetError):
                s = self.sim.raw(POST)
                self.everything(s)
            s.close()
        self.assertEqual(self.totals(), (2, 0))

    def test_statuses(self):
        self.fault(ROUTE, "status", status=502)
        self.fault(ROUTE, "status", nth=2, charged=True)
        self.fault(ROUTE, "rate_limit", nth=3, retry_after=7, retry_after_ms=10)
        self.fault(ROUTE, "redirect", nth=4, to="http://169.254.169.254/x", status=307)
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
        self.fault(ROUTE, "delay", ms=300)
        start = time.monotonic()
        self.picture()
        self.assertGreaterEqual(time.monotonic() - start, 0.29)
        self.fault("GET /media/make", "slow_drip", bytes=100, ms=20)
        start = time.monotonic()
        _, head, data = self.sim.ask("GET", "/media/make/x.png?size=4x4", key=None)
        self.assertGreaterEqual(time.monotonic() - start, (len(data) // 100 - 1) * 0.018)
        check_png_chunks(data)

    def test_hang(self):
        self.fault(ROUTE, "hang", nth="every", charged=True)
        s = self.sim.raw(POST)
        self.sim.control("wait?count=1&path=/v1/images")
        self.assertEqual(self.totals(), (1, 1))
        s.close()
        end = time.monotonic() + LIMIT_S
        while self.sim.log()[0]["ended"] != "gone":
            self.assertLess(time.monotonic(), end)
        self.sim.json("DELETE", "/_sim/faults", key=None)
        self.fault(ROUTE, "hang", ms=50)
        self.assertEqual(self.everything(self.sim.raw(POST)), b"")
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
            self.fault(ROUTE, kind, **more)
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
        self.fault(ROUTE, "endless_header", nth="every", bytes=10 << 20)
        data = self.everything(self.sim.raw(POST))
        self.assertTrue(data.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertGreater(len(data), 10 << 20)
        self.assertEqual(data.count(b"\n"), 2)
        s = self.sim.raw(POST)
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


if __name__ == "__main__":
    rig.main()
