"""Videos: the three relay families, every shape of answer, polls, progress and interruption."""
import os
import signal

import harness

VIDEO = "generate_video"
SMALL = {"video_size": "64x64", "video_seconds": 1}


class Videos(harness.Case):
    def world(self, *args, **more):
        world = super().world(*args, **more)
        world.sim.set(**SMALL)
        return world

    def made(self, world, result):
        self.assertEqual(result["status"], "done", result)
        (file,) = result["files"]
        self.assertEqual(os.path.dirname(file["path"]),
                         os.path.realpath(world.workspace) + "/tmp/videos")
        data = harness.check_media(file["path"], "video")
        self.assertEqual(file["bytes"], len(data))
        self.assertEqual(file["mime"], "video/mp4")
        self.assertRegex(file["handle"], r"^vid_\w+$")
        self.assertLess(len(result.done.out), 1024)
        self.assertEqual(world.job(result["job"])["state"], "done")
        return file["path"]

    def test_family_a(self):
        world = self.world()
        result = world.call(VIDEO, {"prompt": "waves", "seconds": 4, "size": "1280x720"})
        path = self.made(world, result)
        shown = harness.ffprobe(path)
        stream = shown["streams"][0]
        self.assertEqual(stream["codec_type"], "video")
        file = result["files"][0]
        self.assertEqual((file["width"], file["height"]), (stream["width"], stream["height"]))
        self.assertAlmostEqual(file["seconds"], float(shown["format"]["duration"]), delta=0.2)
        paths = [request["path"] for request in world.sim.log()]
        self.assertEqual(paths[0], "/v1/videos")
        self.assertRegex(paths[-1], r"^/v1/videos/[^/]+/content$")
        self.assertTrue(all(p.startswith("/v1/videos/") for p in paths[1:]), paths)
        fields = world.sim.log(spends=1)[0]["fields"]
        self.assertEqual((fields["seconds"], fields["size"]), ("4", "1280x720"))

    def test_family_b(self):
        world = self.world({"video_family": "B"})
        self.made(world, world.call(VIDEO, {"prompt": "waves", "seconds": 5}))
        request = world.sim.log(spends=1)[0]
        self.assertEqual(request["path"], "/v1/video/generations")
        self.assertEqual(request["fields"]["duration"], 5)

    def test_family_c(self):
        world = self.world({"video_family": "C"})
        self.made(world, world.call(VIDEO, {"prompt": "waves", "seconds": 5, "aspect_ratio": "9:16",
                                            "resolution": "720p"}))
        request = world.sim.log(spends=1)[0]
        self.assertEqual(request["path"], "/v1/videos/generations")
        self.assertEqual(request["fields"]["aspect_ratio"], "9:16")
        self.assertEqual(request["fields"]["resolution"], "720p")

    def test_every_shape_of_family_a(self):
        world = self.world()
        for mode in ("openai", "url", "relative", "nested", "html", "markdown", "data_url", "b64",
                     "status_url", "status_path", "data_wrapped", "instant"):
            with self.subTest(mode=mode):
                world.sim.set(video_mode=mode)
                self.made(world, world.call(VIDEO, {"prompt": "waves as " + mode}))
        self.assertEqual(world.sim.totals()["submissions"], 12)

    def test_every_shape_of_families_b_and_c(self):
        for family in "BC":
            world = self.world({"video_family": family})
            for mode in ("data_wrapped", "instant"):
                with self.subTest(family=family, mode=mode):
                    world.sim.set(video_mode=mode)
                    self.made(world, world.call(VIDEO, {"prompt": "waves as " + mode}))

    def test_words_for_states(self):
        world = self.world()
        for words in ("upper", "plain"):
            with self.subTest(words=words):
                world.sim.set(video_words=words)
                self.made(world, world.call(VIDEO, {"prompt": "waves " + words}))

    def test_edges(self):
        world = self.world()
        world.sim.set(video_mode="url")
        for edge in ("thumbnail_first", "two_keys", "nested_id"):
            with self.subTest(edge=edge):
                world.sim.set(video_edge=edge)
                self.made(world, world.call(VIDEO, {"prompt": "waves " + edge}))

    def test_redirected_content(self):
        world = self.world()
        world.sim.set(content_mode="redirect")
        self.made(world, world.call(VIDEO, {"prompt": "waves"}))

    def test_first_frame(self):
        world = self.world()
        with open(os.path.join(world.workspace, "frame.png"), "wb") as f:
            f.write(harness.png(320, 192))
        self.made(world, world.call(VIDEO, {"prompt": "move", "first_frame": "frame.png",
                                            "size": "320x192"}))
        request = world.sim.log(spends=1)[0]
        (part,) = [part for part in request["parts"] if part["filename"]]
        self.assertEqual((part["name"], part["content_type"]), ("input_reference", "image/png"))

    def test_failures_at_the_provider(self):
        world = self.world()
        for mode, kind in (("failed", None), ("moderated", "moderated")):
            with self.subTest(mode=mode):
                world.sim.set(video_mode=mode)
                result = world.call(VIDEO, {"prompt": "waves " + mode}, want=1)
                self.assertEqual(result["status"], "failed", result)
                self.assertTrue(result["error"]["text"])
                if kind:
                    self.assertEqual(result["error"]["kind"], kind)
        self.assertEqual(world.sim.totals()["submissions"], 2)
        self.assertEqual(world.media(), [])

    def test_background_then_run(self):
        world = self.world()
        job = world.submit(VIDEO, {"prompt": "later"})
        world.until_idle()
        message = self.delivered(world, job, "video")
        self.assertEqual(message["files"][0]["mime"], "video/mp4")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_wait_seconds_then_wait_again(self):
        world = self.world()
        world.sim.set(video_ms=-1)
        result = world.call(VIDEO, {"prompt": "slow", "wait_seconds": 1})
        self.assertEqual(result["status"], "submitted", result)
        self.assertEqual(result["next"], "poll with action wait")
        self.assertIn(result["job"], result["message"])
        (job,) = world.sim.jobs()
        host = world.start("call", "poll", '{"action": "wait", "job": "%s"}' % result["job"])
        world.sim.wait(path="/v1/videos/*", count=len(world.sim.log(path="/v1/videos/*")) + 1)
        world.sim.job(job["id"], "completed")
        done = world.check(host.end())
        self.assertEqual(done.json["status"], "done")
        harness.check_media(done.json["files"][0]["path"], "video")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_interrupted(self):
        """Ctrl-C: the job stays, how to resume is said, and resuming works."""
        world = self.world()
        world.sim.set(video_ms=-1)
        host = world.start("call", VIDEO, '{"prompt": "long"}')
        world.sim.wait(path="/v1/videos/*")
        host.signal(signal.SIGINT)
        done = world.check(host.end(15), 0)
        result = done.json
        self.assertEqual(result["status"], "shutdown")
        row = world.job(result["job"])
        self.assertEqual((row["state"], row["open"]), ("working", 1))
        self.assertEqual(world.rows("SELECT * FROM owners"), [], "the lease was not given back")
        self.assertIn("run --until-idle", done.err)
        self.assertIn(result["job"], done.err)
        self.assertIn("is kept", done.err)
        (job,) = world.sim.jobs()
        world.sim.job(job["id"], "completed")
        world.until_idle(outbox=False)
        status = world.call("poll", {"job": result["job"]})
        self.assertEqual(status["status"], "done")
        harness.check_media(status["files"][0]["path"], "video")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_interrupted_while_the_answer_is_under_way(self):
        """An answer that was paid for is waited for at the end."""
        world = self.world()
        world.sim.set(video_delay_ms=1500)
        host = world.start("call", VIDEO, '{"prompt": "long"}')
        world.sim.wait(spends=1)
        host.signal(signal.SIGTERM)
        result = world.check(host.end(15), 0).json
        self.assertEqual(world.job(result["job"])["state"], "working")
        world.until_idle(outbox=False)
        self.assertEqual(world.job(result["job"])["state"], "done")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_progress_is_told(self):
        world = self.world()
        world.sim.set(video_ms=1500)
        host = world.start("call", VIDEO, '{"prompt": "with progress"}')
        host.wait_err("working")
        world.check(host.end())


class Measured(harness.Case):
    def test_what_came_is_told(self):
        """The file's own size and length against what was asked for, in the result and in the message."""
        world = self.world()
        world.sim.set(video_size="320x240", video_seconds=2)
        args = {"prompt": "a boat", "model": "sora-2", "size": "1280x720", "seconds": 8}
        result = world.call("generate_video", args)
        told = {row["field"]: (row["asked"], row["used"]) for row in result["changed"]}
        self.assertEqual(told["size"], ("1280x720", "320x240"))
        self.assertEqual(told["seconds"], ("8 s", "2.0 s"))
        self.assertIn("It is 320x240 instead of 1280x720.", result["message"])
        job = world.submit("generate_video", dict(args, prompt="一只纸船"))
        world.until_idle()
        self.assertIn("320x240", self.one_message(world, job)["text"])
        world.sim.set(video_size="1280x720", video_seconds=8)
        result = world.call("generate_video", dict(args, prompt="another"))
        self.assertNotIn("changed", result)


if __name__ == "__main__":
    harness.main()
