"""Everything that a provider or the way to it can do wrong: one clear error, a truthful end."""
import signal

import harness

IMAGE, VIDEO = "generate_image", "generate_video"


class Faults(harness.Case):
    def world(self, *args, **more):
        world = super().world(*args, **more)
        world.sim.set(video_size="64x64", video_seconds=1, video_ms=150)
        return world

    def struck(self, world, count):
        """A fault that was never met proves nothing."""
        self.assertEqual(sum(fault["fired"] for fault in world.sim.faults()), count)

    def made(self, world, result, kind):
        self.assertEqual(result["status"], "done", result)
        for file in result["files"]:
            harness.check_media(file["path"], kind)

    def ended_badly(self, world, result, *states):
        self.assertIn(result["status"], states, result)
        self.assertTrue(result["error"]["text"], result)
        self.assertTrue(result["message"], result)
        self.assertLess(len(result.done.out), 1500)
        self.assertNotIn("\n", result["error"]["text"])
        row = world.job(result["job"])
        self.assertEqual((row["state"], row["open"]), (result["status"], 0))
        self.assertEqual(world.media(), [])
        self.assertEqual(world.parts(), [])

    def test_rate_limit_on_submit(self):
        world = self.world()
        world.sim.fault("POST /v1/images", "rate_limit", retry_after=2)
        result = world.call(IMAGE, {"prompt": "x"})
        self.made(world, result, "image")
        first, second = world.sim.log(spends=1)
        self.assertEqual((first["status"], second["status"]), (429, 200))
        self.assertGreaterEqual(second["at_ms"] - first["at_ms"], 1990)
        self.assertLess(second["at_ms"] - first["at_ms"], 5000)
        self.assertEqual(world.sim.totals()["charges"], 1)

    def test_rate_limit_on_poll(self):
        world = self.world()
        world.sim.fault("GET /v1/videos/*", "rate_limit", retry_after_ms=700)
        self.made(world, world.call(VIDEO, {"prompt": "x"}), "video")
        self.struck(world, 1)
        polls = world.sim.log(path="/v1/videos/*")
        self.assertEqual(polls[0]["status"], 429)
        self.assertGreaterEqual(polls[1]["at_ms"] - polls[0]["at_ms"], 690)
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_errors_on_poll_pass(self):
        world = self.world()
        world.sim.fault("GET /v1/videos/*", "status", status=503, retry_after_ms=100)
        world.sim.fault("GET /v1/videos/*", "status", nth=2, status=500, retry_after_ms=100)
        world.sim.fault("GET /v1/videos/*", "drop_after_accept", nth=3)
        self.made(world, world.call(VIDEO, {"prompt": "x"}), "video")
        self.struck(world, 3)
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_nonsense_on_poll_passes(self):
        world = self.world()
        for kind in ("malformed_json", "empty", "wrong_types", "deep_nesting", "truncate"):
            with self.subTest(kind=kind):
                world.sim.no_faults()
                world.sim.fault("GET /v1/videos/*", kind)
                self.made(world, world.call(VIDEO, {"prompt": "x " + kind}), "video")
                self.struck(world, 1)
        self.assertEqual(world.sim.totals()["submissions"], 5)

    def test_nonsense_as_answer_to_what_pays(self):
        """It was taken, and what came back says nothing: unknown, never sent again."""
        world = self.world()
        for kind, more in (("malformed_json", {}), ("wrong_types", {}), ("deep_nesting", {}),
                           ("deep_nesting", {"bytes": 200000}), ("empty", {}),
                           ("endless_header", {}), ("huge_body", {"bytes": 64 << 20}),
                           ("body", {"body": "<html>please log in</html>", "content_type": "text/html"})):
            for tool, route in ((IMAGE, "POST /v1/images"), (VIDEO, "POST /v1/videos")):
                if kind == "malformed_json" and tool == VIDEO:
                    continue  # its first half names the job
                with self.subTest(kind=kind, tool=tool, **more):
                    world.sim.no_faults()
                    before = world.sim.totals()["submissions"]
                    world.sim.fault(route, kind, **more)
                    result = world.call(tool, {"prompt": "x %s %r" % (kind, more)}, want=1)
                    self.ended_badly(world, result, "unknown", "failed")
                    self.assertEqual(world.sim.totals()["submissions"], before + 1)
                    self.struck(world, 1)

    def test_half_an_answer_that_names_the_job(self):
        """What was cut off behind the job's name can be asked for."""
        world = self.world()
        world.sim.fault("POST /v1/videos", "malformed_json")
        self.made(world, world.call(VIDEO, {"prompt": "x"}), "video")
        self.struck(world, 1)
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_nonsense_is_over_soon(self):
        """A header or a body without end is cut off, not read to its end."""
        world = self.world()
        world.sim.fault("POST /v1/images", "huge_body", bytes=2 << 30)
        result = world.call(IMAGE, {"prompt": "x"}, want=1, timeout=20)
        self.ended_badly(world, result, "unknown", "failed")
        (request,) = world.sim.log(spends=1)
        self.assertNotEqual(request["ended"], "sent")

    def test_right_bodies_in_odd_clothes(self):
        world = self.world()
        for kind in ("wrong_type", "slow_drip", "delay"):
            with self.subTest(kind=kind):
                world.sim.no_faults()
                world.sim.set(image_mode="url")
                world.sim.fault("POST /v1/images", kind)
                self.made(world, world.call(IMAGE, {"prompt": "x " + kind}), "image")
                self.struck(world, 1)
        self.assertEqual(world.sim.totals()["submissions"], 3)

    def test_answer_twice_in_a_row(self):
        world = self.world()
        world.sim.fault("POST /v1/images", "duplicate")
        result = world.call(IMAGE, {"prompt": "x"}, want=(0, 1))
        if result.done.code:
            self.ended_badly(world, result, "unknown", "failed")
        else:
            self.made(world, result, "image")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_truncated_download(self):
        """Tried again; a half file never gets its name."""
        world = self.world()
        world.sim.set(video_bytes=2000000)
        world.sim.fault("GET /v1/videos/*/content", "truncate", nth="every")
        job = world.submit(VIDEO, {"prompt": "x"})
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/v1/videos/*/content", count=2)
        self.assertEqual(world.media(), [])
        self.assertEqual(world.messages(), [])
        world.sim.no_faults()
        world.check(host.end(30))
        message = self.delivered(world, job, "video")
        self.assertGreaterEqual(message["files"][0]["bytes"], 1900000)
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_truncated_picture_download(self):
        world = self.world()
        world.sim.set(image_mode="url", image_bytes=500000)
        world.sim.fault("GET /media", "truncate", bytes=1000)
        self.made(world, world.call(IMAGE, {"prompt": "x"}), "image")
        self.assertEqual(len(world.sim.log(path="/media")), 2)
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_interrupted_download(self):
        """Half a file has no name while its job is unfinished, and is gone when that has ended."""
        world = self.world()
        world.sim.set(video_bytes=4000000)
        world.sim.fault("GET /v1/videos/*/content", "slow_drip", nth="every", bytes=65536, ms=100)
        job = world.submit(VIDEO, {"prompt": "x"})
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/v1/videos/*/content")
        host.signal(signal.SIGINT)
        world.check(host.end(15), (130,))
        self.assertEqual(world.media(), [])
        world.sim.no_faults()
        world.until_idle()
        self.delivered(world, job, "video")
        self.assertEqual(world.parts(), [])

    def test_download_is_no_picture(self):
        world = self.world()
        world.sim.set(image_mode="url")
        world.sim.fault("GET /media", "body", nth="every", body="<html>expired</html>",
                        content_type="image/png")
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.ended_badly(world, result, "failed")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_download_is_gone(self):
        world = self.world()
        world.sim.set(image_mode="url")
        world.sim.fault("GET /media", "status", nth="every", status=404)
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.ended_badly(world, result, "failed", "expired")
        self.assertIn("404", result["error"]["text"])

    def test_one_of_three_is_missing(self):
        """What can be had is delivered, and what is missing is said."""
        world = self.world()
        world.sim.set(image_mode="url")
        world.sim.fault("GET /media", "status", nth=2, status=404)
        job = world.submit(IMAGE, {"prompt": "x", "count": 3})
        world.until_idle()
        message = self.delivered(world, job, "image", count=2)
        self.assertIn("missing", message["text"])
        self.assertIn("404", message["text"])

    def test_redirect_to_a_private_address(self):
        world = self.world()
        inner = world.second_sim()
        for target in (inner.base + "/media/make/x.png", "http://169.254.169.254/latest/meta-data/",
                       "http://[::1]:%d/media/make/x.png" % inner.port, "file:///etc/passwd",
                       "http://10.0.0.1/x.png", "http://localhost:%d/media/make/x.png" % inner.port):
            for mode in ("url", "b64"):
                with self.subTest(target=target, mode=mode):
                    world.sim.no_faults()
                    world.sim.set(image_mode=mode)
                    route = "GET /media" if mode == "url" else "POST /v1/images"
                    world.sim.fault(route, "redirect", nth="every", to=target)
                    result = world.call(IMAGE, {"prompt": "to %s by %s" % (target, mode)}, want=1)
                    self.ended_badly(world, result, "failed", "unknown")
                    if mode == "url":
                        self.assertEqual(result["error"]["kind"], "refused", result)
        self.assertEqual(inner.log(), [], "a private address was asked")

    def test_address_of_a_result_is_private(self):
        world = self.world()
        inner = world.second_sim()
        world.sim.set(image_mode="url", media_base=inner.base)
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.ended_badly(world, result, "failed")
        self.assertEqual(result["error"]["kind"], "refused")
        self.assertEqual(inner.log(), [])

    def test_the_key_stays_with_its_provider(self):
        """A download that leads elsewhere at the same host goes on without the key."""
        world = self.world()
        world.sim.set(content_mode="redirect")
        self.made(world, world.call(VIDEO, {"prompt": "x"}), "video")
        (media,) = world.sim.log(path="/media")
        content = world.sim.log(path="/v1/videos/*/content")
        self.assertIn("authorization", {name.lower() for name in content[0]["headers"]})
        self.assertEqual(media["status"], 200)

    def test_provider_that_is_down_for_a_moment(self):
        """Nothing was sent, so it is simply tried again."""
        world = self.world()
        world.sim.fault("POST /v1/images", "status", status=503)
        result = world.call(IMAGE, {"prompt": "x"}, want=(0, 1))
        charges = world.sim.totals()["charges"]
        if result.done.code == 0:
            self.made(world, result, "image")
            self.assertEqual(charges, 1)
        else:
            self.ended_badly(world, result, "failed", "unknown")
            self.assertEqual(charges, 0)

    def test_full_of_everything(self):
        """A sequence of troubles in the life of one job."""
        world = self.world()
        world.sim.set(video_ms=500)
        world.sim.fault("POST /v1/videos", "rate_limit", retry_after_ms=100)
        world.sim.fault("GET /v1/videos/*", "status", status=502, retry_after_ms=50)
        world.sim.fault("GET /v1/videos/*", "malformed_json", nth=2)
        world.sim.fault("GET /v1/videos/*/content", "reset")
        job = world.submit(VIDEO, {"prompt": "x"})
        world.until_idle()
        self.delivered(world, job, "video")
        self.struck(world, 4)
        self.assertEqual(world.sim.totals()["charges"], 1)


if __name__ == "__main__":
    harness.main()
