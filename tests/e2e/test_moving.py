"""The pages about moving from other skills: every row of their tables is run, in order, against the
simulator, as its second column says; what has cost money before costs money, and nothing else."""
import json
import os
import re
import urllib.request

import harness

PAGES = os.path.join(os.path.dirname(__file__), "..", "..", "doc", "moving")
ROW = re.compile(r"^\| `(?P<old>.+)` \| `(?P<tool>\w+)` `(?P<args>\{.*\})` \|$")
QUICK = {"poll_floor_ms": 30, "poll_ceiling_ms": 150, "typical_seconds": 0}
MAKES = ("generate_image", "edit_image", "generate_video", "character_replace", "run_batch")


def rows(page):
    """The table's rows; a line of it that is none is a mistake."""
    with open(os.path.join(PAGES, page), encoding="utf-8") as f:
        lines = [line.rstrip("\n") for line in f if line.startswith("|")]
    assert lines[:2] == ["| Old command | New call |", "|---|---|"], lines[:2]
    found = [ROW.match(line) for line in lines[2:]]
    assert all(found), [line for line, row in zip(lines[2:], found) if not row]
    return [(row["old"], row["tool"], json.loads(row["args"])) for row in found]


class Moving(harness.Case):
    def place(self, key_start="sk-"):
        """A world with the files that the rows name."""
        world = self.world(sim_options=("--set", "video_ms=60,video_size=64x36,video_seconds=1"))
        world.own = key_start + world.key[3:]
        world.secrets.append(world.own)
        for name, query in (("picture.png", "size=96x64"), ("frame.png", "size=720x1280"),
                            ("end.png", "size=96x64&prompt=end"), ("character.png", "size=64x64"),
                            ("dance.mp4", "size=128x72&seconds=3")):
            url = "%s/media/make/x%s?%s" % (world.sim.base, os.path.splitext(name)[1], query)
            with urllib.request.urlopen(url, timeout=harness.LIMIT_S) as answer:
                self.write(world, name, answer.read())
        return world

    def write(self, world, name, data):
        with open(os.path.join(world.workspace, name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())

    def run_rows(self, world, page, before=lambda tool, args: None, answers=None):
        """Row by row; answers has the status of calls, by their action, that do not end with ok or done."""
        job = ""
        for old, tool, args in rows(page):
            with self.subTest(old):
                args = {name: job if value == "job_…" else value for name, value in args.items()}
                before(tool, args)
                paid = world.sim.totals()["submissions"]
                result = world.call(tool, args, "--conversation", "cli//me/", outbox=True)
                paid = world.sim.totals()["submissions"] - paid
                if tool in MAKES and not args.get("dry_run"):
                    self.assertEqual(result["status"], "done", result)
                    self.assertGreater(paid, 0)
                    job = result["job"]
                    for file in result["files"]:
                        self.assertTrue(os.path.getsize(file["path"]), file)
                else:
                    usual = "plan" if args.get("dry_run") else None
                    wanted = (answers or {}).get(args.get("action"), usual)
                    self.assertIn(result["status"], (wanted,) if wanted else ("ok", "done", "delivered"), result)
                    self.assertEqual(paid, 0)

    def test_media_generation(self):
        world = self.place()
        world.configure({"sim": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key,
                                 "models": [{"id": "sim-image"}, {"id": "sim-video"}]}}, {"sim": QUICK},
                        allowed_hosts=["127.0.0.1"])
        self.write(world, "mask.png", harness.png(96, 64))
        self.write(world, "object.png", harness.png(96, 64))
        self.write(world, "shots.json", json.dumps([
            {"prompt": "{who} on a boat", "mode": "image", "vars": {"who": "nobody"}, "size": "1024x1024"},
            {"prompt": "{index}: waves", "mode": "video", "duration": "4s"}]))
        self.write(world, "answer.md", "It is ready: ![a](%s/media/make/a.png?size=32x32)" % world.sim.base)
        self.run_rows(world, "media-generation.md")

    def test_chatart(self):
        world = self.place()
        world.configure({}, {"chatart": dict(QUICK, base_url=world.sim.base, storage_url=world.sim.base + "/oss")})

        def before(tool, args):
            if args.get("action") == "finish_login":
                world.sim.control("POST", "chatart", {"do": "approve", "key": "sk-ca-moving", "name": "lin"})
        self.run_rows(world, "chatart.md", before, {"login": "login", "switch": "login"})

    def test_plume(self):
        world = self.place()
        world.configure({}, {"plume": QUICK})
        world.env = {"PLUME_API_KEY": world.key, "PLUME_API_BASE": world.sim.base}
        self.run_rows(world, "plume.md")

    def test_libtv(self):
        world = self.place("sk-libtv-")
        world.sim.control("POST", "accounts", {"key": world.own, "name": "libtv", "credits": 50})
        world.configure({}, {"libtv": QUICK})
        world.env = {"LIBTV_ACCESS_KEY": world.own, "LIBTV_DIRECT_BASE_URL": world.sim.base,
                     "NEW_LIBTV_KEY": world.own}
        world.secrets.clear()    # it is put into the skill's file, where it belongs
        self.run_rows(world, "libtv.md")


if __name__ == "__main__":
    harness.main()
