#!/usr/bin/env python3
"""The simulator's ChatArt routes, alone. Usage: test_sim_chatart.py PROGRAM

What the published client does, done here by hand: login, upload with a temporary credential and a
version 4 signature of this file's own making, pictures, videos, states, histories, credits.
"""
import hashlib
import hmac
import json
import time
import urllib.parse

import rig
from rig import Case, png

HEADERS = {"Xskill-Authorization": "Bearer test-key", "Identity-Id": "me", "Content-Type": "application/json",
           "Language": "EN", "Skill": "1", "App-Type": "2"}
DEVICE = "pro-chatart-skill-3fe630a13cfb7e80"


def crc64(data):
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xC96C5795D7870F42 if crc & 1 else 0)
    return str(crc ^ 0xFFFFFFFFFFFFFFFF)


def signed(credential, key, kind, now=None, method="PUT"):
    """Headers of a PUT, as the storage service's header signature version 4 wants them."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    region = credential["region"].removeprefix("oss-")
    head = {"content-type": kind, "x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": stamp,
            "x-oss-security-token": credential["SecurityToken"]}
    canonical = "\n".join([method, urllib.parse.quote("/%s/%s" % (credential["bucket"], key), safe="-._~/"), "",
                           "".join("%s:%s\n" % (n, head[n]) for n in sorted(head)), "", "UNSIGNED-PAYLOAD"])
    scope = "%s/%s/oss/aliyun_v4_request" % (stamp[:8], region)
    text = "\n".join(["OSS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    secret = ("aliyun_v4" + credential["AccessKeySecret"]).encode()
    for part in (stamp[:8], region, "oss", "aliyun_v4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    head["Authorization"] = "OSS4-HMAC-SHA256 Credential=%s/%s,Signature=%s" % (
        credential["AccessKeyId"], scope, signature)
    return head


class ChatArt(Case):
    OPTIONS = ("--set", "video_ms=0,video_size=64x36,video_seconds=1")

    def call(self, method, path, body=None, headers=HEADERS, code=200):
        """The payload of an envelope."""
        answer = self.sim.json(method, path, body, key=None, headers=headers)
        self.assertEqual(answer["code"], code, answer)
        return answer.get("data", answer)

    def credits(self):
        return self.call("POST", "/web/member/user-diamond")["diamond"]

    def upload(self, name, data, kind, credential=None, **more):
        credential = credential or self.call("POST", "/web/file/get-upload-policy")["Credentials"]
        key = "chat-skill-upload/20260105/" + name
        status, head, text = self.sim.ask("PUT", "/oss/%s/%s" % (credential["bucket"], urllib.parse.quote(key)), data,
                                          key=None, headers=signed(credential, key, kind, **more))
        return status, head, text, credential["ossShowDomain"] + urllib.parse.quote(key)

    def image(self, **more):
        return {"style": 10, "scene_id": 4, "reference_image": [], "gen_content": "", "picture_counts": 1,
                "content": {"text": "", "site_url": ""}, "description": "a boat", "picture_scale": 3,
                "gpt_type": "nano-banana-2", "image_definition": 2, **more}

    def video(self, **more):
        return {"video_id": "101", "function_mode": "single_image", "image_url": [], "prompt": "a boat",
                "gpt_type": "seedance-2.0", "original_model": "seedance-2.0", "quality": "1080p", "ratio": "16:9",
                "duration": 5, "sound": 1, **more}

    # ---- login ----

    def begin(self):
        return self.call("POST", "/web/xskill/init", {"identity_id": DEVICE}, {})

    def look(self):
        status, _, data = self.sim.ask("POST", "/web/xskill/token", {"identity_id": DEVICE}, key=None)
        return status, json.loads(data)

    def test_login(self):
        begun = self.begin()
        self.assertEqual(begun["identity_id"], DEVICE)
        self.assertTrue(begun["token_endpoint"].startswith(self.sim.base))
        self.assertIn("Authorize", self.sim.ask("GET", begun["verification_uri_complete"], key=None)[2].decode())
        self.assertEqual(self.look()[0], 202)
        self.sim.control("chatart", {"do": "approve", "key": "fresh-key", "name": "lin"})
        status, answer = self.look()
        self.assertEqual((status, answer["code"]), (200, 200))
        self.assertEqual(answer["data"]["api_key"], "fresh-key")
        self.assertEqual(answer["data"]["identity_id"], DEVICE)
        mine = {**HEADERS, "Xskill-Authorization": "Bearer fresh-key", "Identity-Id": DEVICE}
        self.call("POST", "/web/member/user-diamond", None, mine)
        self.assertIs(self.call("POST", "/user/get-unbind-device", None, mine), True)
        self.call("POST", "/web/member/user-diamond", None, mine, code=401)
        self.assertEqual(self.sim.control("chatart")["logins"][DEVICE]["polls"], 2)

    def test_login_ends(self):
        for what, status in (("refuse", 403), ("expire", 410), ("forget", 404)):
            self.begin()
            self.sim.control("chatart", {"do": what, "device": DEVICE})
            self.assertEqual(self.look()[0], status)
        self.begin()
        self.sim.control("chatart", {"do": "session"})
        self.assertEqual(self.look()[1]["code"], 10007)
        self.sim.control("chatart", {"do": "dance"}, want=400)

    def test_login_odd_answers(self):
        self.sim.control("settings", {"chatart_login_polls": 1, "chatart_pending": "code"})
        self.begin()
        self.assertEqual(self.look()[1]["code"], 10099)
        for mode, member, value in (("no_key", "api_key", ""), ("no_identity", "identity_id", ""),
                                    ("numbers", "remain_credit", None)):
            self.sim.control("settings", {"chatart_approval": mode})
            self.assertEqual(self.look()[1]["data"][member], value)

    # ---- headers, envelope ----

    def test_headers_are_required(self):
        for name in ("Language", "Skill", "App-Type"):
            self.call("POST", "/web/member/user-diamond", None, {k: v for k, v in HEADERS.items() if k != name},
                      code=4001)
        for name in ("Xskill-Authorization", "Identity-Id"):
            self.call("POST", "/web/member/user-diamond", None, {k: v for k, v in HEADERS.items() if k != name},
                      code=401)
        self.assertNotIn("test-key", json.dumps(self.sim.log()))

    # ---- upload ----

    def test_upload(self):
        data = png(20, 10, False)
        status, head, _, url = self.upload("a1_my cat.png", data, "image/png")
        self.assertEqual(status, 200)
        self.assertEqual(head["x-oss-hash-crc64ecma"], crc64(data))
        held = self.sim.control("chatart")["objects"]["sim-uploads/chat-skill-upload/20260105/a1_my%20cat.png"]
        self.assertEqual((held["bytes"], held["type"], held["width"]), (len(data), "image/png", 20))
        self.assertEqual(held["sha256"], hashlib.sha256(data).hexdigest())
        self.call("POST", "/web/art/create", self.image(style=0, scene_id=13, reference_image=[url]))
        self.call("POST", "/web/art/create", self.image(style=0, scene_id=13, reference_image=[url + "x"]), code=4004)

    def test_upload_refused(self):
        good = self.call("POST", "/web/file/get-upload-policy")["Credentials"]
        for change, code in (({"AccessKeySecret": "other"}, "SignatureDoesNotMatch"),
                             ({"AccessKeyId": "STS.x"}, "InvalidAccessKeyId"),
                             ({"SecurityToken": "x"}, "InvalidSecurityToken")):
            status, _, text, _ = self.upload("a.png", b"x", "image/png", {**good, **change})
            self.assertEqual(status, 403)
            self.assertIn("<Code>%s</Code>" % code, text.decode())
        self.assertIn(b"RequestTimeTooSkewed", self.upload("a.png", b"x", "image/png", good, now=time.time() - 3600)[2])
        self.sim.control("settings", {"chatart_policy_s": -1})
        self.assertIn(b"SecurityTokenExpired", self.upload("a.png", b"x", "image/png")[2])
        self.assertEqual(self.sim.control("chatart")["objects"], {})

    def test_upload_crc(self):
        self.sim.control("settings", {"chatart_crc": "wrong"})
        self.assertNotEqual(self.upload("a.png", b"123456789", "image/png")[1]["x-oss-hash-crc64ecma"],
                            "11051210869376104954")
        self.sim.control("settings", {"chatart_crc": "right"})
        self.assertEqual(self.upload("a.png", b"123456789", "image/png")[1]["x-oss-hash-crc64ecma"],
                         "11051210869376104954")

    # ---- tasks ----

    def test_image(self):
        before = self.credits()
        made = self.call("POST", "/web/art/create", self.image())["question_id"]
        self.assertEqual(self.credits(), before - 6)
        done = self.call("GET", "/web/art/get-draw-task", {"question_id": made})
        self.assertEqual((done["status"], done["cost_credit"]), (1, 6))
        self.assertEqual(self.sim.ask("GET", done["message"][0]["url"], key=None)[2][:4], b"\x89PNG")
        again = self.call("GET", "/web/art/get-draw-task?question_id=" + made)
        self.assertEqual(again, done)
        self.call("GET", "/web/art/get-draw-task", code=4003)
        self.call("GET", "/web/video/get-video-task?question_id=" + made, code=4004)

    def test_image_mistakes(self):
        for more in ({"gpt_type": None}, {"image_definition": 4}, {"picture_scale": None}, {"quality": "low"},
                     {"style": 0}, {"picture_counts": 2}, {"reference_image": ["x"]}, {"picture_scale": 8}):
            answer = self.sim.json("POST", "/web/art/create", self.image(**more), key=None, headers=HEADERS)
            self.assertIn(answer["code"], (4000, 4003), more)
        for model, definition, quality, cost in (("gpt-image-2", 3, "high", 180), ("nano-banana-pro", 3, None, 16),
                                                 ("seedream-5.0-lite", 4, None, 10)):
            before = self.credits()
            body = self.image(gpt_type=model, image_definition=definition)
            self.call("POST", "/web/art/create", {**body, "quality": quality} if quality else body)
            self.assertEqual(before - self.credits(), cost)

    def test_video_kinds(self):
        frame = "https://files.chatartpro.com/a.png"
        for body, cost in ((self.video(), 120), (self.video(duration="10", quality="480p"), 120),
                           (self.video(video_id="102", function_mode="first_last_frames", image_url=[frame]), 120),
                           (self.video(video_id="102", function_mode="omni_reference", image_url=[frame] * 9,
                                       sound=False), 120),
                           (self.video(video_id="103", image_url=[frame], quality="720p", ratio=None), 90),
                           ({"video_id": "104", "mode": "animate", "image_url": [frame, frame], "quality": "720p",
                             "gpt_type": "kling-animate", "original_model": "kling-animate", "duration": 7}, 126)):
            before = self.credits()
            body = {k: v for k, v in body.items() if v is not None}
            made = self.call("POST", "/web/video/generate-video", body)["question_id"]
            self.assertEqual(before - self.credits(), cost, body)
            done = self.call("GET", "/web/video/get-video-task?question_id=" + made, {"question_id": made})
            self.assertEqual((done["status"], done["cost_credit"]), (1, cost))
            self.assertEqual(self.sim.ask("GET", done["message"]["url"], key=None)[2][4:8], b"ftyp")

    def test_video_mistakes(self):
        frame = "https://files.chatartpro.com/a.png"
        for more in ({"gpt_type": None}, {"duration": 7}, {"quality": "4k"}, {"ratio": "21:9"}, {"prompt": ""},
                     {"original_model": "other"}, {"function_mode": "omni_reference"}, {"image_url": [frame]},
                     {"video_id": "102", "function_mode": "single_image", "image_url": [frame]},
                     {"video_id": "102", "function_mode": "first_last_frames", "image_url": [frame] * 3},
                     {"video_id": "103", "image_url": [frame], "ratio": "16:9"}):
            answer = self.sim.json("POST", "/web/video/generate-video", self.video(**more), key=None, headers=HEADERS)
            self.assertIn(answer["code"], (4000, 4003), more)
        replace = {"video_id": "104", "mode": "replace", "image_url": [frame, frame], "quality": "720p",
                   "gpt_type": "kling-animate", "original_model": "kling-animate", "duration": 7}
        self.call("POST", "/web/video/generate-video", replace, code=4000)
        self.call("POST", "/web/video/generate-video", {**replace, "mode": "animate", "duration": 0}, code=4000)

    def test_credits_run_out(self):
        self.sim.control("accounts", {"key": "test-key", "credits": 5})
        self.call("POST", "/web/art/create", self.image(), code=10058)
        self.assertEqual(self.credits(), 5)

    def test_states(self):
        self.sim.control("settings", {"video_ms": -1, "chatart_state": "odd"})
        made = self.call("POST", "/web/video/generate-video", self.video())["question_id"]
        path = "/web/video/get-video-task?question_id=" + made
        self.assertEqual([self.call("GET", path)["status"] for _ in range(2)], [3, "init"])
        self.sim.control("jobs/" + made, {"status": "failed", "message": "Content policy violation"})
        done = self.call("GET", path)
        self.assertEqual((done["status"], done["error"]), (2, "Content policy violation"))
        self.sim.control("settings", {"video_ms": 0, "chatart_state": "text", "chatart_code": "text"})
        made = self.sim.json("POST", "/web/art/create", self.image(), key=None, headers=HEADERS)
        self.assertEqual(made["code"], "200")
        self.assertEqual(self.call("GET", "/web/art/get-draw-task?question_id=" + made["data"]["question_id"],
                                   code="200")["status"], "1")

    def test_history(self):
        ids = [self.call("POST", "/web/video/generate-video", self.video())["question_id"] for _ in range(3)]
        page = self.call("GET", "/web/video/history", {"page": "1", "per_page": "2"})
        self.assertEqual(([e["id"] for e in page["data"]], page["total"]), ([ids[2], ids[1]], 3))
        page = self.call("GET", "/web/video/history", {"page": "2", "per_page": "2"})
        self.assertEqual([e["id"] for e in page["data"]], [ids[0]])
        self.call("GET", "/web/art/history", {"page": 1, "per_page": 2}, code=4000)
        self.assertEqual(self.call("GET", "/web/art/history", {"page": "1", "per_page": "20"})["data"], [])

if __name__ == "__main__":
    rig.main()
