"""The crash matrix for ChatArt: an edit and a character replacement whose inputs are uploaded with a
temporary credential, and a login. What must hold is the same as in test_matrix.py; a login that was
approved is stored, told once, and its key is in its own file only.
"""
import json
import os
import signal
import urllib.request

import harness
import test_matrix

KEYS = {"CHATARTPRO_UID": "crash-identity"}
SETTINGS = {"poll_floor_ms": 120, "poll_ceiling_ms": 120, "typical_seconds": 0}


def prepare_world(world, signed_in=True):
    """Only ChatArt is configured; the key is in the configuration, where keys may be."""
    root = {"plugins": {"entries": {"clawmedia": {"config": {"providers": {"chatart": dict(
        SETTINGS, base_url=world.sim.base, storage_url=world.sim.base + "/oss")}}}}}}
    if signed_in:
        env = dict(KEYS, CHATARTPRO_API_KEY=world.key)
        root["skills"] = {"entries": {"chatart-skill": {"env": env}}}
    with open(world.config, "w", encoding="utf-8") as f:
        json.dump(root, f)


def fetch(world, name):
    path = os.path.join(world.workspace, name)
    with urllib.request.urlopen("%s/media/make/%s?size=64x64&seconds=2" % (world.sim.base, name),
                                timeout=harness.LIMIT_S) as answer, open(path, "wb") as f:
        f.write(answer.read())
    return path


class Run(test_matrix.Run):
    def __init__(self, kind, mode, variant=test_matrix.PLAIN):
        super().__init__(kind, mode, variant)
        prepare_world(self.world)
        self.inputs = set()
        picture = fetch(self.world, "in.png")
        self.inputs.add("in.png")
        if kind == "image":
            self.tool, args = "edit_image", {"prompt": "crash", "image": picture}
        else:
            self.tool, args = "character_replace", {"character_image": picture, "mode": "body_only",
                                                    "motion_video": fetch(self.world, "in.mp4")}
            self.inputs.add("in.mp4")
        self.args = json.dumps(args)
        media = self.world.media
        self.world.media = lambda: [name for name in media() if name not in self.inputs]
        if "fault" in variant:
            self.world.sim.no_faults()
            for path in ("/web/art/create", "/web/video/generate-video"):
                self.world.sim.fault("POST " + path, variant["fault"], nth="every")

    def finish(self, doubtful):
        end = super().finish(doubtful)
        log = self.world.sim.log(path="/web/file/get-upload-policy")
        self.want(len(log) >= 1 or end == "not accepted", "nothing was uploaded")
        text = json.dumps(self.world.ledger(), default=repr)
        self.want("SimSecret" not in text and "SimToken" not in text, "a credential is in the ledger")
        return end


class Matrix(test_matrix.Walk):
    """The walk of test_matrix, with these runs."""
    run_of = Run

    def test_picture_by_a_waiting_call(self):
        self.check_ends(self.walk("image", "call", 20), "done")

    def test_picture_in_a_later_run(self):
        self.check_ends(self.walk("image", "run", 25), "delivered")

    def test_video_in_a_later_run(self):
        self.check_ends(self.walk("video", "run", 30), "delivered")

    def test_answer_lost(self):
        self.walk("image", "run", 12, {"fault": "drop_after_accept", "end": "unknown"})


class Login(harness.Case):
    """Killed at each point of a login; then another process carries on."""

    def one(self, at):
        world = harness.World()
        sound = False
        try:
            world.sim.set(chatart_interval_ms=120, chatart_login_polls=0)
            prepare_world(world, signed_in=False)
            job = world.call("account", '{"action":"login"}', "--background", outbox=True)["job"]
            log = world.path("points")
            env = {"CLAWMEDIA_CRASH_LOG": log}
            if at:
                env["CLAWMEDIA_CRASH_AT"] = str(at)
            done = world.start("run", "--until-idle", plugin=harness.programs.crash, env=env, outbox=True).end()
            with open(log, encoding="ascii") as f:
                points = f.read().splitlines()
            if done.code != 0:
                self.assertEqual(done.code, -signal.SIGKILL, done)
                world.until_idle()
            path = world.path("home", ".ChatArt", "credentials.json")
            with open(path, encoding="utf-8") as f:
                self.assertEqual(json.load(f)["api_key"], world.key, points[-3:])
            self.one_message(world, job)
            self.assertEqual(world.job(job)["state"], "delivered", points[-3:])
            self.assertEqual(os.listdir(os.path.dirname(path)), ["credentials.json"])
            os.unlink(path)     # so that the key is nowhere else is checked at the world's end
            sound = True
            return len(points)
        finally:
            world.close(check=sound)

    def test_login(self):
        points = self.one(None)
        self.assertGreater(points, 5)
        for at in range(1, points + 1):
            with self.subTest(at=at):
                self.one(at)


class Several(harness.Case):
    """Two pictures of one job: killed from the first one's end on, neither is asked for twice, and
    cancelled then, no other is asked for and the first one comes."""

    def one(self, at, cancels=False):
        world = harness.World()
        sound = False
        try:
            prepare_world(world)
            job = world.submit("generate_image", {"prompt": "crash", "count": 2})
            log = world.path("points")
            env = {"CLAWMEDIA_CRASH_LOG": log}
            if at:
                env["CLAWMEDIA_CRASH_AT"] = str(at)
            world.start("run", "--until-idle", plugin=harness.programs.crash, env=env, outbox=True).end()
            with open(log, encoding="ascii") as f:
                points = f.read().splitlines()
            before = len(world.sim.log(path="/web/art/create"))
            if cancels:
                world.call("poll", {"job": job, "action": "cancel"}, want=(0, 1))   # 1: all is made
            if at:
                world.until_idle()
            sent = len(world.sim.log(path="/web/art/create"))
            if cancels:
                self.assertEqual(sent, before, points[-3:])
            files = len(self.one_message(world, job)["files"])
            self.assertEqual(world.job(job)["state"], "delivered", points[-3:])
            # Of one that was being asked for at the kill nobody knows; the first is there in any case.
            self.assertIn((sent, files), ((2, 2), (2, 1), (1, 1)), points[-3:])
            if not at or sent == 1:
                self.assertEqual((sent, files), (1, 1) if at else (2, 2), points[-3:])
            sound = True
            return points
        finally:
            world.close(check=sound)

    def test_from_the_first_on(self):
        points = self.one(None)
        submits = [at for at, point in enumerate(points, 1) if "state submitting" in point]
        self.assertEqual(len(submits), 2, points)
        # From here on it is known that the first is made; before, a cancelled job has nothing to keep.
        known = next(at for at, point in enumerate(points, 1) if at > submits[1] and "commit-after" in point)
        fetching = [at for at, point in enumerate(points, 1) if "state fetching" in point]
        for at in range(submits[1], fetching[0] + 1):   # what follows is the other walks' business
            for cancels in (False, True) if at >= known else (False,):
                with self.subTest(at=at, point=points[at - 1], cancels=cancels):
                    self.one(at, cancels)


if __name__ == "__main__":
    harness.main()
