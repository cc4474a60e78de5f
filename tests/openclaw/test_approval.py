"""Spending with a person's yes in the real OpenClaw gateway: by the host's own approval prompt where the
chat has approvers, and by the token of the first answer where it has none.
"""
import json
import os
import re
import signal
import sys
import unittest

import bed

IMAGE = "generate_image"
ALICE = 7
CONFIG = {"plugins": {"entries": {bed.PLUGIN: {"config": {
    "confirm": {"above": 0.2, "currency": "USD"},
    "limits": {"day": 50, "currency": "USD"},
    "providers": {"sim": {"prices": {
        "sim-image": {"each": 0.1, "currency": "USD"},
        "sim-dear": {"each": 0.25, "currency": "USD"}}}}}}}}}
APPROVERS = {
    "channels": {"telegram": {"execApprovals": {"enabled": True, "approvers": [str(ALICE)],
                                                "target": "both"}}},
    "commands": {"ownerAllowFrom": ["telegram:%d" % ALICE]}}


class Approval(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.bed = bed.Bed(CONFIG)
        cls.addClassCleanup(cls.bed.close)
        cls.bed.run("plugins", "install", cls.bed.tarball(), "--force", "--accept-capabilities")

    def setUp(self):
        self.sim = self.bed.sim
        self.chat = self.bed.chat

    def say(self, args):
        self.bed.gateway    # started when there is none
        return self.chat.say(ALICE, "CALL %s %s" % (IMAGE, json.dumps(args)))

    def arrives(self, since, charges):
        self.chat.wait(ALICE, since, bed.TURN_S, files=True)
        self.assertEqual(self.sim.totals()["charges"], charges)

    def show(self, title, since):
        print("\n--- %s\n%s\n---" % (title, self.chat.transcript(ALICE, since - 1)))
        sys.stdout.flush()

    def restart(self, settings):
        if self.bed.gateways:
            self.bed.gateway.stop(signal.SIGTERM)
            self.bed.gateways[-1].end()
        # In the file as it is: the host takes one that lacks its own marks for damaged.
        path = os.path.join(self.bed.state, "openclaw.json")
        with open(path, encoding="utf-8") as f:
            root = bed.merge(json.load(f), settings)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(root, f, indent=1)
        self.bed.start()

    def prompt(self, args):
        """Asks for it; the chat's prompt and its id."""
        since = self.say(args)
        asked = self.chat.wait(ALICE, since, bed.TURN_S, text="approval")
        self.assertEqual(self.sim.totals()["submissions"], self.before)
        return since, asked, re.search(r"\bplugin:[\w-]+", asked.text).group()

    # --- nobody can be asked by the host: the agent asks ---

    def test_1_cheap_needs_no_yes(self):
        since = self.say({"prompt": "a cup", "model": "sim-image"})
        self.arrives(since, 1)

    def test_2_the_agent_asks_and_the_token_runs(self):
        args = {"prompt": "a boat", "model": "sim-dear"}
        first = since = self.say(args)
        reply = self.chat.wait(ALICE, since, bed.TURN_S, text="needs_confirmation")
        self.assertIn("0.25 USD", reply.text)
        self.assertEqual(self.sim.totals()["submissions"], 1)
        token = re.search(r'"confirm":"(ok_\w+)"', reply.text).group(1)
        since = self.say(dict(args, prompt="a ship", confirm=token))
        self.chat.wait(ALICE, since, bed.TURN_S, text="not for this call")
        self.assertEqual(self.sim.totals()["submissions"], 1)
        since = self.say(dict(args, confirm=token))
        self.arrives(since, 2)
        # The picture may come before the words: the turn is over when both are here.
        self.chat.wait(ALICE, since, bed.TURN_S, text="job_")
        # Once more: the token means that one job.
        since = self.say(dict(args, confirm=token))
        self.chat.wait(ALICE, since, bed.TURN_S, text="job_")
        self.assertEqual(self.sim.totals()["charges"], 2)
        self.show("confirmed by a token", first)

    # --- the host asks ---

    def test_3_the_host_asks(self):
        self.restart(APPROVERS)
        self.before = self.sim.totals()["submissions"]
        since = self.say({"prompt": "another cup", "model": "sim-image"})
        self.arrives(since, self.before + 1)
        self.before += 1
        first, asked, which = self.prompt({"prompt": "a lake", "model": "sim-dear"})
        for part in ("0.25", "USD", "sim / sim-dear"):
            self.assertIn(part, asked.text)
        since = self.chat.say(ALICE, "/approve %s allow-once" % which)
        self.arrives(since, self.before + 1)
        self.before += 1

        _, _, which = self.prompt({"prompt": "a sea", "model": "sim-dear"})
        since = self.chat.say(ALICE, "/approve %s deny" % which)
        self.chat.wait(ALICE, since, bed.TURN_S, text="Denied by user")
        self.assertEqual(self.sim.totals()["submissions"], self.before)

        # A dry run needs no yes, and what it says does not stand for one.
        since = self.say({"prompt": "a pond", "model": "sim-dear", "dry_run": True})
        reply = self.chat.wait(ALICE, since, bed.TURN_S, text="needs_confirmation")
        token = re.search(r'"confirm":"(ok_\w+)"', reply.text).group(1)
        _, _, which = self.prompt({"prompt": "a pond", "model": "sim-dear", "confirm": token})
        since = self.chat.say(ALICE, "/approve %s deny" % which)
        self.chat.wait(ALICE, since, bed.TURN_S, text="Denied by user")
        self.assertEqual(self.sim.totals()["submissions"], self.before)
        self.show("asked by the host", first)


if __name__ == "__main__":
    bed.main()
