"""The package on a machine that lacks two of the shared libraries it needs: a copy of it in which the
plugin asks for libraries that nobody has. Install, inspect, the gateway and the first use each say which
and where to get them; once they are there, the next use works, in the same gateway.
test_missing.py --openclaw build/tests/config --package build/npm/package --sim build/tests/sim/clawmedia-sim
"""
import json
import os
import re
import shutil
import unittest

import bed

CHAT = 7
LACKS = {b"libcurl.so.4": b"libcurX.so.4", b"libjansson.so.4": b"libjanssoX.so.4"}
WORDS = ("shared libraries are missing on this machine: libcurX.so.4, libjanssoX.so.4. "
         "On Debian and Ubuntu: apt-get install libcurl4 libjansson4.")
CALL = 'CALL generate_image {"prompt": "a paper boat"}'


def lacking(package, to):
    """A copy of the package as a machine without the libraries sees it."""
    shutil.copytree(package, to)
    path = os.path.join(to, "native", "files.json")
    with open(path, encoding="utf-8") as f:
        files = json.load(f)
    files["needs"] = {LACKS.get(name.encode(), name.encode()).decode(): debian
                      for name, debian in files["needs"].items()}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(files, f)
    plugin = os.path.join(to, "native", files["plugin"])
    with open(plugin, "rb") as f:
        data = f.read()
    for name, other in LACKS.items():
        assert data.count(b"\0%s\0" % name) == 1, name
        data = data.replace(b"\0%s\0" % name, b"\0%s\0" % other)
    with open(plugin, "wb") as f:
        f.write(data)


class Missing(unittest.TestCase):
    def test_every_step_says_which_libraries_are_missing(self):
        home = bed.Bed()
        self.addCleanup(home.close)
        package = home.path("lacking")
        lacking(bed.options.package, package)

        said = home.install(package)
        self.assertEqual(said.count(WORDS), 1, said)
        self.assertIn("Installed plugin: clawmedia", said)
        said = home.run("plugins", "inspect", bed.PLUGIN, "--runtime", "--json")
        self.assertEqual(said.count(WORDS), 1, said)

        gateway = home.start()
        gateway.wait(re.escape("clawmedia cannot work: " + WORDS), bed.TURN_S)
        since = home.chat.say(CHAT, CALL)
        self.assertIn(WORDS, home.chat.wait(CHAT, since, bed.TURN_S).text)

        # The packages are installed, as far as the gateway can see.
        native = os.path.join(home.state, "extensions", bed.PLUGIN, "native")
        with open(os.path.join(native, "files.json"), encoding="utf-8") as f:
            plugin = json.load(f)["plugin"]
        new = os.path.join(native, "new")
        shutil.copyfile(os.path.join(bed.options.package, "native", plugin), new)
        os.replace(new, os.path.join(native, plugin))
        since = home.chat.say(CHAT, CALL)
        picture = home.chat.wait(CHAT, since, bed.TURN_S, files=True)
        self.assertEqual(picture.method, "sendPhoto")


if __name__ == "__main__":
    bed.main()
