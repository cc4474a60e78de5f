"""The protocol, message by message: every revision, every kind of mistake, and what a client may do to
a server without harm."""
import base64
import json
import os
import signal
import threading

import harness
from exchanges import ABSENT, BROKEN, EXCHANGES, SILENT, matches
from server import HANDSHAKE, META, TASKS, Server, meta

LONG = {"image_delay_ms": 60000}


class Case(harness.Case):
    def open(self, *options, world=None, revision=HANDSHAKE[-1], **capabilities):
        """A server after its handshake."""
        world = world or self.world()
        server = Server(world, *options)
        if revision:
            server.initialize(revision, **capabilities)
        server.world = world
        return server

    def finish(self, server):
        done = server.end()
        self.assertEqual(done.code, 0, done)
        self.assertEqual(server.messages, [])

    def check(self, value, pattern):
        wrong = matches(value, pattern)
        self.assertIsNone(wrong, wrong)


class Revisions(Case):
    def exchanges(self, revision):
        server = self.open(revision=None)
        for (method, params), expected in EXCHANGES[revision]:
            with self.subTest(revision=revision, method=method, params=params):
                self.check(server.answer(server.begin(method, params)), expected)
        self.finish(server)

    def test_a_newer_client_is_offered_the_last_with_a_handshake(self):
        for wanted in ("2026-07-28", "2099-01-01", "2024-10-07"):
            server = self.open(revision=None)
            self.assertEqual(server.initialize(wanted)["protocolVersion"], HANDSHAKE[-1])
            self.finish(server)

    def test_both_eras_on_one_connection(self):
        server = self.open()
        self.assertNotIn("resultType", server.ask("tools/list"))
        self.assertEqual(server.ask("tools/list", {"_meta": meta()})["resultType"], "complete")
        self.assertNotIn("resultType", server.ask("tools/list"))
        self.finish(server)

    def test_batches_of_the_one_revision_that_has_them(self):
        server = self.open(revision="2025-03-26")
        server.send([{"jsonrpc": "2.0", "id": "a", "method": "tools/call",
                      "params": {"name": "list_models"}},
                     {"jsonrpc": "2.0", "method": "notifications/whatever"}, 5,
                     {"jsonrpc": "2.0", "id": "b", "method": "ping"}])
        answers = server.take("batch", lambda m: isinstance(m, list))
        self.assertEqual(sorted(str(a.get("id")) for a in answers), ["None", "a", "b"])
        server.send([{"jsonrpc": "2.0", "method": "notifications/whatever"}])  # no answer at all
        server.send([])
        self.assertEqual(server.take("error", lambda m: "error" in m)["error"]["code"], -32600)
        self.finish(server)
        server = self.open(revision="2025-06-18")
        server.send([{"jsonrpc": "2.0", "id": "a", "method": "ping"}])
        self.assertEqual(server.take("error", lambda m: "error" in m)["error"]["code"], -32600)
        self.finish(server)


for _revision in EXCHANGES:
    setattr(Revisions, "test_" + _revision.replace("-", "_"),
            lambda self, revision=_revision: self.exchanges(revision))


class Mistakes(Case):
    def test_broken_messages_are_answered_and_the_server_goes_on(self):
        server = self.open()
        for line, expected in BROKEN:
            with self.subTest(line=line[:60]):
                server.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
                self.check(server.take("error", lambda m: "error" in m), expected)
        for line in SILENT:
            server.write(line + "\n")
        server.ask("ping")
        self.finish(server)

    def test_half_a_surrogate_pair_is_no_reason_to_leave_a_request_open(self):
        """Where JavaScript cut a prompt in an emoji: jansson refuses all of such a message."""
        server = self.open()
        for id, prompt in ((1, r"cut \ud83d"), (2, r"\ude00\ud83d\ude00 \\ud83d"), (3, r"a\u0000b")):
            server.write('{"jsonrpc":"2.0","id":"p%d","method":"tools/call","params":{"name":'
                         '"generate_image","arguments":{"prompt":"%s"}}}\n' % (id, prompt))
            self.assertFalse(server.answer("p%d" % id)["result"]["isError"])
        prompts = [request["prompt"] for request in server.world.sim.log(spends=1)]
        self.assertEqual(prompts, ["cut \ufffd", "\ufffd\U0001f600 \\ud83d", "a\ufffdb"])
        self.finish(server)

    def test_a_message_in_pieces_and_many_in_one(self):
        server = self.open()
        for byte in b'{"jsonrpc":"2.0","id":"slow","method":"ping"}\r\n':
            server.write(bytes([byte]))
        server.answer("slow")
        server.write("".join('{"jsonrpc":"2.0","id":%d,"method":"ping"}\n' % (1000 + i)
                             for i in range(200)))
        for i in range(200):
            server.answer(1000 + i)
        self.finish(server)

    def test_a_message_that_is_too_long(self):
        server = self.open()
        piece = b"x" * 65536
        server.write(b'{"jsonrpc":"2.0","id":"long","method":"')
        for _ in range(160):
            server.write(piece)
        server.write(b'"}\n')
        self.assertEqual(server.take("error", lambda m: "error" in m)["error"]["code"], -32600)
        server.ask("ping")
        # Below the limit it is read: arguments of 2 MB, which the tool then refuses.
        result = server.call("generate_image", {"prompt": "x" * 2000000})
        self.assertTrue(result["isError"])
        self.finish(server)

    def test_an_id_that_is_in_use(self):
        server = self.open()
        server.world.sim.set(**LONG)
        id = server.begin("tools/call", {"name": "generate_image", "arguments": {"prompt": "a"}})
        server.world.sim.wait(spends=1)
        self.assertEqual(server.answer(server.begin("ping", id=id))["error"]["code"], -32600)
        server.notify("notifications/cancelled", {"requestId": id, "reason": "enough"})
        server.ask("ping")
        self.finish(server)


class Calls(Case):
    def test_a_picture_with_progress(self):
        world = self.world()
        server = self.open(world=world)
        world.sim.set(image_delay_ms=1500)
        result = server.call("generate_image", {"prompt": "一只纸船", "preview": True},
                             meta={"progressToken": "p-1"})
        self.assertFalse(result["isError"], result)
        (file,) = result["structuredContent"]["files"]
        words, link, preview = result["content"]
        self.assertIn(file["path"], words["text"])
        self.assertIn(result["structuredContent"]["job"], words["text"])
        self.assertEqual((link["type"], link["uri"], link["mimeType"], link["size"]),
                         ("resource_link", "file://" + file["path"], "image/png", file["bytes"]))
        self.assertEqual((preview["type"], preview["mimeType"]), ("image", "image/png"))
        with open(file["path"], "rb") as f:
            self.assertEqual(base64.b64decode(preview["data"]), f.read())
        self.assertTrue(file["path"].startswith(os.path.realpath(world.workspace) + "/tmp/images/"))
        told = [m["params"] for m in server.messages if m.get("method") == "notifications/progress"]
        self.assertTrue(told)
        self.assertEqual({t["progressToken"] for t in told}, {"p-1"})
        steps = [t["progress"] for t in told]
        self.assertEqual(steps, sorted(set(steps)))
        server.messages.clear()
        self.finish(server)
        (answered,) = [i for i, m in enumerate(server.order)
                       if m.get("result", {}).get("structuredContent") == result["structuredContent"]]
        self.assertFalse([m for m in server.order[answered:] if "method" in m])

    def test_no_preview_unless_asked_for_and_small(self):
        server = self.open()
        types = [c["type"] for c in server.call("generate_image", {"prompt": "a"})["content"]]
        self.assertEqual(types, ["text", "resource_link"])
        server.world.sim.set(image_bytes=300000)
        result = server.call("generate_image", {"prompt": "large", "preview": True})
        self.assertGreater(result["structuredContent"]["files"][0]["bytes"], 200 * 1024)
        self.assertEqual([c["type"] for c in result["content"]], ["text", "resource_link"])
        self.finish(server)

    def test_the_answer_comes_before_the_clients_patience_ends(self):
        world = self.world()
        world.sim.set(image_delay_ms=3000)
        server = self.open("--wait", "1", world=world)
        self.assertEqual(next(t for t in server.ask("tools/list")["tools"] if t["name"] == "poll")
                         ["inputSchema"]["properties"]["wait_seconds"]["default"], 1)
        result = server.call("generate_image", {"prompt": "a"})
        self.assertFalse(result["isError"], result)
        job = result["structuredContent"]["job"]
        self.assertEqual([c["type"] for c in result["content"]], ["text"])
        self.assertIn(job, result["content"][0]["text"])
        self.assertIn("poll", result["content"][0]["text"])
        # What the call says itself counts more.
        result = server.call("poll", {"job": job, "action": "wait", "wait_seconds": 60})
        self.assertEqual(result["structuredContent"]["status"], "done", result)
        self.finish(server)

    def test_cancelling_ends_the_call_and_not_the_job(self):
        world = self.world()
        world.sim.set(image_delay_ms=1000)
        server = self.open(world=world)
        id = server.begin("tools/call", {"name": "generate_image", "arguments": {"prompt": "a"}})
        world.sim.wait(spends=1)
        server.notify("notifications/cancelled", {"requestId": id})
        result = server.call("poll", {"action": "wait", "wait_seconds": 60})
        self.assertEqual(result["structuredContent"]["status"], "done")
        self.assertEqual([m for m in server.messages if m.get("id") == id], [])
        self.assertEqual(world.sim.totals()["charges"], 1)
        self.finish(server)

    def test_fifty_at_once(self):
        server = self.open()
        ids = [server.begin("tools/call", {"name": "generate_image",
                                           "arguments": {"prompt": "boat %d" % i}})
               for i in range(50)]
        results = [server.answer(id)["result"] for id in ids]
        self.assertFalse([r for r in results if r["isError"]])
        self.assertEqual(len({r["structuredContent"]["job"] for r in results}), 50)
        self.assertEqual(server.world.sim.totals()["charges"], 50)
        self.finish(server)

    def test_too_many_at_once(self):
        server = self.open()
        server.world.sim.set(**LONG)
        ids = [server.begin("tools/call", {"name": "generate_image",
                                           "arguments": {"prompt": "a", "wait_seconds": 600}})
               for _ in range(257)]
        self.assertEqual(server.answer(ids[256])["error"]["code"], -32603)
        for id in ids[:256]:
            server.notify("notifications/cancelled", {"requestId": id})
        server.ask("ping")
        self.finish(server)


class Resources(Case):
    def test_finished_files_can_be_listed_and_read_and_nothing_else(self):
        world = self.world()
        server = self.open(world=world)
        (file,) = server.call("generate_image", {"prompt": "a"})["structuredContent"]["files"]
        (row,) = server.ask("resources/list")["resources"]
        self.assertEqual((row["uri"], row["mimeType"], row["size"]),
                         ("file://" + file["path"], "image/png", file["bytes"]))
        (content,) = server.ask("resources/read", {"uri": row["uri"]})["contents"]
        with open(file["path"], "rb") as f:
            self.assertEqual(base64.b64decode(content["blob"]), f.read())
        for uri in ("file://" + world.config, row["uri"] + "/..", "file://" + world.workspace,
                    "http://127.0.0.1/", "x", row["uri"] + "%00"):
            self.assertEqual(server.fail("resources/read", {"uri": uri})["code"], -32002, uri)
        os.unlink(file["path"])
        self.assertEqual(server.fail("resources/read", {"uri": row["uri"]})["code"], -32002)
        self.finish(server)

    def test_another_conversations_files_are_not_shown(self):
        world = self.world()
        result = world.call("generate_image", {"prompt": "a"})  # agent-host's conversation
        server = self.open(world=world)
        self.assertEqual(server.ask("resources/list")["resources"], [])
        self.assertTrue(server.call("poll", {"job": result["job"]})["isError"])
        self.finish(server)
        server = self.open("--everybody", world=world)
        self.assertEqual(len(server.ask("resources/list")["resources"]), 1)
        self.finish(server)


class Roots(Case):
    def picture(self, world, *folder):
        os.makedirs(world.path(*folder), exist_ok=True)
        path = world.path(*folder, "a.png")
        with open(path, "wb") as f:
            f.write(harness.png(64, 64))
        return path

    def edit(self, path, **more):
        return dict({"name": "generate_image", "arguments": {
            "prompt": "at night", "reference_images": [path], "dry_run": True}}, **more)

    def test_every_allow_is_a_folder_of_its_own(self):
        world = self.world()
        inside, outside = self.picture(world, "more", "in it"), self.picture(world, "not")
        server = self.open("--allow", world.path("more"), world=world)
        self.assertFalse(server.ask("tools/call", self.edit(inside))["isError"])
        self.assertTrue(server.ask("tools/call", self.edit(outside))["isError"])
        self.finish(server)

    def test_asked_for_after_the_handshake_and_when_they_change(self):
        world = self.world()
        paths = [self.picture(world, "one"), self.picture(world, "two")]
        server = self.open(world=world, roots={"listChanged": True})
        asked = server.request("roots/list")
        id = server.begin("tools/call", self.edit(paths[0]))    # waits for the answer
        server.ask("ping")
        server.send({"jsonrpc": "2.0", "id": asked["id"],
                     "result": {"roots": [{"uri": "file://" + world.path("one")}, {"uri": "http://x/"}]}})
        self.assertFalse(server.answer(id)["result"]["isError"])
        self.assertTrue(server.ask("tools/call", self.edit(paths[1]))["isError"])
        server.notify("notifications/roots/list_changed")
        again = server.request("roots/list")
        self.assertNotEqual(again["id"], asked["id"])
        server.send({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}},  # an old answer
                    {"jsonrpc": "2.0", "id": again["id"],
                     "result": {"roots": [{"uri": "file://" + world.path("two")}]}})
        self.assertFalse(server.ask("tools/call", self.edit(paths[1]))["isError"])
        self.assertTrue(server.ask("tools/call", self.edit(paths[0]))["isError"])
        self.finish(server)

    def test_a_client_that_does_not_tell_them(self):
        world = self.world()
        path = self.picture(world, "one")
        for answer in ({"error": {"code": -32601, "message": "no"}}, None):
            server = self.open(world=world, roots={})
            id = server.begin("tools/call", self.edit(path))
            asked = server.request("roots/list")
            if answer:
                server.send(dict(answer, jsonrpc="2.0", id=asked["id"]))
            self.assertTrue(server.answer(id)["result"]["isError"])
            self.finish(server)

    def test_results_go_into_the_first_root_without_allow(self):
        world = self.world()
        os.mkdir(world.path("project"))
        roots = {"roots": [{"uri": "file://" + world.path("project")}]}
        call = {"name": "generate_image", "arguments": {"prompt": "a"}}
        old = Server(world, allow=False)
        old.initialize(roots={})
        id = old.begin("tools/call", call)
        old.send({"jsonrpc": "2.0", "id": old.request("roots/list")["id"], "result": roots})
        new = Server(world, allow=False)
        for result in (old.answer(id)["result"], new.ask("tools/call", dict(
                call, arguments={"prompt": "b"}, _meta=meta(roots={}),
                inputResponses={"roots": roots}))):
            (file,) = result["structuredContent"]["files"]
            self.assertEqual(os.path.dirname(file["path"]), world.path("project", "tmp", "images"))
        for server in (old, new):
            self.finish(server)

    def test_asked_for_on_the_way_in_the_new_era(self):
        world = self.world()
        path = self.picture(world, "one")
        server = self.open(world=world, revision=None)
        m = meta(roots={})
        asked = server.ask("tools/call", self.edit(path, _meta=m))
        self.check(asked, {"resultType": "input_required",
                           "inputRequests": {"roots": {"method": "roots/list"}}})
        told = {"roots": {"roots": [{"uri": "file://" + world.path("one")}]}}
        self.assertFalse(server.ask("tools/call", self.edit(path, _meta=m, inputResponses=told))["isError"])
        for more in ({"_meta": meta()}, {"_meta": m, "inputResponses": {}}):  # nothing is remembered
            self.assertTrue(server.ask("tools/call", self.edit(path, **more))["isError"])
        self.finish(server)


class Tasks(Case):
    CALL = {"name": "generate_video", "arguments": {"prompt": "waves"}}

    def slow_world(self):
        world = self.world()
        world.sim.set(video_size="64x64", video_seconds=1, video_ms=800)
        return world

    def poll(self, server, id, wanted, **params):
        while True:
            task = server.ask("tasks/get", dict(params, taskId=id))
            self.assertEqual(task["taskId"], id)
            if task["status"] in wanted:
                return task
            self.assertEqual(task["status"], "working")

    def test_a_job_is_a_task_of_the_extension(self):
        server = self.open(world=self.slow_world(), revision=None)
        m = {"_meta": meta([TASKS])}
        task = server.ask("tools/call", dict(self.CALL, **m))
        self.check(task, {"resultType": "task", "taskId": str, "status": "working", "ttlMs": None,
                          "pollIntervalMs": int, "createdAt": str, "lastUpdatedAt": str,
                          "content": ABSENT})
        self.assertRegex(task["createdAt"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        done = self.poll(server, task["taskId"], ["completed"], **m)
        self.assertEqual(done["resultType"], "complete")
        self.assertEqual(done["createdAt"], task["createdAt"])
        self.assertFalse(done["result"]["isError"])
        harness.check_media(done["result"]["structuredContent"]["files"][0]["path"], "video")
        self.assertEqual(server.ask("tasks/update", dict(m, taskId=task["taskId"],
                                                         inputResponses={}))["resultType"], "complete")
        # A tool that is done at once, and a client without the extension, get results as ever.
        for request in ({"name": "list_models", **m}, dict(self.CALL, _meta=meta())):
            self.assertEqual(server.ask("tools/call", request)["resultType"], "complete")
        self.finish(server)

    def test_a_task_outlives_its_server(self):
        world = self.slow_world()
        server = self.open(world=world, revision=None)
        m = {"_meta": meta([TASKS])}
        task = server.ask("tools/call", dict(self.CALL, **m))
        world.sim.wait(method="GET")
        os.kill(server.pid, signal.SIGKILL)
        server = self.open(world=world, revision=None)
        self.assertEqual(self.poll(server, task["taskId"], ["completed"], **m)["createdAt"],
                         task["createdAt"])
        self.assertEqual(world.sim.totals()["charges"], 1)
        self.finish(server)

    def test_cancelling_a_task_ends_its_job(self):
        world = self.world()
        world.sim.set(video_ms=60000)
        server = self.open(world=world, revision=None)
        m = {"_meta": meta([TASKS])}
        id = server.ask("tools/call", dict(self.CALL, **m))["taskId"]
        world.sim.wait(spends=1)
        self.check(server.ask("tasks/cancel", dict(m, taskId=id)), {"resultType": "complete"})
        self.poll(server, id, ["cancelled"], **m)
        self.finish(server)

    def test_a_failed_job_is_a_completed_task_with_an_error(self):
        world = self.world()
        server = self.open(world=world, revision=None)
        m = {"_meta": meta([TASKS])}
        call = {"name": "generate_image", "arguments": {"prompt": "a", "model": "no-such-model"}, **m}
        result = server.ask("tools/call", call)
        if result["resultType"] == "task":
            result = self.poll(server, result["taskId"], ["completed"], **m)["result"]
        self.assertTrue(result["isError"], result)
        self.finish(server)

    def test_the_experimental_tasks_of_2025_11_25(self):
        server = self.open(world=self.slow_world())
        tools = {t["name"]: t.get("execution") for t in server.ask("tools/list")["tools"]}
        self.assertEqual(tools["generate_video"], {"taskSupport": "optional"})
        self.assertIsNone(tools["list_models"])
        task = server.ask("tools/call", dict(self.CALL, task={"ttl": 60000}))["task"]
        self.assertEqual(task["status"], "working")
        result = server.ask("tasks/result", {"taskId": task["taskId"]})
        self.assertEqual(result["_meta"], {META + "related-task": {"taskId": task["taskId"]}})
        harness.check_media(result["structuredContent"]["files"][0]["path"], "video")
        self.assertEqual(self.poll(server, task["taskId"], ["completed"])["ttl"], None)
        self.assertEqual([(t["taskId"], t["status"]) for t in server.ask("tasks/list")["tasks"]],
                         [(task["taskId"], "completed")])
        self.assertEqual(server.fail("tasks/cancel", {"taskId": task["taskId"]})["code"], -32602)
        self.assertEqual(server.fail("tools/call", {"name": "list_models", "task": {}})["code"], -32601)
        server.world.sim.set(video_ms=60000)
        id = server.ask("tools/call", {"name": "generate_video", "arguments": {"prompt": "b"},
                                       "task": {}})["task"]["taskId"]
        self.assertEqual(server.ask("tasks/cancel", {"taskId": id})["status"], "cancelled")
        self.finish(server)


class Subscriptions(Case):
    def test_listening_is_acknowledged_and_ends_with_the_server(self):
        server = self.open(revision=None)
        wanted = {"toolsListChanged": True, "resourcesListChanged": True}
        ids = [server.begin("subscriptions/listen", {"notifications": wanted, "_meta": meta()})
               for _ in range(2)]
        for id in ids:
            self.assertEqual(server.notification("notifications/subscriptions/acknowledged")["params"],
                             {"_meta": {META + "subscriptionId": id},
                              "notifications": {"toolsListChanged": True}})
        server.notify("notifications/cancelled", {"requestId": ids[0]})
        server.ask("tools/list", {"_meta": meta()})
        self.assertEqual(server.end().code, 0)
        self.assertEqual(server.answer(ids[1])["result"]["_meta"][META + "subscriptionId"], ids[1])
        self.assertEqual(server.messages, [])


class Life(Case):
    def test_the_end_of_input_ends_it_and_keeps_the_job(self):
        world = self.world()
        world.sim.set(image_delay_ms=2000)
        server = self.open(world=world)
        server.begin("tools/call", {"name": "generate_image", "arguments": {"prompt": "a"}})
        world.sim.wait(spends=1)
        self.assertEqual(server.end(10).code, 0)
        server = self.open(world=world)
        result = server.call("poll", {"action": "wait"})
        self.assertEqual(result["structuredContent"]["status"], "done", result)
        self.assertEqual(world.sim.totals()["charges"], 1)
        self.finish(server)

    def test_sigterm_answers_what_is_open(self):
        world = self.world()
        world.sim.set(video_ms=60000)
        server = self.open(world=world)
        id = server.begin("tools/call", {"name": "generate_video", "arguments": {"prompt": "a"}})
        world.sim.wait(spends=1)
        os.kill(server.pid, signal.SIGTERM)
        result = server.answer(id)["result"]
        self.assertTrue(result["isError"])
        self.assertRegex(result["content"][0]["text"], r"job_\w+")
        self.assertEqual(server.wait(10).code, 0)

    def test_killed_in_between(self):
        world = self.world()
        world.sim.set(video_size="64x64", video_seconds=1, video_ms=1500)
        server = self.open(world=world)
        args = {"prompt": "waves", "seconds": 4}
        server.begin("tools/call", {"name": "generate_video", "arguments": args})
        world.sim.wait(method="GET")    # accepted, and asked for since
        os.kill(server.pid, signal.SIGKILL)
        # The client asks again, since it has heard nothing: it is the same job.
        server = self.open(world=world)
        result = server.call("generate_video", args)
        self.assertFalse(result["isError"], result)
        harness.check_media(result["structuredContent"]["files"][0]["path"], "video")
        self.assertEqual(world.sim.totals()["charges"], 1)
        self.finish(server)

    def test_a_client_that_does_not_read_holds_up_only_itself(self):
        server = self.open()
        server.pause()
        line = json.dumps({"jsonrpc": "2.0", "method": "tools/list", "id": 0})
        ids = range(10000, 13000)

        def flood():
            for id in ids:
                server.write(line.replace('"id": 0', '"id": %d' % id) + "\n")

        writer = threading.Thread(target=flood, daemon=True)
        writer.start()
        writer.join(2)  # it is stuck by now: the server reads no more than it can answer
        self.assertTrue(writer.is_alive())
        if not harness.programs.sanitize:   # with sanitizers memory is theirs to use
            self.assertLess(harness.peak_kib(server.pid), 32 * 1024)
        server.pause(False)
        writer.join(harness.LIMIT_S)
        for id in ids:
            server.answer(id)
        self.finish(server)

    def test_a_client_that_closes_our_output(self):
        server = self.open()
        server.hang_up()
        server.begin("ping")
        server.process.wait(harness.LIMIT_S)
        self.assertEqual(server.process.returncode, 0, server.err)
        self.assertIn("the client is gone", server.err)

    def test_wrong_options(self):
        world = self.world()
        for options in (["--wait", "x"], ["--nope"], ["command"], ["--conversation", ""]):
            server = Server(world, *options)
            self.assertEqual(server.wait().code, 2, server.err)
        server = Server(world, "--plugin", "/nonexistent.so")
        self.assertEqual(server.wait().code, 3, server.err)

    def test_the_log_goes_into_a_file(self):
        server = self.open("--log", self.world().path("log"))
        server.ask("ping")
        self.finish(server)
        self.assertEqual(server.err, "")
        with open(server.argv[-1], encoding="utf-8") as f:
            self.assertIn("clawmedia", f.read())


if __name__ == "__main__":
    harness.main()
