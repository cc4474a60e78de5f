"""What becomes of a video that the host's own video_generate makes, from the same simulator, in the same
chat, in the scenarios that test_gateway.py has for clawmedia. Prints one line a scenario and the
transcripts; nothing here can fail because of the host. By hand: built_in.py --openclaw build/tests/config
--package - --sim build/tests/sim/clawmedia-sim; takes about five minutes.
"""
import signal
import sys
import time
import unittest

import bed

GIVE_UP_S = 60      # how long a video that does not come is waited for
CHAT = 7


class BuiltIn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.results = []
        cls.addClassCleanup(lambda: print("\n" + "\n".join(cls.results)))

    def setUp(self):
        self.bed = bed.Bed()
        self.addCleanup(self.bed.close)
        self.bed.configure({
            "agents": {"defaults": {"mediaModels": {"video": {"primary": "openai/sora-2"}}}},
            "plugins": {"entries": {bed.PLUGIN: {"enabled": False}}},
            "models": {"providers": {"openai": {
                "baseUrl": self.bed.sim.base + "/v1", "apiKey": bed.by_env("TEST_SIM_KEY"),
                "request": {"allowPrivateNetwork": True}, "models": []}}}})
        self.bed.sim.set(video_size="320x180", video_seconds=1)
        self.gateway = self.bed.start()

    def order(self, prompt):
        self.since = self.bed.chat.say(CHAT, 'CALL video_generate {"prompt": "%s"}' % prompt)
        self.bed.chat.wait(CHAT, self.since, bed.TURN_S, files=False)
        self.bed.sim.wait(path="/v1/videos", method="POST", spends=1, timeout_ms=30000)
        (job,) = self.bed.sim.jobs()
        self.bed.sim.wait(path="=/v1/videos/" + job["id"], method="GET", timeout_ms=30000)
        return job["id"]

    def see(self, title):
        began = time.monotonic()
        try:
            self.bed.chat.wait(CHAT, self.since, GIVE_UP_S, files=True)
            what = "arrived after %.0f s" % (time.monotonic() - began)
        except AssertionError:
            what = "had not arrived after %d s" % GIVE_UP_S
        said = self.bed.run("tasks", "list", want=None)
        self.results.append("built-in, %s: %s; paid %d" % (
            title, what, self.bed.sim.totals()["charges"]))
        print("\n--- %s\n%s\n%s---" % (title, self.bed.chat.transcript(CHAT, self.since - 1), said))
        sys.stdout.flush()

    def test_plain(self):
        self.bed.sim.set(video_ms=1000)
        self.order("waves")
        self.see("a video")

    def test_large(self):
        self.bed.sim.set(video_ms=1000, video_bytes=10 << 20)
        self.order("waves, large")
        self.see("a video of 10 MB")

    def ended(self, sig, title, timeout):
        self.bed.sim.set(video_ms=-1)
        name = self.order(title)
        self.bed.chat.note(title)
        self.gateway.stop(sig)
        self.bed.sim.job(name, "completed")
        try:
            self.gateway.end(timeout)
        except AssertionError:
            self.bed.chat.note("it had not stopped after %d s and was killed" % timeout)
        self.bed.chat.note("the gateway starts again")
        self.bed.start()
        self.see(title)

    def test_killed(self):
        self.ended(signal.SIGKILL, "the gateway is killed (SIGKILL)", 10)

    def test_stopped(self):
        self.ended(signal.SIGTERM, "the gateway is stopped (SIGTERM)", 60)


if __name__ == "__main__":
    bed.main()
