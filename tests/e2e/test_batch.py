"""run_batch: many items as one order, each paid for once, however often it is run or killed."""
import json
import os
import signal

import harness

BATCH = "run_batch"


class Batch(harness.Case):
    def manifest(self, world, items, name="list.jsonl"):
        path = os.path.join(world.workspace, name)
        with open(path, "w", encoding="utf-8") as f:
            if name.endswith(".jsonl"):
                f.write("".join(json.dumps(i, ensure_ascii=False) + "\n\n" for i in items))
            else:
                json.dump(items, f)
        return name

    def summary(self, result):
        with open(result["files"][0]["path"], encoding="utf-8") as f:
            return json.load(f)

    def prompts(self, world):
        return sorted(e["prompt"] for e in world.sim.log(spends=1))

    def test_items(self):
        """Variables by their rank, numbers, braces, JSON in a text; the skill's names of arguments."""
        world = self.world()
        items = [
            {"prompt": "minimal {subject} on {bg}", "n": 2, "vars": {"bg": "marble"}},
            {"prompt": "a {{brace}} {index:03d} {unknown} {\"k\": 1} {mode}", "size": "1024x1024"},
            {"mode": "video", "prompt": "turntable of {subject} {bg}", "seconds": 4, "download": False,
             "print_json": True, "prefix": "clip-{index}"},
        ]
        result = world.call(BATCH, {"manifest": self.manifest(world, items),
                                    "vars": json.dumps({"subject": "mug", "bg": "wood"})})
        self.assertEqual(result["status"], "done", result)
        self.assertEqual(result["batch"], {"items": 3, "ended": 3, "failed": 0})
        summary = self.summary(result)
        self.assertTrue(summary["ok"])
        self.assertEqual([r["index"] for r in summary["results"]], [1, 2, 3])
        self.assertEqual([len(r["files"]) for r in summary["results"]], [2, 1, 1])
        self.assertEqual(self.prompts(world), ["a {brace} 002 {unknown} {\"k\": 1} image",
                                               "minimal mug on marble", "turntable of mug wood"])
        for row in summary["results"]:
            for file in row["files"]:
                self.assertTrue(os.path.getsize(file["path"]) > 0)
        sheet = result["files"][1]
        self.assertEqual(sheet["mime"], "image/png")
        with open(sheet["path"], "rb") as f:
            self.assertEqual(f.read(8), b"\x89PNG\r\n\x1a\n")
        self.assertGreater(sheet["width"], 256, "three pictures side by side")

    def test_again(self):
        """The same list again pays for nothing; what failed is made, what succeeded is kept."""
        world = self.world()
        items = [{"prompt": "one"}, {"prompt": "two"}, {"prompt": "three"}]
        name = self.manifest(world, items, "list.json")
        world.sim.fault("POST /v1/images/generations", "status", status=400, nth=2)
        args = {"manifest": name, "continue_on_error": True, "concurrency": 1}
        first = world.call(BATCH, args)
        self.assertEqual(first["batch"]["failed"], 1, first)
        self.assertFalse(self.summary(first)["ok"])
        self.assertEqual(world.sim.totals()["charges"], 2)
        second = world.call(BATCH, args)
        self.assertEqual(second["batch"], {"items": 3, "ended": 3, "failed": 0})
        self.assertTrue(self.summary(second)["ok"])
        self.assertEqual(world.sim.totals()["charges"], 3)
        third = world.call(BATCH, args)
        self.assertEqual(third["batch"]["failed"], 0)
        self.assertEqual(world.sim.totals()["charges"], 3)
        # One changed word is another batch.
        self.manifest(world, items[:2] + [{"prompt": "four"}], "list.json")
        world.call(BATCH, args)
        self.assertEqual(world.sim.totals()["charges"], 6)

    def test_first_failure_stops(self):
        world = self.world()
        world.sim.fault("POST /v1/images/generations", "status", status=400, nth=1)
        items = [{"prompt": "item %d" % i} for i in range(6)]
        result = world.call(BATCH, {"manifest": self.manifest(world, items), "concurrency": 1})
        self.assertGreaterEqual(result["batch"]["failed"], 1)
        self.assertLess(world.sim.totals()["charges"], 6)
        states = [r["state"] for r in self.summary(result)["results"]]
        self.assertEqual(states[0], "failed")
        self.assertIn("cancelled", states)

    def test_progress_is_told_in_items(self):
        world = self.world()
        world.sim.set(image_delay_ms=800)
        for locale, failed, told in (("en", 0, "[0-3] of 4 items  "),
                                     ("en", 1, "[1-3] of 4 items, 1 failed  "),
                                     ("zh-CN", 1, "已完成 [1-3]/4 项，失败 1 项  ")):
            if failed:
                world.sim.fault("POST /v1/images/generations", "status", status=400, nth=1)
            args = {"items": ["%s %d %d" % (locale, failed, i) for i in range(4)], "concurrency": 2,
                    "continue_on_error": True}
            terminal = self.on_terminal(world, "--locale", locale, "call", BATCH, json.dumps(args),
                                        env={"NO_COLOR": "1"})
            self.assertEqual(terminal.end(0)["batch"], {"items": 4, "ended": 4, "failed": failed})
            self.assertRegex(terminal.text, told)

    def test_mistakes(self):
        """Before anything is sent every item is looked at; a bad one is named."""
        world = self.world()
        items = [{"prompt": "fine"}, {"prompt": "x", "mode": "sound"}, {"vars": 3, "prompt": "y"},
                 {"mode": "image"}, {"prompt": "x", "qualty": "high"}]
        name = self.manifest(world, items)
        result = world.call(BATCH, {"manifest": name}, want=1)
        self.assertIn("item 2", result["error"]["text"])
        self.assertIn("4 of 5", result["error"]["text"])
        self.assertEqual(world.sim.log(spends=1), [])
        self.assertEqual(world.ledger(), [])
        plan = world.call(BATCH, {"manifest": name, "dry_run": True})
        self.assertEqual((plan["status"], plan["items"]), ("plan", 5))
        self.assertEqual([r["index"] for r in plan["invalid"]], [2, 3, 4, 5])
        done = world.call(BATCH, {"manifest": name, "continue_on_error": True})
        summary = self.summary(done)
        self.assertEqual(len(summary["results"]), 5)
        self.assertEqual([r["ok"] for r in summary["results"]], [True, False, False, False, False])
        for args, field in (({}, "manifest"), ({"items": [], "vars": "x"}, "vars"), ({"items": []}, "items"),
                            ({"items": ["{broken"]}, "items"), ({"manifest": "none"}, "manifest"),
                            ({"manifest": "/etc/passwd"}, "manifest")):
            with self.subTest(args=args):
                result = world.call(BATCH, args, want=1)
                self.assertEqual(result["error"]["field"], field, result)

    def test_prompts_in_the_arguments(self):
        world = self.world()
        result = world.call(BATCH, {"items": ["a boat", "一只纸船", "{\"prompt\": \"b\", \"mode\": \"image\"}"]})
        self.assertEqual(result["batch"], {"items": 3, "ended": 3, "failed": 0})
        self.assertEqual(self.prompts(world), sorted(["a boat", "一只纸船", "b"]))

    def test_delivery(self):
        """In the background: one message for all, whatever the number of items."""
        world = self.world()
        job = world.submit(BATCH, {"items": ["item %d" % i for i in range(20)]})
        world.until_idle()
        message = self.one_message(world, job)
        self.assertIn("20", message["text"])
        self.assertEqual(len(world.messages()), 1)
        self.assertEqual(world.sim.totals()["charges"], 20)
        listed = world.call("poll", {"action": "list"})
        self.assertEqual([row["job"] for row in listed["jobs"]], [job])

    def test_confirmation(self):
        """One yes for the whole: the estimate of all items, and a token that fits these items only."""
        world = self.world()
        world.configure({"sim": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key,
                                 "models": [{"id": "sim-image"}]}},
                        {"sim": {"prices": {"sim-image": {"each": 0.25, "currency": "USD"}}}},
                        confirm={"above": 0.5, "currency": "USD"})
        one = world.call(BATCH, {"items": ["one", "two"]})
        self.assertEqual(one["status"], "done", one)
        args = {"items": ["three", "four", "five"]}
        asked = world.call(BATCH, args)
        self.assertEqual(asked["status"], "needs_confirmation", asked)
        self.assertEqual(asked["cost_estimate"], {"amount": 0.75, "currency": "USD"})
        self.assertEqual(world.sim.totals()["charges"], 2)
        other = world.call(BATCH, {"items": ["three", "four", "six"], "confirm": asked["confirm"]}, want=1)
        self.assertEqual(other["error"]["field"], "confirm")
        done = world.call(BATCH, dict(args, confirm=asked["confirm"]))
        self.assertEqual(done["batch"], {"items": 3, "ended": 3, "failed": 0})
        again = world.call(BATCH, dict(args, confirm=asked["confirm"]))
        self.assertEqual(again["job"], done["job"])
        self.assertEqual(world.sim.totals()["charges"], 5)

    def test_thousand(self):
        """1,000 items; the host is killed in between, twice; each is paid for once at the most."""
        world = self.world()
        job = world.submit(BATCH, {"items": ["item %04d" % i for i in range(1000)],
                                   "concurrency": 16, "continue_on_error": True})
        for seen in (150, 500):
            host = world.start("run", "--until-idle", outbox=True)
            world.sim.wait(count=seen, spends=1)
            host.signal(signal.SIGKILL)
            host.end()
        world.until_idle(timeout=120)
        message = self.one_message(world, job)
        self.assertIn("1000", message["text"])
        prompts = self.prompts(world)
        self.assertEqual(len(prompts), len(set(prompts)), "something was paid for twice")
        states = world.rows("SELECT state, count(*) AS n FROM jobs WHERE batch_index > 0 GROUP BY state")
        counts = {row["state"]: row["n"] for row in states}
        self.assertEqual(sum(counts.values()), 1000)
        # Only what was being answered at the kill is of unknown fate.
        self.assertLessEqual(counts.get("unknown", 0), 2 * 16)
        self.assertEqual(counts.get("done", 0) + counts.get("unknown", 0), 1000)


if __name__ == "__main__":
    harness.main()
