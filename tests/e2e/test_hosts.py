"""Several hosts on one state folder, and many jobs."""
import signal

import harness

IMAGE, VIDEO = "generate_image", "generate_video"


class Hosts(harness.Case):
    FLOOR = 250

    def two(self):
        world = self.world({"poll_floor_ms": self.FLOOR, "poll_ceiling_ms": 2 * self.FLOOR})
        world.sim.set(video_ms=-1, video_size="64x64", video_seconds=1)
        return world

    def check_polls(self, world, floor=None):
        """No job was asked about more often than one host alone would have."""
        floor = floor or self.FLOOR
        asked = {}
        for request in world.sim.log(path="/v1/videos/*"):
            asked.setdefault(request["path"], []).append(request["at_ms"])
        for path, times in asked.items():
            for before, after in zip(times, times[1:]):
                self.assertGreaterEqual(after - before, 0.8 * floor, (path, times))
        return asked

    def test_two_at_once(self):
        world = self.two()
        hosts = [world.start("run", outbox=True) for _ in range(2)]
        jobs = [world.submit(VIDEO, {"prompt": "video %d" % i}) for i in range(6)]
        world.sim.wait(spends=1, count=6)
        world.sim.wait(path="/v1/videos/*", count=30, timeout_ms=30000)
        for job in world.sim.jobs():
            world.sim.job(job["id"], "completed")
        world.until_idle(timeout=30)
        for host in hosts:
            host.signal(signal.SIGTERM)
        for host in hosts:
            world.check(host.end(15))
        self.assertEqual(len(self.check_polls(world)), 6)
        self.assertEqual(world.sim.totals()["submissions"], 6)
        for job in jobs:
            self.delivered(world, job, "video")
        self.assertEqual(world.repeats(), [])

    def test_one_is_killed(self):
        world = self.two()
        jobs = [world.submit(VIDEO, {"prompt": "video %d" % i}) for i in range(3)]
        first = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/v1/videos/*", count=3)
        second = world.start("run", "--until-idle", outbox=True)
        # Both are there for a while; only the first asks.
        world.sim.wait(path="/v1/videos/*", count=15)
        self.check_polls(world)
        self.assertTrue(second.running(), "the second host went though jobs were under way")
        first.signal(signal.SIGKILL)
        self.assertEqual(first.end().code, -9)
        seen = len(world.sim.log(path="/v1/videos/*"))
        world.sim.wait(path="/v1/videos/*", count=seen + 3)
        for job in world.sim.jobs():
            world.sim.job(job["id"], "completed")
        world.check(second.end(30))
        self.assertEqual(world.sim.totals()["submissions"], 3)
        for job in jobs:
            self.delivered(world, job, "video")
        self.assertEqual(world.repeats(), [])

    def test_killed_in_the_middle_of_a_download(self):
        world = self.two()
        world.sim.set(video_ms=0, video_bytes=4000000)
        world.sim.fault("GET /v1/videos/*/content", "slow_drip", bytes=65536, ms=100)
        job = world.submit(VIDEO, {"prompt": "x"})
        first = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/v1/videos/*/content")
        first.signal(signal.SIGKILL)
        self.assertEqual(first.end().code, -9)
        self.assertEqual(world.media(), [], "a half video under its final name")
        world.until_idle()
        self.delivered(world, job, "video")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_twenty_in_the_background(self):
        world = self.world()
        jobs = []
        for i in range(20):
            tool = VIDEO if i % 4 == 0 else IMAGE
            jobs.append(world.submit(tool, {"prompt": "number %d" % i}))
        self.assertEqual(len(set(jobs)), 20)
        world.sim.set(video_size="64x64", video_seconds=1)
        world.until_idle()
        self.assertEqual(len(world.messages()), 20)
        for i, job in enumerate(jobs):
            self.delivered(world, job, "video" if i % 4 == 0 else "image")
        totals = world.sim.totals()
        self.assertEqual((totals["submissions"], totals["charges"]), (20, 20))
        self.assertEqual(sorted(r["prompt"] for r in world.sim.log(spends=1)),
                         sorted("number %d" % i for i in range(20)))
        self.assertEqual(world.repeats(), [])


if __name__ == "__main__":
    harness.main()
