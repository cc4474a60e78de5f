"""A person's yes before money is spent: tokens across processes, the terminal, --yes, limits."""
import json
import os
import signal
import stat

import harness

IMAGE, VIDEO = "generate_image", "generate_video"
PRICES = {"sim-image": {"each": 0.25, "currency": "USD"}, "sim-video": {"second": 0.5, "currency": "USD"}}
BOAT = {"prompt": "a boat", "model": "sim-image"}


class Approval(harness.Case):
    def priced(self, **more):
        """A world with prices and these settings of the plugin."""
        world = self.world()
        entry = {"baseUrl": world.sim.base + "/v1", "apiKey": world.key,
                 "models": [{"id": "sim-image"}, {"id": "sim-video"}]}
        own = {"poll_floor_ms": 40, "poll_ceiling_ms": 400, "typical_seconds": 0, "prices": PRICES}
        world.configure({"sim": entry}, {"sim": own}, **more)
        world.sim.set(video_size="64x64", video_seconds=1)
        return world

    def token(self, world, tool, args, *options, **more):
        result = world.call(tool, args, *options, **more)
        self.assertEqual(result["status"], "needs_confirmation", result)
        self.assertRegex(result["confirm"], r"\Aok_[0-9a-z]{39}\Z")
        return result["confirm"]

    def spent(self, world):
        totals = world.sim.totals()
        self.assertEqual(totals["submissions"], totals["charges"])
        return totals["charges"]


class Token(Approval):
    def test_one_picture_for_one_yes(self):
        world = self.priced(confirm="always")
        result = world.call(IMAGE, BOAT)
        self.assertEqual((result["status"], result["cost_estimate"], result["provider"]),
                         ("needs_confirmation", {"amount": 0.25, "currency": "USD"}, "sim"))
        self.assertIn("0.25 USD", result["message"])
        self.assertEqual(world.ledger(), [])
        self.assertEqual(self.spent(world), 0)
        yes = dict(BOAT, confirm=result["confirm"])
        done = world.call(IMAGE, yes)
        self.assertEqual(done["status"], "done")
        harness.check_media(done["files"][0]["path"], "image")
        again = world.call(IMAGE, yes)
        self.assertEqual((again["job"], again["status"]), (done["job"], "done"))
        self.assertEqual(self.spent(world), 1)
        key = os.stat(world.path("state", "confirm.key"))
        self.assertEqual((stat.S_IMODE(key.st_mode), key.st_size), (0o600, 32))

    def test_anything_else_is_refused(self):
        world = self.priced(confirm="always")
        token = self.token(world, IMAGE, BOAT)
        for tool, args, options in ((IMAGE, dict(BOAT, prompt="a goat"), ()),
                                    (IMAGE, dict(BOAT, again=True), ()),
                                    (IMAGE, BOAT, ("--conversation", "other")),
                                    (VIDEO, dict(BOAT, model="sim-video"), ())):
            result = world.call(tool, dict(args, confirm=token), *options, want=1)
            self.assertEqual((result["error"]["kind"], result["error"]["field"]),
                             ("invalid", "confirm"), result)
        self.assertEqual(self.spent(world), 0)

    def test_in_chinese(self):
        world = self.priced(confirm="always")
        result = world.call(IMAGE, {"prompt": "一只船", "model": "sim-image"})
        self.assertIn("需要您确认", result["message"])
        self.assertIn("0.25 USD", result["message"])

    def test_killed_after_the_yes(self):
        """The token is the job's name: said once more after a crash, it finds the same job."""
        world = self.priced(confirm="always")
        world.sim.set(video_ms=600000)
        args = {"prompt": "waves", "model": "sim-video", "seconds": 4}
        token = self.token(world, VIDEO, args)
        host = world.start("call", VIDEO, json.dumps(dict(args, confirm=token)))
        world.sim.wait(path="/v1/videos", method="POST")
        host.signal(signal.SIGKILL)
        host.end()
        found = world.call(VIDEO, dict(args, confirm=token, wait_seconds=0))
        self.assertEqual([row["id"] for row in world.ledger()], [found["job"]])
        for job in world.sim.jobs():
            world.sim.job(job["id"], "completed")
        world.until_idle()
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_dry_run_and_cheap_ones_need_none(self):
        world = self.priced(confirm={"above": 1, "currency": "USD"})
        plan = world.call(VIDEO, {"prompt": "x", "model": "sim-video", "seconds": 4, "dry_run": True})
        self.assertEqual((plan["status"], plan["needs_confirmation"]), ("plan", True))
        plan = world.call(IMAGE, dict(BOAT, dry_run=True))
        self.assertNotIn("needs_confirmation", plan)
        self.assertEqual(world.call(IMAGE, BOAT)["status"], "done")
        self.token(world, VIDEO, {"prompt": "x", "model": "sim-video", "seconds": 4})
        self.assertEqual(self.spent(world), 1)


class Batch(Approval):
    def test_one_yes_for_all_items(self):
        world = self.priced(confirm={"above": 0.3, "currency": "USD"})
        batch = {"items": [json.dumps(dict(BOAT, prompt="boat %d" % i)) for i in range(3)]}
        plan = world.call("run_batch", dict(batch, dry_run=True))
        self.assertEqual((plan["status"], plan["needs_confirmation"]), ("plan", True))
        asked = world.call("run_batch", batch)
        self.assertEqual((asked["status"], asked["items"], asked["cost_estimate"]),
                         ("needs_confirmation", 3, {"amount": 0.75, "currency": "USD"}))
        self.assertIn("3 items for about 0.75 USD", asked["message"])
        self.assertEqual(world.ledger(), [])
        other = {"items": batch["items"][:2]}
        result = world.call("run_batch", dict(other, confirm=asked["confirm"]), want=1)
        self.assertEqual(result["error"]["field"], "confirm")
        self.assertEqual(self.spent(world), 0)
        done = world.call("run_batch", dict(batch, confirm=asked["confirm"]))
        self.assertEqual(done["status"], "done", done)
        self.assertEqual(self.spent(world), 3)
        world.call("run_batch", dict(batch, confirm=asked["confirm"]))
        self.assertEqual(self.spent(world), 3)
        # What is below the bound as a whole needs none.
        self.assertEqual(world.call("run_batch", {"items": [json.dumps(BOAT)]})["status"], "done")

    def test_limits_hold_for_items(self):
        world = self.priced(limits={"day": 0.5, "currency": "USD"})
        batch = {"items": [json.dumps(dict(BOAT, prompt="boat %d" % i)) for i in range(4)],
                 "continue_on_error": True}
        world.call("run_batch", batch, want=(0, 1))
        self.assertEqual(self.spent(world), 2)
        # The whole is no spending of its own.
        self.assertEqual(world.call(IMAGE, dict(BOAT, prompt="boat 0"), want=1)["error"]["kind"], "budget")


class Limits(Approval):
    def test_a_day_and_a_conversation(self):
        world = self.priced(limits={"day": 1, "conversation": 0.5, "currency": "USD"})
        for n in (1, 2):
            self.assertEqual(world.call(IMAGE, dict(BOAT, prompt=str(n)))["status"], "done")
        result = world.call(IMAGE, dict(BOAT, prompt="3"), want=1)
        self.assertEqual((result["error"]["kind"], result["error"]["field"]), ("budget", "conversation"))
        self.assertIn("0.5 + 0.25 > 0.5 USD", result["message"])
        for n in (3, 4):
            world.call(IMAGE, dict(BOAT, prompt=str(n)), "--conversation", "other")
        result = world.call(IMAGE, dict(BOAT, prompt="5"), "--conversation", "third", "--locale", "zh",
                            want=1)
        self.assertIn("24 小时", result["message"])
        self.assertEqual(self.spent(world), 4)


class Asked(Approval):
    def terminal(self, world, *args):
        return self.on_terminal(world, *args, env={"NO_COLOR": "1"})

    def call(self, world, *options):
        terminal = self.terminal(world, *options, "call", IMAGE, json.dumps(BOAT))
        terminal.until(r"Go on\? \[y/N\] ")
        for part in ("0.25 USD", "sim / sim-image", "conversation: cli"):
            self.assertIn(part, terminal.text)
        self.assertEqual(self.spent(world), 0)
        return terminal

    def test_yes(self):
        world = self.priced(confirm="always")
        terminal = self.call(world)
        terminal.type("y\n")
        self.assertEqual(terminal.end(0)["status"], "done")
        self.assertEqual(self.spent(world), 1)

    def test_no_and_everything_that_is_no_yes(self):
        world = self.priced(confirm="always")
        for typed in ("n\n", "\n", "yep\n", "\x04"):
            terminal = self.call(world)
            terminal.type(typed)
            result = terminal.end(1)
            self.assertEqual(result["error"]["kind"], "denied", typed)
        self.assertEqual(self.spent(world), 0)
        self.assertEqual(world.ledger(), [])

    def test_typed_before_it_was_asked(self):
        world = self.priced(confirm="always")
        terminal = self.terminal(world, "call", IMAGE, json.dumps(BOAT))
        terminal.type("y\n")
        terminal.until(r"Go on\? \[y/N\] ")
        terminal.type("n\n")
        self.assertEqual(terminal.end(1)["error"]["kind"], "denied")
        self.assertEqual(self.spent(world), 0)

    def test_no_answer(self):
        world = self.priced(confirm="always")
        terminal = self.call(world, "--timeout", "2")
        result = terminal.end(1)
        self.assertEqual(result["error"]["kind"], "denied")
        self.assertIn("in time", result["message"])

    def test_interrupted(self):
        world = self.priced(confirm="always")
        terminal = self.call(world)
        terminal.process.send_signal(signal.SIGINT)
        terminal.end(130)
        self.assertEqual(world.ledger(), [])
        self.assertEqual(self.spent(world), 0)

    def test_yes_as_an_option(self):
        world = self.priced(confirm="always")
        result = world.call(IMAGE, BOAT, "--yes")
        self.assertEqual(result["status"], "done")
        self.assertIn("0.25 USD", result.done.err)
        self.assertIn("approved by --yes", result.done.err)
        self.assertEqual(self.spent(world), 1)
        self.assertIn("--yes goes with 'call'", world.run("--yes", "tools", want=2).err)


if __name__ == "__main__":
    harness.main()
