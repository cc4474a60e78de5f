"""The crash matrix of a Plume job: an upload, a task, its questions, a download, the file for other
tools. See test_matrix.py for what must hold after a kill at any of its moments."""

import harness
from test_matrix import VARIANTS, Run, Walk


class PlumeRun(Run):
    TOOLS = {"image": "edit_image", "video": "generate_video"}
    PAID = "=/api/open/tasks"

    def open(self, settings):
        world = harness.World()
        world.configure({}, {"plume": dict(settings, typical_seconds=0)})
        world.env = {"PLUME_API_KEY": world.key, "PLUME_API_BASE": world.sim.base}
        world.picture(width=40, height=30)
        return world


def job(kind, **more):
    return dict(more, args={"image": "a.png"} if kind == "image" else {"first_frame": "a.png"})


class Plume(Walk):
    run_of = PlumeRun

    def test_picture_in_a_later_run(self):
        self.check_ends(self.walk("image", "run", 20, job("image")), "delivered")

    def test_video_in_a_later_run(self):
        self.check_ends(self.walk("video", "run", 20, job("video")), "delivered")

    def test_picture_by_a_waiting_call(self):
        self.check_ends(self.walk("image", "call", 15, job("image")), "done")

    def test_answer_lost(self):
        for kind in ("image", "video"):
            with self.subTest(kind=kind):
                ends = self.walk(kind, "run", 12, job(kind, **VARIANTS["answer lost"]))
                self.assertLessEqual(set(ends), {"unknown", ""})


if __name__ == "__main__":
    harness.main()
