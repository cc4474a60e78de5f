"""Nothing is paid twice: lost answers, the same call twice, resubmission."""
import json
import os
import signal

import harness

IMAGE, VIDEO = "generate_image", "generate_video"


class LostAnswer(harness.Case):
    """The provider takes the request and the money, and the answer never comes."""

    def lost(self, world, job):
        """The job ended as unknown, its one message says so, and nothing was sent again."""
        row = world.job(job)
        self.assertEqual((row["state"], row["open"], row["error_kind"]), ("unknown", 0, "lost"))
        message = self.one_message(world, job)
        self.assertEqual((message["kind"], message["files"]), ("notice", []))
        self.assertIn("not sent again", message["text"])
        self.assertIn(job, message["text"])
        self.assertEqual(world.sim.totals()["submissions"], 1)
        self.assertEqual(world.sim.totals()["charges"], 1)
        # Neither later runs nor looking at it change anything.
        world.until_idle()
        status = world.call("poll", {"job": job}, outbox=True)
        self.assertEqual(status["status"], "unknown")
        self.assertIn("resubmit", json.dumps(status))
        self.assertEqual(world.sim.totals()["submissions"], 1)
        self.assertEqual(len(world.messages()), 1)

    def resubmitted(self, world, job, kind):
        """A person's wish: once, and once only."""
        world.sim.no_faults()
        result = world.call("poll", {"job": job, "action": "resubmit"}, outbox=True)
        self.assertEqual(result["status"], "submitted")
        again = result["job"]
        self.assertNotEqual(again, job)
        world.until_idle()
        self.delivered(world, again, kind)
        self.assertEqual(world.sim.totals()["submissions"], 2)
        repeat = world.call("poll", {"job": job, "action": "resubmit"}, outbox=True)
        self.assertEqual(repeat["job"], again)
        self.assertIn("repeated already", repeat["message"])
        world.until_idle()
        self.assertEqual(world.sim.totals()["submissions"], 2)
        self.assertEqual(len(world.messages()), 2)

    def test_picture(self):
        world = self.world()
        world.sim.fault("POST /v1/images", "drop_after_accept", nth="every")
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle()
        self.lost(world, job)
        self.resubmitted(world, job, "image")

    def test_picture_cut_off(self):
        """Half an answer is a lost one; what came of it is not kept."""
        world = self.world()
        world.sim.set(image_bytes=2000000)
        world.sim.fault("POST /v1/images", "truncate", bytes=900000)
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle()
        self.lost(world, job)
        self.assertEqual(world.media(), [])
        self.assertEqual(world.parts(), [])
        self.resubmitted(world, job, "image")

    def test_video(self):
        world = self.world()
        world.sim.set(video_size="64x64", video_seconds=1)
        world.sim.fault("POST /v1/videos", "drop_after_accept", nth="every")
        job = world.submit(VIDEO, {"prompt": "x"})
        world.until_idle()
        self.lost(world, job)
        self.resubmitted(world, job, "video")

    def test_waiting_call(self):
        world = self.world()
        world.sim.fault("POST /v1/images", "drop_after_accept", nth="every")
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.assertEqual(result["status"], "unknown")
        self.assertIn("not sent again", result["message"])
        self.assertIn("not known", result.done.err)
        self.assertEqual(world.sim.totals()["submissions"], 1)
        chinese = world.call(IMAGE, {"prompt": "一只船"}, want=1)
        self.assertIn("不会自动重发", chinese["message"])

    def test_answer_still_under_way_at_sigkill(self):
        """The host is killed while the provider works on the one request that pays."""
        for tool, setting, kind in ((IMAGE, "image_delay_ms", "image"),
                                    (VIDEO, "video_delay_ms", "video")):
            with self.subTest(tool=tool):
                world = self.world()
                world.sim.set(video_size="64x64", video_seconds=1, **{setting: 20000})
                job = world.submit(tool, {"prompt": "x"})
                host = world.start("run", "--until-idle", outbox=True)
                world.sim.wait(spends=1)
                host.signal(signal.SIGKILL)
                self.assertEqual(host.end().code, -9)
                world.sim.set(**{setting: 0})
                world.until_idle()
                row = world.job(job)
                self.assertEqual(row["state"], "unknown")
                self.assertIn("not sent again", self.one_message(world, job)["text"])
                self.assertEqual(world.sim.totals()["submissions"], 1)
                again = world.call("poll", {"job": job, "action": "resubmit"}, outbox=True)["job"]
                world.until_idle()
                self.delivered(world, again, kind)
                self.assertEqual(world.sim.totals()["submissions"], 2)

    def test_not_sent_is_not_unknown(self):
        """No connection, no doubt: nothing was paid, and that is what is said."""
        world = self.world()
        world.configure({"sim": {"baseUrl": "http://127.0.0.1:9/v1", "apiKey": world.key}})
        host = world.start("call", IMAGE, '{"prompt": "x", "wait_seconds": 1}')
        result = world.check(host.end(), (0, 1)).json
        self.assertNotEqual(world.job(result["job"])["state"], "unknown")
        self.assertEqual(world.sim.log(), [])
        world.call("poll", {"job": result["job"], "action": "cancel"}, want=(0, 1))
        self.assertIn(world.job(result["job"])["state"], ("cancelled", "failed"))


class Twice(harness.Case):
    def test_same_call_while_unfinished(self):
        world = self.world()
        world.sim.set(video_ms=-1, video_size="64x64", video_seconds=1)
        args = {"prompt": "a red boat", "seconds": 5}
        first = world.submit(VIDEO, args)
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/v1/videos/*")
        same = world.call(VIDEO, {"seconds": 5, "prompt": "a red boat"}, "--background", outbox=True)
        self.assertEqual(same["job"], first)
        self.assertIn("Nothing was paid twice", same["message"])
        other = world.submit(VIDEO, dict(args, prompt="a blue boat"))
        self.assertNotEqual(other, first)
        forced = world.submit(VIDEO, dict(args, again=True))
        self.assertNotIn(forced, (first, other))
        elsewhere = world.submit(VIDEO, args, "--conversation", "another")
        self.assertNotIn(elsewhere, (first, other, forced))
        world.sim.wait(spends=1, count=4)
        for job in world.sim.jobs():
            world.sim.job(job["id"], "completed")
        world.check(host.end())
        self.assertEqual(world.sim.totals()["submissions"], 4)
        self.assertEqual(len(world.ledger()), 4)
        self.assertEqual(len(world.messages()), 4)
        for job in (first, other, forced, elsewhere):
            self.delivered(world, job, "video")

    def test_same_call_at_the_same_moment(self):
        """Several processes, one wish: the ledger decides."""
        world = self.world()
        world.sim.set(image_delay_ms=300)
        hosts = [world.start("call", IMAGE, '{"prompt": "all at once"}') for _ in range(4)]
        results = [world.check(host.end()).json for host in hosts]
        self.assertEqual(len({result["job"] for result in results}), 1, results)
        self.assertEqual({result["status"] for result in results}, {"done"})
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_held_twice(self):
        world = self.world()
        jobs = {world.call(IMAGE, {"prompt": "x"}, "--background", outbox=True)["job"] for _ in range(3)}
        self.assertEqual(len(jobs), 1)
        world.until_idle()
        self.assertEqual(world.sim.totals()["submissions"], 1)
        self.delivered(world, jobs.pop(), "image")

    def test_after_a_failure_it_is_a_new_wish(self):
        world = self.world()
        world.sim.set(image_mode="moderated")
        first = world.call(IMAGE, {"prompt": "x"}, want=1)
        world.sim.set(image_mode="b64")
        second = world.call(IMAGE, {"prompt": "x"})
        self.assertNotEqual(first["job"], second["job"])
        self.assertEqual(second["status"], "done")


class NowhereToSave(harness.Case):
    def test_nothing_is_paid_for_what_cannot_be_saved(self):
        """A picture comes with the answer, and only once: the folder is looked at before."""
        world = self.world()
        blocked = world.path("a-file")
        with open(blocked, "w", encoding="ascii"):
            pass
        around = {"MEDIA_GENERATION_OUTPUT_ROOT": os.path.join(blocked, "below")}
        for tool in (IMAGE, VIDEO):
            result = world.call(tool, {"prompt": "x"}, env=around, want=1)
            self.assertEqual(result["error"]["kind"], "io", result)
            self.assertIn(blocked, result["error"]["text"])
        self.assertEqual(world.sim.totals()["submissions"], 0)
        result = world.call(IMAGE, {"prompt": "x"})
        self.assertEqual(result["status"], "done", result)


if __name__ == "__main__":
    harness.main()
