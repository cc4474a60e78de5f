"""What the documents show: links lead somewhere, calls name tools and arguments that there are, README in
both languages shows the same commands, and what it shows of the command line runs as printed.
test_docs.py --host build/host-api/hosts/cli/agent-host --plugin build/plugin/clawmedia.so --sim ...
"""
import glob
import json
import os
import re
import struct
import subprocess
import unittest
import zlib

import harness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(ROOT, "manifests", "tools")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
CALL = re.compile(r"\bcall ([a-z_]+)(?: +'([^']*)')?")
RUN_S = 90


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def documents():
    """Every page of ours."""
    found = glob.glob(os.path.join(ROOT, "*.md"))
    for folder in ("doc", "host-api", "manifests", "tests", "skills", "packaging"):
        for at, folders, names in os.walk(os.path.join(ROOT, folder)):
            folders[:] = [name for name in folders if name != "node_modules"]
            found += [os.path.join(at, name) for name in names if name.endswith(".md")]
    return sorted(os.path.relpath(path, ROOT) for path in found)


def prose(text, keep_code=False):
    """A page without its blocks, and without what its lines show as code."""
    text = FENCE.sub("", text)
    return text if keep_code else re.sub(r"`[^`\n]*`", "", text)


def blocks(text):
    return [match.group(2) for match in FENCE.finditer(text)]


def is_command(line):
    return re.match(r"(\w+=\S+ )*(agent-host|packaging/|cmake|openclaw|claude|tests/|export|cat) ?", line)


def without_remark(line):
    return re.sub(r"\s+#.*", "", line)


def anchors(text):
    """The ids that a page's headings have where such pages are shown."""
    return [re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ +(.*)$", prose(text, keep_code=True), re.M)]


def mistakes(schema, args):
    """What a tool's schema has against these arguments."""
    properties = schema["properties"]
    for name in schema.get("required", []):
        if name not in args:
            yield "%s is missing" % name
    for name, value in args.items():
        if name not in properties:
            yield "there is no %s" % name
            continue
        yield from ("%s: %s" % (name, what) for what in mistaken(properties[name], value))


def mistaken(rule, value):
    types = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list}
    if not isinstance(value, types[rule["type"]]) or (isinstance(value, bool) and rule["type"] != "boolean"):
        yield "%r is no %s" % (value, rule["type"])
        return
    if "enum" in rule and value not in rule["enum"]:
        yield "%r is none of %r" % (value, rule["enum"])
    if rule["type"] in ("integer", "number") and not (
            rule.get("minimum", value) <= value <= rule.get("maximum", value)):
        yield "%r is out of range" % value
    if rule["type"] == "array":
        if len(value) > rule.get("maxItems", len(value)):
            yield "too many"
        for one in value:
            yield from mistaken(rule["items"], one)


def write_png(path, width, height, pixel):
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data +
                struct.pack(">I", zlib.crc32(name + data)))
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Pages(unittest.TestCase):
    def test_links(self):
        wrong = []
        for path in documents():
            for link in re.findall(r"\]\(([^)\s]+)\)", prose(read(path))):
                if re.match(r"[a-z]+:", link):
                    continue
                name, _, anchor = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
                if not os.path.exists(os.path.join(ROOT, target)):
                    wrong.append("%s: %s is not there" % (path, link))
                elif anchor and anchor not in anchors(read(target)):
                    wrong.append("%s: %s has no such heading" % (path, link))
        self.assertEqual(wrong, [])

    def test_paths(self):
        """A path of the tree that is written as code is one that there is."""
        wrong = []
        for path in ("README.md", "README.zh-CN.md", *(p for p in documents() if p.startswith("doc/"))):
            for name in re.findall(r"`((?:host-api|plugin|manifests|packaging|tests|doc|cmake)/[^`*<{ ]*)`",
                                   prose(read(path), keep_code=True)):
                if not os.path.exists(os.path.join(ROOT, name)):
                    wrong.append("%s: %s" % (path, name))
        self.assertEqual(wrong, [])

    def test_calls(self):
        """Each call that is shown, wherever it is, is one that its tool takes."""
        schemas = {}
        for path in glob.glob(os.path.join(TOOLS, "*.json")):
            with open(path, encoding="utf-8") as f:
                tool = json.load(f)
            schema = schemas[tool["name"]] = tool["input_schema"]
            for name, check in tool.get("input_checks", {}).items():
                schema["properties"].setdefault(name, {}).update(check)
        wrong, seen = [], set()
        for path in documents():
            if path.startswith("tests/"):
                continue
            for line in "".join(blocks(read(path))).splitlines():
                for name, args in CALL.findall(line) if "agent-host" in line else ():
                    seen.add(name)
                    try:
                        found = list(mistakes(schemas[name], json.loads(args or "{}")))
                    except (KeyError, ValueError) as bad:
                        found = [repr(bad)]
                    wrong += ["%s: %s\n    %s" % (path, line, one) for one in found]
        self.assertEqual(wrong, [])
        self.assertLessEqual({"generate_image", "generate_video", "edit_image", "run_batch", "fetch_media",
                              "poll", "account", "list_models"}, seen)

    def test_excerpts(self):
        """C that the page for hosts shows stands in its example just so."""
        example = read("host-api/examples/smallest_host.c")
        shown = [match.group(2) for match in FENCE.finditer(read("doc/host-authors.md"))
                 if match.group(1) == "c"]
        self.assertGreater(len(shown), 5)
        self.assertEqual([text for text in shown if text not in example], [])

    def test_abi(self):
        """The contract in prose names every constant, extension and function of the headers."""
        prose_of = read("host-api/doc/abi.md")
        missing = []
        for path in glob.glob(os.path.join(ROOT, "host-api", "include", "ahp", "*.h")):
            with open(path, encoding="utf-8") as f:
                header = f.read()
            names = [name for name in re.findall(r"^#define (AHP_\w+)", header, re.M)
                     if not name.endswith("_H") and not re.search(r"_1$", name)]
            names += re.findall(r'"(ahp\.\w+/\d+)"', header) + [os.path.basename(path)]
            names += re.findall(r"\(\*(\w+)\)\(", header)
            missing += [name for name in names if not re.search(r"(?<!\w)%s(?!\w)" % re.escape(name), prose_of)]
        self.assertEqual(missing, [])

    def test_both_languages(self):
        shown = [[without_remark(line) for block in blocks(read(name)) for line in block.splitlines()
                  if is_command(line)] for name in ("README.md", "README.zh-CN.md")]
        self.assertGreater(len(shown[0]), 30)
        self.assertEqual(shown[0], shown[1])


class CommandLine(unittest.TestCase):
    """README's "From the command line", from top to bottom, in a folder as it describes it."""

    def setUp(self):
        self.world = world = harness.World()
        self.addCleanup(world.close)
        world.configure({"myrelay": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key, "models": []}},
                        {"myrelay": {"poll_floor_ms": 40, "poll_ceiling_ms": 400, "typical_seconds": 0}})
        here = world.workspace
        write_png(os.path.join(here, "room.png"), 512, 512, lambda x, y: (x % 256, y % 256, 90))
        write_png(os.path.join(here, "mask.png"), 512, 512,
                  lambda x, y: (255 if 100 < x < 300 and 100 < y < 300 else 0,) * 3)
        write_png(os.path.join(here, "mug.png"), 512, 512,
                  lambda x, y: (200, 40, 40) if (x - 256) ** 2 + (y - 256) ** 2 < 20000 else (250,) * 3)
        self.env = {"PATH": "%s:%s" % (os.path.dirname(harness.programs.host), os.environ["PATH"]),
                    "AHP_PLUGIN": harness.programs.plugin, "HOME": world.home, "LANG": "C.UTF-8",
                    "OPENCLAW_CONFIG_PATH": world.config, "OPENCLAW_STATE_DIR": world.state,
                    "no_proxy": "127.0.0.1", "ASAN_OPTIONS": "exitcode=99"}
        if not os.path.exists(os.path.join(os.path.dirname(harness.programs.plugin), "clawmedia-imaging.so")):
            self.skipTest("built without libvips")

    def follow(self, text):
        done = subprocess.run(["sh", "-eu", "-c", text], cwd=self.world.workspace, env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_S)
        self.assertEqual(done.returncode, 0, "%s\n%s%s" % (text, done.stdout, done.stderr))
        return done

    def section(self, name):
        section = re.search(r"^## From the command line\n(.*?)^## ", read(name), re.M | re.S).group(1)
        return [block for block in blocks(section) if "agent-host" in block and "packaging/" not in block]

    def test_as_printed(self):
        wanted = 0
        pages = [block for block in blocks("".join(read("doc/%s.md" % name)
                                                       for name in ("batch", "providers", "editing")))
                 if "agent-host" in block and "chatart" not in block]
        self.assertEqual(len(pages), 4)
        for block in self.section("README.md") + pages:
            lines = block.splitlines()
            # The one line that needs a job whose fate is not known.
            lost = [line for line in lines if '"resubmit"' in line]
            done = self.follow("\n".join(line for line in lines if line not in lost) + "\n")
            for line in done.stdout.splitlines():
                if not line.startswith("{"):
                    continue
                answer = json.loads(line)
                self.assertIn(answer["status"], ("ok", "plan", "done", "submitted", "delivered"), answer)
                self.assertNotIn("error", answer)
                for file in answer["files"] if answer["status"] == "done" else ():
                    self.assertGreater(os.path.getsize(file["path"]), 0)
                wanted += 1
        self.assertEqual(wanted, 30)
        self.assertEqual(len(os.listdir(os.path.join(self.world.workspace, "out", "media"))), 1)



if __name__ == "__main__":
    harness.main()
