"""The crash matrix. A job is run once to count its kill points (base/crash.h): every state change,
every moment before and after a commit, a request, an answer, a published file, an offer, a receipt.
Then it is run once for each of them and killed right there, with SIGKILL; a normal host then carries
on. Whatever the moment:

- what the ledger accepted has ended, and what it did not accept was neither sent nor promised;
- the provider saw exactly one request that spends; after a kill between its announcement and the
  durable answer there may be none or one, the job is `unknown`, says so, and is not sent again by
  itself, but is by a person's wish;
- the outbox holds exactly one message a job, with whole files;
- nothing half-written lies about.
"""
import concurrent.futures
import json
import re
import signal
import subprocess

import harness

TOOLS = {"image": "generate_image", "video": "generate_video"}
SIDE_BY_SIDE = 2
RANDOM_KILLS = 40

# What is different about a job: arguments, simulator settings, a fault, the host's options, and the
# end that it comes to when nobody kills it.
PLAIN = {}
VARIANTS = {
    "two by address": {"args": {"count": 2}, "set": {"image_mode": "url"}, "files": 2},
    "three inside": {"args": {"count": 3}, "files": 3},
    "address of a relay": {"set": {"video_mode": "url"}},
    "without threads": {"options": ("--no-work",)},
    "refused by the provider": {"set": {"image_mode": "moderated", "video_mode": "moderated"},
                                "end": "failed"},
    "answer lost": {"fault": "drop_after_accept", "end": "unknown"},
    "delivered at the third try": {"script": "later 20\nlater 20\n"},
    "repeat dropped": {"script": "unknown-written\n"},
}


class Run:
    """One job in its own world, one way of running it, killed at most at one point."""
    TOOLS = TOOLS
    PAID = "/v1"    # path of the requests that spend

    def open(self, settings):
        return harness.World(settings)

    def __init__(self, kind, mode, variant=PLAIN):
        self.kind = kind
        self.mode = mode
        self.variant = variant
        self.files = variant.get("files", 1)
        self.args = json.dumps(dict(variant.get("args", {}), prompt="crash"))
        self.label = ""
        self.tool = self.TOOLS[kind]
        # One poll exactly, so that the number of points does not depend on the machine's mood.
        self.world = self.open({"poll_floor_ms": 120, "poll_ceiling_ms": 120})
        self.world.sim.set(video_ms=30, video_size="64x64", video_seconds=1, **variant.get("set", {}))
        if "fault" in variant:
            self.world.sim.fault("POST " + self.PAID, variant["fault"], nth="every")
        self.options = list(variant.get("options", ()))
        if "script" in variant:
            with open(self.world.path("script"), "w", encoding="ascii") as f:
                f.write(variant["script"])
            self.options += ["--outbox-script", self.world.path("script")]
        self.job = None
        self.points = []
        self.rounds = 0

    def prepare(self):
        """What comes before the process that is killed."""
        if self.mode == "run":
            self.job = self.world.call(self.tool, self.args, "--background", outbox=True)["job"]

    def go(self, at=None):
        """The process that is killed at the point `at`, or not at all."""
        self.rounds += 1
        log = self.world.path("points-%d" % self.rounds)
        env = {"CLAWMEDIA_CRASH_LOG": log}
        if at:
            env["CLAWMEDIA_CRASH_AT"] = str(at)
        call = ("call", self.tool, self.args)
        args = {"call": call, "reply": ("--reply-to", "chat", *call), "background": ("--background", *call),
                "run": ("run", "--until-idle")}[self.mode if self.rounds == 1 else "run"]
        done = self.world.start(*self.options, *args, plugin=harness.programs.crash, env=env,
                                outbox=self.mode != "call").end()
        try:
            with open(log, encoding="ascii") as f:
                self.points = [line.split(" ", 2)[1:] for line in f.read().splitlines()]
        except FileNotFoundError:
            self.points = []
        if self.mode != "run" and self.rounds == 1 and done.out:
            self.job = done.json["job"]
        return done

    def may_be_unknown(self, points):
        """Was it killed between the durable announcement of the request and its durable answer?"""
        announced = answered = 0
        for name, detail in points:
            detail = detail.strip()
            if name == "state" and detail == "submitting":
                announced = 1
            elif name == "commit-after" and announced == 1 and re.search("accept|record", detail):
                announced = 2
            elif name == "answer" and announced == 2 and not answered:
                answered = 1
            elif name == "commit-after" and answered and "record" in detail:
                answered = 2
        return announced == 2 and answered < 2

    def finish(self, doubtful):
        """A normal host carries on; then everything is checked."""
        world = self.world
        world.until_idle(outbox=self.mode != "call")
        rows = world.ledger()
        submissions = world.sim.totals()["submissions"]
        if not rows:
            self.want(self.job is None, "a handle was given for a job that is not in the ledger")
            self.want(submissions == 0, "sent, though not in the ledger")
            self.want(world.messages() == [], "delivered, though not in the ledger")
            return "not accepted"
        self.want(len(rows) == 1, "more than one job")
        (row,) = rows
        self.want(self.job in (None, row["id"]), "another job than the handle's")
        self.job = row["id"]
        self.want(row["open"] == 0 and row["owner"] == "", "not ended: " + row["state"])
        if row["state"] == "unknown":
            doubtful = doubtful or self.variant.get("end") == "unknown"
            self.want(doubtful, "unknown, though the answer was durable or nothing announced")
            self.want(submissions <= 1, "sent twice")
            self.unknown(row, submissions)
            return "unknown"
        self.want(submissions == 1, "%d submissions" % submissions)
        if self.variant.get("end") == "failed":
            self.failed(row)
        else:
            self.made(row["id"], row)
        return row["state"]

    def failed(self, row):
        self.want(row["state"] == "failed" and row["error_kind"] == "moderated", repr(row))
        self.want(self.world.media() == [], "files of a failed job")
        if self.mode != "call":
            told = self.world.messages()
            self.want(len(told) == 1 and told[0]["kind"] == "notice", repr(told))

    def made(self, job, row):
        world = self.world
        files = world.rows("SELECT * FROM files WHERE job = ?", job)
        self.want(len(files) == self.files, "%d files" % len(files))
        seen = {harness.check_media(file["path"], self.kind) for file in files}
        self.want(len(seen) == self.files, "one file twice")
        messages = [m for m in world.messages() if m["job"] == job]
        if self.mode == "call":
            self.want(row["state"] == "done" and messages == [], "%s, %r" % (row["state"], messages))
            return
        self.want(row["state"] == "delivered", "it is " + row["state"])
        self.want(len(messages) == 1, "%d messages" % len(messages))
        self.want(messages[0]["kind"] == "result" and len(messages[0]["files"]) == self.files,
                  "wrong message")
        self.want({harness.check_media(file["path"], self.kind) for file in messages[0]["files"]} == seen,
                  "the copies differ")

    def unknown(self, row, submissions):
        """It says so in plain words, and a person can have it sent again."""
        world = self.world
        told = world.messages()
        if self.mode != "call":
            self.want(len(told) == 1 and told[0]["kind"] == "notice", repr(told))
            self.want("not sent again" in told[0]["text"], told[0]["text"])
        outbox = self.mode != "call"
        status = world.call("poll", {"job": row["id"]}, outbox=outbox)
        self.want(status["status"] == "unknown" and "not sent again" in status["message"], repr(status))
        world.sim.no_faults()
        result = world.call("poll", {"job": row["id"], "action": "resubmit"}, outbox=outbox)
        world.until_idle(outbox=outbox)
        self.want(world.sim.totals()["submissions"] == submissions + 1, "resubmission did not submit once")
        (again,) = world.rows("SELECT * FROM jobs WHERE id = ?", result["job"])
        self.want(again["resubmit_of"] == row["id"], "it does not know what it repeats")
        if self.variant.get("end") == "failed":
            self.want(again["state"] == "failed" and again["error_kind"] == "moderated", repr(again))
        else:
            self.made(result["job"], again)
        self.want(len(world.messages()) == (0 if self.mode == "call" else 2), "messages")

    def want(self, truth, text):
        if not truth:
            raise AssertionError("%s: %s\nledger: %s\nlog: %s\npoints: %s" % (
                self.label, text, json.dumps(self.world.ledger(), default=repr),
                [(r["method"], r["path"], r["status"], r["ended"]) for r in self.world.sim.log()],
                self.points[-6:]))


def killed_at(make, kind, mode, variant, at):
    """One cell of the matrix: (point's name, end)."""
    run = make(kind, mode, variant)
    sound = False
    try:
        run.prepare()
        done = run.go(at)
        run.label = "%s by %s, killed at %d (%s)" % (kind, mode, at, run.points[-1:])
        if done.code != -signal.SIGKILL:
            # It had fewer points this time.
            run.want(done.code == 0, repr(done))
            sound = True
            return "", ""
        run.want(len(run.points) == at, "the kill came elsewhere")
        end = run.finish(run.may_be_unknown(run.points))
        sound = True
        return " ".join(run.points[-1]), end
    finally:
        run.world.close(check=sound)


class Walk(harness.Case):
    run_of = Run

    def walk(self, kind, mode, least, variant=PLAIN):
        counting = self.run_of(kind, mode, variant)
        try:
            counting.prepare()
            counting.world.check(counting.go())
            points = counting.points
            counting.finish(False)
        finally:
            counting.world.close(check=False)
        self.assertGreaterEqual(len(points), least, points)
        self.assertLessEqual({"commit-before", "commit-after"}, {point[0] for point in points})
        ends = {}
        missed = 0
        with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            cells = [pool.submit(killed_at, self.run_of, kind, mode, variant, at) for at in range(1, len(points) + 1)]
            for cell in cells:
                point, end = cell.result()
                missed += not point
                ends[end] = ends.get(end, 0) + 1
        print("%s by %s %s: %d points, ends %r" % (kind, mode, variant or "", len(points), ends),
              flush=True)
        self.assertLessEqual(missed, 2, "the kill points come and go")
        return ends

    def check_ends(self, ends, good):
        """The matrix is worth something only if it met all of its ends."""
        self.assertGreater(ends.get(good, 0), 5, ends)
        self.assertGreater(ends.get("unknown", 0), 0, ends)
        self.assertLess(ends.get("unknown", 0), 8, ends)


class Matrix(Walk):
    def test_picture_by_a_waiting_call(self):
        self.check_ends(self.walk("image", "call", 12), "done")

    def test_video_by_a_waiting_call(self):
        self.check_ends(self.walk("video", "call", 15), "done")

    def test_picture_in_a_later_run(self):
        self.check_ends(self.walk("image", "run", 16), "delivered")

    def test_video_in_a_later_run(self):
        self.check_ends(self.walk("video", "run", 20), "delivered")

    def test_submitting_in_the_background(self):
        for kind in TOOLS:
            for mode in ("background", "reply"):
                ends = self.walk(kind, mode, 2)
                self.assertEqual(ends.get("unknown", 0), 0, "unknown, though nothing was ever sent")

    def test_variants_of_pictures(self):
        for name in ("two by address", "three inside", "without threads", "refused by the provider",
                     "answer lost", "delivered at the third try", "repeat dropped"):
            with self.subTest(variant=name):
                self.walk("image", "run", 12, VARIANTS[name])

    def test_variants_of_videos(self):
        for name in ("address of a relay", "without threads", "answer lost"):
            with self.subTest(variant=name):
                self.walk("video", "run", 12, VARIANTS[name])


class Again(harness.Case):
    """Killed, and killed again on the way back, a little later each time, until it is through."""

    def chain(self, kind, mode):
        run = Run(kind, mode)
        sound = False
        try:
            run.prepare()
            doubtful = False
            kills = 0
            for at in range(1, 200):
                done = run.go(at)
                run.label = "%s by %s, killed %d times" % (kind, mode, kills)
                doubtful |= run.may_be_unknown(run.points)
                if done.code == 0:
                    break
                run.want(done.code == -signal.SIGKILL, repr(done))
                kills += 1
                run.want(run.world.sim.totals()["submissions"] <= 1, "sent twice")
            run.want(kills > 5, "it was hardly killed")
            if run.world.ledger() and not doubtful:
                run.finish(False)
            elif run.world.ledger():
                run.finish(True)
            sound = True
        finally:
            run.world.close(check=sound)

    def test_picture(self):
        self.chain("image", "run")

    def test_video(self):
        self.chain("video", "run")


class AnyMoment(harness.Case):
    """Killed from outside at a moment that nobody chose: inside the host's own work as well."""

    def test_any_moment(self):
        for i in range(RANDOM_KILLS):
            kind = "video" if i % 2 else "image"
            moment_ms = 8 * i
            with self.subTest(kind=kind, moment_ms=moment_ms):
                self.one(kind, moment_ms)

    def one(self, kind, moment_ms):
        run = Run(kind, "run", {"set": {"image_delay_ms": 60, "video_delay_ms": 60}})
        sound = False
        try:
            run.prepare()
            host = run.world.start("run", "--until-idle", outbox=True)
            try:
                host.process.wait(moment_ms / 1000)
            except subprocess.TimeoutExpired:
                host.signal(signal.SIGKILL)
            run.label = "%s killed after %d ms" % (kind, moment_ms)
            run.want(host.end().code in (0, -signal.SIGKILL), "it ended otherwise")
            (row,) = run.world.ledger()
            run.finish(row["state"] == "submitting")
            sound = True
        finally:
            run.world.close(check=sound)


if __name__ == "__main__":
    harness.main()
