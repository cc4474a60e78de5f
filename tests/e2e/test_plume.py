"""Plume: every category from a call to a delivered file, its key's places, errors, money and memory."""
import json
import os
import sqlite3
import time

import harness

IMAGE, EDIT, VIDEO = "generate_image", "edit_image", "generate_video"
TASKS = "/api/open/tasks"
QUICK = {"poll_floor_ms": 40, "poll_ceiling_ms": 100, "typical_seconds": 0}


class Plume(harness.Case):
    def world(self, settings=None, sim_set=None, **more):
        world = super().world(**more)
        world.settings = dict(QUICK, **(settings or {}))
        world.configure({}, {"plume": world.settings})
        world.env = {"PLUME_API_KEY": world.key, "PLUME_API_BASE": world.sim.base}
        world.sim.set(video_size="64x64", video_seconds=1, **(sim_set or {}))
        return world

    def sent(self, world, index=-1):
        """What was posted as a task."""
        return world.sim.log(path="=" + TASKS, method="POST")[index]["fields"]

    def uploads(self, world):
        return world.sim.log(path="/api/open/upload")

    def failed(self, world, result, kind, *words):
        self.assertIn(result["status"], ("failed", "error", "expired", "unknown"), result)
        self.assertEqual(result["error"]["kind"], kind, result)
        for word in words:
            self.assertIn(word, result["error"]["text"] + " " + result["error"]["advice"])


class Categories(Plume):
    def test_text_to_picture(self):
        world = self.world()
        result = world.call(IMAGE, {"prompt": "a red paper lantern", "aspect_ratio": "3:4", "resolution": "1K"})
        self.made(result)
        self.assertEqual(result["cost"], {"amount": 10.0, "currency": "credits"})
        self.assertEqual(self.sent(world), {"category": "Banana2", "type": 2, "content": {
            "processing_mode": "text_to_image", "prompt": "a red paper lantern",
            "generationConfig": {"responseModalities": ["IMAGE"],
                                 "imageConfig": {"image_size": "1K", "aspectRatio": "3:4"}}}})
        log = world.sim.log()
        for request in log:
            media = request["path"].startswith("/pics/")
            self.assertEqual("Authorization" in request["headers"], not media, request["path"])
            if not media:
                self.assertEqual(request["headers"]["User-Agent"], "PlumeSkill/1.0")
        self.assertTrue(log[-1]["path"].startswith("/pics/r/"))

    def test_each_category_by_its_names(self):
        world = self.world()
        for model, category, credits in (("香蕉", "Banana2", 15), ("香蕉Pro", "BananaPro", 15),
                                         ("即梦", "seedream", 15), ("豆包即梦", "seedream", 15),
                                         ("banana pro", "BananaPro", 15), ("BANANA2", "Banana2", 15)):
            with self.subTest(model=model):
                result = world.call(IMAGE, {"prompt": "雨后的小巷 " + model, "model": model})
                self.made(result)
                self.assertEqual((self.sent(world)["category"], result["model"]), (category, category))
                self.assertEqual(result["cost"]["amount"], credits)
        self.assertNotIn("generationConfig", self.sent(world, 2)["content"])

    def test_picture_to_picture_with_last(self):
        world = self.world()
        self.made(world.call(IMAGE, {"prompt": "a dog"}, "--conversation", "telegram//7/"))
        result = world.call(EDIT, {"image": "last", "prompt": "as a watercolour"}, "--conversation", "telegram//7/")
        self.made(result)
        (upload,) = self.uploads(world)
        (part,) = upload["parts"]
        self.assertEqual((part["name"], part["content_type"], part["sniffed"]), ("file", "image/png", "image/png"))
        body = self.sent(world)["content"]
        self.assertEqual((body["processing_mode"], len(body["imageUrls"])), ("image_to_image", 1))
        self.assertTrue(body["imageUrls"][0].startswith(world.sim.base + "/pics/open/"))
        # Another conversation of the same channel has no last picture.
        other = world.call(EDIT, {"image": "last", "prompt": "x"}, "--conversation", "telegram//8/", want=1)
        self.assertIn("no picture in this conversation", other["error"]["text"])

    def test_removals_of_a_local_file(self):
        world = self.world()
        world.picture()
        for operation, category in (("remove_background", "remove-bg"), ("remove_watermark", "remove-watermark")):
            result = world.call(EDIT, {"image": "a.png", "operation": operation})
            self.made(result)
            body = self.sent(world)
            self.assertEqual((body["category"], list(body["content"])), (category, ["imageUrls"]))
            self.assertEqual(result["cost"]["amount"], 5)
        self.assertEqual(len(self.uploads(world)), 1)   # remembered

    def test_videos(self):
        world = self.world()
        world.picture()
        world.picture("b.png")
        self.made(world.call(VIDEO, {"prompt": "slow push-in"}), "video")
        self.assertEqual(self.sent(world), {"category": "veo", "type": 2, "content": {
            "processing_mode": "text_to_video", "prompt": "slow push-in",
            "videoConfig": {"model": "veo3.1-fast", "aspectRatio": "9:16", "durationSeconds": 6}}})
        self.made(world.call(VIDEO, {"prompt": "move", "first_frame": "a.png"}), "video")
        slots = self.sent(world)["content"]["imageUrls"]
        self.assertEqual(([bool(s) for s in slots]), [True, False, False])
        result = world.call(VIDEO, {"prompt": "door", "first_frame": "a.png", "last_frame": "b.png",
                                    "model": "seedance2", "seconds": 10})
        self.made(result, "video")
        self.assertEqual(result["cost"], {"amount": 72.0, "currency": "credits"})
        content = self.sent(world)["content"]
        self.assertEqual((content["processing_mode"], content["videoConfig"], len(content["imageUrls"])),
                         ("first_last_frame", {"model": "seedance2-10s"}, 2))
        self.assertEqual(len(self.uploads(world)), 2)

    def test_shapes(self):
        world = self.world()
        for shape in ("parts", "image_url", "url", "image_urls", "parts_url", "data_file", "data_image_url",
                      "data_url"):
            with self.subTest(shape=shape):
                world.sim.set(plume_result=shape, plume_text=int(shape < "e"))
                self.made(world.call(IMAGE, {"prompt": "a " + shape}))
        world.sim.set(plume_result="auto", plume_text=0, plume_count=3)
        self.made(world.call(IMAGE, {"prompt": "three"}), count=3)
        world.sim.set(plume_count=1, plume_poster=0)
        self.made(world.call(VIDEO, {"prompt": "no cover"}), "video")
        world.sim.set(plume_result="url", plume_query="?name=x.png")
        self.made(world.call(VIDEO, {"prompt": "by url"}), "video")

    def test_statuses_of_two_hundred(self):
        world = self.world(sim_set={"plume_http": "ok"})
        self.made(world.call(IMAGE, {"prompt": "all is 200"}))
        world.sim.fault("POST =" + TASKS, "status", status=402)
        self.failed(world, world.call(IMAGE, {"prompt": "no credits"}, want=1), "credits", "top up")


class Background(Plume):
    def test_each_is_delivered_once(self):
        world = self.world()
        world.picture()
        jobs = [("image", world.submit(IMAGE, {"prompt": "a dog"}, "--conversation", "telegram//7/"))]
        world.until_idle()
        jobs.append(("image", world.submit(EDIT, {"image": "last", "prompt": "in oil"}, "--conversation",
                                           "telegram//7/")))
        jobs.append(("image", world.submit(EDIT, {"image": "a.png", "operation": "remove_background"})))
        jobs.append(("video", world.submit(VIDEO, {"prompt": "waves"})))
        jobs.append(("video", world.submit(VIDEO, {"prompt": "waves move", "first_frame": "a.png"})))
        world.until_idle()
        for kind, job in jobs:
            message = self.delivered(world, job, kind)
            # Some of them were under way at once: those are labelled.
            self.assertRegex(message["text"], "^(\".*\": )?✅ %s generation complete!$" % kind)
        self.assertEqual(world.repeats(), [])
        self.assertEqual(world.sim.totals()["charges"], 5)

    def test_chinese(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "一只猫"}, "--locale", "zh-CN")
        world.until_idle()
        self.assertEqual(self.delivered(world, job, "image")["text"], "✅ 图片生成完成！")

    def test_last_result_file(self):
        world = self.world()
        media = os.path.join(world.home, ".openclaw", "media", "plume")
        job = world.submit(IMAGE, {"prompt": "a dog"}, "--conversation", "feishu//ou_1/")
        world.until_idle()
        with open(os.path.join(media, "last_result_feishu.json"), encoding="utf-8") as f:
            last = json.load(f)
        row = world.job(job)
        (file,) = world.rows("SELECT * FROM files WHERE job = ?", job)
        self.assertEqual((last["task_id"], last["local_file"], last["media_type"]),
                         (row["provider_job"], file["path"], "image"))
        self.assertTrue(last["result_url"].startswith(world.sim.base + "/pics/r/"))
        self.assertLess(abs(last["created_at"] - time.time()), harness.LIMIT_S)
        job = world.submit(VIDEO, {"prompt": "waves"}, "--conversation", "feishu//ou_2/")
        world.until_idle()
        with open(os.path.join(media, "last_result_feishu.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f)["media_type"], "video")
        world.call(IMAGE, {"prompt": "nobody's"})
        self.assertEqual(sorted(os.listdir(media)), ["last_result.json", "last_result_feishu.json"])

    def test_two_hundred_at_once(self):
        """The published client polls five at most."""
        world = self.world(sim_set={"video_ms": 1500})
        prompts = ["boat %d" % i for i in range(200)]
        lines = []
        for prompt in prompts:
            lines.append(world.start("call", IMAGE, json.dumps({"prompt": prompt}), "--background", outbox=True,
                                     check=False))
            if len(lines) == 8:
                for host in lines:
                    world.check(host.end())
                lines = []
        for host in lines:
            world.check(host.end())
        self.assertEqual(len(world.ledger()), 200)
        world.until_idle(timeout=120)
        rows = world.ledger()
        self.assertEqual({row["state"] for row in rows}, {"delivered"})
        messages = world.messages()
        self.assertEqual(len({m["job"] for m in messages}), 200)
        self.assertEqual((len(messages), world.repeats()), (200, []))
        totals = world.sim.totals()
        self.assertEqual((totals["submissions"], totals["credits"]["default"]), (200, 100000 - 200 * 15))

    def test_a_file_that_cannot_be_had_becomes_its_link(self):
        world = self.world()
        world.sim.fault("GET /pics", "body", status=404, body="gone", nth="every")
        job = world.submit(IMAGE, {"prompt": "a dog"})
        world.until_idle()
        message = self.one_message(world, job)
        task = world.job(job)["provider_job"]
        self.assertIn("%s/pics/r/%s/0.png" % (world.sim.base, task), message["text"])
        self.assertIn("made and paid for", message["text"])
        self.assertEqual((message["kind"], message["files"]), ("notice", []))

    def test_resumed_after_sigkill(self):
        world = self.world(sim_set={"video_ms": -1})
        job = world.submit(VIDEO, {"prompt": "waves", "model": "seedance2"})
        host = world.start("run", outbox=True)
        world.sim.wait(path=TASKS + "/*", count=2)
        host.kill()
        (task,) = world.sim.jobs()
        world.sim.job(task["id"], "completed")
        world.until_idle()
        self.delivered(world, job, "video")
        self.assertEqual(world.sim.totals()["submissions"], 1)


class Uploads(Plume):
    def test_bytes_and_name(self):
        world = self.world()
        name = world.picture('мой "dog" final.jpeg')   # a PNG under a wrong name
        self.made(world.call(EDIT, {"image": name, "prompt": "x"}))
        ((part,),) = [r["parts"] for r in self.uploads(world)]
        self.assertEqual((part["filename"], part["content_type"]), ("_dog_final.png", "image/png"))
        with open(os.path.join(world.workspace, name), "rb") as f:
            self.assertEqual(part["bytes"], len(f.read()))

    def test_remembered_until_it_changes_or_grows_old(self):
        world = self.world()
        world.picture()
        call = lambda prompt: self.made(world.call(EDIT, {"image": "a.png", "prompt": prompt}))
        call("one")
        call("two")
        self.assertEqual(len(self.uploads(world)), 1)
        world.picture(width=81)
        call("three")
        self.assertEqual(len(self.uploads(world)), 2)
        db = sqlite3.connect(world.path("state", "clawmedia.db"))
        with db:
            db.execute("UPDATE uploads SET until_ms = 1")
        db.close()
        call("four")
        self.assertEqual(len(self.uploads(world)), 3)

    def test_one_that_the_service_forgot(self):
        """It refuses the remembered address: sent once again, and only then a failure."""
        world = self.world()
        world.picture()
        self.made(world.call(EDIT, {"image": "a.png", "prompt": "one"}))
        refusal = json.dumps({"success": False, "code": "VALIDATION_ERROR", "message": "bad picture",
                              "error": {"details": {"imageUrls": "not found"}}})
        world.sim.fault("POST =" + TASKS, "body", status=400, body=refusal, charged=False)
        self.made(world.call(EDIT, {"image": "a.png", "prompt": "two"}))
        self.assertEqual(len(self.uploads(world)), 2)
        world.sim.fault("POST =" + TASKS, "body", status=400, body=refusal, charged=False, nth="every")
        result = world.call(EDIT, {"image": "a.png", "prompt": "three"}, want=1)
        self.failed(world, result, "invalid", "bad picture", "imageUrls: not found")
        self.assertEqual(len(self.uploads(world)), 3)
        self.assertEqual(world.sim.totals()["charges"], 2)

    def test_refused_before_anything_is_sent(self):
        world = self.world()
        with open(os.path.join(world.workspace, "big.png"), "wb") as f:
            f.write(harness.png(8, 8))
            f.truncate(20 * 1024 * 1024 + 1)
        for args, field in (({"image": "big.png", "prompt": "x"}, "image"),
                            ({"image": "https://elsewhere.example/a.png", "prompt": "x"}, "image"),
                            ({"image": "http://pics.useplume.app/a.png", "prompt": "x"}, "image"),
                            ({"image": "https://u@pics.useplume.app/a.png", "prompt": "x"}, "image")):
            result = world.call(EDIT, args, want=1)
            self.assertEqual((result["error"]["kind"], result["error"].get("field")), ("invalid", field), result)
        self.assertEqual(world.sim.log(), [])

    def test_its_own_address_goes_as_it_is(self):
        world = self.world()
        first = self.made(world.call(IMAGE, {"prompt": "x"}))
        self.made(world.call(EDIT, {"image": first["url"], "prompt": "y"}))
        self.assertEqual(self.sent(world)["content"]["imageUrls"], [first["url"]])
        self.assertEqual(self.uploads(world), [])

    def test_faults(self):
        world = self.world()
        world.picture()
        world.sim.fault("POST /api/open/upload", "drop_after_accept")
        world.sim.fault("POST /api/open/upload", "status", status=502)
        world.sim.fault("POST /api/open/upload", "body", status=504, body="")
        self.made(world.call(EDIT, {"image": "a.png", "prompt": "x"}))
        self.assertEqual(world.sim.totals()["submissions"], 1)
        world.sim.fault("POST /api/open/upload", "status", status=401)
        world.picture(width=90)
        self.failed(world, world.call(EDIT, {"image": "a.png", "prompt": "y"}, want=1), "auth", "UNAUTHORIZED")


class Errors(Plume):
    def test_codes_of_a_create(self):
        world = self.world()
        for status, code, kind, advice in (
                (400, "VALIDATION_ERROR", "invalid", "prompt: required"),
                (401, "UNAUTHORIZED", "auth", "openclaw-skill"), (403, "FORBIDDEN", "auth", "administrator"),
                (402, "INSUFFICIENT_CREDITS", "credits", "https://design.useplume.app"),
                (404, "CREDITS_ACCOUNT_NOT_FOUND", "credits", "register at"),
                (500, "INTERNAL_ERROR", "unavailable", "administrator")):
            with self.subTest(code=code):
                body = json.dumps({"success": False, "code": code, "message": "no " + code, "data": None,
                                   "error": {"details": {"prompt": "required for text_to_image"}}})
                for http in (status, 200):
                    world.sim.fault("POST =" + TASKS, "body", status=http, body=body, charged=False)
                    result = world.call(IMAGE, {"prompt": "%s %d" % (code, http)}, want=1)
                    self.failed(world, result, kind, "no " + code, advice)
        self.assertEqual(world.sim.totals()["charges"], 0)
        world.sim.fault("POST =" + TASKS, "status", status=402)
        chinese = world.call(IMAGE, {"prompt": "x"}, "--locale", "zh-CN", want=1)
        self.assertIn("充值", chinese["error"]["advice"])

    def test_a_write_that_was_lost_is_sent_again(self):
        world = self.world()
        world.sim.fault("POST =" + TASKS, "status", status=409)
        self.made(world.call(IMAGE, {"prompt": "x"}))
        self.assertEqual(world.sim.totals()["charges"], 1)

    def test_lost_answers(self):
        world = self.world()
        for n, (kind, more) in enumerate((("drop_after_accept", {}), ("empty", {}), ("malformed_json", {}),
                                          ("body", {"status": 502, "body": "<h1>Bad gateway</h1>"}),
                                          ("body", {"status": 504, "body": ""}))):
            for tool in (IMAGE, VIDEO):
                with self.subTest(kind=kind, tool=tool):
                    world.sim.fault("POST =" + TASKS, kind, charged=True, **more)
                    result = world.call(tool, {"prompt": "lost %d" % n}, want=(1, 3, 4, 5, 6))
                    self.assertEqual(result["status"], "unknown", result)
                    world.until_idle()
        self.assertEqual(world.sim.totals()["submissions"], 10)
        world.sim.set(plume_odd="created_null")
        result = world.call(IMAGE, {"prompt": "no task"}, want=(1, 3, 4, 5, 6))
        self.assertEqual((result["status"], world.sim.totals()["submissions"]), ("unknown", 11))

    def test_ends(self):
        world = self.world()
        for end, kind, words in (("failed", "moderated", "prompt rejected by the safety filter"),
                                 ("failed_text", "unavailable", "the executor gave up"),
                                 ("timeout", "expired", "took too long"), ("cancelled", "cancelled", "cancelled"),
                                 ("unknown", "answer", "unknown status 9")):
            with self.subTest(end=end):
                world.sim.set(plume_end=end)
                result = world.call(IMAGE, {"prompt": end}, want=(1, 3, 4, 5, 6))
                self.assertEqual(result["error"]["kind"], kind, result)
                self.assertIn(words, result["error"]["text"])

    def test_quirks_that_pass(self):
        world = self.world()
        for odd in ("status_number_text", "duration_text", "id_text"):
            with self.subTest(odd=odd):
                world.sim.set(plume_odd=odd)
                self.made(world.call(VIDEO, {"prompt": odd}), "video")
        self.assertRegex(world.ledger()[-1]["provider_job"], "^t_[0-9]+$")

    def test_quirks_that_wait(self):
        """Nonsense about a task is asked again until it makes sense, or time is up."""
        world = self.world({"deadline_ms": 900})
        for odd in ("data_null", "status_text", "no_status", "not_object"):
            with self.subTest(odd=odd):
                world.sim.set(plume_odd=odd)
                result = world.call(IMAGE, {"prompt": odd}, want=(1, 3, 4, 5, 6))
                self.assertEqual(result["status"], "expired", result)
        world.sim.set(plume_odd="none")
        world.sim.fault("GET " + TASKS, "wrong_types")
        self.made(world.call(IMAGE, {"prompt": "odd once"}))

    def test_poll_troubles(self):
        world = self.world(sim_set={"video_ms": 0})
        for kind, more in (("status", {"status": 500}), ("drop_after_accept", {}),
                           ("body", {"status": 502, "body": "no json"})):
            world.sim.fault("GET " + TASKS, kind, **more)
        self.made(world.call(IMAGE, {"prompt": "trouble"}))
        for status, kind in ((401, "auth"), (403, "auth"), (404, "not_found")):
            for fault in ({"kind": "status"}, {"kind": "body", "body": "no json"}):
                with self.subTest(status=status, **fault):
                    before = len(world.sim.log(path=TASKS + "/*"))
                    fault = dict(fault)
                    world.sim.fault("GET " + TASKS, fault.pop("kind"), status=status, **fault)
                    result = world.call(IMAGE, {"prompt": "%d %r" % (status, fault)}, want=1)
                    self.failed(world, result, kind)
                    self.assertEqual(len(world.sim.log(path=TASKS + "/*")), before + 1)
        self.assertEqual(world.sim.faults()[0]["left"], False)

    def test_results_elsewhere(self):
        world = self.world()
        world.sim.set(media_base="http://localhost:%d" % world.sim.port)
        result = world.call(IMAGE, {"prompt": "elsewhere"}, want=1)
        self.failed(world, result, "refused", "not Plume's")
        world.sim.set(media_base="")
        world.sim.fault("GET /pics", "redirect", to="http://localhost:%d/media/make/a.png" % world.sim.port)
        self.failed(world, world.call(IMAGE, {"prompt": "by redirect"}, want=1), "refused")
        self.assertEqual([r for r in world.sim.log() if r["path"].startswith("/media/")], [])
        for shape in ("none", "words", "null"):
            world.sim.set(plume_result=shape)
            self.failed(world, world.call(IMAGE, {"prompt": shape}, want=1), "answer", "names no result")

    def test_empty_files(self):
        world = self.world()
        world.sim.fault("GET /pics", "empty", nth="every")
        result = world.call(IMAGE, {"prompt": "empty"}, want=1)
        self.assertIn("/pics/r/", result["error"]["text"])
        self.assertEqual(world.media(), [])

    def test_refused_here(self):
        world = self.world()
        world.picture()
        for tool, args, field in (
                (IMAGE, {"prompt": "x", "model": "gpt-image-1"}, "model"), (IMAGE, {"prompt": "x", "model": "veo"}, "model"),
                (IMAGE, {"prompt": "x", "model": "remove-bg"}, "model"), (EDIT, {"image": "a.png"}, "prompt"),
                (VIDEO, {"prompt": "x", "model": "seedance2", "seconds": 7}, "seconds"),
                (VIDEO, {"prompt": "x", "model": "seedance2", "last_frame": "a.png"}, "first_frame"),
                (VIDEO, {"prompt": "x", "model": "seedance2", "first_frame": "a.png",
                         "reference_images": ["a.png"]}, "reference_images"),
                (IMAGE, {"prompt": "x", "extra": "{\"processing_mode\":\"multi_image_blend\"}"}, "reference_images")):
            with self.subTest(args=args):
                result = world.call(tool, args, want=1)
                self.assertEqual((result["error"]["kind"], result["error"].get("field")), ("invalid", field), result)
        self.assertEqual(world.sim.log(), [])


class Account(Plume):
    def test_places_of_the_key(self):
        """Environment, the skill's own, env.vars, env, .env file: the first that is there."""
        world = self.world()
        world.env.pop("PLUME_API_KEY")
        places = [
            ("the .env file", None), ("env", {"env": {"PLUME_API_KEY": "k-env"}}),
            ("env.vars", {"env": {"vars": {"PLUME_API_KEY": "k-vars"}}}),
            ("skills", {"skills": {"entries": {"plume-image": {"env": {"PLUME_API_KEY": "k-skill"}}}}}),
            ("environment", None)]
        root = {"plugins": {"entries": {"clawmedia": {"config": {"providers": {"plume": world.settings}}}}}}
        for name, key in (("the .env file", "k-dotenv"), ("env", "k-env"), ("env.vars", "k-vars"),
                          ("skills", "k-skill"), ("environment", "k-environ")):
            world.sim.control("POST", "accounts", {"key": key, "name": name})
        used = []
        for name, more in places:
            if name == "the .env file":
                with open(world.path(".env"), "w", encoding="ascii") as f:
                    f.write("export PLUME_API_KEY=\"k-dotenv\"\n")
            if name == "environment":
                world.env["PLUME_API_KEY"] = "k-environ"
            for key, value in (more or {}).items():
                root[key] = dict(root.get(key, {}), **value)
            with open(world.config, "w", encoding="utf-8") as f:
                json.dump(root, f)
            self.assertEqual(world.call("account", {"action": "check"})["providers"][0]["key"], "accepted")
            used.append(world.sim.log()[-1]["account"])
        self.assertEqual(used, [name for name, _ in places])

    def test_not_configured(self):
        world = self.world()
        world.env.pop("PLUME_API_KEY")
        result = world.call(IMAGE, {"prompt": "x", "provider": "plume"}, want=1)
        self.assertEqual(result["error"]["kind"], "config")
        for word in ("https://design.useplume.app/openclaw-skill", "skills.entries", "PLUME_API_KEY", "/restart"):
            self.assertIn(word, result["error"]["text"])
        result = world.call(IMAGE, {"prompt": "x", "provider": "plume"}, "--locale", "zh-CN", want=1)
        self.assertIn("注册", result["error"]["text"])
        self.assertEqual(world.sim.log(), [])

    def test_check(self):
        world = self.world()
        self.assertEqual(world.call("account", {"action": "check"})["providers"][0]["key"], "accepted")
        world.env["PLUME_API_KEY"] = "sk-wrong-key-entirely"
        row = world.call("account", {"action": "check"}, want=(0, 1))["providers"][0]
        self.assertEqual((row["key"], row["kind"]), ("refused", "auth"))
        self.assertIn("openclaw-skill", row["advice"])
        self.assertEqual({r["path"] for r in world.sim.log()}, {"/api/open/validate"})

    def test_models_and_dry_run(self):
        world = self.world({"typical_seconds": 12})
        (provider,) = world.call("list_models", {})["providers"]
        rows = {row["name"]: row for row in provider["models"]}
        self.assertEqual(sorted(rows), sorted(["Banana2", "BananaPro", "remove-bg", "remove-watermark", "seedream",
                                               "veo", "seedance2"]))
        self.assertEqual(rows["Banana2"]["price"], {"text_to_image": 10, "image_to_image": 15,
                                                    "multi_image_blend": 20, "currency": "credits"})
        self.assertEqual(rows["seedance2"]["price"], {"5": 40, "10": 72, "15": 100, "currency": "credits"})
        self.assertIn("即梦", rows["seedream"]["aliases"])
        for name, seconds, hours in (("Banana2", 20, 0.5), ("remove-bg", 8, 0.5), ("veo", 180, 6), ("seedance2", 600, 48)):
            self.assertEqual((rows[name]["typical_ms"], rows[name]["deadline_ms"]), (seconds * 1000, hours * 3600000))
        plan = world.call(VIDEO, {"prompt": "x", "model": "seedance2-15s", "dry_run": True})
        self.assertEqual((plan["model"], plan["cost_estimate"], plan["seconds_typical"]),
                         ("seedance2", {"amount": 100.0, "currency": "credits"}, 12))
        self.assertEqual(world.sim.log(), [])


if __name__ == "__main__":
    harness.main()
