"""The skills as the real host sees them in a fresh home. First those of the bundles for ClawHub alone: five,
none ready, each missing the plugin and saying how to get it. Then with our package: five, all ready, and
still each once. Then with only our package: each is the page that the package has. No gateway is run.
test_skills.py --openclaw build/tests/config --package build/npm/package --sim build/tests/sim/clawmedia-sim
"""
import json
import os
import re
import shutil
import subprocess
import unittest
import zipfile

import bed

SKILLS = ["chatart", "clawmedia", "libtv-video", "media-generation", "plume-image"]
PACK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "clawhub", "pack")
NEEDED = "plugins.entries.clawmedia.enabled"
INSTALL = "openclaw plugins install clawhub:openclaw-clawmedia"


class Skills(unittest.TestCase):
    def setUp(self):
        self.home = bed.Bed()
        self.addCleanup(self.home.close)
        path = os.path.join(self.home.state, "openclaw.json")
        with open(path, encoding="utf-8") as file:
            root = json.load(file)
        del root["plugins"]                     # as it is before any plugin was installed
        with open(path, "w", encoding="utf-8") as file:
            json.dump(root, file)

    def listed(self):
        """Our skills in the order of their names, each as often as the host has it."""
        said = self.home.run("skills", "list", "--json")
        found = [one for one in json.loads(said[said.index("{"):])["skills"] if one["name"] in SKILLS]
        return sorted(found, key=lambda one: one["name"])

    def bring_bundles(self):
        """Unpacked where ClawHub's are, one by the host's own command for folders; that folder."""
        made = self.home.path("bundles")
        said = subprocess.run([PACK, made], check=True, capture_output=True, text=True, timeout=60).stdout
        folder = os.path.join(self.home.workspace, "skills")
        for path in said.splitlines():
            name = re.sub(r"-[\d.]+\.zip$", "", os.path.basename(path))
            if name != "chatart":
                with zipfile.ZipFile(path) as archive:
                    archive.extractall(os.path.join(folder, name))
        self.home.run("skills", "install", os.path.join(made, "chatart"))
        return folder

    def are_ready(self, source):
        found = self.listed()
        self.assertEqual([one["name"] for one in found], SKILLS)
        for skill in found:
            self.assertTrue(skill["eligible"], skill)
            self.assertFalse(skill["disabled"], skill)
            self.assertEqual(set(map(str, skill["missing"].values())), {"[]"}, skill)
            self.assertEqual(skill["source"], source)
            self.assertRegex(skill["description"], r"[a-z].*[\u4e00-\u9fff]")

    def test_with_bundles_then_with_the_package_then_with_it_alone(self):
        folder = self.bring_bundles()
        found = self.listed()
        self.assertEqual([one["name"] for one in found], SKILLS)
        for skill in found:
            self.assertFalse(skill["eligible"], skill)
            self.assertEqual(skill["missing"]["config"], [NEEDED])
        missing = self.home.run("skills", "check").partition("\nMissing requirements:")[2]
        for name in SKILLS:
            self.assertRegex(missing, r"(?m)^\s+(\S+ )?%s \(config: %s\)$" % (re.escape(name), re.escape(NEEDED)))
        told = re.sub(r"\s+", " ", self.home.run("skills", "info", "plume-image"))
        self.assertIn("Needs setup", told)
        self.assertIn(INSTALL, told)

        self.home.install()
        self.are_ready("openclaw-workspace")    # the bundles go before the plugin's own

        shutil.rmtree(folder)
        self.are_ready("openclaw-extra")
        # What the host reads is what the package has, references included.
        top = os.path.join(bed.options.package, "skills")
        for at, _, pages in os.walk(top):
            for page in pages:
                path = os.path.join(at, page)
                there = os.path.join(self.home.state, "plugin-skills", os.path.relpath(path, top))
                with open(path, "rb") as ours, open(there, "rb") as hosts:
                    self.assertEqual(ours.read(), hosts.read(), there)
        ready = self.home.run("skills", "check").partition("Ready and visible to model:")[2]
        ready = ready.partition("Missing requirements:")[0]
        for name in SKILLS:
            self.assertRegex(ready, r"(?m)^\s+(\S+ )?%s$" % re.escape(name))


if __name__ == "__main__":
    bed.main()
