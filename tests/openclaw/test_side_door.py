"""clawmedia behind the host's own image_generate and video_generate: with the setting built_in_tools the
results come through those tools and the host's own delivery, without it nothing is registered. In their
order: the setting is off first.
test_side_door.py --openclaw build/tests/config --package build/npm/package --sim build/tests/sim/clawmedia-sim
"""
import hashlib
import json
import os
import unittest

import bed
import harness

CHAT = 7
MODELS = {"image": {"primary": "clawmedia/sim/sim-image"}, "video": {"primary": "clawmedia/sim/sim-video"}}
ON = {"agents": {"defaults": {"mediaModels": MODELS}},
      "plugins": {"entries": {bed.PLUGIN: {"config": {"built_in_tools": "both"}}}}}


class SideDoor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bed = bed.Bed()
        cls.addClassCleanup(cls.bed.close)
        cls.bed.install()

    def asked(self, tool, args, photo=None):
        self.bed.gateway
        return self.bed.chat.say(CHAT, "CALL %s %s" % (tool, json.dumps(args)), photo)

    def arrives(self, since, kind, count=1):
        """The host's message with the media: the bytes that the plugin's newest job has made."""
        message = self.bed.chat.wait(CHAT, since, bed.TURN_S, files=True, count=count)
        self.assertEqual(message.method, "sendPhoto" if kind == "image" else "sendVideo")
        (job,) = self.bed.rows("SELECT * FROM jobs ORDER BY number DESC LIMIT 1")
        self.assertEqual((job["state"], job["open"]), ("done", 0))
        (file,) = self.bed.rows("SELECT path FROM files WHERE job = ?", job["id"])
        self.assertEqual(hashlib.sha256(message.file[2]).digest(),
                         hashlib.sha256(harness.check_media(file["path"], kind)).digest())
        return job

    def test_1_off_the_tools_are_not_there(self):
        """Even if the host's settings name our models: that alone does not make us a provider."""
        self.bed.configure({"agents": {"defaults": {"mediaModels": MODELS}}})
        for tool in ("image_generate", "video_generate"):
            since = self.asked(tool, {"prompt": "a paper boat"})
            self.bed.chat.wait(CHAT, since, bed.TURN_S, text="There is no tool %s," % tool)
        self.assertEqual(self.bed.sim.totals()["submissions"], 0)

    def test_2_on_a_running_gateway_has_them_at_once(self):
        gateway = self.bed.gateway
        self.bed.configure(ON)
        gateway.wait("config hot reload applied .*built_in_tools", bed.TURN_S)
        for tool in ("image_generate", "video_generate"):
            since = self.asked(tool, {"action": "list"})
            self.bed.chat.wait(CHAT, since, bed.TURN_S, text="clawmedia")

    def test_3_picture_through_the_hosts_tool(self):
        since = self.asked("image_generate", {"prompt": "a paper boat"})
        job = self.arrives(since, "image")
        self.assertEqual((job["provider"], job["tool"]), ("sim", "generate_image"))

    def test_4_picture_of_the_chat_changed(self):
        photo = harness.png(96, 64)
        since = self.asked("image_generate", {"prompt": "in blue", "image": "@attached"}, photo)
        job = self.arrives(since, "image")
        self.assertEqual(job["tool"], "edit_image")
        sent = self.bed.sim.log(path="/v1/images/edits", spends=1)[-1]
        self.assertEqual([(p["width"], p["height"]) for p in sent["parts"]], [(96, 64)])
        # What was laid down for the job is gone with it.
        self.assertEqual(os.listdir(os.path.join(self.bed.state, "media", "clawmedia", "inputs")), [])

    def test_5_video_through_the_hosts_tool(self):
        self.bed.sim.set(video_ms=1000)
        since = self.asked("video_generate", {"prompt": "waves", "durationSeconds": 4})
        self.assertEqual(self.arrives(since, "video")["tool"], "generate_video")

    def test_6_command_of_the_host(self):
        out = self.bed.path("made.png")
        self.bed.run("infer", "image", "generate", "--prompt", "a lighthouse", "--model",
                     "clawmedia/default", "--output", out, "--json")
        harness.check_media(out, "image")

    def test_7_failure_is_told(self):
        self.bed.sim.fault("POST /v1/images", "body", status=400, charged=False, body=json.dumps(
            {"error": {"message": "no boats today"}}))
        since = self.asked("image_generate", {"prompt": "a ship"})
        self.bed.model.wait(lambda body: "no boats today" in json.dumps(body["messages"]), bed.TURN_S)
        self.bed.chat.wait(CHAT, since, bed.TURN_S, text="heard")

    def test_8_no_way_round_a_persons_yes(self):
        self.bed.set(plugins={"entries": {bed.PLUGIN: {"config": {"confirm": "always"}}}})
        before = self.bed.sim.totals()["submissions"]
        since = self.asked("image_generate", {"prompt": "a raft"})
        self.bed.model.wait(lambda body: "call generate_image instead" in json.dumps(body["messages"]),
                            bed.TURN_S)
        self.bed.chat.wait(CHAT, since, bed.TURN_S, text="heard")
        self.assertEqual(self.bed.sim.totals()["submissions"], before)

    def test_9_every_request_was_paid_once(self):
        totals = self.bed.sim.totals()
        jobs = self.bed.rows("SELECT * FROM jobs WHERE state = 'done'")
        self.assertEqual(totals["charges"], len(jobs))


if __name__ == "__main__":
    bed.main()
