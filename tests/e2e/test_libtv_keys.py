"""LibTV's keys: the file that the skill uses, too; no key at the other door; results only from where they belong."""
import json
import os
import secrets
import stat

import harness

VIDEO, IMAGE = "generate_video", "generate_image"
QUICK = {"poll_floor_ms": 40, "poll_ceiling_ms": 100, "typical_seconds": 0}
DOORS = {
    "libtv": {"prefix": "sk-libtv-", "base": "LIBTV_DIRECT_BASE_URL", "session": "/openapi/session",
              "header": "Authorization", "other": "X-API-KEY", "upload": "/openapi/file/upload"},
    "nexu": {"prefix": "mgk_", "base": "LIBTV_GATEWAY_URL", "session": "/libtv/v1/session",
             "header": "X-API-KEY", "other": "Authorization", "upload": "/libtv/v1/upload"},
}


class LibTV(harness.Case):
    KIND = "video"

    def world(self, door="nexu", settings=None, sim_set=None, credits=50, slash="", **more):
        world = super().world(**more)
        world.door = DOORS[door]
        world.token = world.door["prefix"] + secrets.token_hex(12)
        world.secrets.append(world.token)
        world.configure({}, {door: dict(QUICK, **(settings or {}))})
        world.sim.control("POST", "accounts", {"key": world.token, "name": door, "credits": credits})
        world.env = {"LIBTV_ACCESS_KEY": world.token, world.door["base"]: world.sim.base + slash}
        world.sim.set(**dict({"video_size": "64x64", "video_seconds": 1, "video_ms": 100}, **(sim_set or {})))
        return world

    def paid(self, world):
        """The messages that were sent."""
        return [r for r in world.sim.log(path="=" + world.door["session"], method="POST")
                if r["fields"].get("message")]

    def text(self, world, index=-1):
        return self.paid(world)[index]["fields"]["message"]

    def failed(self, result, kind, *words):
        self.assertIn(result["status"], ("failed", "error", "expired", "unknown"), result)
        self.assertEqual(result["error"]["kind"], kind, result)
        for word in words:
            self.assertIn(word, result["error"]["text"] + " " + result["error"]["advice"])

    def headers(self, world):
        """Whose key went where, in everything that was asked."""
        for request in world.sim.log():
            media = request["path"].startswith(("/sd-gen-save-img/", "/claw/", "/media/"))
            self.assertEqual(world.door["header"] in request["headers"], not media, request["path"])
            self.assertNotIn(world.door["other"], request["headers"], request["path"])
            self.assertNotIn("//", request["path"])
            if not media:
                self.assertEqual(request["headers"]["User-Agent"], "LibTVSkill/1.0")


class Keys(LibTV):
    """The file that the skill uses, too."""

    def world(self, door="nexu", **more):
        world = super().world(door, **more)
        world.file = world.path("home", ".nexu", "libtv.json")
        world.env = {"THE_KEY": world.token, world.door["base"]: world.sim.base}
        return world

    def read(self, world):
        with open(world.file, encoding="utf-8") as f:
            return json.load(f)

    def test_life_of_a_key(self):
        for door in DOORS:
            world = self.world(door)
            result = world.call(VIDEO, {"prompt": "a boat", "provider": door}, want=1)
            self.assertIn("set_key", result["error"]["text"])
            os.mkdir(os.path.dirname(world.file))
            with open(world.file, "w") as f:
                f.write('{"videoRatio": "4:3", "note": "\u4fdd\u7559"}')
            answer = world.call("account", {"action": "set_key", "provider": door, "key_env": "THE_KEY"})
            self.assertIn("****" + world.token[-4:], answer["message"])
            self.assertEqual(self.read(world), {"videoRatio": "4:3", "note": "\u4fdd\u7559", "apiKey": world.token})
            self.assertEqual(stat.S_IMODE(os.stat(world.file).st_mode), 0o600)
            self.made(world.call(VIDEO, {"prompt": "a boat"}))
            self.assertEqual(self.text(world), "a boat, video ratio 4:3")
            world.call("account", {"action": "set_default", "provider": door, "aspect_ratio": "9:16"})
            self.assertEqual(self.read(world)["videoRatio"], "9:16")
            self.made(world.call(VIDEO, {"prompt": "a raft"}, env={"LIBTV_VIDEO_RATIO": "nonsense"}))
            self.assertEqual(self.text(world), "a raft, video ratio 9:16")
            self.made(world.call(VIDEO, {"prompt": "a ship"}, env={"LIBTV_VIDEO_RATIO": "1:1"}))
            self.assertEqual(self.text(world), "a ship, video ratio 1:1")
            (row,) = world.call("account", {"action": "check", "provider": door})["providers"]
            self.assertIn("accepted", json.dumps(row))
            if door == "nexu":
                self.assertEqual((row["remaining_uses"], row["max_uses"], row["expires_at"]),
                                 (47, 50, "2099-12-31T00:00:00Z"))
            world.call("account", {"action": "remove_key", "provider": door})
            self.assertEqual(self.read(world), {"videoRatio": "9:16", "note": "\u4fdd\u7559"})
            self.failed(world.call(VIDEO, {"prompt": "b", "provider": door}, want=1), "config")

    def test_wrong_kind_and_broken_file(self):
        world = self.world("nexu")
        answer = world.call("account", {"action": "set_key", "provider": "libtv", "key_env": "THE_KEY"}, want=1)
        self.assertIn("sk-libtv-", answer["error"]["text"])
        self.assertFalse(os.path.exists(world.file))
        os.mkdir(os.path.dirname(world.file))
        with open(world.file, "w") as f:
            f.write("{ half")
        world.call("account", {"action": "set_key", "provider": "nexu", "key_env": "THE_KEY"}, want=1)
        with open(world.file) as f:
            self.assertEqual(f.read(), "{ half")


class Doors(LibTV):
    def test_session_of_the_other_door(self):
        world = self.world("nexu")
        first = world.call(VIDEO, {"prompt": "a boat"})
        key = "sk-libtv-" + secrets.token_hex(12)
        world.secrets.append(key)
        asked = len(world.sim.log())
        result = world.call(VIDEO, {"prompt": "more", "session": first["job"], "provider": "libtv"}, want=1,
                            env={"LIBTV_ACCESS_KEY": key, "LIBTV_DIRECT_BASE_URL": world.sim.base})
        self.failed(result, "invalid", "belongs to provider nexu")
        self.assertEqual(len(world.sim.log()), asked)

    def test_a_stored_job_waits_for_its_own_key(self):
        world = self.world("nexu", sim_set={"video_ms": -1})
        job = world.submit(VIDEO, {"prompt": "a boat"})
        self.assertEqual(world.job(job)["provider"], "nexu")
        other = "sk-libtv-" + secrets.token_hex(12)
        world.secrets.append(other)
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/libtv/v1/session/*", count=3)
        host.kill()
        asked = len(world.sim.log())
        host = world.start("run", "--until-idle", outbox=True,
                           env={"LIBTV_ACCESS_KEY": other, "LIBTV_DIRECT_BASE_URL": world.sim.base})
        host.wait_err(r"not in .* any more")
        host.signal(15)
        host.end()
        self.assertEqual(len(world.sim.log()), asked)
        world.sim.job(world.sim.jobs()[0]["id"], "completed")
        world.until_idle()
        self.delivered(world, job, "video")

    def test_redirected_results_stay_with_known_hosts(self):
        world = self.world(sim_set={"content_mode": "redirect"})
        result = world.call(VIDEO, {"prompt": "a boat"}, want=1)
        self.failed(result, "refused")
        self.assertEqual(world.sim.log(path="/media"), [])

    def test_text_to_video(self):
        for door in DOORS:
            for slash in ("", "/"):
                world = self.world(door, slash=slash)
                result = world.call(VIDEO, {"prompt": "a paper boat crosses a puddle"})
                self.made(result)
                self.assertEqual(self.text(world), "a paper boat crosses a puddle, video ratio 16:9")
                self.assertEqual(result["provider"], door)
                self.assertEqual(world.sim.totals()["charges"], 1)
                self.headers(world)


if __name__ == "__main__":
    harness.main()
