"""README's section "In OpenClaw", word by word, in a fresh home: its commands are run as they stand there
and then the chat gets what is promised. Only what nobody else has is put in their place: the package that
is built already is what packaging/npm/pack makes a tarball of, and the simulator is the provider.
test_readme.py --openclaw build/tests/config --package build/npm/package --sim build/tests/sim/clawmedia-sim
"""
import json
import os
import re
import shlex
import sys
import unittest

import bed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHAT = 7
PROVIDER = "https://api.example.com/v1"


def blocks():
    """The section's blocks of commands."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        section = re.search(r"^## In OpenClaw\n(.*?)^## ", f.read(), re.M | re.S).group(1)
    return re.findall(r"^```\n(.*?)^```\n", section, re.M | re.S)


def write_script(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nset -eu\n" + text)
    os.chmod(path, 0o755)


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bed = home = bed.Bed()
        cls.addClassCleanup(home.close)
        # Of the bed's configuration only what somebody has who talks to OpenClaw in a chat.
        path = os.path.join(home.state, "openclaw.json")
        with open(path, encoding="utf-8") as f:
            config = json.load(f)
        del config["plugins"], config["models"]["providers"]["sim"]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        home.env["MY_RELAY_KEY"] = home.env.pop("TEST_SIM_KEY")
        write_script(home.path("bin", "openclaw"), 'exec %s "$@"\n' % shlex.join(home.openclaw))
        home.env["PATH"] = home.path("bin") + ":" + home.env["PATH"]
        write_script(home.path("tree", "packaging", "npm", "pack"), "mkdir -p build/npm\nexec %s -B %s %s build/npm\n" % (
            sys.executable, os.path.join(ROOT, "packaging", "npm", "tarball.py"), bed.options.package))
        cls.install, cls.side_door = blocks()

    def follow(self, text):
        assert text.count(PROVIDER) < 2
        return self.bed.execute(["sh", "-eu", "-c", text.replace(PROVIDER, self.bed.sim.base + "/v1")],
                                self.bed.path("tree"), timeout=3 * bed.COMMAND_S)

    def test_1_install(self):
        said = self.follow(self.install)
        self.assertIn(os.path.join(self.bed.path("tree"), "build/npm/openclaw-clawmedia-"), said)
        self.assertIn("Installed plugin: clawmedia", said)
        for tool in ("generate_image", "edit_image", "generate_video", "poll", "list_models", "account"):
            self.assertRegex(said, r"(?m)^%s$" % tool)

    def test_2_ask_in_a_chat(self):
        self.bed.gateway
        since = self.bed.chat.say(CHAT, 'CALL generate_image {"prompt": "a red boat"}')
        self.bed.chat.wait(CHAT, since, bed.TURN_S, files=False, text="job_")
        picture = self.bed.chat.wait(CHAT, since, bed.TURN_S, files=True)
        self.assertEqual(picture.method, "sendPhoto")
        print("\n%s" % self.bed.chat.transcript(CHAT, since - 1))

    def test_3_behind_the_hosts_own_tools(self):
        gateway = self.bed.gateway
        self.follow(self.side_door)
        gateway.wait("config hot reload applied .*built_in_tools", bed.TURN_S)
        self.bed.sim.set(video_ms=500)
        for tool, method in (("image_generate", "sendPhoto"), ("video_generate", "sendVideo")):
            since = self.bed.chat.say(CHAT, 'CALL %s {"prompt": "a red boat"}' % tool)
            self.assertEqual(self.bed.chat.wait(CHAT, since, bed.TURN_S, files=True).method, method)


if __name__ == "__main__":
    bed.main()
