"""The skills as the real host sees them in a fresh home with only our package: five, all ready, each the
page that the package has. No gateway is run.
test_skills.py --openclaw build/tests/config --package build/npm/package --sim build/tests/sim/clawmedia-sim
"""
import json
import os
import re
import unittest

import bed

SKILLS = ["chatart", "clawmedia", "libtv-video", "media-generation", "plume-image"]


class Skills(unittest.TestCase):
    def test_five_skills_are_ready(self):
        home = bed.Bed()
        self.addCleanup(home.close)

        def listed():
            said = json.loads(home.run("skills", "list", "--json"))["skills"]
            return {skill["name"]: skill for skill in said if skill["name"] in SKILLS}
        self.assertEqual(listed(), {})
        home.install()
        found = listed()
        self.assertEqual(sorted(found), SKILLS)
        for name, skill in found.items():
            self.assertTrue(skill["eligible"], skill)
            self.assertFalse(skill["disabled"], skill)
            self.assertEqual(set(map(str, skill["missing"].values())), {"[]"}, skill)
            self.assertRegex(skill["description"], r"[a-z].*[\u4e00-\u9fff]")
            # What the host reads is what the package has, references included.
            for at, _, pages in os.walk(os.path.join(bed.options.package, "skills", name)):
                for page in pages:
                    path = os.path.join(at, page)
                    there = os.path.join(home.state, "plugin-skills",
                                         os.path.relpath(path, os.path.join(bed.options.package, "skills")))
                    with open(path, "rb") as ours, open(there, "rb") as hosts:
                        self.assertEqual(ours.read(), hosts.read(), there)

        ready = home.run("skills", "check").partition("Ready and visible to model:")[2]
        ready = ready.partition("Missing requirements:")[0]
        for name in SKILLS:
            self.assertRegex(ready, r"(?m)^\s+(\S+ )?%s$" % re.escape(name))


if __name__ == "__main__":
    bed.main()
