"""LibTV, both doors: from a call to a delivered file, sessions, labels, recovery, keys, in the background."""
import json
import os

import harness

VIDEO, IMAGE = "generate_video", "generate_image"
QUICK = {"poll_floor_ms": 40, "poll_ceiling_ms": 150, "typical_seconds": 0}
DOORS = {"libtv": {"prefix": "sk-libtv-", "session": "/openapi/session", "upload": "/openapi/file/upload"},
         "nexu": {"prefix": "mgk_", "session": "/libtv/v1/session", "upload": "/libtv/v1/upload"}}
CHAT = ("--conversation", "feishu//ou_1/")


class LibTV(harness.Case):
    KIND = "video"

    def door(self, name, settings=None, sim_set=None, **more):
        """A world whose only account is that one."""
        world = self.world(**more)
        world.door = dict(DOORS[name], id=name)
        world.own = world.door["prefix"] + world.key[3:]
        world.secrets.append(world.own)
        world.sim.control("POST", "accounts", {"key": world.own, "name": name, "credits": 50})
        world.settings = dict(QUICK, **(settings or {}))
        world.configure({}, {"libtv": world.settings, "nexu": world.settings})
        world.env = {"LIBTV_ACCESS_KEY": world.own, "LIBTV_DIRECT_BASE_URL": world.sim.base,
                     "LIBTV_GATEWAY_URL": world.sim.base + "/"}
        world.sim.set(video_size="64x64", video_seconds=1, image_bytes=0, **(sim_set or {}))
        return world

    def both(self, **more):
        return (self.door(name, **more) for name in DOORS)

    def messages_sent(self, world):
        """What was posted into sessions, without those that only make one."""
        return [r["fields"] for r in world.sim.log(path="=" + world.door["session"], method="POST")
                if "message" in (r["fields"] or {})]

    def finish(self, world, text, status="completed", **more):
        (job,) = [j["id"] for j in world.sim.jobs() if j["prompt"].startswith(text)]
        world.sim.job(job, status, **more)

    def check_doors(self, world):
        for r in world.sim.log():
            if r["path"].startswith(("/openapi", "/libtv", "/api", "//")):
                gate = world.door["id"] == "nexu"
                self.assertEqual(("X-API-KEY" in r["headers"], "Authorization" in r["headers"]), (gate, not gate))
                self.assertEqual(r["headers"]["User-Agent"], "LibTVSkill/1.0")
                self.assertNotIn("//", r["path"])
            elif not r["path"].startswith("/_sim"):
                self.assertFalse({"X-API-KEY", "Authorization"} & set(r["headers"]), r)


class Making(LibTV):
    def test_text_to_video_and_pictures(self):
        for world in self.both():
            result = world.call(VIDEO, {"prompt": "a paper boat"})
            self.made(result)
            self.assertEqual(result["provider"], world.door["id"])
            self.assertEqual([m["message"] for m in self.messages_sent(world)], ["a paper boat, video ratio 16:9"])
            self.check_doors(world)
            world.sim.set(libtv_mode="image")
            self.made(world.call(IMAGE, {"prompt": "a lantern"}), "image")
            self.assertEqual(self.messages_sent(world)[-1]["message"], "a lantern")
            world.sim.set(libtv_mode="mixed", libtv_count=2)
            result = world.call(VIDEO, {"prompt": "来一段9:16的短片"})
            self.assertEqual(len(result["files"]), 3, result)
            self.assertEqual(self.messages_sent(world)[-1]["message"], "来一段9:16的短片")

    def test_picture_to_video_in_the_background(self):
        for world in self.both():
            world.picture()
            job = world.submit(VIDEO, {"prompt": "it moves", "first_frame": "a.png", "aspect_ratio": "9:16"}, *CHAT)
            world.until_idle()
            text = self.delivered(world, job, "video")["text"]
            self.assertEqual("https://www.liblib.tv/canvas?projectId=" in text, world.door["id"] == "libtv", text)
            (upload,) = world.sim.log(path=world.door["upload"])
            (part,) = upload["parts"]
            self.assertEqual((part["name"], part["sniffed"]), ("file", "image/png"))
            (sent,) = self.messages_sent(world)
            self.assertRegex(sent["message"], r"^it moves, first frame: http://\S+/claw/\S+\.png, video ratio 9:16$")
            # The same file again is not sent again.
            self.made(world.call(VIDEO, {"prompt": "once more", "first_frame": "a.png"}))
            self.assertEqual(len(world.sim.log(path=world.door["upload"])), 1)
            self.assertEqual((len(world.messages()), world.repeats()), (1, []))
            self.check_doors(world)

    def test_the_other_upload_path(self):
        world = self.door("libtv", sim_set={"libtv_uploads": "plain"})
        world.picture()
        self.made(world.call(VIDEO, {"prompt": "it moves", "first_frame": "a.png"}))
        (upload,) = world.sim.log(path="=/openapi/upload")
        self.assertEqual((list(upload["fields"]), [p["name"] for p in upload["parts"]]), (["accessKey"], ["file"]))

    def test_refused_before_anything_is_sent(self):
        for world in self.both():
            with open(os.path.join(world.workspace, "a.txt"), "w") as f:
                f.write("no picture")
            with open(os.path.join(world.workspace, "big.png"), "wb") as f:
                f.write(harness.png(8, 8))
                f.truncate(200 * 1024 * 1024 + 1)
            for name in ("a.txt", "big.png", "absent.png"):
                result = world.call(VIDEO, {"prompt": "x", "first_frame": name}, want=1)
                kind = "not_found" if name == "absent.png" else "invalid"
                self.assertEqual(result["error"]["kind"], kind, result)
            self.assertEqual(world.sim.log(), [])

    def test_every_way_to_say_it(self):
        world = self.door("libtv")
        for mode in ("tool", "assistant", "punctuated", "foreign", "odd", "retry"):
            with self.subTest(mode=mode):
                world.sim.set(libtv_mode=mode)
                self.made(world.call(VIDEO, {"prompt": "said as " + mode}))
        world.sim.set(libtv_mode="final", libtv_seq=0)
        self.made(world.call(VIDEO, {"prompt": "not numbered"}))
        world.picture()
        world.sim.set(libtv_mode="echo", libtv_seq=1)
        self.made(world.call(VIDEO, {"prompt": "it echoes", "first_frame": "a.png"}))

    def test_clips_then_the_film(self):
        for world in self.both(sim_set={"libtv_mode": "steps", "video_ms": 500, "libtv_gap_ms": 100, "libtv_count": 3}):
            result = world.call(VIDEO, {"prompt": "a long one"})
            self.assertEqual(result["status"], "done", result)
            self.assertGreater(len(result["files"]), 1)


class Failing(LibTV):
    def test_failures_are_told(self):
        for world in self.both():
            for mode in ("error", "is_error", "task_failed", "said"):
                with self.subTest(mode=mode):
                    world.sim.set(libtv_mode=mode)
                    result = world.call(VIDEO, {"prompt": "fails as " + mode}, want=(1, 3, 4, 5, 6))
                    self.assertEqual(result["status"], "failed", result)
                    self.assertNotEqual(result["error"]["text"], "")

    def test_foreign_results_are_none(self):
        world = self.door("libtv", {"deadline_ms": 600}, {"libtv_mode": "foreign_only"})
        result = world.call(VIDEO, {"prompt": "elsewhere"}, want=(1, 3, 4, 5, 6))
        self.assertEqual(result["status"], "expired", result)

    def test_troubles_pass(self):
        for world in self.both(sim_set={"video_ms": 0}):
            route = "GET " + world.door["session"]
            world.sim.fault(route, "status", status=503)
            world.sim.fault(route, "status", status=503)
            world.sim.fault(route, "drop_after_accept")
            self.made(world.call(VIDEO, {"prompt": "a boat"}))
            self.assertEqual(world.sim.totals()["charges"], 1)

    def test_a_lost_answer_is_found(self):
        """The message is in the session: it is waited for, not sent again."""
        for world in self.both():
            for n, (kind, more) in enumerate((("drop_after_accept", {}), ("malformed_json", {}),
                                              ("body", {"status": 502, "body": "<h1>Bad gateway</h1>"}))):
                with self.subTest(kind=kind):
                    # At the personal API the first such request only makes a session.
                    world.sim.fault("POST =" + world.door["session"], kind, charged=True,
                                    nth=2 if world.door["id"] == "libtv" else 1, **more)
                    self.made(world.call(VIDEO, {"prompt": "lost %d" % n}))
                    self.assertEqual(world.sim.totals()["charges"], n + 1)

    def test_the_same_words_twice_are_two_sessions(self):
        """A lost answer is not looked for in the session of a job that asked for the same."""
        for nth in (1, 2):
            world = self.door("nexu")
            world.sim.fault("POST =" + world.door["session"], "drop_after_accept", charged=True, nth=nth)
            world.sim.fault("GET /api/v1/tasks", "status", status=503)  # by then both are there
            jobs = [world.submit(VIDEO, {"prompt": "a boat", "again": True}) for _ in range(2)]
            world.until_idle()
            self.assertEqual([world.job(job)["state"] for job in jobs], ["delivered"] * 2)
            self.assertEqual(len({world.job(job)["provider_job"] for job in jobs}), 2)
            self.assertEqual(world.sim.totals()["charges"], 2)

    def test_a_refused_key_ends_it(self):
        for world in self.both(sim_set={"video_ms": -1}):
            job = world.submit(VIDEO, {"prompt": "a boat"})
            world.sim.fault("GET " + world.door["session"], "status", status=401,
                            nth=2 if world.door["id"] == "libtv" else 1)
            world.until_idle()
            row = world.job(job)
            self.assertEqual((row["state"], row["error_kind"]), ("failed", "auth"), row)
            self.assertEqual(self.one_message(world, job)["kind"], "notice")

    def test_a_used_up_key_is_not_used(self):
        world = self.door("nexu")
        world.sim.control("POST", "accounts", {"key": world.own, "name": "nexu", "credits": 0})
        result = world.call(VIDEO, {"prompt": "a boat"}, want=1)
        self.assertEqual(result["error"]["kind"], "credits", result)
        self.assertEqual(self.messages_sent(world), [])


class Sessions(LibTV):
    def test_going_on(self):
        for world in self.both():
            job = world.submit(VIDEO, {"prompt": "a boat"}, *CHAT)
            world.until_idle()
            session = world.job(job)["provider_job"]
            second = world.submit(VIDEO, {"prompt": "make it rain", "session": job}, *CHAT)
            world.until_idle()
            third = world.submit(VIDEO, {"prompt": "make it rain", "session": session, "again": True}, *CHAT)
            world.until_idle()
            self.assertEqual([world.job(j)["provider_job"] for j in (second, third)], [session] * 2)
            self.assertEqual([m.get("sessionId") for m in self.messages_sent(world)][1:], [session] * 2)
            urls = [world.rows("SELECT url FROM files WHERE job = ?", j) for j in (job, second, third)]
            self.assertEqual([len(u) for u in urls], [1, 1, 1])
            self.assertEqual(len({u[0]["url"] for u in urls}), 3)
            for j in (job, second, third):
                self.delivered(world, j, "video")
            self.assertEqual(world.repeats(), [])
            # Of another conversation it is as if it were not there.
            other = world.call(VIDEO, {"prompt": "x", "session": job}, "--conversation", "feishu//ou_2/", want=1)
            self.assertEqual(other["error"]["field"], "session", other)

    def test_new_project(self):
        for world in self.both():
            first = world.submit(VIDEO, {"prompt": "a boat"}, *CHAT)
            world.until_idle()
            second = world.submit(VIDEO, {"prompt": "a train", "session": "new_project"}, *CHAT)
            world.until_idle()
            flows = [json.loads(world.job(j)["flow"]) for j in (first, second)]
            self.assertNotEqual(flows[0]["project"], flows[1]["project"])
            self.assertEqual(flows[1]["project"], flows[1]["moved"])
            self.assertNotEqual(flows[0]["session"], flows[1]["session"])

    def test_a_session_with_a_history(self):
        for how in ("default", "history"):
            world = self.door("libtv", sim_set={"libtv_session": how})
            for prompt in ("a boat", "a train"):
                self.made(world.call(VIDEO, {"prompt": prompt}))
            urls = [row["url"] for row in world.rows("SELECT url FROM files")]
            self.assertEqual(len(set(urls)), 2)

    def three(self, world, prompts, locale):
        jobs = [world.submit(VIDEO, {"prompt": p}, *CHAT, "--locale", locale) for p in prompts]
        host = world.start("run", outbox=True)
        get = {"path": world.door["session"] + "/*", "method": "GET"}
        world.sim.wait(count=3 + 3 * (world.door["id"] == "libtv"), **get)
        for n in (1, 2, 0):
            self.finish(world, prompts[n])
            host.wait_err(r"clawmedia:%s:1: receipt 0" % jobs[n])
            self.assertEqual(len(world.messages()), {1: 1, 2: 2, 0: 3}[n])
        host.signal(15)
        host.end()
        return [self.delivered(world, job, "video") for job in jobs]

    def test_three_at_once_are_labelled(self):
        for world in self.both(sim_set={"video_ms": -1}):
            prompts = ["a paper boat", "a train", "a kite in the wind over the grey sea in late autumn"]
            texts = [m["text"] for m in self.three(world, prompts, "en")]
            self.assertTrue(texts[0].startswith('"a paper boat": Here is your video.'), texts)
            self.assertTrue(texts[1].startswith('"a train": '), texts)
            self.assertTrue(texts[2].startswith('"a kite in the wind over the grey sea'), texts)
            self.assertIn("…", texts[2])
            self.assertEqual((len(world.messages()), world.repeats()), (3, []))
            # Each has its own.
            urls = [row["url"] for row in world.rows("SELECT url FROM files")]
            self.assertEqual(len(set(urls)), 3)

    def test_three_in_chinese_in_one_session(self):
        world = self.door("libtv", sim_set={"video_ms": -1, "libtv_session": "default"})
        prompts = ["一只纸船", "一列火车", "一只风筝"]
        texts = [m["text"] for m in self.three(world, prompts, "zh-CN")]
        for text, prompt in zip(texts, prompts):
            self.assertTrue(text.startswith("「%s」：" % prompt), text)
        self.assertEqual(len({row["url"] for row in world.rows("SELECT url FROM files")}), 3)


class Recovery(LibTV):
    def test_after_a_kill(self):
        for world in self.both(sim_set={"video_ms": -1}):
            job = world.submit(VIDEO, {"prompt": "a boat"}, *CHAT)
            host = world.start("run", outbox=True)
            world.sim.wait(path=world.door["session"] + "/*", method="GET", count=2)
            host.kill()
            self.finish(world, "a boat")
            result = world.call("poll", {"action": "recover"}, *CHAT, outbox=True)
            self.assertEqual([row["job"] for row in result["jobs"]], [job], result)
            world.until_idle()
            self.delivered(world, job, "video")
            self.assertEqual((len(world.messages()), world.repeats()), (1, []))
            self.assertEqual(world.sim.totals()["charges"], 1)

    def test_expired_and_found(self):
        """Past its time, then there after all; beside it one that fails to be asked, and one not ready."""
        for world in self.both(settings={"deadline_ms": 300}, sim_set={"video_ms": -1}):
            jobs = {p: world.submit(VIDEO, {"prompt": p}, *CHAT) for p in ("a boat", "a train", "a kite")}
            elsewhere = world.submit(VIDEO, {"prompt": "not ours"}, "--conversation", "feishu//ou_2/")
            world.until_idle()
            self.assertEqual({row["state"] for row in world.ledger()}, {"expired"})
            notices = {m["job"]: m for m in world.messages()}
            self.assertIn("recover", notices[jobs["a boat"]]["text"])
            self.finish(world, "a boat")
            session = world.job(jobs["a train"])["provider_job"]
            world.sim.fault("GET " + world.door["session"] + "/" + session, "status", status=404, nth="every")
            result = world.call("poll", {"action": "recover", "wait_seconds": 20}, *CHAT, outbox=True)
            rows = {row["job"]: row for row in result["jobs"]}
            self.assertEqual(set(rows), set(jobs.values()), result)
            self.assertIn("404", json.dumps(rows[jobs["a train"]]) + "404")
            self.assertEqual(rows[jobs["a train"]]["state"], "failed", rows)
            self.assertEqual(rows[jobs["a kite"]]["state"], "working", rows)
            world.sim.no_faults()
            self.finish(world, "a kite")
            world.until_idle()
            for prompt in ("a boat", "a kite"):
                found = [m for m in world.messages() if m["job"] == jobs[prompt]]
                self.assertEqual([m["kind"] for m in found], ["notice", "result"], found)
                harness.check_media(found[1]["files"][0]["path"], "video")
                self.assertEqual(world.job(jobs[prompt])["state"], "delivered")
            self.assertEqual(world.job(elsewhere)["state"], "expired")
            self.assertEqual(world.repeats(), [])
            self.assertEqual(world.sim.totals()["charges"], 4)
            # And then nothing is left.
            none = world.call("poll", {"action": "recover"}, *CHAT)
            self.assertEqual(none["jobs"], [])

    def test_of_unknown_fate(self):
        """The service shows the message only later."""
        world = self.door("libtv", sim_set={"video_ms": -1})
        world.sim.fault("POST =/openapi/session", "drop_after_accept", charged=True, nth=2)
        world.sim.fault("GET /openapi/session", "body", status=200, nth=2, count=2,
                        body='{"code":0,"data":{"messages":[]}}')
        job = world.submit(VIDEO, {"prompt": "a boat"}, *CHAT)
        world.until_idle()
        self.assertEqual(world.job(job)["state"], "unknown")
        self.finish(world, "a boat")
        world.call("poll", {"action": "recover", "wait_seconds": 20}, *CHAT, outbox=True)
        world.until_idle()
        self.assertEqual(world.job(job)["state"], "delivered")
        self.assertEqual([m["kind"] for m in world.messages()], ["notice", "result"])
        self.assertEqual(world.sim.totals()["charges"], 1)


if __name__ == "__main__":
    harness.main()
