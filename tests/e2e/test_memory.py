"""Memory does not grow with what passes through."""
import os
import time

import harness

BUDGET_KIB = 24 * 1024


class Memory(harness.Case):
    def peak(self, world, tool, **more):
        """Peak resident memory of one call, and its result."""
        host = world.start("call", tool, '{"prompt": "%s"}' % more["prompt"], check=False)
        peak = 0
        while host.running():
            peak = max(peak, harness.peak_kib(host.pid))
            time.sleep(0.001)  # between two looks; the end is what is waited for
        done = world.check(host.end())
        result = done.json
        self.assertEqual(result["status"], "done", result)
        self.assertLess(len(done.out), 1024, "the answer is long")
        return peak, result["files"][0]

    def grown(self, world, tool, setting, small, large):
        world.sim.set(**{setting: small})
        low, file = self.peak(world, tool, prompt="small")
        self.assertGreater(file["bytes"], 0.9 * small)
        world.sim.set(**{setting: large})
        high, file = self.peak(world, tool, prompt="large")
        self.assertGreater(file["bytes"], 0.9 * large)
        self.assertEqual(os.path.getsize(file["path"]), file["bytes"])
        print("%s: %d KiB at %d bytes, %d KiB at %d bytes" % (tool, low, small, high, large))
        self.assertGreater(low, 4000)
        self.assertLess(high - low, BUDGET_KIB)

    def test_video_of_300_mb(self):
        world = self.world()
        world.sim.set(video_ms=0, video_size="64x64", video_seconds=1)
        self.grown(world, "generate_video", "video_bytes", 1000000, 300000000)

    def test_video_inside_the_answer(self):
        world = self.world()
        world.sim.set(video_ms=0, video_size="64x64", video_seconds=1, video_mode="b64")
        self.grown(world, "generate_video", "video_bytes", 1000000, 100000000)

    def test_picture_of_60_mb_as_base64(self):
        world = self.world()
        self.grown(world, "generate_image", "image_bytes", 1000000, 60000000)

    def test_picture_of_60_mb_in_events(self):
        world = self.world()
        world.sim.set(image_mode="sse")
        self.grown(world, "generate_image", "image_bytes", 1000000, 60000000)


if __name__ == "__main__":
    harness.main()
