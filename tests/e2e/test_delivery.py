"""A result is delivered exactly once, whatever the channel answers."""
import os
import sqlite3

import harness

IMAGE = "generate_image"


class Delivery(harness.Case):
    def scripted(self, world, *lines):
        path = world.path("script")
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        return ("--outbox-script", path)

    def delivery(self, world, job):
        (row,) = world.rows("SELECT * FROM deliveries WHERE job = ?", job)
        return row

    def test_refused_twice_then_accepted(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle(*self.scripted(world, "later 100", "later 150", "deliver"))
        self.assertEqual(self.delivered(world, job, "image")["attempt"], 3)
        self.assertEqual(self.delivery(world, job)["state"], "done")
        self.assertEqual(world.repeats(), [])

    def test_busy_host(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle(*self.scripted(world, "busy", "deliver"))
        self.delivered(world, job, "image")

    def test_later_in_another_process(self):
        """The wish to be asked later survives the process."""
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        host = world.start(*self.scripted(world, "later 60000"), "run", outbox=True)
        world.sim.wait(spends=1)
        self.wait_delivery(world, job, "pending", attempts=1)
        host.kill()
        self.assertEqual(world.messages(), [])
        db = sqlite3.connect(world.path("state", "clawmedia.db"))
        with db:
            db.execute("UPDATE deliveries SET next_ms = 1")
            db.execute("UPDATE jobs SET due_ms = 1")
        db.close()
        world.until_idle()
        self.delivered(world, job, "image")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def wait_delivery(self, world, job, state, attempts):
        """Until the ledger shows it; there is no event for it outside the process."""
        import time
        until = time.monotonic() + harness.LIMIT_S
        while time.monotonic() < until:
            found = world.rows("SELECT * FROM deliveries WHERE job = ? AND state = ? AND attempts = ?",
                               job, state, attempts)
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError("the delivery never became %s: %r" %
                             (state, world.rows("SELECT * FROM deliveries")))

    def test_refused_for_good(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle(*self.scripted(world, "refused"))
        self.assertEqual(world.messages(), [])
        self.assertEqual(world.job(job)["state"], "undeliverable")
        status = world.call("poll", {"job": job}, outbox=True)
        self.assertEqual(status["status"], "undeliverable")
        self.assertEqual(status["next"], "poll with action redeliver")
        harness.check_media(status["files"][0]["path"], "image")
        # By itself it is not offered again.
        world.until_idle()
        self.assertEqual(world.messages(), [])
        result = world.call("poll", {"job": job, "action": "redeliver"}, outbox=True)
        self.assertIn("sent again", result["message"])
        world.until_idle()
        self.delivered(world, job, "image")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_redeliver_what_arrived(self):
        """A person may want it once more: a new message, under a key of its own."""
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle()
        self.delivered(world, job, "image")
        world.call("poll", {"job": job, "action": "redeliver"}, outbox=True)
        world.until_idle()
        messages = world.messages()
        self.assertEqual([m["job"] for m in messages], [job, job])
        self.assertEqual(len({m["key"] for m in messages}), 2)
        self.assertEqual(world.sim.totals()["submissions"], 1)
        self.assertEqual(world.job(job)["state"], "delivered")

    def test_unknown(self):
        """A host that drops repeats is simply asked again, under the same key."""
        world = self.world()
        for line, repeats in (("unknown", 0), ("unknown-written", 1)):
            with self.subTest(line=line):
                job = world.submit(IMAGE, {"prompt": line})
                world.until_idle(*self.scripted(world, line))
                self.delivered(world, job, "image")
                self.assertEqual(len(world.repeats()), repeats)

    def test_lost(self):
        """A host that will never know: not offered again but by a person, under a new key."""
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle(*self.scripted(world, "lost"))
        world.until_idle()
        self.assertEqual(world.messages(), [])
        self.assertEqual(world.job(job)["state"], "delivering")
        world.call("poll", {"job": job, "action": "redeliver"}, outbox=True)
        world.until_idle()
        (message,) = world.messages()
        self.assertTrue(message["key"].endswith(":2"), message["key"])
        self.assertEqual(world.job(job)["state"], "delivered")

    def test_held(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle(*self.scripted(world, "held 400"))
        # The channel's own queue has it: whether its final receipt still came or not, there is one
        # message at the end and it is never offered again.
        world.until_idle()
        world.until_idle()
        message = self.one_message(world, job)
        harness.check_media(message["files"][0]["path"], "image")
        self.assertEqual(world.job(job)["state"], "delivered")
        self.assertEqual(world.repeats(), [])

    def test_nothing_to_deliver_with(self):
        """Without an outbox results are made; the next host that can deliver does."""
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle(outbox=False)
        self.assertIn(world.job(job)["state"], ("ready", "planned"))
        self.assertEqual(world.messages(), [])
        world.until_idle()
        self.delivered(world, job, "image")
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_file_is_gone_before_delivery(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle(outbox=False)
        for name in world.media():
            os.unlink(os.path.join(world.workspace, name))
        world.until_idle()
        self.assertEqual(world.job(job)["state"], "undeliverable")
        self.assertEqual(world.messages(), [])
        status = world.call("poll", {"job": job}, outbox=True)
        self.assertEqual(status["next"], "poll with action redeliver")

    def test_failures_are_told(self):
        world = self.world()
        world.sim.set(image_mode="moderated")
        job = world.submit(IMAGE, {"prompt": "x"})
        world.until_idle()
        message = self.one_message(world, job)
        self.assertEqual(message["kind"], "notice")
        self.assertIn(job, message["text"])
        self.assertEqual(world.job(job)["state"], "failed")


if __name__ == "__main__":
    harness.main()
