"""clawmedia in the real OpenClaw gateway: install, ask in a chat, get the result, kill, restart.

One home and, but for the restarts, one gateway for all tests, in their order: a boot takes ten seconds
and more. Each test can be run alone too (-k). Every result is looked for in the chat, as bytes; the
last test but one looks at the whole run once more: one message for every result, nothing paid twice.
"""
import hashlib
import json
import os
import re
import signal
import struct
import sys
import unittest

import bed
import harness

IMAGE = "generate_image"
VIDEO = "generate_video"
TOOLS = {"generate_image", "generate_video", "list_models", "poll"}
ALICE, BOB, GROUP, TOPIC = 7, 8, -1001234, 77
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def image_size(data):
    assert data.startswith(PNG_HEAD), data[:16]
    return struct.unpack(">II", data[16:24])


class Gateway(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.bed = bed.Bed()
        cls.addClassCleanup(cls.bed.close)
        cls.installed = cls.bed.install()
        cls.upgraded = None
        cls.unsure = []     # (place, job) of what may have arrived, as far as the host knows

    def setUp(self):
        self.sim = self.bed.sim
        self.chat = self.bed.chat
        self.sim.no_faults()
        self.sim.set(video_ms=200, image_delay_ms=0, video_bytes=0, image_bytes=0)

    # --- steps ---

    def order(self, tool, args, chat=ALICE, photo=None, thread=None):
        """A person asks, the agent answers at once; (place in the chat, job)."""
        self.bed.gateway    # started when there is none
        since = self.chat.say(chat, "CALL %s %s" % (tool, json.dumps(args)), photo, thread)
        return since, self.answered(chat, since)

    def answered(self, chat, since):
        reply = self.chat.wait(chat, since, bed.TURN_S, files=False, text="job_")
        self.assertIn("submitted", reply.text)
        return re.search(r"\bjob_\w+", reply.text).group()

    def arrives(self, chat, since, job, kind, timeout=bed.TURN_S):
        """The result in the chat, after the answer, sound, and the same as the plugin's own file."""
        message = self.chat.wait(chat, since, timeout, files=True)
        self.assertEqual(message.method, "sendPhoto" if kind == "image" else "sendVideo")
        self.assertTrue(message.text, "a file without words")
        row = self.bed.until("SELECT * FROM jobs WHERE id = ? AND state = 'delivered'", job)
        self.assertEqual((row["open"], row["provider"]), (0, "sim"))
        (file,) = self.bed.rows("SELECT * FROM files WHERE job = ?", job)
        self.assertEqual(message.file[2], harness.check_media(file["path"], kind))
        (delivery,) = self.bed.rows("SELECT * FROM deliveries WHERE job = ?", job)
        self.assertEqual(delivery["state"], "done")
        return message

    def nothing_more(self, chat, since, files=1):
        """One more turn in the chat: what was on its way before is there then."""
        at = self.chat.say(chat, "hello")
        self.chat.wait(chat, at, bed.TURN_S, text="heard")
        self.assertEqual(len(self.chat.sent(chat, since, files=True)), files,
                         self.chat.transcript(chat, since))

    def in_the_making(self, job):
        """The provider's name for a job, once it has been asked how it is; and how often."""
        row = self.bed.until("SELECT * FROM jobs WHERE id = ? AND provider_job IS NOT NULL", job)
        name = row["provider_job"]
        self.sim.wait(path="=/v1/videos/" + name, method="GET")
        return name

    def looks(self, name):
        return len(self.sim.log(path="=/v1/videos/" + name, method="GET"))

    def show(self, title, chat, since):
        print("\n--- %s\n%s\n---" % (title, self.chat.transcript(chat, since - 1)))
        sys.stdout.flush()

    # --- install ---

    def test_01_installed_offline_from_the_tarball(self):
        self.assertIn("Installed plugin: clawmedia", self.installed)
        listed = self.bed.run("plugins", "list")
        self.assertIn("clawmedia", listed)

    def test_02_inspect_starts_nothing(self):
        if self.bed.gateways:
            self.skipTest("the gateway has run")
        text = self.bed.run("plugins", "inspect", bed.PLUGIN, "--runtime", "--json")
        for tool in TOOLS:
            self.assertIn('"%s"' % tool, text)
        self.assertFalse(os.path.exists(os.path.join(self.bed.state, "clawmedia")))
        self.assertIsNone(self.bed.ledger())
        self.assertEqual(self.sim.log(), [])

    # --- ask and get ---

    def test_03_picture(self):
        since, job = self.order(IMAGE, {"prompt": "a paper boat"})
        self.arrives(ALICE, since, job, "image")
        # The answer and the picture, and no "Working" of the host's beside them.
        self.assertEqual(len(self.chat.sent(ALICE, since)), 2, self.chat.transcript(ALICE, since))
        self.nothing_more(ALICE, since)
        self.show("a picture", ALICE, since)

    def test_04_picture_with_a_reference_from_the_chat(self):
        photo = harness.png(96, 64)
        since, job = self.order(IMAGE, {"prompt": "the same, in blue",
                                        "reference_images": ["@attached"]}, photo=photo)
        self.arrives(ALICE, since, job, "image")
        sent = self.sim.log(path="/v1/images/edits", spends=1)[-1]
        self.assertEqual([(p["width"], p["height"]) for p in sent["parts"]], [(96, 64)])
        self.assertEqual(sent["parts"][0]["sha256"], hashlib.sha256(photo).hexdigest())
        self.nothing_more(ALICE, since)

    def test_05_video_and_where_it_is_noted(self):
        self.sim.set(video_ms=3000)
        since, job = self.order(VIDEO, {"prompt": "waves"})
        message = self.arrives(ALICE, since, job, "video")
        # The agent knows by itself, and nobody was sent a second message for it.
        asked = len(self.bed.model.requests)
        at = self.chat.say(ALICE, "is it ready?")
        reply = self.chat.wait(ALICE, at, bed.TURN_S)
        self.assertIn("arrived", reply.text)
        self.assertIn(job, reply.text)
        self.nothing_more(ALICE, since)
        self.assertEqual(len(self.chat.sent(ALICE, since)), 4, self.chat.transcript(ALICE, since))
        (file,) = self.bed.rows("SELECT path FROM files WHERE job = ?", job)
        told = [json.dumps(r["messages"]) for r in self.bed.model.requests[asked:]]
        self.assertEqual([text.count("[clawmedia, ") for text in told], [1, 0])
        self.assertIn(file["path"], told[0])
        self.show("a video", ALICE, since)
        # The session's history has it too, though no turn of the agent had sent it.
        (row,) = self.bed.rows("SELECT reply_to FROM jobs WHERE id = ?", job)
        history = self.bed.ask("chat.history",
                               {"sessionKey": json.loads(row["reply_to"])["sessionKey"]})
        self.assertIn(os.path.basename(file["path"]), history)
        self.assertIn(message.text, history)
        at = self.chat.say(ALICE, "CALL poll " + json.dumps({"job": job}))
        self.chat.wait(ALICE, at, bed.TURN_S, text="was delivered")

    def test_06_conversations_at_once_do_not_mix(self):
        self.bed.gateway
        self.sim.set(image_delay_ms=2000)
        wishes = [(ALICE, None, "1024x1024"), (BOB, None, "1536x1024"), (GROUP, TOPIC, "1024x1536")]
        began = len(self.chat.messages)
        orders = []
        for chat, thread, size in wishes:
            text = "CALL %s %s" % (IMAGE, json.dumps({"prompt": "for %d" % chat, "size": size}))
            orders.append(self.chat.say(chat, text, thread=thread))
        jobs = []
        for (chat, thread, size), since in zip(wishes, orders):
            job = self.answered(chat, since)
            message = self.arrives(chat, since, job, "image")
            width, height = image_size(message.file[2])
            self.assertEqual("%dx%d" % (width, height), size)
            self.assertEqual(message.thread, thread)
            jobs.append(job)
        for chat, _, _ in wishes:
            self.assertEqual(len(self.chat.sent(chat, began, files=True)), 1)
        found = self.bed.rows("SELECT DISTINCT conversation FROM jobs WHERE id IN (?, ?, ?)", *jobs)
        self.assertEqual(len(found), 3, "conversations are mixed up: %r" % found)

    def test_07_more_than_the_hosts_usual_limit(self):
        self.sim.set(video_bytes=9 << 20)
        since, job = self.order(VIDEO, {"prompt": "a long one"})
        message = self.arrives(ALICE, since, job, "video")
        self.assertGreaterEqual(len(message.file[2]), 9 << 20)

    # --- a chat that will not take it ---

    def test_08_chat_out_of_reach(self):
        self.sim.set(video_ms=-1)
        since, job = self.order(VIDEO, {"prompt": "later"})
        name = self.in_the_making(job)
        self.chat.note("the chat service is out of reach")
        self.chat.server.refuse()
        try:
            self.sim.job(name, "completed")
            self.bed.until("SELECT * FROM deliveries WHERE job = ? AND attempts > 0 AND "
                           "state IN ('held', 'pending')", job)
        finally:
            self.chat.note("the chat service is back")
            self.chat.server.accept()
        self.arrives(ALICE, since, job, "video", timeout=90)
        self.nothing_more(ALICE, since)
        self.show("the chat out of reach", ALICE, since)

    def test_09_too_many_requests(self):
        self.bed.gateway
        self.chat.fail("sendPhoto", 2, 429, parameters={"retry_after": 1})
        tries = len(self.chat.tries)
        since, job = self.order(IMAGE, {"prompt": "a busy chat"})
        self.arrives(ALICE, since, job, "image")
        self.assertEqual(len(self.chat.tries) - tries, 3)
        self.nothing_more(ALICE, since)

    def test_10_may_have_arrived_is_not_repeated(self):
        """An error after the file was sent: the host parks it, and nothing sends it once more."""
        self.bed.gateway
        self.chat.fail("sendPhoto", 1, 500)
        tries = len(self.chat.tries)
        since, job = self.order(IMAGE, {"prompt": "perhaps"})
        self.unsure.append((since, job))
        self.bed.until("SELECT * FROM deliveries WHERE job = ? AND state = 'unknown'", job)
        self.nothing_more(ALICE, since, files=0)
        self.assertEqual(len(self.chat.tries) - tries, 1)

    def test_11_may_have_arrived_is_said_at_once(self):
        if not self.unsure:
            self.skipTest("test_10 has not run")
        since, job = self.unsure[0]
        at = self.chat.say(ALICE, "CALL poll " + json.dumps({"job": job}))
        reply = self.chat.wait(ALICE, at, bed.TURN_S, text=job)
        self.assertIn("redeliver", reply.text)
        at = self.chat.say(ALICE, "CALL poll " + json.dumps({"job": job, "action": "redeliver"}))
        self.chat.wait(ALICE, at, bed.TURN_S, files=True)
        self.bed.until("SELECT * FROM jobs WHERE id = ? AND state = 'delivered'", job)
        self.unsure.clear()
        self.nothing_more(ALICE, since)

    # --- the plugin is replaced while the gateway runs ---

    def test_11a_replaced_while_a_video_is_made(self):
        """New settings, a reload, an upgrade: each time another instance of the engine goes on."""
        self.sim.set(video_ms=-1)
        before = self.sim.totals()["submissions"]
        since, job = self.order(VIDEO, {"prompt": "the plugin is replaced"})
        name = self.in_the_making(job)
        gateway = self.bed.gateway
        taken_up = job + " taken up as working"
        times = gateway.text.count(taken_up)
        old = gateway.libraries("clawmedia-")
        self.assertEqual(len(old), 1, old)

        self.chat.note("other settings")
        self.bed.set(plugins={"entries": {bed.PLUGIN: {"config": {
            "providers": {"sim": {"poll_ceiling_ms": 300}}}}}})
        gateway.wait(taken_up, bed.TURN_S, times + 1)
        self.chat.note("openclaw plugins reload")
        self.bed.run("plugins", "reload", bed.PLUGIN)
        gateway.wait(taken_up, bed.TURN_S, times + 2)
        self.assertEqual(gateway.libraries("clawmedia-"), old)
        self.chat.note("openclaw plugins install, of a newer one")
        upgrade = self.bed.newer_package()
        self.bed.run("plugins", "install", upgrade.tarball, "--force", "--accept-capabilities")
        gateway.wait(taken_up, bed.TURN_S, times + 3)
        self.assertEqual(gateway.libraries("clawmedia-") - old, {upgrade.plugin})
        # The ledger is held by one engine, and the new code's.
        looks = self.looks(name)
        self.sim.wait(path="=/v1/videos/" + name, method="GET", count=looks + 1)

        self.sim.job(name, "completed")
        self.arrives(ALICE, since, job, "video")
        self.nothing_more(ALICE, since)
        self.assertEqual(self.sim.totals()["submissions"], before + 1)
        self.show("the plugin is replaced", ALICE, since)
        # From the next start on it is the only code there is.
        type(self).upgraded = upgrade

    # --- the gateway ends ---

    def ended_while_made(self, sig, words, code):
        self.sim.set(video_ms=-1)
        before = self.sim.totals()["submissions"]
        since, job = self.order(VIDEO, {"prompt": words})
        name = self.in_the_making(job)
        gateway = self.bed.gateway
        self.chat.note(words)
        gateway.stop(sig)
        self.assertEqual(gateway.end(), code)
        (row,) = self.bed.rows("SELECT * FROM jobs WHERE id = ?", job)
        self.assertEqual((row["state"], row["open"]), ("working", 1))
        # It is finished while nobody looks.
        self.sim.job(name, "completed")
        looks = self.looks(name)
        self.chat.note("the gateway starts again")
        gateway = self.bed.start()
        if self.upgraded:
            self.assertEqual(gateway.libraries("clawmedia-"), {self.upgraded.plugin})
        self.sim.wait(path="=/v1/videos/" + name, method="GET", count=looks + 1)
        self.arrives(ALICE, since, job, "video")
        self.nothing_more(ALICE, since)
        self.assertEqual(self.sim.totals()["submissions"], before + 1)
        self.show(words, ALICE, since)

    def test_12_killed_while_a_video_is_made(self):
        self.ended_while_made(signal.SIGKILL, "the gateway is killed (SIGKILL)", -signal.SIGKILL)

    def test_13_stopped_while_a_video_is_made(self):
        self.ended_while_made(signal.SIGTERM, "the gateway is stopped (SIGTERM)", 0)

    def on_the_page(self, session, count):
        """What the page shows in a session but words, once there is so much."""
        for _ in range(10):
            found = self.bed.ask("chat.history", {"sessionKey": session})
            found = [part for message in json.loads(found[found.index("{"):])["messages"]
                     if message["role"] == "assistant" and isinstance(message["content"], list)
                     for part in message["content"] if part["type"] not in ("text", "toolCall")]
            if len(found) >= count:
                break
        return found

    def test_15a_web_page_turn_is_cut_off(self):
        """The job goes on, and the next turn in that session has the result."""
        self.bed.gateway
        self.sim.set(video_ms=-1)
        session = "agent:main:cut"
        self.bed.ask("chat.send", {"sessionKey": session, "idempotencyKey": "cut-1",
                                   "message": "CALL %s %s" % (VIDEO, json.dumps({"prompt": "cut"}))})
        row = self.bed.until("SELECT * FROM jobs WHERE request LIKE '%cut%' AND "
                             "provider_job IS NOT NULL")
        self.bed.ask("chat.abort", {"sessionKey": session})
        self.sim.job(row["provider_job"], "completed")
        self.bed.gateway.wait("the session is told of " + row["id"], bed.TURN_S)
        self.bed.ask("chat.send", {"sessionKey": session, "idempotencyKey": "cut-2",
                                   "message": "is it ready?"})
        shown = self.on_the_page(session, 1)
        self.assertEqual(len(shown), 1)

    def test_16_killed_while_the_host_holds_the_message(self):
        """The chat is out of reach, the host's queue has the message, and the gateway dies."""
        self.sim.set(video_ms=-1)
        since, job = self.order(VIDEO, {"prompt": "held"})
        name = self.in_the_making(job)
        self.chat.note("the chat service is out of reach")
        self.chat.server.refuse()
        try:
            self.sim.job(name, "completed")
            self.bed.until("SELECT * FROM deliveries WHERE job = ? AND state = 'held'", job)
            gateway = self.bed.gateway
            self.chat.note("the gateway is killed (SIGKILL)")
            gateway.stop(signal.SIGKILL)
            gateway.end()
        finally:
            self.chat.note("the chat service is back")
            self.chat.server.accept()
        self.bed.start()
        self.arrives(ALICE, since, job, "video", timeout=90)
        (row,) = self.bed.rows("SELECT * FROM deliveries WHERE job = ?", job)
        self.assertEqual(row["attempts"], 1)
        self.assertTrue(row["host_ref"])
        at = self.chat.say(ALICE, "is it ready?")
        self.assertIn(job, self.chat.wait(ALICE, at, bed.TURN_S).text)
        self.nothing_more(ALICE, since)
        self.show("held, then killed", ALICE, since)

    # --- where nothing can be sent later ---

    def test_14_command_line_turn_waits(self):
        self.bed.gateway
        began = len(self.chat.messages)
        self.sim.set(image_delay_ms=1000)
        text = self.bed.run("agent", "--session-id", "by-hand", "--message",
                            "CALL %s %s" % (IMAGE, json.dumps({"prompt": "for a terminal"})))
        (job,) = self.bed.rows("SELECT * FROM jobs ORDER BY number DESC LIMIT 1")
        self.assertEqual((job["state"], job["open"]), ("done", 0))
        (file,) = self.bed.rows("SELECT * FROM files WHERE job = ?", job["id"])
        harness.check_media(file["path"], "image")
        self.assertIn(os.path.basename(file["path"]), text)
        self.assertEqual([m for m in self.chat.messages[began:] if m.who == "bot"], [])

    def test_15_web_page_turn_waits(self):
        self.bed.gateway
        began = len(self.chat.messages)
        before = self.bed.rows("SELECT max(number) AS number FROM jobs")[0]["number"] or 0 \
            if self.bed.ledger() else 0
        self.sim.set(image_delay_ms=1000)
        self.bed.ask("chat.send", {
            "sessionKey": "agent:main:web", "idempotencyKey": "web-1",
            "message": "CALL %s %s" % (IMAGE, json.dumps({"prompt": "for a page"}))})
        job = self.bed.until("SELECT * FROM jobs WHERE number > ? AND state = 'done'", before)
        self.assertEqual(job["open"], 0)
        (file,) = self.bed.rows("SELECT * FROM files WHERE job = ?", job["id"])
        harness.check_media(file["path"], "image")
        # The tool's result, with the line that the page shows the picture for.
        self.bed.model.wait(lambda body: any(
            m.get("role") == "tool" and "MEDIA:" + file["path"] in json.dumps(m)
            for m in body["messages"]), bed.TURN_S)
        (shown,) = self.on_the_page("agent:main:web", 1)
        self.assertEqual((shown["type"], shown["mimeType"], shown["sizeBytes"]),
                         ("image", "image/png", os.path.getsize(file["path"])))
        self.assertIn("artifactId", shown)
        self.assertEqual([m for m in self.chat.messages[began:] if m.who == "bot"], [])

    # --- several agents ---

    def test_17_agents_keep_to_their_folders(self):
        """Another agent for one of the chats: its own workspace, its own results, its own chat."""
        studio = self.bed.path("studio")
        os.makedirs(studio)
        with open(os.path.join(studio, "sketch.png"), "wb") as f:
            f.write(harness.png(48, 32))
        self.bed.set(
            agents={"entries": {"main": {"default": True}, "studio": {"workspace": studio}}},
            bindings=[{"agentId": "studio", "match": {
                "channel": "telegram", "peer": {"kind": "direct", "id": str(BOB)}}}])
        for chat, folder in ((ALICE, self.bed.workspace), (BOB, studio)):
            since, job = self.order(IMAGE, {"prompt": "for %d's agent" % chat}, chat)
            self.arrives(chat, since, job, "image")
            (file,) = self.bed.rows("SELECT path FROM files WHERE job = ?", job)
            self.assertTrue(file["path"].startswith(os.path.join(folder, "media", "")), file["path"])
        # By its name in the workspace the one has it; and the other has not, by any name.
        since, job = self.order(IMAGE, {"prompt": "finished", "reference_images": ["sketch.png"]}, BOB)
        self.arrives(BOB, since, job, "image")
        for name in ("sketch.png", os.path.join(studio, "sketch.png")):
            at = self.chat.say(ALICE, "CALL %s %s" % (IMAGE, json.dumps(
                {"prompt": "taken", "reference_images": [name]})))
            self.chat.wait(ALICE, at, bed.TURN_S, text="reference_images")

    # --- all in all ---

    def test_98_one_message_for_every_result(self):
        if not self.bed.ledger():
            self.skipTest("nothing was made")
        shown = [hashlib.sha256(m.file[2]).digest() for m in self.chat.messages
                 if m.who == "bot" and m.file]
        jobs = self.bed.rows("SELECT * FROM jobs")
        unsure = [job for _, job in self.unsure]
        for job in jobs:
            if job["id"] in unsure:
                continue
            self.assertIn(job["state"], ("delivered", "done"), job)
            (file,) = self.bed.rows("SELECT * FROM files WHERE job = ?", job["id"])
            with open(file["path"], "rb") as f:
                times = shown.count(hashlib.sha256(f.read()).digest())
            self.assertEqual(times, 1 if job["state"] == "delivered" else 0, job["id"])
        totals = self.sim.totals()
        self.assertEqual((totals["submissions"], totals["charges"]), (len(jobs), len(jobs)))

    def test_99_uninstall_leaves_nothing_running(self):
        self.sim.set(video_ms=-1)
        _, job = self.order(VIDEO, {"prompt": "nobody waits for it"})
        name = self.in_the_making(job)
        gateway = self.bed.gateway
        ledger = self.bed.ledger()
        self.assertIn(ledger, gateway.open_files())
        self.bed.run("plugins", "uninstall", bed.PLUGIN, "--force")
        self.assertFalse([f for f in gateway.open_files() if "clawmedia.db" in f])
        looks = self.looks(name)
        since = self.chat.say(ALICE, "CALL poll {}")
        self.chat.wait(ALICE, since, bed.TURN_S, text="no tool poll")
        self.assertEqual(self.looks(name), looks, "the engine works on")
        # What is in the making is not forgotten: it goes on should the plugin come back.
        (row,) = self.bed.rows("SELECT * FROM jobs WHERE id = ?", job)
        self.assertEqual((row["state"], row["open"]), ("working", 1))
        gateway.stop(signal.SIGTERM)
        self.assertEqual(gateway.end(), 0)


if __name__ == "__main__":
    bed.main()
