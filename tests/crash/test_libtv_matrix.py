"""The crash matrix of a LibTV job, by both doors: an upload, a session, a message, its questions, a
download. See test_matrix.py for what must hold after a kill at any of its moments."""
import secrets

import harness
from test_matrix import Run, Walk


class LibTVRun(Run):
    TOOLS = {"image": "generate_image", "video": "generate_video"}
    DOOR = None
    PAID = None

    def open(self, settings):
        world = harness.World()
        door, prefix, base = self.DOOR
        token = prefix + secrets.token_hex(12)
        world.secrets.append(token)
        world.configure({}, {door: dict(settings, typical_seconds=0)})
        world.sim.control("POST", "accounts", {"key": token, "name": door})
        world.env = {"LIBTV_ACCESS_KEY": token, base: world.sim.base}
        world.picture(width=40, height=30)
        return world


class Gateway(LibTVRun):
    DOOR = ("nexu", "mgk_", "LIBTV_GATEWAY_URL")
    PAID = "=/libtv/v1/session"


class Personal(LibTVRun):
    DOOR = ("libtv", "sk-libtv-", "LIBTV_DIRECT_BASE_URL")
    PAID = "=/openapi/session"


VIDEO = {"args": {"first_frame": "a.png"}}
PICTURE = {"set": {"libtv_mode": "image"}}
LOST = dict(VIDEO, fault="drop_after_accept", end="unknown")


class Nexu(Walk):
    run_of = Gateway

    def test_video_in_a_later_run(self):
        self.check_ends(self.walk("video", "run", 20, VIDEO), "delivered")

    def test_picture_by_a_waiting_call(self):
        self.check_ends(self.walk("image", "call", 15, PICTURE), "done")

    def test_lost_answers_are_found(self):
        self.assertIn("delivered", self.walk("video", "run", 15, LOST))


class LibTV(Walk):
    run_of = Personal

    def test_video_in_a_later_run(self):
        self.check_ends(self.walk("video", "run", 20, VIDEO), "delivered")

    def test_picture_by_a_waiting_call(self):
        self.check_ends(self.walk("image", "call", 15, PICTURE), "done")


if __name__ == "__main__":
    harness.main()
