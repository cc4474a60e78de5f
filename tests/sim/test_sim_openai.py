#!/usr/bin/env python3
"""Tries the OpenAI-compatible routes of clawmedia-sim: pictures, edits, videos, and every setting of
them. Usage: test_sim_openai.py PROGRAM [unittest options]

ffmpeg and ffprobe are the judges of pictures and videos.
"""
import base64
import hashlib
import http.client
import json
import re
import socket
import subprocess

import rig
from rig import LIMIT_S, Case, check_png_chunks, multipart, png, probe


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


if __name__ == "__main__":
    rig.main()
