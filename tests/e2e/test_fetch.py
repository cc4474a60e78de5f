"""fetch_media: what somebody else's text names or holds becomes files with handles, and nothing else."""
import base64
import hashlib
import json
import os

import harness

FETCH = "fetch_media"


class Fetch(harness.Case):
    def world(self, allowed=("127.0.0.1",), **more):
        world = super().world(sim=False, **more)
        world.idle = True
        world.web = world.second_sim()
        world.configure({}, allowed_hosts=list(allowed))
        return world

    def url(self, world, name, **query):
        text = "&".join("%s=%s" % pair for pair in query.items())
        return "%s/media/make/%s%s" % (world.web.base, name, "?" + text if text else "")

    def bytes_of(self, world, name):
        """The very file that the simulator serves, by way of fetch_media."""
        result = world.call(FETCH, {"source": self.url(world, name)})
        with open(result["files"][0]["path"], "rb") as f:
            return f.read()

    def test_a_provider_of_that_name(self):
        """A configured provider called "web" is told of, and does not take the place of the web."""
        world = self.world()
        world.configure({"web": {"baseUrl": world.web.base + "/v1", "apiKey": world.key,
                                 "models": [{"id": "sim-image"}]}}, allowed_hosts=["127.0.0.1"])
        result = world.call(FETCH, {"source": self.url(world, "a.png")})
        self.assertEqual(result["status"], "done", result)
        status = world.call("account", {"action": "status"})
        self.assertIn('the name "web"', json.dumps(status, ensure_ascii=False).replace("\\", ""))

    def test_one_address(self):
        world = self.world()
        result = world.call(FETCH, {"source": self.url(world, "a.png", size="64x48")})
        self.assertEqual(result["status"], "done")
        (file,) = result["files"]
        self.assertEqual((file["mime"], file["width"], file["height"]), ("image/png", 64, 48))
        self.assertTrue(file["path"].startswith(world.workspace), file)
        self.assertTrue(os.path.basename(file["path"]).startswith("fetched-"), file)
        self.assertEqual(world.web.totals()["charges"], 0)
        # The handle is good for other tools and the type is that of the bytes, not of the name.
        video = world.call(FETCH, {"source": self.url(world, "b.mp4", seconds=1)})["files"][0]
        self.assertEqual(video["mime"], "video/mp4")
        self.assertTrue(video["handle"].startswith("vid_"), video)

    def test_private_addresses(self):
        world = self.world(allowed=())
        result = world.call(FETCH, {"source": self.url(world, "a.png")}, want=1)
        self.assertEqual(result["error"]["kind"], "refused")
        self.assertEqual(world.web.log(), [])
        for address in ("http://169.254.169.254/latest/meta-data/a.png", "file:///etc/passwd",
                        "http://[::1]/a.png"):
            result = world.call(FETCH, {"source": address}, want=1)
            self.assertIn(result["error"]["kind"], ("refused", "invalid"), result)
        self.assertEqual(world.files("workspace"), [])

    def test_texts(self):
        """HTML, Markdown, JSON and prose: each picture and video once."""
        world = self.world()
        png, jpg, mp4 = (self.url(world, n) for n in ("a.png", "b.jpg", "c.mp4"))
        texts = (
            ('<html><body><img src="%s"><script src="%s/evil.js"></script><video src="%s"></video>'
             '<img src="%s"></body></html>' % (png, world.web.base, mp4, png), [png, mp4]),
            ("Look: ![image](%s) and ![video](%s), also %s." % (png, mp4, jpg), [png, mp4, jpg]),
            (json.dumps({"data": [{"url": png}, {"url": jpg}]}), [png, jpg]),
            ("two lines\n%s\n%s\n" % (png, mp4), [png, mp4]),
        )
        for text, wanted in texts:
            with self.subTest(text=text):
                world.web.control("POST", "reset")
                result = world.call(FETCH, {"source": text})
                self.assertEqual(len(result["files"]), len(wanted), result)
                asked = sorted(world.web.base + entry["path"] for entry in world.web.log())
                self.assertEqual(asked, sorted(wanted))

    def test_base64(self):
        """Data URLs, bare base64 and base64 in JSON, short and long, from arguments and from a file."""
        world = self.world()
        small = self.bytes_of(world, "s.png?size=8x8")
        large = self.bytes_of(world, "l.png?size=512x512&bytes=300000")
        for data in (small, large):
            text = base64.b64encode(data).decode()
            for source in ("data:image/png;base64," + text, text, json.dumps({"b64_json": text}),
                           "<img src='data:image/png;base64,%s'>" % text):
                with self.subTest(source=source[:40], bytes=len(data)):
                    result = world.call(FETCH, {"source": source} if len(source) < 100000 else
                                        {"path": self.write(world, "answer.txt", source)})
                    (file,) = result["files"]
                    self.assertEqual(file["mime"], "image/png")
                    with open(file["path"], "rb") as f:
                        self.assertEqual(hashlib.sha256(f.read()).hexdigest(),
                                         hashlib.sha256(data).hexdigest())
        self.assertLess(max(len(row["request"]) for row in world.ledger()), 8192)

    def write(self, world, name, text):
        path = os.path.join(world.workspace, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_mistakes(self):
        world = self.world()
        for args, field in (({}, "source"), ({"source": "x", "path": "y"}, "source"),
                            ({"source": "no media here at all"}, "source"),
                            ({"path": "/etc/passwd"}, "path"), ({"path": "none.txt"}, "path")):
            with self.subTest(args=args):
                result = world.call(FETCH, args, want=1)
                self.assertEqual(result["error"]["field"], field, result)
        self.assertEqual(world.ledger(), [])

    def test_not_media(self):
        """What is no picture is not saved, whatever it is called; what can be had is."""
        world = self.world()
        page = self.write(world, "page.html", "<img src='%s/_sim/health'><img src='%s'>"
                          % (world.web.base, self.url(world, "a.png")))
        result = world.call(FETCH, {"path": page})
        self.assertEqual([f["mime"] for f in result["files"]], ["image/png"])
        self.assertIn("error", result)
        broken = "data:image/png;base64," + base64.b64encode(b"no picture" * 600).decode()
        result = world.call(FETCH, {"source": broken}, want=1)
        self.assertEqual(result["error"]["kind"], "answer")


if __name__ == "__main__":
    harness.main()
