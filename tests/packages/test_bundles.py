"""The skills' bundles for ClawHub: what is in them. What the real host makes of them, without the plugin and
with it, is in tests/openclaw/test_skills.py.
"""
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACK = os.path.join(ROOT, "packaging", "clawhub", "pack")
SKILLS = ["chatart", "clawmedia", "libtv-video", "media-generation", "plume-image"]
NEEDED = "plugins.entries.clawmedia.enabled"
INSTALL = "openclaw plugins install clawhub:openclaw-clawmedia"
FILE_BYTES_MAX = 200 * 1024


def pack(out):
    """The archives by the skills' names."""
    said = subprocess.run([PACK, out], check=True, capture_output=True, text=True, timeout=60).stdout
    return {re.sub(r"-[\d.]+\.zip$", "", os.path.basename(path)): path for path in said.splitlines()}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Bundles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="clawmedia-bundles-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.archives = pack(os.path.join(cls.dir, "one"))

    def texts(self, name):
        with zipfile.ZipFile(self.archives[name]) as archive:
            self.assertIsNone(archive.testzip())
            for info in archive.infolist():
                self.assertEqual(info.external_attr >> 16, 0o100644, info.filename)
                self.assertLess(info.file_size, FILE_BYTES_MAX)
            return {info.filename: archive.read(info).decode("utf-8") for info in archive.infolist()}

    def test_one_for_each_skill_and_always_the_same(self):
        self.assertEqual(sorted(self.archives), SKILLS)
        again = pack(os.path.join(self.dir, "two"))
        self.assertEqual({name: digest(path) for name, path in again.items()},
                         {name: digest(path) for name, path in self.archives.items()})

    def test_the_folder_is_the_archive(self):
        for name in SKILLS:
            folder = os.path.join(self.dir, "one", name)
            found = {}
            for path in glob.glob(folder + "/**/*", recursive=True):
                if os.path.isfile(path):
                    with open(path, encoding="utf-8") as file:
                        found[os.path.relpath(path, folder)] = file.read()
            self.assertEqual(found, self.texts(name))

    def test_a_bundle_is_whole(self):
        """Pages only, as the skill has them; what a page points to is in the bundle."""
        for name in SKILLS:
            texts = self.texts(name)
            top = os.path.join(ROOT, "skills", name)
            there = glob.glob(top + "/**/*.md", recursive=True)
            self.assertEqual(sorted(texts), sorted(os.path.relpath(path, top) for path in there))
            for path, text in texts.items():
                with open(os.path.join(top, path), encoding="utf-8") as file:
                    own = file.read()
                self.assertTrue(text.endswith(own.split("\n---\n", 1)[-1].lstrip("\n")), path)
                self.assertNotIn("../", text)
                for link in re.findall(r"\breferences/[\w-]+\.md", text):
                    self.assertIn(link, texts, name)

    def test_front_matter(self):
        for name in SKILLS:
            text = self.texts(name)["SKILL.md"]
            front = dict(line.split(": ", 1) for line in text.split("---\n")[1].splitlines())
            self.assertEqual(list(front), ["name", "description", "version", "metadata"])
            self.assertEqual(front["name"], name)
            self.assertRegex(front["name"], r"^[a-z0-9][a-z0-9-]{0,63}$")
            self.assertRegex(front["version"], r"^\d+\.\d+\.\d+$")
            self.assertLessEqual(len(json.loads(front["description"])), 1024)
            self.assertIn(INSTALL, front["description"])
            about = json.loads(front["metadata"])["openclaw"]
            self.assertEqual(about["requires"], {"config": [NEEDED]})
            # Whatever would be installed beside the plugin, or claims a licence, is not ours to say.
            self.assertLessEqual(set(about), {"emoji", "requires", "envVars"})
            for variable in about.get("envVars", []):
                self.assertFalse(variable["required"])
                self.assertIn(variable["name"], text.split("---\n", 2)[2])
            self.assertIn(INSTALL, text.split("---\n", 2)[2])


if __name__ == "__main__":
    unittest.main(verbosity=2)
