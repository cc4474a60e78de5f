"""What tools say: validation, configuration, languages, poll's actions, models, plans, exit codes."""
import json

import harness

IMAGE, VIDEO = "generate_image", "generate_video"


class Words(harness.Case):
    def test_tools(self):
        world = self.world(sim=False)
        tools = json.loads(world.run("tools", "--json").out)
        names = {tool["name"] for tool in tools.get("tools", tools) if isinstance(tool, dict)} \
            if isinstance(tools, dict) else {tool["name"] for tool in tools}
        self.assertLessEqual({"generate_image", "generate_video", "poll", "list_models"}, names)

    def test_arguments(self):
        world = self.world()
        wrong = (
            ({"prompt": "x", "quality": "hihg"}, "quality", ["hihg", "auto, low, medium, high", "nearest: high"]),
            ({"prompt": "x", "promt": "y"}, "promt", ["did you mean \"prompt\""]),
            ({"prompt": "x", "count": 11}, "count", ["11", "1 to 10"]),
            ({"prompt": "x", "count": "many"}, "count", ["many", "integer"]),
            ({}, "prompt", ["missing"]),
            ({"prompt": ""}, "prompt", ["missing"]),
            ({"prompt": "x", "zzzzzz": 1}, "zzzzzz", ["allowed are", "reference_images"]),
            ({"prompt": "x", "reference_images": [3]}, "reference_images", ["3", "string"]),
            ({"prompt": "x", "model": "gpt-image-1.5", "size": "banana"}, "size", ["banana", "1024x1536"]),
        )
        for args, field, pieces in wrong:
            with self.subTest(args=args):
                result = world.call(IMAGE, args, want=1)
                self.assertEqual(result["status"], "error")
                self.assertEqual(result["error"]["kind"], "invalid")
                self.assertEqual(result["error"]["field"], field)
                self.assertEqual(result["message"], result["error"]["text"])
                for piece in pieces:
                    self.assertIn(piece, result["error"]["text"])
        self.assertEqual(world.sim.log(), [])
        self.assertEqual(world.ledger(), [])

    def test_harmless_mistakes_are_mended(self):
        world = self.world()
        result = world.call(IMAGE, {"prompt": "x", "count": "2", "again": "true", "seed": None})
        self.assertEqual(len(result["files"]), 2)

    def test_unknown_provider(self):
        world = self.world(providers={"beta": {"baseUrl": "http://127.0.0.1:9/v1", "apiKey": "sk-of-beta-x"}})
        world.secrets.append("sk-of-beta-x")
        result = world.call(IMAGE, {"prompt": "x", "provider": "gamma"}, want=1)
        self.assertEqual(result["error"]["field"], "provider")
        self.assertIn("gamma", result["error"]["text"])
        self.assertIn("beta, sim", result["error"]["text"])

    def test_nothing_configured(self):
        world = self.world(sim=False)
        for tool, args in ((IMAGE, {"prompt": "x"}), ("list_models", {})):
            result = world.call(tool, args, want=1)
            self.assertEqual(result["error"]["kind"], "config")
            self.assertIn("openclaw.json", result["error"]["text"])
            self.assertIn("models.providers", result["error"]["text"])

    def test_broken_configuration(self):
        world = self.world()
        with open(world.config, "w", encoding="utf-8") as f:
            f.write("{\n  models: {\n    providers: [,\n")
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.assertEqual(result["error"]["kind"], "config")
        self.assertIn("openclaw.json", result["error"]["text"])
        self.assertIn("line 3", result["error"]["text"])
        self.assertIn("column", result["error"]["text"])
        with open(world.config, encoding="utf-8") as f:
            self.assertEqual(f.read(), "{\n  models: {\n    providers: [,\n")

    def test_usage_and_exit_codes(self):
        world = self.world()
        self.assertEqual(world.run("call", IMAGE, "{not json", want=2).out, "")
        self.assertEqual(world.run("call", IMAGE, "[]", want=2).out, "")
        self.assertEqual(world.run("call", "no_such_tool", "{}", want=2).out, "")
        self.assertEqual(world.run("dance", want=2).out, "")
        world.run("call", "poll", '{"job": "job_absent1"}', want=1)
        done = world.run("tools", plugin=world.path("absent.so"), want=3)
        self.assertIn("absent.so", done.err)

    def test_languages(self):
        world = self.world()
        self.assertIn("图片已完成", world.call(IMAGE, {"prompt": "一只纸船"})["message"])
        self.assertIn("The picture is ready", world.call(IMAGE, {"prompt": "a paper boat"})["message"])
        self.assertIn("图片已完成",
                      world.call(IMAGE, {"prompt": "a second boat"}, "--locale", "zh-CN")["message"])
        self.assertIn("The picture is ready",
                      world.call(IMAGE, {"prompt": "又一只纸船"}, "--locale", "en")["message"])
        # The delivery speaks the language of the request, whoever runs it.
        job = world.submit(IMAGE, {"prompt": "夜里的灯塔"})
        world.until_idle("--locale", "en")
        self.assertEqual(self.delivered(world, job, "image")["text"], "图片做好了。")

    def test_environment_names(self):
        world = self.world()
        two = world.second_sim()
        world.configure({"sim": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key},
                         "other": {"baseUrl": two.base + "/v1/", "apiKey": two.key}},
                        default_provider="sim")
        first = world.call(IMAGE, {"prompt": "by setting"})
        self.assertEqual(first["provider"], "sim")
        env = {"OPENCLAW_MEDIA_PROVIDER": "other", "OPENCLAW_MEDIA_IMAGE_MODEL": "env-image",
               "OPENCLAW_MEDIA_VIDEO_MODEL": "env-video", "MEDIA_GENERATION_OUTPUT_ROOT": world.path("out")}
        second = world.call(IMAGE, {"prompt": "by environment"}, env=env)
        self.assertEqual((second["provider"], second["model"]), ("other", "env-image"))
        self.assertTrue(second["files"][0]["path"].startswith(world.path("out") + "/images/"))
        third = world.call(IMAGE, {"prompt": "by argument", "provider": "sim", "model": "arg-image"}, env=env)
        self.assertEqual((third["provider"], third["model"]), ("sim", "arg-image"))
        plan = world.call(VIDEO, {"prompt": "x", "dry_run": True}, env=env)
        self.assertEqual(plan["model"], "env-video")
        self.assertEqual([r["model"] for r in two.log(spends=1)], ["env-image"])
        self.assertEqual([r["model"] for r in world.sim.log(spends=1)], ["gpt-image-1.5", "arg-image"])

    def test_default_is_the_first_in_the_alphabet(self):
        world = self.world()
        two = world.second_sim()
        world.configure({"zeta": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key},
                         "alpha": {"baseUrl": two.base + "/v1", "apiKey": two.key}})
        self.assertEqual(world.call(IMAGE, {"prompt": "x"})["provider"], "alpha")

    def test_dry_run(self):
        world = self.world({"prices": {"sim-image": {"each": 0.25}}})
        result = world.call(IMAGE, {"prompt": "x", "count": 3, "dry_run": True})
        self.assertEqual(result["status"], "plan")
        self.assertEqual((result["provider"], result["model"], result["files"]), ("sim", "sim-image", 3))
        self.assertEqual(result["cost_estimate"], {"amount": 0.75, "currency": "USD"})
        self.assertIn("Nothing was sent", result["message"])
        video = world.call(VIDEO, {"prompt": "x", "dry_run": True})
        self.assertEqual((video["status"], video["kind"]), ("plan", "video"))
        self.assertEqual(world.sim.log(), [])
        self.assertEqual(world.ledger(), [])

    def test_list_models(self):
        world = self.world()
        result = world.call("list_models", {})
        (provider,) = result["providers"]
        models = {model["name"]: model for model in provider["models"]}
        self.assertEqual(models["sim-image"]["kind"], "image")
        self.assertEqual(models["sim-video"]["kind"], "video")
        only = world.call("list_models", {"kind": "video", "provider": "sim"})
        self.assertTrue(only["providers"][0]["models"])
        self.assertEqual({m["kind"] for m in only["providers"][0]["models"]}, {"video"})
        self.assertEqual(world.sim.totals()["submissions"], 0)

    def test_provider_errors(self):
        """What the provider says is told with one kind and one advice; nothing is sent twice."""
        world = self.world()
        world.sim.set(image_mode="moderated")
        result = world.call(IMAGE, {"prompt": "refused"}, want=1)
        self.assertEqual((result["status"], result["error"]["kind"]), ("failed", "moderated"))
        self.assertTrue(result["error"]["advice"])
        world.sim.set(image_mode="b64")
        result = world.call(IMAGE, {"prompt": "x", "model": "no-such-model"}, want=1)
        self.assertEqual(result["error"]["kind"], "not_found")
        self.assertIn("no-such-model", result["error"]["text"])
        self.assertEqual(world.sim.totals()["submissions"], 2)
        self.assertEqual(world.sim.totals()["charges"], 0)

    def test_wrong_key(self):
        world = self.world(provider={"apiKey": "sk-wrong-000000000000"})
        world.secrets.append("sk-wrong-000000000000")
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.assertEqual(result["error"]["kind"], "auth")
        self.assertEqual(len(world.sim.log()), 1)

    def test_no_credits(self):
        world = self.world(sim_options=("--credits", "0"))
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.assertEqual((result["status"], result["error"]["kind"]), ("failed", "credits"))
        self.assertEqual(len(world.sim.log()), 1)


class Poll(harness.Case):
    def test_status_list_and_jobs(self):
        world = self.world()
        made = world.call(IMAGE, {"prompt": "x"})
        held = world.submit(VIDEO, {"prompt": "y"})
        newest = world.call("poll", {})
        self.assertEqual((newest["job"], newest["status"]), (held, "planned"))
        done = world.call("poll", {"job": made["job"]})
        self.assertEqual(done["status"], "done")
        self.assertEqual(done["files"], made["files"])
        by_file = world.call("poll", {"job": made["files"][0]["handle"]})
        self.assertEqual(by_file["job"], made["job"])
        jobs = world.call("poll", {"action": "list"})["jobs"]
        self.assertEqual([(job["job"], job["state"], job["kind"]) for job in jobs],
                         [(held, "planned", "video"), (made["job"], "done", "image")])
        self.assertEqual(len(world.call("poll", {"action": "list", "limit": 1})["jobs"]), 1)
        table = world.run("jobs").out
        self.assertIn(held, table)
        self.assertNotIn(made["job"], table)
        self.assertIn(made["job"], world.run("jobs", "--all").out)
        # The owner's table says what was asked for; what a model reads stays short.
        self.assertRegex(table, held + r" .* y\n")
        self.assertNotIn("label", jobs[0])

    def test_other_conversations_are_not_seen(self):
        world = self.world()
        made = world.call(IMAGE, {"prompt": "x"}, "--conversation", "a")
        result = world.call("poll", {"job": made["job"]}, "--conversation", "b", want=1)
        self.assertIn("no job", result["error"]["text"])
        self.assertEqual(world.call("poll", {"action": "list"}, "--conversation", "b")["jobs"], [])
        for action in ("cancel", "redeliver", "resubmit", "wait"):
            world.call("poll", {"job": made["job"], "action": action}, "--conversation", "b", want=1)

    def test_cancel_held(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        result = world.call("poll", {"job": job, "action": "cancel"})
        self.assertEqual(result["job"], job)
        self.assertEqual(world.job(job)["state"], "cancelled")
        world.until_idle()
        self.assertEqual(world.sim.log(), [])
        self.assertEqual(world.messages(), [])

    def test_cancel_in_another_process(self):
        """A job that a living host works on is asked through the ledger."""
        world = self.world()
        world.sim.set(video_ms=-1)
        job = world.submit(VIDEO, {"prompt": "x"})
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/v1/videos/*")
        result = world.call("poll", {"job": job, "action": "cancel"})
        self.assertEqual(result["job"], job)
        world.check(host.end(30))
        self.assertEqual(world.job(job)["state"], "cancelled")
        self.assertEqual(world.media(), [])
        again = world.call("poll", {"job": job, "action": "cancel"}, want=1)
        self.assertIn("cancelled", again["error"]["text"])

    def test_cancel_after_the_order(self):
        """What the answer brings is paid for: it comes."""
        world = self.world()
        world.sim.set(image_delay_ms=1500)
        job = world.submit(IMAGE, {"prompt": "x"})
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(spends=1)
        world.call("poll", {"job": job, "action": "cancel"})
        world.check(host.end(30))
        self.assertEqual(world.job(job)["state"], "delivered")
        self.assertEqual(len(world.messages()[0]["files"]), 1)

    def test_wait_for_a_job_of_another_process(self):
        world = self.world()
        world.sim.set(video_ms=-1, video_size="64x64", video_seconds=1)
        job = world.submit(VIDEO, {"prompt": "x"})
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/v1/videos/*")
        waiting = world.start("call", "poll", json.dumps({"job": job, "action": "wait"}))
        world.sim.wait(path="/v1/videos/*", count=3)
        (there,) = world.sim.jobs()
        world.sim.job(there["id"], "completed")
        self.assertIn(world.check(waiting.end()).json["status"], ("delivering", "delivered"))
        world.check(host.end())
        self.delivered(world, job, "video")

    def test_resubmit_of_what_went_well(self):
        world = self.world()
        made = world.call(IMAGE, {"prompt": "x"})
        result = world.call("poll", {"job": made["job"], "action": "resubmit"}, want=1)
        self.assertIn("done", result["error"]["text"])
        self.assertEqual(world.sim.totals()["submissions"], 1)


if __name__ == "__main__":
    harness.main()
