"""What must not be seen: threads, children, keys."""
import ctypes
import os
import signal
import threading

import harness

IMAGE, VIDEO = "generate_image", "generate_video"

PTRACE_TRACEME, PTRACE_CONT, PTRACE_DETACH, PTRACE_SETOPTIONS, PTRACE_GETEVENTMSG = 0, 7, 17, 0x4200, 0x4201
WALL = 0x40000000  # waitpid: threads, too
TRACE_FORK, TRACE_VFORK, TRACE_CLONE, TRACE_EXITKILL = 2, 4, 8, 0x100000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def traced(argv, env, cwd, out, err, limit_s):
    """Runs a program under ptrace; (wait status, clones). Every thread and child is one clone."""
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.chdir(cwd)
            libc.ptrace(PTRACE_TRACEME, 0, None, None)
            os.execve(argv[0], argv, env)
        finally:
            os._exit(127)
    killer = threading.Timer(limit_s, os.kill, (pid, signal.SIGKILL))
    killer.start()
    clones = 0

    def release():
        """What is new stands still at first, and is of no further interest."""
        new = ctypes.c_ulong()
        if libc.ptrace(PTRACE_GETEVENTMSG, pid, None, ctypes.addressof(new)) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
        os.waitpid(new.value, WALL)
        libc.ptrace(PTRACE_DETACH, new.value, None, None)

    try:
        _, status = os.waitpid(pid, 0)  # stopped by its exec
        options = TRACE_FORK | TRACE_VFORK | TRACE_CLONE | TRACE_EXITKILL
        if os.WIFSTOPPED(status) and libc.ptrace(PTRACE_SETOPTIONS, pid, None, options) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
        pass_on = 0
        while os.WIFSTOPPED(status):
            if libc.ptrace(PTRACE_CONT, pid, None, pass_on) != 0:
                raise OSError(ctypes.get_errno(), "ptrace")
            _, status = os.waitpid(pid, 0)
            event = status >> 16
            if os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP and event:
                clones += 1
                release()
            pass_on = 0
            if os.WIFSTOPPED(status) and os.WSTOPSIG(status) != signal.SIGTRAP:
                pass_on = os.WSTOPSIG(status)
    finally:
        killer.cancel()
    return status, clones


class Threads(harness.Case):
    """--no-work: the host lends no threads, so there is exactly one task, and there are no children."""

    def named(self):
        world = self.world()
        name = "http://localhost:%d" % world.sim.port
        world.configure({"sim": {"baseUrl": name + "/v1", "apiKey": world.key}},
                        {"sim": {"poll_floor_ms": 40, "typical_seconds": 0}})
        world.sim.set(media_base=name, image_mode="url", video_mode="url", video_ms=600,
                      video_size="64x64", video_seconds=1)
        return world

    def test_every_clone_is_counted(self):
        """By ptrace, so that even a thread that lives for a moment is seen."""
        world = self.named()
        for i, args in enumerate((("call", IMAGE, '{"prompt": "named", "model": "sim-image"}'),
                                  ("call", VIDEO, '{"prompt": "named", "model": "sim-video"}'))):
            argv = [harness.programs.host, "--plugin", harness.programs.plugin, "--config",
                    world.config, "--state", world.state, "--workspace", world.workspace, "--check",
                    "--no-work", *args]
            # The leak checker of the sanitizer build would make a process of its own at the end.
            env = {"PATH": "/usr/bin:/bin", "HOME": world.home, "ASAN_OPTIONS": "detect_leaks=0"}
            with open(world.path("out"), "w+b") as out, open(world.path("err"), "w+b") as err:
                status, clones = traced(argv, env, world.workspace, out.fileno(), err.fileno(), 60)
                out.seek(0)
                err.seek(0)
                said = (out.read(), err.read())
            self.assertTrue(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, said)
            self.assertIn(b'"status":"done"', said[0])
            self.assertEqual(clones, 0, said)
        self.assertGreater(len(world.sim.log(path="/media")), 1)

    def test_the_counting_counts(self):
        """The same eye sees a thread where there is one: a host that lends its pool."""
        world = self.named()
        argv = [harness.programs.host, "--plugin", harness.programs.plugin, "--config", world.config,
                "--state", world.state, "--workspace", world.workspace, "call", IMAGE,
                '{"prompt": "named", "model": "sim-image"}']
        env = {"PATH": "/usr/bin:/bin", "HOME": world.home, "ASAN_OPTIONS": "detect_leaks=0"}
        with open(world.path("out"), "w+b") as out, open(world.path("err"), "w+b") as err:
            status, clones = traced(argv, env, world.workspace, out.fileno(), err.fileno(), 60)
        self.assertTrue(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0)
        self.assertGreater(clones, 0)

    def test_tasks_while_jobs_run(self):
        """From outside, as an operator would see it, with several jobs at once."""
        world = self.named()
        jobs = [world.submit(VIDEO if i % 2 else IMAGE,
                             {"prompt": "named %d" % i, "model": "sim-video" if i % 2 else "sim-image"})
                for i in range(6)]
        env = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=0"}
        host = world.start("--no-work", "run", "--until-idle", outbox=True, env=env)
        seen, looks = set(), 0
        while host.running():
            tasks = harness.tasks_of(host.pid)
            if tasks:
                seen.add(tasks)
                looks += 1
            if looks % 50 == 0:
                self.assertEqual(harness.children_of(host.pid), [])
        world.check(host.end())
        self.assertEqual(seen, {1})
        self.assertGreater(looks, 100)
        for i, job in enumerate(jobs):
            self.delivered(world, job, "video" if i % 2 else "image")


class Secrets(harness.Case):
    """World.close() looks for the keys after every test of this suite; here is where they could be."""

    def test_everywhere_and_loudly(self):
        world = self.world(provider={"headers": {"X-Extra-Key": "hdr-secret-4711-abcdef"}})
        world.secrets.append("hdr-secret-4711-abcdef")
        world.sim.set(video_size="64x64", video_seconds=1)
        host = world.start("--reply-to", "chat", "call", IMAGE, '{"prompt": "x"}', outbox=True)
        with open("/proc/%d/cmdline" % host.pid, "rb") as f:
            self.assertNotIn(world.key.encode(), f.read())
        self.assertEqual(world.check(host.end()).json["status"], "submitted")
        job = world.submit(VIDEO, {"prompt": "y"})
        loud = world.until_idle()
        self.assertIn(job, loud.err, "--verbose says nothing")
        world.call("list_models", {})
        world.call(IMAGE, {"prompt": "z", "dry_run": True})
        self.delivered(world, job, "video")
        headers = {k.lower() for k in world.sim.log(spends=1)[0]["headers"]}
        self.assertIn("x-extra-key", headers)
        self.assertIn("authorization", headers)

    def test_a_provider_that_echoes_the_key(self):
        """It must not come back through an error text, the ledger or a message."""
        world = self.world()
        echo = '{"error":{"message":"Incorrect API key provided: %s","code":"invalid_api_key"}}' % world.key
        world.sim.fault("POST /v1/images", "body", nth="every", status=401, body=echo,
                        content_type="application/json")
        result = world.call(IMAGE, {"prompt": "x"}, want=1)
        self.assertEqual(result["error"]["kind"], "auth")
        job = world.submit(IMAGE, {"prompt": "y"})
        world.until_idle()
        self.assertEqual(self.one_message(world, job)["kind"], "notice")

    def test_signed_addresses_are_not_kept(self):
        world = self.world()
        world.sim.set(image_mode="signed_url")
        result = world.call(IMAGE, {"prompt": "x"})
        self.assertNotIn("?", result["files"][0].get("url", ""))

    def test_the_ledger_is_private(self):
        world = self.world()
        world.call(IMAGE, {"prompt": "x"})
        for name in world.files("state"):
            mode = os.stat(world.path("state", name)).st_mode & 0o777
            self.assertEqual(mode & 0o077, 0, "%s is %o" % (name, mode))


if __name__ == "__main__":
    harness.main()
