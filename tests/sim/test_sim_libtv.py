#!/usr/bin/env python3
"""Tries the simulator's LibTV routes, both back ends. Usage: test_sim_libtv.py PROGRAM [options]

Nothing here sleeps to wait for something: jobs end by hand, or are looked at until they have ended.
"""
import json
import time
import urllib.parse

import rig
from rig import LIMIT_S, Case, multipart, png, probe

MGK = "mgk_0123456789"
PERSONAL = "sk-libtv-0123456789"
GATEWAY = {"session": "/libtv/v1/session", "upload": "/libtv/v1/upload", "key": MGK}
DIRECT = {"session": "/openapi/session", "upload": "/openapi/file/upload", "key": PERSONAL}


class LibTV(Case):
    def setUp(self):
        super().setUp()
        self.sim.control("accounts", {"key": MGK, "name": "gateway", "credits": 5})
        self.sim.control("accounts", {"key": PERSONAL, "name": "personal", "credits": 5})
        self.sim.control("settings", {"video_ms": -1})

    def ask(self, end, method, path, body=None, want=200, headers=None):
        head = dict(headers or {})
        key = end["key"]
        head.setdefault(*(("X-API-KEY", key) if end is GATEWAY else ("Authorization", "Bearer " + key)))
        answer = self.sim.json(method, path, body, want, key=None, headers=head)
        if want == 200 and end is DIRECT:
            self.assertEqual((answer["code"], answer["message"]), (0, "success"))
            return answer["data"]
        return answer

    def create(self, end, message="a paper boat", session=None, **more):
        body = {"message": message} if message is not None else {}
        if session:
            body["sessionId"] = session
        return self.ask(end, "POST", end["session"], body, **more)

    def messages(self, end, session, after=None):
        path = end["session"] + "/" + session + ("" if after is None else "?afterSeq=%d" % after)
        return self.ask(end, "GET", path)["messages"]

    def finish(self, number=-1, status="completed", **more):
        job = self.sim.control("jobs")["jobs"][number]["id"]
        self.sim.control("jobs/" + job, dict(more, status=status))

    def tools(self, messages):
        return [json.loads(m["content"]) for m in messages if m["role"] == "tool"]

    def videos(self, messages):
        return [v["previewPath"] for t in self.tools(messages)
                for v in t.get("task_result", {}).get("videos") or []]


class Both(LibTV):
    def test_a_message_makes_a_video(self):
        for end in GATEWAY, DIRECT:
            made = self.create(end)
            self.assertEqual(made["projectUrl"], "https://www.liblib.tv/canvas?projectId=" + made["projectUuid"])
            self.assertRegex(made["sessionId"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
            self.assertRegex(made["projectUuid"], r"^[0-9a-f]{32}$")
            first = self.messages(end, made["sessionId"])
            self.assertEqual([m["role"] for m in first], ["user", "assistant"])
            self.assertEqual(first[0]["content"], "a paper boat")
            self.finish()
            all_of_it = self.messages(end, made["sessionId"])
            self.assertEqual([m["seq"] for m in all_of_it], [1, 2, 3, 4])
            self.assertEqual(all_of_it[2]["toolCallId"], all_of_it[1]["toolCalls"][0]["id"])
            later = self.messages(end, made["sessionId"], after=3)
            self.assertEqual([m["seq"] for m in later], [4])
            (url,) = self.videos(all_of_it)
            self.assertIn(url, later[0]["content"])
            status, _, data = self.sim.ask("GET", url.removeprefix(self.sim.base), key=None)
            self.assertEqual(status, 200)
            self.assertEqual(probe(data)["streams"][0]["codec_type"], "video")

    def test_only_messages_are_paid(self):
        for n, end in enumerate((GATEWAY, DIRECT)):
            empty = self.create(end, None)
            self.assertEqual(self.sim.control("totals")["submissions"], 2 * n)
            self.assertFalse(self.messages(end, empty["sessionId"]))
            self.create(end, "one", empty["sessionId"])
            self.create(end, "two", empty["sessionId"])
            totals = self.sim.control("totals")
            self.assertEqual((totals["submissions"], totals["charges"]), (2 * n + 2, 2 * n + 2))

    def test_keys_stay_on_their_side(self):
        for end, other in (GATEWAY, PERSONAL), (DIRECT, MGK):
            head = {"X-API-KEY": other} if end is GATEWAY else {"Authorization": "Bearer " + other}
            answer = self.sim.json("POST", end["session"], {"message": "x"}, 401, key=None, headers=head)
            self.assertIn("error" if end is GATEWAY else "message", answer)
            both = {"X-API-KEY": MGK, "Authorization": "Bearer " + PERSONAL}
            self.ask(end, "POST", end["session"], {"message": "x"}, 400, both)
        self.assertEqual(self.sim.control("totals")["charges"], 0)
        made = self.create(GATEWAY)
        self.assertIn("不存在", self.ask(DIRECT, "GET", "/openapi/session/" + made["sessionId"], want=404)["message"])
        self.assertNotIn(MGK, json.dumps(self.sim.log()))
        self.assertNotIn(PERSONAL, json.dumps(self.sim.log()))

    def test_double_slash(self):
        self.ask(GATEWAY, "GET", "//api/v1/key/status")
        self.ask(DIRECT, "POST", "//openapi/session", {})

    def test_uploads(self):
        body, head = multipart([("file", "boat.png", "image/png", png(8, 8, False))])
        for end in GATEWAY, DIRECT:
            url = self.ask(end, "POST", end["upload"], body, headers=dict(head))["url"]
            self.assertIn("/claw/", url)
            self.assertTrue(url.endswith(".png"))
            self.assertEqual(self.sim.ask("GET", url.removeprefix(self.sim.base), key=None)[0], 200)
        text, head = multipart([("file", "boat.png", "image/png", b"no picture at all")])
        self.ask(GATEWAY, "POST", GATEWAY["upload"], text, 415, dict(head))
        none, head = multipart([("other", None, None, b"x")])
        self.ask(GATEWAY, "POST", GATEWAY["upload"], none, 400, dict(head))

    def test_upload_paths_of_the_personal_api(self):
        own, head = multipart([("accessKey", None, None, PERSONAL.encode()),
                               ("file", "a.png", "image/png", png(8, 8, False))])
        wrong, _ = multipart([("accessKey", None, None, MGK.encode()),
                              ("file", "a.png", "image/png", png(8, 8, False))])
        self.ask(DIRECT, "POST", "/openapi/upload", own, headers=dict(head))
        self.ask(DIRECT, "POST", "/openapi/upload", wrong, 401, dict(head))
        self.assertNotIn(PERSONAL, json.dumps(self.sim.log()))
        for setting, file, plain in ("file", 200, 404), ("plain", 404, 200), ("none", 404, 404):
            self.settings(libtv_uploads=setting)
            for path, want in ("/openapi/file/upload", file), ("/openapi/upload", plain):
                self.ask(DIRECT, "POST", path, own, want, dict(head))

    def test_sessions(self):
        for end in GATEWAY, DIRECT:
            self.settings(libtv_session="default")
            first, second = self.create(end, None), self.create(end, "again")
            self.assertEqual(first, second)
            self.settings(libtv_session="history")
            old = self.create(end)
            self.assertEqual(len(self.videos(self.messages(end, old["sessionId"]))), 1)
            self.finish()
            self.assertEqual(len(self.videos(self.messages(end, old["sessionId"]))), 2)
            self.settings(libtv_session="new")
            project = self.ask(end, "POST", end["session"] + "/change-project", {})["projectUuid"]
            self.assertNotEqual(project, first["projectUuid"])
            self.assertEqual(self.create(end, None)["projectUuid"], project)
            self.ask(end, "POST", end["session"], {"sessionId": "no-such", "message": "x"}, 404)

    def test_turns_of_one_session(self):
        made = self.create(DIRECT, "one")
        self.finish()
        before = self.messages(DIRECT, made["sessionId"])
        self.create(DIRECT, "two", made["sessionId"])
        self.assertEqual(self.videos(self.messages(DIRECT, made["sessionId"], after=len(before))), [])
        self.finish()
        after = self.messages(DIRECT, made["sessionId"], after=len(before))
        self.assertEqual([m["role"] for m in after], ["user", "assistant", "tool", "assistant"])
        self.assertNotEqual(self.videos(after), self.videos(before))

    def test_without_numbers(self):
        self.settings(libtv_seq=0)
        made = self.create(GATEWAY)
        self.assertNotIn("seq", self.messages(GATEWAY, made["sessionId"])[0])

    def test_clocks_end_jobs_too(self):
        self.settings(video_ms=50)
        made = self.create(GATEWAY)
        end = time.monotonic() + LIMIT_S
        while not self.videos(self.messages(GATEWAY, made["sessionId"])):
            self.assertLess(time.monotonic(), end)


class Script(LibTV):
    """What the agent says, mode by mode."""

    def setUp(self):
        super().setUp()
        self.sim.control("accounts", {"key": MGK, "credits": 50})

    def play(self, mode, end=GATEWAY, message="a wish", **settings):
        self.settings(libtv_mode=mode, **settings)
        made = self.create(end, message)
        self.finish()
        return self.messages(end, made["sessionId"])

    def test_shapes_of_success(self):
        self.assertEqual([m["role"] for m in self.play("tool")], ["user", "tool"])
        told = self.play("assistant")
        self.assertEqual(self.tools(told), [])
        self.assertRegex(told[-1]["content"], r"/sd-gen-save-img/2026/04/\S+\.mp4 ")
        self.assertRegex(self.play("punctuated")[-1]["content"], r"\.mp4。$")
        (still,) = self.tools(self.play("image"))
        self.assertIsNone(still["task_result"]["videos"])
        self.assertTrue(still["task_result"]["images"][0]["previewPath"].endswith(".png"))
        (mixed,) = self.tools(self.play("mixed"))
        self.assertEqual((len(mixed["task_result"]["images"]), len(mixed["task_result"]["videos"])), (1, 1))
        self.assertEqual(len(self.videos(self.play("final", libtv_count=3))), 3)

    def test_clips_before_the_last(self):
        self.settings(libtv_mode="steps", libtv_count=3, libtv_gap_ms=1)
        made = self.create(GATEWAY)
        end = time.monotonic() + LIMIT_S
        while len(self.videos(self.messages(GATEWAY, made["sessionId"]))) < 2:
            self.assertLess(time.monotonic(), end)
        self.assertIn("toolCalls", self.messages(GATEWAY, made["sessionId"])[-1])
        self.finish()
        self.assertEqual(len(set(self.videos(self.messages(GATEWAY, made["sessionId"])))), 3)

    def test_traps(self):
        echo = self.play("echo", message="reference: %s/claw/p/u.png, please" % self.sim.base)
        self.assertIn("/claw/p/u.png", echo[1]["content"])
        foreign = self.play("foreign")
        self.assertIn("media.example.com", self.videos(foreign)[0])
        self.assertIn(self.sim.base, self.videos(foreign)[1])
        self.assertNotIn(self.sim.base, json.dumps(self.play("foreign_only")))
        self.assertIn("not even an object", self.play("odd"))

    def test_failures(self):
        self.assertEqual(self.tools(self.play("error")), [{"error": "model busy"}])
        self.assertTrue(self.tools(self.play("is_error"))[0]["isError"])
        self.assertEqual(self.tools(self.play("task_failed"))[0]["task_result"]["status"], "failed")
        self.assertIn("失败", self.play("said")[-1]["content"])
        again = self.play("retry")
        self.assertEqual(self.tools(again)[0], {"error": "model busy"})
        self.assertEqual(len(self.videos(again)), 1)

    def test_failed_by_hand_and_never(self):
        made = self.create(DIRECT)
        self.finish(status="failed", message="the cat is not allowed")
        self.assertEqual(self.tools(self.messages(DIRECT, made["sessionId"]))[0]["task_result"]["error"],
                         "the cat is not allowed")
        self.assertEqual(len(self.play("never")), 2)

    def test_redirected_results(self):
        self.settings(content_mode="redirect")
        (url,) = self.videos(self.play("final"))
        status, head, _ = self.sim.ask("GET", url.removeprefix(self.sim.base), key=None)
        self.assertEqual(status, 302)
        self.assertEqual(urllib.parse.urlsplit(head["Location"]).hostname, "localhost")


class Gateway(LibTV):
    def test_uses(self):
        self.assertEqual(self.ask(GATEWAY, "GET", "/api/v1/key/status"),
                         {"remaining_uses": 5, "max_uses": 5, "expires_at": "2099-12-31T00:00:00Z"})
        self.settings(libtv_expires="")
        for _ in range(5):
            self.create(GATEWAY)
        self.assertEqual(self.ask(GATEWAY, "GET", "/api/v1/key/status"), {"remaining_uses": 0, "max_uses": 5})
        error = self.create(GATEWAY, want=403)["error"]
        self.assertEqual(error, {"code": "quota_exceeded", "user_message": "Free trial uses exhausted",
                                 "details": {"used_count": 5, "max_uses": 5}})
        for _ in range(5):
            self.create(DIRECT)
        self.assertEqual(self.create(DIRECT, want=429)["message"], "积分不足")

    def test_tasks_and_results(self):
        made = self.create(GATEWAY)
        session = made["sessionId"]
        (task,) = self.ask(GATEWAY, "GET", "/api/v1/tasks")["tasks"]
        self.assertEqual((task["id"], task["status"], task["video_url"]), (session, "pending", None))
        self.finish()
        (task,) = self.ask(GATEWAY, "GET", "/api/v1/tasks")["tasks"]
        self.assertEqual(task["status"], "completed")
        self.assertRegex(task["completed_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        urls = self.ask(GATEWAY, "GET", GATEWAY["session"] + "/" + session + "/results")["urls"]
        self.assertEqual(urls, self.videos(self.messages(GATEWAY, session)))
        self.assertEqual(task["video_url"], urls[0])
        self.settings(libtv_tasks="task")
        (task,) = self.ask(GATEWAY, "GET", "/api/v1/tasks")["tasks"]
        self.assertNotEqual(task["id"], session)

    def test_faults_in_its_own_shape(self):
        self.sim.control("faults", {"route": "GET /api/v1/key/status", "kind": "status", "status": 503})
        error = self.ask(GATEWAY, "GET", "/api/v1/key/status", want=503)["error"]
        self.assertIn("user_message", error)
        self.sim.control("faults", {"route": "POST /openapi/session", "kind": "status", "status": 503})
        self.assertEqual(self.create(DIRECT, want=503)["code"], 503)

    def test_empty_list_is_null(self):
        made = self.create(GATEWAY, None)
        self.assertIsNone(self.messages(GATEWAY, made["sessionId"]))
        made = self.create(DIRECT, None)
        self.assertEqual(self.messages(DIRECT, made["sessionId"]), [])

if __name__ == "__main__":
    rig.main()
