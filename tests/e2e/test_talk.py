"""What a model reads and a user is told, where it was hard to act upon: each sentence names what is
wrong, in the chat's language, and nothing is paid for what cannot work."""
import json
import os
import urllib.request

import harness

QUICK = {"poll_floor_ms": 30, "poll_ceiling_ms": 150, "typical_seconds": 0}
CHAT = ("--conversation", "telegram/1")


class Talk(harness.Case):
    def place(self, providers=None, settings=None, **more):
        world = self.world(sim_options=("--set", "video_ms=60,video_size=64x36,video_seconds=1"))
        for name, query in (("square.png", "size=1024x1024"), ("wide.png", "size=1792x1024")):
            url = "%s/media/make/x.png?%s" % (world.sim.base, query)
            with urllib.request.urlopen(url, timeout=harness.LIMIT_S) as answer:
                with open(os.path.join(world.workspace, name), "wb") as f:
                    f.write(answer.read())
        if providers is None:
            providers = {"sim": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key, "models": []}}
        world.configure(providers, settings or {"sim": QUICK}, **more)
        return world

    def plume(self):
        world = self.place({}, {"plume": QUICK})
        world.env = {"PLUME_API_KEY": world.key, "PLUME_API_BASE": world.sim.base}
        return world

    def refuse(self, world, tool, args, field, *words, kind="invalid", **more):
        result = world.call(tool, args, *CHAT, want=1, **more)
        self.assertEqual(result["error"]["kind"], kind, result)
        self.assertEqual(result["error"].get("field"), field, result)
        for word in words:
            self.assertIn(word, json.dumps(result, ensure_ascii=False))
        self.assertEqual(world.sim.totals()["submissions"], 0)
        return result

    def test_nothing_is_begun_without_words(self):
        world = self.place()
        self.refuse(world, "generate_image", {"prompt": " \n"}, "prompt", "Ask the user")
        self.refuse(world, "edit_image", {"image": "square.png"}, "prompt", "Ask the user")
        self.refuse(world, "edit_image", {"image": "square.png", "prompt": ""}, "prompt", "Ask the user")

    def test_what_nobody_here_can_do(self):
        world = self.place()
        self.refuse(world, "edit_image", {"image": "square.png", "operation": "remove_background"},
                    "operation", "sim does not do edit_image with remove_background", "no configured provider")
        self.refuse(world, "character_replace",
                    {"character_image": "square.png", "motion_video": "http://x.example/a.mp4"},
                    "provider", "sim does not do character_replace")

    def test_what_another_can_do(self):
        world = self.plume()
        world.configure({"sim": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key, "models": []}},
                        {"plume": QUICK})
        told = self.refuse(world, "edit_image", {"image": "square.png", "operation": "remove_background",
                                                 "provider": "sim"}, "operation")
        self.assertIn("configured here that can: plume", told["message"])

    def test_files_that_are_not_there(self):
        world = self.place()
        for tool, args, field in (("edit_image", {"image": "no.png", "prompt": "x"}, "image"),
                                  ("run_batch", {"manifest": "no.json"}, "manifest")):
            told = self.refuse(world, tool, args, field, "there is no file", kind="not_found")
            self.assertNotIn("baseUrl", told["error"]["advice"])

    def test_broken_json_is_named_without_its_text(self):
        world = self.place()
        key = "sk-" + "k" * 30
        for tool, args, field in (("generate_image", {"prompt": "x", "extra": key}, "extra"),
                                  ("run_batch", {"items": ["{" + key]}, "items"),
                                  ("run_batch", {"items": ["x"], "vars": key}, "vars")):
            told = self.refuse(world, tool, args, field)
            self.assertRegex(told["message"], "expected$")
            self.assertNotIn("kkk", told["message"])

    def test_first_frame_of_a_video_size_sets_the_size(self):
        world = self.place()
        for name, size in (("wide.png", "1792x1024"), ("square.png", None)):
            args = {"prompt": "it moves", "model": "sora-2", "first_frame": name, "dry_run": True}
            if size:
                self.assertEqual(world.call("generate_video", args, *CHAT)["status"], "plan")
            else:
                self.refuse(world, "generate_video", args, "first_frame", "1280x720", "generate_image")

    def test_the_same_once_more(self):
        world = self.place()
        args = {"prompt": "a boat", "model": "gpt-image-2"}
        first = world.call("generate_image", args, *CHAT)
        job = world.submit("generate_image", dict(args, prompt="a lake"), *CHAT)
        world.until_idle()
        again = world.call("generate_image", dict(args, prompt="a lake"), "--background", *CHAT, outbox=True)
        self.assertEqual((again["job"], again["status"]), (job, "delivered"))
        self.assertIn("a moment ago", again["message"])
        self.assertNotIn("under way", again["message"])
        rows = world.call("poll", {"action": "list"}, *CHAT)["jobs"]
        self.assertEqual({row["job"]: row["prompt"] for row in rows}, {first["job"]: "a boat", job: "a lake"})

    def test_a_file_that_was_changed_is_another_request(self):
        world = self.place()
        args = {"prompt": "a boat like this", "model": "gpt-image-2", "reference_images": ["square.png"]}
        first = world.call("generate_image", args, *CHAT)
        again = world.call("generate_image", args, *CHAT)
        self.assertEqual(again["job"], first["job"])
        self.assertIn("a moment ago", again["message"])
        self.assertIn(first["files"][0]["path"], again["message"])
        os.replace(os.path.join(world.workspace, "wide.png"), os.path.join(world.workspace, "square.png"))
        other = world.call("generate_image", args, *CHAT)
        self.assertNotEqual(other["job"], first["job"])
        self.assertEqual(world.sim.totals()["submissions"], 2)

    def test_without_words_the_chats_language_counts(self):
        world = self.plume()
        for words in ({"prompt": "画一只猫"}, {"prompt": "a cat"}):
            world.submit("generate_image", dict(words, provider="plume"), *CHAT[:1], words["prompt"])
            world.until_idle()
            cut = {"image": "last", "operation": "remove_background", "provider": "plume"}
            job = world.submit("edit_image", cut, *CHAT[:1], words["prompt"])
            world.until_idle()
            (told,) = [m["text"] for m in world.messages() if m["job"] == job]
            state = world.call("poll", {}, *CHAT[:1], words["prompt"])["message"]
            for text in (told, state):
                (self.assertRegex if "猫" in words["prompt"] else self.assertNotRegex)(text, "[\u4e00-\u9fff]")

    def test_a_batch_speaks_as_its_items(self):
        world = self.place()
        result = world.call("run_batch", {"items": ["红杯子", "蓝杯子"]}, "--background", *CHAT, outbox=True)
        self.assertIn("共 2 项", result["message"])
        self.assertEqual(result["batch"]["items"], 2)
        plan = world.call("run_batch", {"items": ["a mug"], "dry_run": True}, *CHAT)
        self.assertNotIn("0", plan["message"])

    def test_an_item_is_never_made_without_a_part_of_it(self):
        world = self.place()
        long = json.dumps({"prompt": "x", "extra": json.dumps({"user": "u" * 140000})})
        with open(os.path.join(world.workspace, "shots.jsonl"), "w", encoding="utf-8") as f:
            f.write(long + "\n")
        self.refuse(world, "run_batch", {"manifest": "shots.jsonl"}, "items", "is longer than")

    def test_sentences_have_an_end(self):
        world = self.plume()
        world.env["PLUME_API_KEY"] = "sk-not-a-known-key-000"
        world.submit("generate_image", {"prompt": "a key", "provider": "plume"}, *CHAT)
        world.until_idle()
        (notice,) = world.messages()
        self.assertIn("missing or wrong. The key", notice["text"])

    def test_keys_of_services_with_a_place_of_their_own(self):
        world = self.place({}, {})
        for provider, place in (("plume", "PLUME_API_KEY"), ("libtv", "LIBTV_ACCESS_KEY")):
            told = world.call("account", {"action": "check", "provider": provider}, *CHAT, want=1)
            self.assertIn(place, told["message"])
            told = world.call("account", {"action": "set_key", "provider": provider}, *CHAT, want=1)
            self.assertIn(place, told["message"])
            for tool, args in (("list_models", {}), ("account", {"action": "usage"})):
                told = world.call(tool, dict(args, provider=provider), *CHAT, want=1)
                self.assertIn(place, told["message"])

    def test_what_can_be_made_once_more(self):
        world = self.place()
        first = world.call("fetch_media", {"source": "https://192.168.0.1/a.mp4"}, *CHAT, want=1)
        again = world.call("poll", {"action": "resubmit", "job": first["job"]}, *CHAT)
        self.assertEqual(world.job(again["job"])["kind"], "media")
        batch = world.submit("run_batch", {"items": ["a mug"]}, *CHAT)
        world.call("poll", {"action": "cancel", "job": batch}, *CHAT, want=(0, 1))
        world.until_idle()
        told = world.call("poll", {"action": "resubmit", "job": batch}, *CHAT, want=1)
        self.assertIn("run_batch", told["message"])

    def test_the_last_session(self):
        world = self.place({}, {"libtv": QUICK})
        own = "sk-libtv-" + world.key[3:]
        world.secrets.append(own)
        world.sim.control("POST", "accounts", {"key": own, "name": "libtv", "credits": 50})
        world.env = {"LIBTV_ACCESS_KEY": own, "LIBTV_DIRECT_BASE_URL": world.sim.base}
        go_on = {"prompt": "make it rain", "provider": "libtv", "session": "last"}
        self.refuse(world, "generate_video", go_on, "session", "no such job")
        first = world.submit("generate_video", {"prompt": "a cat", "provider": "libtv"}, *CHAT)
        world.until_idle()
        second = world.submit("generate_video", go_on, *CHAT)
        world.until_idle()
        self.assertEqual(world.job(first)["provider_job"], world.job(second)["provider_job"])
        lost = world.submit("generate_video", dict(go_on, session="of-nobody"), *CHAT)
        world.until_idle()
        (told,) = [m["text"] for m in world.messages() if m["job"] == lost]
        self.assertIn("new_project", told)


if __name__ == "__main__":
    harness.main()
