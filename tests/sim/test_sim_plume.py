#!/usr/bin/env python3
"""Tries the Plume routes of clawmedia-sim: every category, state, result shape, quirk and code.

Usage: test_sim_plume.py PROGRAM [unittest options]
"""
import http.client
import json
import time

import rig
from rig import LIMIT_S, Case, multipart, png, probe

TASKS = "/api/open/tasks"


def banana(prompt="a paper boat", mode="text_to_image", category="Banana2", size="1K", **more):
    return {"category": category, "type": 2, "content": {
        "processing_mode": mode, "prompt": prompt,
        "generationConfig": {"responseModalities": ["IMAGE"],
                             "imageConfig": {"image_size": size, "aspectRatio": "9:16"}}, **more}}


def seedance(mode="text_to_video", model="seedance2-5s", urls=()):
    content = {"processing_mode": mode, "prompt": "a door opens", "videoConfig": {"model": model}}
    if urls:
        content["imageUrls"] = list(urls)
    return {"category": "seedance2", "type": 2, "content": content}


def veo(mode="text_to_video", urls=None, seconds=6):
    content = {"processing_mode": mode, "prompt": "leaves drifting",
               "videoConfig": {"model": "veo3.1-fast", "aspectRatio": "9:16", "durationSeconds": seconds}}
    if urls is not None:
        content["imageUrls"] = urls
    return {"category": "veo", "type": 2, "content": content}


class Plume(Case):
    def setUp(self):
        super().setUp()
        self.settings(video_ms=0, video_size="32x32")

    def create(self, body, want=201, **more):
        answer = self.sim.json("POST", TASKS, body, want, **more)
        return answer["data"] if want == 201 else answer

    def look(self, task, **more):
        return self.sim.json("GET", "%s/%s" % (TASKS, task), **more)["data"]

    def done(self, body):
        return self.look(self.create(body)["id"])

    def upload(self, data=None, kind="image/png", name="a.png", want=201):
        body, head = multipart([("file", name, kind, png(40, 30, False) if data is None else data)])
        answer = self.sim.json("POST", "/api/open/upload", body, want, headers=head)
        return answer["data"]["file_url"] if want == 201 else answer

    def credits(self):
        return self.sim.control("totals")["credits"]["default"]


class Tasks(Plume):
    def test_create_and_look(self):
        self.settings(video_ms=-1)
        answer = self.sim.json("POST", TASKS, {**banana(), "title": "boat"}, 201)
        self.assertEqual((answer["success"], answer["code"]), (True, "CREATED"))
        self.assertEqual({k: answer["data"][k] for k in ("status", "credits_cost", "category", "title")},
                         {"status": 1, "credits_cost": 10, "category": "Banana2", "title": "boat"})
        task = answer["data"]["id"]
        self.assertIsInstance(task, int)
        self.assertEqual([self.look(task)["status"] for _ in range(3)], [1, 2, 2])
        self.assertIsNone(self.look(task)["result"])
        self.sim.control("jobs/%d" % task, {"status": "completed"})
        seen = self.look(task)
        self.assertEqual((seen["status"], seen["credits_cost"], seen["type"]), (3, 10, 2))
        status, head, data = self.sim.ask("GET", seen["result"]["parts"][0]["imageUrl"], key=None)
        self.assertEqual((status, head["Content-Type"], data[:4]), (200, "image/png", b"\x89PNG"))
        self.assertTrue(seen["result"]["parts"][0]["imageUrl"].startswith(self.sim.base + "/pics/r/%d/" % task))

    def test_prices(self):
        url = self.upload()
        two = [url, self.upload()]
        blend = {"mode": "multi_image_blend", "imageUrls": two}
        plain = {"category": "seedream", "type": 2, "content": {"processing_mode": "text_to_image", "prompt": "雨"}}
        sized = {"category": "seedream", "type": 2, "content": {
            "processing_mode": "image_to_image", "prompt": "雨", "imageUrls": [url],
            "generationConfig": {"imageConfig": {"image_size": "2K", "aspectRatio": "16:9"}}}}
        remove = {"category": "remove-bg", "type": 2, "content": {"imageUrls": [url]}}
        before = self.credits()
        for price, body in ((10, banana()), (15, banana(size="2K")), (20, banana(size="4K")),
                            (15, banana(mode="image_to_image", imageUrls=[url])),
                            (22, banana(mode="image_to_image", imageUrls=[url], size="2K")),
                            (20, banana(category="BananaPro", **blend)), (30, banana(size="2K", **blend)),
                            (15, plain), (30, sized), (5, remove), (5, {**remove, "category": "remove-watermark"}),
                            (50, veo()), (40, seedance()), (72, seedance(model="seedance2-10s")),
                            (100, seedance(model="seedance2-15s"))):
            self.assertEqual(self.create(body)["credits_cost"], price, body)
            before -= price
            self.assertEqual(self.credits(), before)
        self.settings(plume_price_veo=7)
        self.assertEqual(self.create(veo())["credits_cost"], 7)

    def test_what_the_published_client_sends(self):
        """Its habits are accepted: one url with text_to_image, three slots, a ratio with frames."""
        url = self.upload()
        self.create(banana(imageUrls=[url]))
        self.create(veo("image_to_video", [url, "", ""]))
        self.create(veo("image_to_video", ["", url, ""], seconds=8))
        for mode, urls in (("first_frame", [url]), ("first_last_frame", [url, url]), ("universal_reference", [url])):
            body = seedance(mode, urls=urls)
            self.create(body)
            body["content"]["videoConfig"]["aspectRatio"] = "9:16"
            self.create(body)

    def test_refused(self):
        url, foreign = self.upload(), "https://elsewhere.example/a.png"
        for field, body in (
                ("category", {**banana(), "category": "banana"}), ("type", {**banana(), "type": 1}),
                ("content", {"category": "veo", "type": 2}), ("prompt", banana("")),
                ("processing_mode", banana(mode="first_frame")), ("imageUrls", banana(mode="image_to_image")),
                ("imageUrls", banana(mode="multi_image_blend", imageUrls=[url])),
                ("imageUrls", banana(mode="image_to_image", imageUrls=[foreign])),
                ("imageUrls", banana(mode="image_to_image", imageUrls=[""])),
                ("imageUrls", banana(mode="image_to_image", imageUrls=[self.sim.base + "/pics/r/1/0.png"])),
                ("generationConfig", banana(size="8K")),
                ("imageUrls", {"category": "remove-bg", "type": 2, "content": {}}),
                ("imageUrls", {"category": "remove-bg", "type": 2, "content": {"imageUrls": [url], "prompt": "x"}}),
                ("imageUrls", veo("image_to_video", ["", "", ""])), ("videoConfig", veo(seconds=0)),
                ("videoConfig", seedance(model="seedance2-7s")),
                ("imageUrls", seedance("first_last_frame", urls=[url]))):
            answer = self.create(body, 400)
            self.assertEqual((answer["success"], answer["code"], answer["data"]), (False, "VALIDATION_ERROR", None))
            self.assertEqual(list(answer["error"]["details"]), [field], answer)
        self.assertEqual(self.sim.control("totals")["charges"], 0)
        self.settings(strict=0)
        self.create(banana(mode="image_to_image", imageUrls=[foreign]))

    def test_accounts(self):
        for want, code, account in ((402, "INSUFFICIENT_CREDITS", {"credits": 9}),
                                    (403, "FORBIDDEN", {"settings": {"plume_account": "disabled"}}),
                                    (404, "CREDITS_ACCOUNT_NOT_FOUND", {"settings": {"plume_account": "none"}})):
            self.sim.control("accounts", {"key": code, **account})
            answer = self.create(banana(), want, key=code)
            self.assertEqual((answer["success"], answer["code"]), (False, code))
        self.assertEqual(self.create(banana(), 401, key="wrong")["code"], "UNAUTHORIZED")
        self.assertEqual(self.create(banana(), 401, key=None)["code"], "UNAUTHORIZED")
        self.settings(plume_http="ok")
        self.assertFalse(self.sim.json("POST", TASKS, banana(), 200, key="INSUFFICIENT_CREDITS")["success"])
        self.assertTrue(self.sim.json("POST", TASKS, banana(), 200)["success"])
        self.assertNotIn("test-key", json.dumps(self.sim.log()))

    def test_other_account_sees_nothing(self):
        self.sim.control("accounts", {"key": "other"})
        task = self.create(banana())["id"]
        answer = self.sim.json("GET", "%s/%d" % (TASKS, task), want=404, key="other")
        self.assertEqual(answer["code"], "NOT_FOUND")

    def test_batch(self):
        ids = [self.create(banana())["id"] for _ in range(3)]
        answer = self.sim.json("GET", TASKS + "/batch?ids=%d,1,%d" % (ids[0], ids[2]))
        self.assertEqual([t["id"] for t in answer["data"]], [ids[0], ids[2]])
        self.sim.json("GET", TASKS + "/batch", want=400)

    def test_validate_and_describe(self):
        answer = self.sim.json("GET", "/api/open/validate")
        self.assertEqual(answer["data"], {"valid": True, "user_id": "u_77"})
        self.assertEqual(self.sim.json("GET", "/api/open/validate", key="no", want=401)["code"], "UNAUTHORIZED")
        answer = self.sim.json("POST", "/api/open/describe", {"image_url": self.upload(), "focus": "general"})
        self.assertEqual(sorted(answer["data"]), ["description", "model", "tokens_used"])
        self.sim.json("POST", "/api/open/describe", {"focus": "general"}, 400)

    def test_many(self):
        conn = http.client.HTTPConnection("127.0.0.1", self.sim.port, timeout=LIMIT_S)
        head = {"Authorization": "Bearer test-key", "Content-Type": "application/json"}
        ids = set()
        for i in range(1000):
            conn.request("POST", TASKS, json.dumps(banana("p%d" % i)), head)
            ids.add(json.loads(conn.getresponse().read())["data"]["id"])
        conn.close()
        self.assertEqual((len(ids), self.credits()), (1000, 100000 - 10000))


class Endings(Plume):
    def test_states(self):
        for end, status, result in (
                ("failed", 4, {"error": "content policy", "message": "prompt rejected by the safety filter"}),
                ("failed_text", 4, "the executor gave up"), ("timeout", 5, None), ("cancelled", 6, None),
                ("unknown", 9, None)):
            self.settings(plume_end=end)
            task = self.done(banana())
            self.assertEqual((task["status"], task["result"]), (status, result))
        task = self.create(banana())["id"]
        self.sim.control("jobs/%d" % task, {"status": "failed", "code": "nsfw", "message": "no"})
        self.assertEqual(self.look(task)["result"], {"error": "nsfw", "message": "no"})

    def test_picture_shapes(self):
        def at(result, *path):
            for step in path:
                result = result[step]
            return result
        for shape, path in (("parts", ("parts", 0, "imageUrl")), ("image_url", ("imageUrl",)), ("url", ("url",)),
                            ("image_urls", ("imageUrls", 0)), ("parts_url", ("parts", 0, "url")),
                            ("data_file", ("data", "file")), ("data_image_url", ("data", "imageUrl")),
                            ("data_url", ("data", "url"))):
            for text in (0, 1):
                self.settings(plume_result=shape, plume_text=text)
                result = self.done(banana())["result"]
                self.assertEqual(isinstance(result, str), bool(text))
                url = at(json.loads(result) if text else result, *path)
                self.assertEqual(self.sim.ask("GET", url, key=None)[0], 200)
        for shape, want in (("none", {"parts": []}), ("words", "done, see your gallery"), ("null", None)):
            self.settings(plume_result=shape, plume_text=0)
            self.assertEqual(self.done(banana())["result"], want)

    def test_several(self):
        self.settings(plume_count=3)
        urls = [p["imageUrl"] for p in self.done(banana())["result"]["parts"]]
        self.assertEqual(len({self.sim.ask("GET", u, key=None)[2] for u in urls}), 3)

    def test_remove_has_transparency(self):
        result = self.done({"category": "remove-bg", "type": 2, "content": {"imageUrls": [self.upload()]}})["result"]
        data = self.sim.ask("GET", result["data"]["file"], key=None)[2]
        self.assertEqual(probe(data)["streams"][0]["pix_fmt"], "pal8")

    def test_videos(self):
        part = self.done(veo())["result"]["parts"][0]
        self.assertEqual(part["duration"], 6)
        data = self.sim.ask("GET", part["videoUrl"], key=None)[2]
        self.assertAlmostEqual(float(probe(data)["format"]["duration"]), 6, delta=0.2)
        self.assertEqual(self.sim.ask("GET", part["posterUrl"], key=None)[2][:3], b"\xff\xd8\xff")
        self.settings(plume_poster=0)
        self.assertNotIn("posterUrl", self.done(seedance())["result"]["parts"][0])
        self.settings(plume_result="url")
        self.assertTrue(self.done(seedance())["result"]["url"].endswith("/out.mp4"))

    def test_quirks(self):
        for odd, member, want in (("status_text", "status", "success"), ("status_number_text", "status", "3"),
                                  ("no_status", "status", None)):
            self.settings(plume_odd=odd)
            self.assertEqual(self.done(banana()).get(member), want)
        self.settings(plume_odd="data_null")
        self.assertIsNone(self.done(banana()))
        self.settings(plume_odd="duration_text")
        self.assertEqual(self.done(veo())["result"]["parts"][0]["duration"], "6s")
        self.settings(plume_odd="id_text")
        task = self.create(banana())["id"]
        self.assertRegex(task, "^t_[0-9]+$")
        self.assertEqual(self.look(task)["status"], 3)
        self.settings(plume_odd="not_object")
        task = self.create(banana())["id"]
        self.assertIsInstance(self.sim.json("GET", "%s/%s" % (TASKS, task)), list)
        self.settings(plume_odd="no_success")
        self.assertNotIn("success", self.create({**banana(), "type": 1}, 400))
        self.settings(plume_odd="created_null")
        self.assertIsNone(self.create(banana()))

    def test_media_host(self):
        self.settings(media_base="http://localhost:%d" % self.sim.port, plume_query="?x=.mp4")
        url = self.done(banana())["result"]["parts"][0]["imageUrl"]
        self.assertTrue(url.startswith("http://localhost:") and url.endswith("/0.png?x=.mp4"))
        self.create(banana(mode="image_to_image", imageUrls=[url]))
        self.create(banana(mode="image_to_image", imageUrls=[self.upload()]))


class Uploads(Plume):
    def test_upload(self):
        body, head = multipart([("file", "p.png", "image/png", png(40, 30, False))])
        answer = self.sim.json("POST", "/api/open/upload", body, 201, headers=head)["data"]
        self.assertEqual((answer["width"], answer["height"], answer["file_size"]),
                         (40, 30, len(png(40, 30, False))))
        self.assertTrue(answer["file_url"].endswith(answer["file_key"]))
        self.assertEqual(self.sim.ask("GET", answer["file_url"], key=None)[0], 200)
        gif = b"GIF89a\x07\x00\x05\x00" + bytes(20)
        self.upload(gif, "image/gif", "a.gif")
        self.upload(b"RIFF\x10\0\0\0WEBP" + bytes(20), "image/webp", "a.webp")
        self.assertEqual(self.sim.control("totals")["charges"], 0)

    def test_refused(self):
        def why(*args, **more):
            answer = self.upload(*args, want=400, **more)
            self.assertEqual(answer["code"], "VALIDATION_ERROR")
            return answer["error"]["details"]["file"]
        self.assertEqual(why(png(8, 8, False) + bytes(20 << 20)), "exceeds 20 MB")
        self.assertEqual(why(b"plain words, no picture", "text/plain"), "unsupported format")
        self.assertEqual(why(kind="image/jpeg"), "corrupted")
        body, head = multipart([("other", "p.png", "image/png", png(4, 4, False))])
        self.assertEqual(self.sim.json("POST", "/api/open/upload", body, 400, headers=head)["error"]["details"],
                         {"file": "is required"})


class Faults(Plume):
    def test_codes(self):
        for status, code in ((400, "VALIDATION_ERROR"), (401, "UNAUTHORIZED"), (402, "INSUFFICIENT_CREDITS"),
                             (403, "FORBIDDEN"), (404, "NOT_FOUND"), (409, "CONCURRENT_MODIFICATION"),
                             (500, "INTERNAL_ERROR"), (502, "UPLOAD_FAILED"), (429, "TOO_MANY_REQUESTS")):
            self.fault("POST =" + TASKS, "status", status=status)
            answer = self.create(banana(), status)
            self.assertEqual((answer["success"], answer["code"]), (False, code))
        self.assertEqual(self.sim.control("totals")["charges"], 0)

    def test_no_json(self):
        self.fault("GET " + TASKS, "body", status=502, content_type="text/html", body="<h1>Bad gateway</h1>")
        self.fault("GET " + TASKS, "body", status=504, body="")
        task = self.create(banana())["id"]
        self.assertEqual(self.sim.ask("GET", "%s/%d" % (TASKS, task))[::2], (502, b"<h1>Bad gateway</h1>"))
        self.assertEqual(self.sim.ask("GET", "%s/%d" % (TASKS, task))[::2], (504, b""))
        self.assertEqual(self.look(task)["status"], 3)

    def test_lost_answer_is_charged(self):
        self.fault("POST =" + TASKS, "drop_after_accept")
        with self.assertRaises(http.client.HTTPException):
            self.create(banana())
        self.assertEqual((self.sim.control("totals")["charges"], self.credits()), (1, 99990))

    def test_media(self):
        task = self.done(banana())
        url = task["result"]["parts"][0]["imageUrl"]
        self.fault("GET /pics", "empty")
        self.assertEqual(self.sim.ask("GET", url, key=None)[2], b"")
        self.fault("GET /pics", "redirect", to="http://localhost:1/x.png")
        self.assertEqual(self.sim.ask("GET", url, key=None)[1]["Location"], "http://localhost:1/x.png")
        self.fault("GET /pics", "slow_drip", bytes=4096, ms=1)
        began = time.monotonic()
        self.assertEqual(self.sim.ask("GET", url, key=None)[0], 200)
        self.assertLess(time.monotonic() - began, LIMIT_S)

if __name__ == "__main__":
    rig.main()
