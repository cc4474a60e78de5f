"""Pictures: every way in which they are asked for and every shape in which they come."""
import json
import os

import harness

IMAGE = "generate_image"


class Pictures(harness.Case):
    def made(self, world, result, count=1):
        """A result of a call that waited: the files are there, valid, and told rightly."""
        self.assertEqual(result["status"], "done", result)
        self.assertEqual(result.done.code, 0)
        self.assertEqual(len(result["files"]), count, result)
        self.assertLess(len(result.done.out), 1024 if count == 1 else 4096)
        paths = set()
        for file in result["files"]:
            self.assertTrue(file["path"].startswith(os.path.realpath(world.workspace) + "/tmp/images/"))
            data = harness.check_media(file["path"], "image")
            self.assertEqual(file["bytes"], len(data))
            self.assertRegex(file["handle"], r"^img_\w+$")
            self.assertNotIn("base64", json.dumps(file))
            if data[:4] == b"\x89PNG":
                self.assertEqual(file["mime"], "image/png")
                self.assertTrue(file["path"].endswith(".png"))
                self.assertEqual((file["width"], file["height"]), harness.check_png(data))
            paths.add(file["path"])
        self.assertEqual(len(paths), count)
        row = world.job(result["job"])
        self.assertEqual((row["state"], row["open"], row["owner"]), ("done", 0, ""))
        self.assertEqual(world.parts(), [])
        return [file["path"] for file in result["files"]]

    def test_waits_and_saves(self):
        world = self.world()
        result = world.call(IMAGE, {"prompt": "a paper boat"})
        (path,) = self.made(world, result)
        self.assertIn(path, result["message"])
        self.assertEqual(result["provider"], "sim")
        self.assertEqual(result["model"], "sim-image")
        (request,) = world.sim.log(spends=1)
        self.assertEqual(request["path"], "/v1/images/generations")
        self.assertEqual(request["prompt"], "a paper boat")
        self.assertEqual(request["account"], "default")
        self.assertEqual(world.sim.totals()["charges"], 1)
        self.assertEqual(world.media(), [os.path.relpath(path, os.path.realpath(world.workspace))])

    def test_arguments_by_stdin_and_file(self):
        world = self.world()
        self.made(world, world.call(IMAGE, "-", stdin='{"prompt": "from stdin"}'))
        with open(world.path("args.json"), "w", encoding="utf-8") as f:
            json.dump({"prompt": "from a file"}, f)
        self.made(world, world.call(IMAGE, "@" + world.path("args.json")))
        self.assertEqual([r["prompt"] for r in world.sim.log(spends=1)], ["from stdin", "from a file"])

    def test_several(self):
        world = self.world()
        paths = self.made(world, world.call(IMAGE, {"prompt": "three boats", "count": 3}), count=3)
        self.assertEqual(len(set(harness.check_media(path, "image") for path in paths)), 3)
        (request,) = world.sim.log(spends=1)
        self.assertEqual(request["fields"]["n"], 3)

    def test_several_addresses(self):
        world = self.world()
        world.sim.set(image_mode="url")
        self.made(world, world.call(IMAGE, {"prompt": "four boats", "count": 4}), count=4)
        self.assertEqual(len(world.sim.log(path="/media")), 4)

    def test_every_shape(self):
        world = self.world()
        for mode in ("url", "signed_url", "b64", "data_url", "html", "html_raw", "markdown",
                     "markdown_raw", "relative", "path", "nested", "top_b64", "sse"):
            with self.subTest(mode=mode):
                world.sim.set(image_mode=mode)
                result = world.call(IMAGE, {"prompt": "a boat as " + mode})
                self.made(world, result)
        self.assertEqual(world.sim.totals()["submissions"], 13)

    def test_large_answers_in_every_base64_shape(self):
        world = self.world()
        for mode in ("b64", "data_url", "top_b64", "sse"):
            with self.subTest(mode=mode):
                world.sim.set(image_mode=mode, image_bytes=3000000)
                (path,) = self.made(world, world.call(IMAGE, {"prompt": "large, as " + mode}))
                self.assertGreater(os.path.getsize(path), 2900000)

    def test_jpeg(self):
        world = self.world()
        result = world.call(IMAGE, {"prompt": "a boat", "format": "jpeg"})
        (path,) = self.made(world, result)
        self.assertTrue(path.endswith((".jpg", ".jpeg")), path)
        self.assertEqual(result["files"][0]["mime"], "image/jpeg")

    def test_references_become_a_form(self):
        world = self.world()
        os.mkdir(os.path.join(world.workspace, "in"))
        picture = os.path.join(world.workspace, "in", "one.png")
        with open(picture, "wb") as f:
            f.write(harness.png(48, 32))
        first = self.made(world, world.call(IMAGE, {"prompt": "to start from", "format": "jpeg"}))
        # By path, and the newest result of this conversation; its name says nothing true of it.
        os.rename(picture, picture.replace(".png", ".dat"))
        result = world.call(IMAGE, {"prompt": "both together",
                                    "reference_images": ["in/one.dat", "last"]})
        self.made(world, result)
        request = world.sim.log(spends=1)[-1]
        self.assertEqual(request["path"], "/v1/images/edits")
        self.assertEqual(request["prompt"], "both together")
        files = [part for part in request["parts"] if part["filename"]]
        self.assertEqual([part["content_type"] for part in files], ["image/png", "image/jpeg"])
        self.assertEqual([part["sniffed"] for part in files], ["image/png", "image/jpeg"])
        self.assertEqual((files[0]["width"], files[0]["height"]), (48, 32))
        self.assertEqual(files[1]["bytes"], os.path.getsize(first[0]))
        self.assertTrue(all(part["filename"].endswith((".png", ".jpg")) for part in files), files)

    def test_reference_by_handle(self):
        world = self.world()
        made = world.call(IMAGE, {"prompt": "first"})
        result = world.call(IMAGE, {"prompt": "second",
                                    "reference_images": [made["files"][0]["handle"]]})
        self.made(world, result)
        (part,) = [p for p in world.sim.log(spends=1)[-1]["parts"] if p["filename"]]
        self.assertEqual(part["bytes"], made["files"][0]["bytes"])
        # Another conversation does not see it.
        other = world.call(IMAGE, {"prompt": "third",
                                   "reference_images": [made["files"][0]["handle"]]},
                           "--conversation", "other", want=1)
        self.assertEqual(other["error"]["field"], "reference_images")
        self.assertEqual(world.sim.totals()["submissions"], 2)

    def test_references_outside_are_refused(self):
        world = self.world()
        with open(world.path("secret.png"), "wb") as f:
            f.write(harness.png(8, 8))
        os.symlink(world.path("secret.png"), os.path.join(world.workspace, "link.png"))
        with open(os.path.join(world.workspace, "text.png"), "w", encoding="utf-8") as f:
            f.write("no picture\n")
        for path in (world.path("secret.png"), "../secret.png", "link.png", "/etc/passwd", "text.png",
                     "absent.png", "data:image/png;base64,AAAA"):
            with self.subTest(path=path):
                result = world.call(IMAGE, {"prompt": "x", "reference_images": [path]}, want=1)
                self.assertEqual(result["status"], "error")
                self.assertEqual(result["error"]["field"], "reference_images")
        self.assertEqual(world.sim.log(), [])
        self.assertEqual(world.ledger(), [])

    def test_background_then_run(self):
        world = self.world()
        job = world.submit(IMAGE, {"prompt": "later"})
        self.assertEqual(world.sim.log(), [], "a held job was begun")
        self.assertEqual(world.job(job)["state"], "planned")
        world.until_idle()
        message = self.delivered(world, job, "image")
        self.assertEqual(message["reply_to"], "cli")
        self.assertEqual(message["conversation"], "cli")
        self.assertTrue(message["text"])
        self.assertTrue(message["key"].startswith("clawmedia:" + job + ":"))
        self.assertEqual(world.sim.totals()["submissions"], 1)
        # Nothing is left to do, and a further run does nothing.
        world.until_idle()
        self.assertEqual(len(world.messages()), 1)
        self.assertEqual(world.repeats(), [])

    def test_reply_to(self):
        world = self.world()
        address = "feishu:oc_17/🛶 thread=4"
        result = world.call(IMAGE, {"prompt": "to somebody"}, "--reply-to", address, outbox=True)
        self.assertEqual(result["status"], "submitted")
        world.until_idle()
        self.assertEqual(self.delivered(world, result["job"], "image")["reply_to"], address)
        self.assertEqual(world.sim.totals()["submissions"], 1)

    def test_extra_passes_through(self):
        world = self.world()
        extra = {"steps": 12, "nested": {"a": [1, "two"]}, "quality": "ultra"}
        self.made(world, world.call(IMAGE, {"prompt": "x", "quality": "high",
                                            "extra": json.dumps(extra)}))
        fields = world.sim.log(spends=1)[0]["fields"]
        self.assertEqual({name: fields[name] for name in extra}, extra)
        result = world.call(IMAGE, {"prompt": "x", "extra": "[1]"}, want=1)
        self.assertEqual(result["error"]["field"], "extra")

    def test_prompt_is_not_touched(self):
        world = self.world()
        prompt = "  \"quoted\"\n\ttabs, {{key}}, ${HOME}, ‮ and 🛶 \\ end  "
        self.made(world, world.call(IMAGE, {"prompt": prompt}))
        self.assertEqual(world.sim.log(spends=1)[0]["fields"]["prompt"], prompt)

    def test_sizes_are_normalised_and_told(self):
        world = self.world()
        result = world.call(IMAGE, {"prompt": "wide", "model": "gpt-image-1.5", "aspect_ratio": "16:9"})
        self.made(world, result)
        self.assertEqual(world.sim.log(spends=1)[0]["fields"]["size"], "1536x1024")
        (change,) = [c for c in result["changed"] if c["field"] == "aspect_ratio"]
        self.assertEqual(change["asked"], "16:9")
        self.assertEqual(change["used"], "1536x1024")


if __name__ == "__main__":
    harness.main()
