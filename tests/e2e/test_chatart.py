"""ChatArt: login by link, pictures, videos, character replacement, credits, against its simulator."""
import json
import os
import stat
import urllib.parse
import urllib.request

import harness

IMAGE, EDIT, VIDEO, REPLACE = "generate_image", "edit_image", "generate_video", "character_replace"
QUICK = {"poll_floor_ms": 30, "poll_ceiling_ms": 200, "typical_seconds": 0}
SUBMITS = ("/web/art/create", "/web/video/generate-video")


class ChatArt(harness.Case):
    THREE = {"prompt": "a boat", "model": "Nano Banana 2", "resolution": "2K", "count": 3}

    def chat(self, env=True, **settings):
        """A world whose only account is ChatArt's; env: the key is in the environment."""
        world = self.world(sim_options=("--set", "video_ms=80,video_size=64x36,video_seconds=1,"
                                                 "image_bytes=0,chatart_interval_ms=50"))
        own = dict(QUICK, base_url=world.sim.base, storage_url=world.sim.base + "/oss")
        own.update(settings)
        world.configure({}, {"chatart": own})
        world.env = {"CHATARTPRO_API_KEY": world.key, "CHATARTPRO_UID": "e2e-identity"} if env else {}
        return world

    def picture(self, world, name="in.png", size="96x64"):
        return self.fetched(world, name, size)

    def movie(self, world, name="in.mp4", seconds=3, size="128x72"):
        return self.fetched(world, name, size, seconds)

    def fetched(self, world, name, size, seconds=1):
        path = os.path.join(world.workspace, name)
        url = "%s/media/make/x%s?size=%s&seconds=%d&prompt=%s" % (
            world.sim.base, os.path.splitext(name)[1], size, seconds, urllib.parse.quote(name))
        with urllib.request.urlopen(url, timeout=harness.LIMIT_S) as answer, open(path, "wb") as f:
            f.write(answer.read())
        return path

    def submits(self, world):
        return [r for r in world.sim.log(spends=1) if r["path"] in SUBMITS]

    def objects(self, world):
        return world.sim.control("GET", "chatart")["objects"]

    def credential(self, world):
        with open(world.path("home", ".ChatArt", "credentials.json"), encoding="utf-8") as f:
            return json.load(f)

    def approve(self, world, **more):
        world.sim.control("POST", "chatart", dict(more, do="approve"))

    # ---- login ----

    def test_login_picture_edit_video_extend_replace(self):
        """The whole way, each delivered once in the background."""
        world = self.chat(env=False)
        opened = world.call("account", {"action": "login"})
        self.assertEqual(opened["status"], "login", opened)
        self.assertIn("/skill/authorize?code=", opened["link"])
        self.assertIn(opened["link"], opened["message"])
        self.assertIn("Nano Banana 2", opened["message"])
        self.approve(world, key="sk-ca-e2e-fresh-key", name="lin")
        done = world.call("account", {"action": "finish_login"})
        self.assertEqual(done["status"], "done", done)
        kept = self.credential(world)
        self.assertEqual((kept["api_key"], kept["name"], kept["uid"]), ("sk-ca-e2e-fresh-key", "Lin", 348812))
        path = world.path("home", ".ChatArt", "credentials.json")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        before = world.call("account", {"action": "credits"})["credits"]

        def made(kind, tool, args):
            result = world.call(tool, args, "--background", outbox=True)
            self.assertEqual(result["status"], "submitted", result)
            world.until_idle()
            self.delivered(world, result["job"], kind)
            return world.job(result["job"])

        costs = [made("image", IMAGE, {"prompt": "a boat", "aspect_ratio": "16:9", "resolution": "2K"}),
                 made("image", EDIT, {"prompt": "a red boat", "image": "last"}),
                 made("video", VIDEO, {"prompt": "it sails", "first_frame": self.picture(world), "seconds": 5,
                                       "resolution": "480p"}),
                 made("video", VIDEO, {"prompt": "further", "mode": "extend", "video": "last", "seconds": 5})]
        for mode in ("full_scene", "body_only"):
            costs.append(made("video", REPLACE, {"character_image": self.picture(world), "mode": mode,
                                                 "motion_video": self.movie(world, seconds=3),
                                                 "resolution": "480p"}))
        self.assertEqual([row["cost"] for row in costs], [6, 6, 60, 20, 36, 18])
        self.assertEqual([row["cost"] for row in costs], [row["cost_estimate"] for row in costs])
        after = world.call("account", {"action": "credits"})["credits"]
        self.assertEqual(before - after, 6 + 6 + 60 + 20 + 36 + 18)
        self.assertEqual(len(self.submits(world)), 6)
        self.assertEqual(len(world.messages()), 6)
        self.nowhere(world, "sk-ca-e2e-fresh-key")

    def nowhere(self, world, secret):
        """The key is in its own file, and in none other, nor in any output."""
        for name in world.files():
            if name.endswith(os.path.join(".ChatArt", "credentials.json")):
                continue
            with open(world.path(name), "rb") as f:
                self.assertNotIn(secret.encode(), f.read(), name)
        for host in world.hosts:
            done = host.kill()
            self.assertNotIn(secret, done.out + done.err)

    def test_login_is_announced(self):
        """With a reply address the end is told by itself, also by a later process."""
        world = self.chat(env=False)
        opened = world.call("account", {"action": "login"}, "--background", outbox=True)
        self.assertEqual(opened["status"], "login", opened)
        again = world.call("account", {"action": "login"}, "--background", outbox=True)
        self.assertEqual((again["job"], again["link"]), (opened["job"], opened["link"]))
        self.approve(world)
        world.until_idle()
        message = self.one_message(world, opened["job"])
        self.assertIn("logged in to chatart", message["text"])
        self.assertEqual(message["files"], [])
        self.assertEqual(world.job(opened["job"])["state"], "delivered")
        world.secrets.clear()   # it is in the credentials file, where it belongs
        self.nowhere(world, world.key)

    def test_login_for_a_batch(self):
        """One link before anything is ordered; then the same call makes all."""
        world = self.chat(env=False)
        items = {"items": ["a boat", "a kite"]}
        opened = world.call("run_batch", items)
        self.assertEqual(opened["status"], "login_needed", opened)
        self.assertIn(opened["link"], opened["message"])
        self.assertEqual(world.rows("SELECT id FROM jobs WHERE batch IS NOT NULL"), [])
        self.approve(world)
        world.call("account", {"action": "finish_login"})
        done = world.call("run_batch", items)
        self.assertEqual(done["batch"], {"items": 2, "ended": 2, "failed": 0})
        world.secrets.clear()   # it is in the credentials file, where it belongs

    def test_login_in_chinese(self):
        world = self.chat(env=False)
        opened = world.call("account", {"action": "login"}, "--locale", "zh-CN")
        self.assertIn("登录完成后回我一句", opened["message"])
        self.assertIn("PixVerse V6", opened["message"])

    def test_login_that_ends_badly(self):
        for do, text in (("refuse", "refused"), ("expire", "not finished in time"), ("session", "not finished")):
            with self.subTest(do):
                world = self.chat(env=False)
                opened = world.call("account", {"action": "login"})
                world.sim.control("POST", "chatart", {"do": do})
                done = world.call("account", {"action": "finish_login"}, want=(0, 1, 2, 3, 4, 5, 6))
                self.assertEqual(world.job(opened["job"])["state"] in ("failed", "expired"), True)
                self.assertIn(text, done["error"]["text"])
                self.assertFalse(os.path.exists(world.path("home", ".ChatArt", "credentials.json")))

    def test_half_an_approval_is_none(self):
        world = self.chat(env=False)
        world.call("account", {"action": "login"})
        world.sim.set(chatart_approval="no_key")
        self.approve(world, key="sk-ca-half", name="half")
        host = world.start("call", "account", '{"action":"finish_login"}')
        world.sim.wait(path="/web/xskill/token", count=3)
        self.assertFalse(os.path.exists(world.path("home", ".ChatArt", "credentials.json")))
        world.sim.set(chatart_approval="full")
        self.assertEqual(world.check(host.end()).json["status"], "done")
        self.assertEqual(self.credential(world)["api_key"], "sk-ca-half")

    def test_odd_codes_of_a_login(self):
        world = self.chat(env=False)
        world.sim.set(chatart_pending="code", chatart_approval="code_text", chatart_login_polls=2)
        world.call("account", {"action": "login"})
        world.secrets.clear()
        self.assertEqual(world.call("account", {"action": "finish_login"})["status"], "done")

    def test_generation_without_login_starts_one(self):
        world = self.chat(env=False)
        result = world.call(IMAGE, {"prompt": "a boat"})
        self.assertEqual(result["status"], "login_needed", result)
        self.assertIn(result["link"], result["message"])
        self.assertEqual(self.submits(world), [])
        plan = world.call(IMAGE, {"prompt": "a boat", "dry_run": True})
        self.assertEqual(plan["status"], "plan")

    def test_damaged_credentials_are_no_dead_end(self):
        world = self.chat(env=False)
        os.mkdir(world.path("home", ".ChatArt"))
        path = world.path("home", ".ChatArt", "credentials.json")
        with open(path, "w", encoding="ascii") as f:
            f.write('{"api_key": "x",')
        status = world.call("account", {"action": "status"})
        row = [r for r in status["providers"] if r["id"] == "chatart"][0]
        self.assertIn("credentials.json", json.dumps(row))
        world.call("account", {"action": "login"})
        self.approve(world, key="sk-ca-new", name="new")
        self.assertEqual(world.call("account", {"action": "finish_login"})["status"], "done")
        self.assertEqual(self.credential(world)["api_key"], "sk-ca-new")
        with open(path + ".damaged", encoding="ascii") as f:
            self.assertEqual(f.read(), '{"api_key": "x",')

    def test_logout_and_switch(self):
        world = self.chat(env=False)
        for turn, key in enumerate(("sk-ca-one", "sk-ca-two")):
            opened = world.call("account", {"action": "switch" if turn else "login"})
            self.assertEqual(opened["status"], "login", opened)
            self.assertEqual("first sign out on the ChatArt website" in opened["message"], bool(turn))
            self.approve(world, key=key, name=key[-3:])
            self.assertEqual(world.call("account", {"action": "finish_login"})["status"], "done")
            self.assertEqual(self.credential(world)["api_key"], key)
        self.assertEqual(world.call("account", {"action": "login"})["status"], "ok")
        out = world.call("account", {"action": "logout"})
        self.assertIn("signed out", out["message"])
        self.assertFalse(os.path.exists(world.path("home", ".ChatArt", "credentials.json")))
        self.assertEqual(len(world.sim.log(path="/user/get-unbind-device")), 2)
        self.assertIn("not signed in", world.call("account", {"action": "logout"})["message"])
        self.assertEqual(world.call("account", {"action": "finish_login"})["status"], "none")

    def test_logout_of_variables_says_where(self):
        world = self.chat()
        for action in ("logout", "switch"):
            out = world.call("account", {"action": action}, want=1)
            self.assertEqual((out["status"], out["error"]["kind"]), ("error", "config"))
            self.assertEqual(out["message"], out["error"]["text"])
            self.assertIn("CHATARTPRO_API_KEY", out["message"])
            self.assertIn("remove it there", out["error"]["advice"])
        self.assertEqual(world.sim.log(path="/user/get-unbind-device"), [])

    def test_the_other_variables_work_too(self):
        world = self.chat(env=False)
        world.env = {"CHATART_API_KEY": world.key, "CHATART_UID": "e2e-identity"}
        self.assertEqual(world.call("account", {"action": "credits"})["credits"], 100000)

    def test_models_are_listed_before_a_login(self):
        world = self.world(sim=False)
        world.env = {}
        world.configure({"other": {"baseUrl": "http://127.0.0.1:1/v1", "apiKey": world.key}})
        listed = world.call("list_models", {"provider": "chatart", "kind": "video"})
        names = [m["name"] for m in listed["providers"][0]["models"]]
        self.assertEqual((len(names), names[-1]), (9, "Wan 2.2"))
        self.assertEqual([p["provider"] for p in world.call("list_models", {})["providers"]], ["other"])

    # ---- account ----

    def test_credits_check_and_usage(self):
        world = self.chat()
        self.assertEqual(world.call("account", {"action": "check"})["providers"][0]["key"], "accepted")
        world.call(IMAGE, {"prompt": "a"})
        used = world.call("account", {"action": "usage"})
        self.assertEqual([row["state"] for row in used["usage"]], ["completed"])
        self.assertEqual(world.call("account", {"action": "usage", "kind": "video"})["usage"], [])
        self.assertIn("99994", world.call("account", {"action": "credits"})["message"])

    # ---- generations ----

    def test_uploads_are_signed_checked_and_kept(self):
        world = self.chat()
        picture = self.picture(world, "my pic 图.png")
        world.call(EDIT, {"prompt": "a", "image": picture, "reference_images": [self.picture(world, "b.png")]})
        (first, second) = self.objects(world)
        self.assertRegex(first, r"^sim-uploads/chat-skill-upload/\d{8}/[0-9a-f]{16}_[A-Za-z0-9._-]+\.png$")
        self.assertNotEqual(first.split("_")[0], second.split("_")[0])
        self.assertEqual(len(world.sim.log(path="/web/file/get-upload-policy")), 1)
        held = self.objects(world)[first]
        self.assertEqual((held["bytes"], held["type"]), (os.path.getsize(picture), "image/png"))
        # The same file again: it is there already.
        world.call(EDIT, {"prompt": "b", "image": picture})
        self.assertEqual(len(self.objects(world)), 2)
        (put, _) = world.sim.log(method="PUT")
        self.assertNotIn("Xskill-Authorization", put["headers"])
        self.assertNotIn("SimSecret", json.dumps(world.ledger()))

    def test_upload_that_arrives_damaged_fails(self):
        world = self.chat()
        world.sim.set(chatart_crc="wrong")
        host = world.start("call", EDIT, json.dumps({"prompt": "a", "image": self.picture(world)}))
        world.sim.wait(method="PUT", path="/oss", count=2)
        world.sim.set(chatart_crc="right")
        self.assertEqual(world.check(host.end()).json["status"], "done")
        self.assertEqual(len(self.submits(world)), 1)

    def test_words_before_and_after(self):
        """The estimated time when it begins, the facts when it is there; in both languages."""
        world = self.chat()
        args = {"prompt": "a boat", "model": "Seedance 2.0", "seconds": 5, "resolution": "480p"}
        plan = world.call(VIDEO, dict(args, dry_run=True))
        self.assertEqual(plan["cost_estimate"], {"amount": 60.0, "currency": "credits"})
        world.call(VIDEO, args, "--background", outbox=True)
        world.until_idle()
        (message,) = world.messages()
        for piece in ("Video: http://127.0.0.1", "Duration: 1s", "Aspect ratio: 16:9", "Model: Seedance 2.0",
                      "Cost: 60 credits"):
            self.assertIn(piece, message["text"])
        world.call(IMAGE, {"prompt": "船"}, "--background", "--locale", "zh-CN", outbox=True)
        world.until_idle()
        self.assertIn("消耗：6 credits", [m for m in world.messages() if "图片" in m["text"]][0]["text"])

    def test_several_pictures_are_one_job(self):
        """One task after the other, one message; the price is told for all of them before."""
        world = self.chat()
        args = self.THREE
        plan = world.call(IMAGE, dict(args, dry_run=True))
        self.assertEqual((plan["cost_estimate"]["amount"], plan["files"]), (18.0, 3))
        world.call(IMAGE, args, "--background", outbox=True)
        world.until_idle()
        (message,) = world.messages()
        self.assertEqual(len(message["files"]), 3, message)
        self.assertEqual(len(self.submits(world)), 3)
        (row,) = world.ledger()
        self.assertEqual((row["state"], row["cost"]), ("delivered", 18.0))
        world.sim.fault("POST /web/art/create", "status", status=502, nth=2)
        part = world.call(IMAGE, dict(args, prompt="a raft"))
        self.assertEqual((part["status"], len(part["files"]), part["cost"]["amount"]), ("done", 1, 6.0))
        self.assertIn("the request was sent", part["error"]["text"])
        self.assertEqual(len(self.submits(world)), 5)
        self.assertEqual(world.call(IMAGE, dict(args, count=5), want=1)["error"]["field"], "count")

    def begin_three(self, made, *how):
        """A host at a job of three pictures: so many are made, and the next is ordered."""
        world = self.chat()
        world.sim.set(video_ms=-1)
        job = world.submit(IMAGE, self.THREE, *how)
        host = world.start("run", "--until-idle", outbox=True)
        world.sim.wait(path="/web/art/create")
        for number in range(made):
            self.make(world)
            world.sim.wait(path="/web/art/create", count=number + 2)
        return world, job, host

    def make(self, world):
        (open_job,) = [job["id"] for job in world.sim.jobs() if job["status"] != "completed"]
        world.sim.job(open_job, "completed")

    def cancel(self, world, job):
        return world.call("poll", {"job": job, "action": "cancel"})

    def after(self, world, job, count, words):
        """So many of the three came in one message that says so, and no other was ordered."""
        (message,) = world.messages()
        self.assertEqual(len(message["files"]), count, message)
        self.assertIn(words, message["text"])
        self.assertEqual(len(self.submits(world)), count)
        row = world.job(job)
        self.assertEqual((row["state"], row["cost"]), ("delivered", 6.0 * count))

    def test_cancelled_between_pictures(self):
        world, job, host = self.begin_three(1)
        self.cancel(world, job)
        self.make(world)    # paid for
        world.check(host.end())
        self.after(world, job, 2, "cancelled after 2 of 3")

    def test_cancelled_with_nothing_made(self):
        world, job, host = self.begin_three(0)
        self.cancel(world, job)
        world.check(host.end())
        self.assertEqual(world.job(job)["state"], "cancelled")
        self.assertEqual((world.messages(), world.media(), len(self.submits(world))), ([], [], 1))

    def test_cancelled_between_pictures_and_hosts(self):
        """The wish outlasts the process that took it, too."""
        world, job, host = self.begin_three(1, "--locale", "zh-CN")
        polls = "/web/art/get-draw-task"
        world.sim.wait(path=polls, count=len(world.sim.log(path=polls)) + 1)    # the second is known by now
        host.kill()
        self.cancel(world, job)
        self.make(world)
        world.until_idle()
        self.after(world, job, 2, "在完成 2/3 个后被取消")

    def test_cancelled_while_a_caller_waits(self):
        world = self.chat()
        world.sim.set(video_ms=-1)
        host = world.start("call", IMAGE, json.dumps(self.THREE))
        world.sim.wait(path="/web/art/create")
        (row,) = world.ledger()
        self.make(world)
        world.sim.wait(path="/web/art/create", count=2)
        self.cancel(world, row["id"])
        self.make(world)
        done = world.check(host.end()).json
        self.assertEqual((done["status"], len(done["files"]), done["cost"]["amount"]), ("done", 2, 12.0), done)
        self.assertIn("Cancelled after 2 of 3", done["message"])

    def test_confirmation_in_the_skills_words(self):
        world = self.chat()
        world.configure({}, {"chatart": dict(QUICK, base_url=world.sim.base, storage_url=world.sim.base + "/oss")},
                        confirm="always")
        asked = world.call(VIDEO, {"prompt": "a", "seconds": 5, "model": "Kling V3"})
        self.assertEqual(asked["status"], "needs_confirmation", asked)
        for piece in ("Video Generation — Confirm", "t2v (Text-to-Video)", "• Model: Kling V3",
                      "Seedance 2.0", "• Duration: 5s", "Estimated cost: 40 credits"):
            self.assertIn(piece, asked["message"])
        self.assertEqual(self.submits(world), [])
        done = world.call(VIDEO, {"prompt": "a", "seconds": 5, "model": "Kling V3", "confirm": asked["confirm"]})
        self.assertEqual(done["status"], "done")
        asked = world.call(EDIT, {"prompt": "改", "image": self.picture(world)}, "--locale", "zh-CN")
        self.assertIn("图片编辑", asked["message"])
        self.assertIn("数量：1\n", asked["message"])

    def test_mistakes_cost_nothing(self):
        world = self.chat()
        note = os.path.join(world.workspace, "note.txt")
        with open(note, "w", encoding="ascii") as f:
            f.write("not a picture")
        for tool, args, field in ((IMAGE, {"prompt": "a", "model": "Seedream 4.5"}, "model"),
                                  (IMAGE, {"prompt": "a", "resolution": "1K"}, "resolution"),
                                  (EDIT, {"prompt": "a", "image": note}, "image"),
                                  (EDIT, {"prompt": "a", "image": os.path.join(world.workspace, "no.png")}, "image"),
                                  (VIDEO, {"prompt": "a", "mode": "lip_sync"}, "mode"),
                                  (REPLACE, {"character_image": self.picture(world), "mode": "body_only",
                                             "motion_video": self.movie(world), "model": "Kling V3.0"}, "model")):
            result = world.call(tool, dict(args, provider="chatart"), want=(0, 1, 2, 3, 4))
            self.assertEqual(result["error"].get("field"), field, result)
        self.assertEqual(world.sim.log(spends=1), [])
        self.assertEqual(self.objects(world), {})

    def test_codes_become_advice(self):
        world = self.chat()
        for code, word in ((10058, "app.chatartpro.com/subscriptions"), (6001, "differently")):
            world.sim.fault("POST /web/art/create", "body", charged=False,
                            body=json.dumps({"code": code, "message": "secretword"}))
            result = world.call(IMAGE, {"prompt": "a %d" % code}, want=(0, 1, 2, 3, 4))
            self.assertIn(word, result["error"]["advice"])
        self.assertNotIn("secretword", json.dumps(result))

    def test_busy_is_waited_out(self):
        world = self.chat()
        world.sim.fault("POST /web/art/create", "status", status=503, retry_after_ms=50)
        self.assertEqual(world.call(IMAGE, {"prompt": "a"})["status"], "done")
        self.assertEqual(world.sim.totals()["charges"], 1)

    def test_states_as_words_and_codes_as_texts(self):
        world = self.chat()
        for state in ("text", "odd", "bare"):
            world.sim.set(chatart_state=state, chatart_code="text")
            self.assertEqual(world.call(IMAGE, {"prompt": state})["status"], "done")

    def test_failed_there(self):
        world = self.chat()
        world.sim.set(video_mode="moderated")
        result = world.call(VIDEO, {"prompt": "a", "seconds": 5}, want=(0, 1, 2, 3, 4))
        self.assertEqual(result["error"]["kind"], "moderated")
        self.assertEqual(len(self.submits(world)), 1)

    def test_trouble_while_polling_loses_nothing(self):
        world = self.chat()
        for kind, more in (("status", {"status": 500}), ("reset", {}), ("malformed_json", {})):
            world.sim.fault("GET /web/art/get-draw-task", kind, **more)
        self.assertEqual(world.call(IMAGE, {"prompt": "a"})["status"], "done")
        self.assertEqual(world.sim.totals()["charges"], 1)

    def test_lost_answer_is_unknown_and_never_repeated(self):
        world = self.chat()
        for kind in ("drop_after_accept", "malformed_json"):
            world.sim.control("POST", "faults", {"route": "POST /web/video/generate-video", "kind": kind})
            result = world.call(VIDEO, {"prompt": kind, "seconds": 5}, want=(0, 1, 2, 3, 4, 5))
            self.assertEqual(result["status"], "unknown", result)
        world.until_idle()
        self.assertEqual(len(self.submits(world)), 2)
        self.assertEqual(world.sim.totals()["charges"], 2)


if __name__ == "__main__":
    harness.main()
