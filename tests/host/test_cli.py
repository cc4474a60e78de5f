#!/usr/bin/env python3
"""agent-host from outside, with the probe plugin: output, exit codes, signals, the outbox.

usage: test_cli.py AGENT_HOST PROBE_PLUGIN [unittest arguments]
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

AGENT_HOST, PLUGIN = sys.argv[1:3]
LIMIT = 60  # seconds, for anything that does not come


class Base(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="ahp-cli-")
        self.addCleanup(self.dir.cleanup)
        self.state = self.path("state")
        self.outbox = self.path("out")
        os.mkdir(self.state)

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def command(self, *args, check=True):
        return [AGENT_HOST, "--plugin", PLUGIN, "--state", self.state,
                "--check" if check else "--no-check", *args]

    def run_host(self, *args, check=True, code=0, stdin=None):
        r = subprocess.run(self.command(*args, check=check), input=stdin, capture_output=True,
                           text=True, timeout=LIMIT)
        self.assertEqual(r.returncode, code, (args, r.stdout, r.stderr))
        return r

    def call(self, *args, **kw):
        """A call whose standard output must be exactly one line of JSON."""
        r = self.run_host("call", *args, **kw)
        self.assertEqual(r.stdout.count("\n"), 1, r.stdout)
        self.assertTrue(r.stdout.endswith("\n"))
        return json.loads(r.stdout), r.stderr

    def messages(self):
        names = sorted(n for n in os.listdir(self.outbox) if n.endswith(".json"))
        found = []
        for name in names:
            with open(os.path.join(self.outbox, name), encoding="utf-8") as f:
                found.append(json.load(f))
        return found

    def script(self, *lines):
        with open(self.path("script"), "w") as f:
            f.write("".join(line + "\n" for line in lines))
        return ["--outbox", self.outbox, "--outbox-script", self.path("script")]


class Calls(Base):
    def test_result_is_one_line_and_alone(self):
        result, words = self.call("echo", '{"a": [1.10, "x\\ny"]}')
        self.assertEqual(result["args"], {"a": [1.10, "x\ny"]})
        self.assertEqual(result["conversation"], "cli")
        self.assertEqual(result["flags"], 1 | 2)  # NO_LATE_DELIVERY, ONE_SHOT
        self.assertEqual(words, "")

    def test_arguments_from_stdin_and_file(self):
        self.assertEqual(self.call("echo", "-", stdin='{"b": 2}')[0]["args"], {"b": 2})
        with open(self.path("args"), "w") as f:
            f.write(json.dumps({"c": "d" * 300000}))
        self.assertEqual(len(self.call("echo", "@" + self.path("args"))[0]["args"]["c"]), 300000)
        self.assertEqual(self.call("echo")[0]["args"], {})

    def test_what_the_call_says(self):
        out = ["--outbox", self.outbox]
        r = self.call("echo", "{}", "--conversation", "chat 1", "--locale", "zh-CN",
                      "--timeout", "9", "--background", *out)[0]
        self.assertEqual((r["conversation"], r["locale"], r["reply_to"], r["deadline"]),
                         ("chat 1", "zh-CN", "chat 1", True))
        self.assertEqual(r["flags"], 2 | 4)  # ONE_SHOT, DETACH
        r = self.call("echo", "{}", "--reply-to", "room 7", *out)[0]
        self.assertEqual((r["reply_to"], r["flags"]), ("room 7", 2))
        r = self.call("echo", "{}", "--background")[0]
        self.assertEqual((r["reply"], r["flags"]), (False, 1 | 2 | 4))

    def test_tool_errors_exit_1(self):
        for status in (1, 2, 5):
            result, words = self.call("fail", json.dumps({"status": status}), code=1)
            self.assertEqual(result["error"]["kind"], "test")
            self.assertNotEqual(words, "")
        self.assertIn("as asked", self.call("fail", "{}", code=1)[1])

    def test_pending_job_exits_0_and_says_how_to_go_on(self):
        result, words = self.call("deliver", "{}", "--background", "--outbox", self.outbox)
        self.assertEqual(result, {"status": "submitted", "job": "job_1"})
        self.assertIn("run --until-idle", words)
        self.assertIn('poll \'{"job": "job_1"}\'', words)

    def test_a_result_without_json_gets_some(self):
        self.assertEqual(self.call("misbehave", '{"how": "silent"}', check=False)[0],
                         {"status": "done", "job": "job_s"})

    def test_usage_exits_2(self):
        for args in ([], ["nonsense"], ["call"], ["tools", "x"], ["call", "echo", "{}", "x"],
                     ["--nonsense"], ["call", "echo", "[1]"], ["call", "echo", "{"],
                     ["call", "echo", "@/nonexistent"], ["--timeout", "x", "tools"],
                     ["--timeout", "-1", "tools"], ["--reply-to", "x", "call", "echo"],
                     ["--until-idle", "tools"], ["call", "no_such_tool"],
                     ["--outbox", "/proc/none", "call", "echo"]):
            r = self.run_host(*args, code=2)
            self.assertEqual(r.stdout, "", args)
            self.assertNotEqual(r.stderr, "", args)

    def test_host_and_plugin_failures_exit_3(self):
        r = self.run_host("--plugin", self.path("none.so"), "tools", code=3)
        self.assertIn("none.so", r.stderr)
        r = self.run_host("--config", self.path("any"), "tools", code=3)
        self.assertIn("probe refuses its configuration", r.stderr)
        for check in (True, False):
            r = self.run_host("call", "misbehave", '{"how": "text"}', code=3, check=check)
            self.assertEqual(r.stdout, "")
        r = self.run_host("call", "fail", '{"refuse": -1}', code=3)
        self.assertEqual(r.stdout, "")

    def test_a_breach_exits_3_under_check(self):
        r = self.run_host("call", "misbehave", '{"how": "twice"}', code=3)
        self.assertIn("plugin misbehaves", r.stderr)
        self.run_host("call", "misbehave", '{"how": "leak"}', code=3)
        r = self.run_host("call", "misbehave", '{"how": "leak"}', check=False)
        self.assertIn("left 1 timers behind", r.stderr)

    def test_no_answer_in_time_exits_3(self):
        # the host itself waits 5 s longer than it told the plugin
        r = self.run_host("--timeout", "0.1", "call", "misbehave", '{"how": "never"}',
                          check=False, code=3)
        self.assertIn("no answer in time", r.stderr)

    def test_closed_stdout_exits_3(self):
        with open("/dev/full", "w") as full:
            r = subprocess.run(self.command("call", "echo"), stdout=full, stderr=subprocess.PIPE,
                               text=True, timeout=LIMIT)
        self.assertEqual(r.returncode, 3)
        self.assertIn("standard output", r.stderr)

    def test_slow_callback_is_named(self):
        r = self.run_host("--stats", "call", "misbehave", '{"how": "slow"}')
        self.assertIn("held the loop", r.stderr)
        stats = json.loads(r.stderr.strip().splitlines()[-1])
        self.assertEqual(stats["callbacks"]["max_kind"], "call")
        self.assertGreaterEqual(stats["callbacks"]["max_us"], 25000)
        self.assertEqual(stats["breaches"], 0)

    def test_log_only_when_asked(self):
        self.assertNotIn("probe started", self.run_host("call", "echo").stderr)
        self.assertIn("probe started", self.run_host("-v", "call", "echo").stderr)

    def test_one_task_without_work(self):
        out = ["--outbox", self.outbox, "--no-work"]
        self.call("deliver", '{"bytes": 3000000}', "--background", *out)
        self.assertEqual(self.call("tasks", *out)[0], {"tasks": 1})

    def test_progress_in_a_pipe_is_lines(self):
        _, words = self.call("sleep", '{"ms": 300, "steps": 20}')
        self.assertRegex(words, r"^sleep: step 1 of 20 \(0:00, 4%\)\n")
        self.assertLessEqual(words.count("\n"), 2)  # not more than one a second
        self.assertNotIn("\x1b", words)


class Lists(Base):
    def test_tools(self):
        lines = self.run_host("tools").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["TOOL", "DOES"])
        self.assertEqual(lines[1], "echo       Answers what the call said.")
        tools = json.loads(self.run_host("tools", "--json").stdout)
        self.assertEqual(tools[0]["name"], "echo")
        self.assertEqual(tools[0]["input_schema"], {"type": "object"})

    def test_jobs(self):
        r = self.run_host("jobs")
        self.assertEqual(r.stdout.splitlines(), [
            "JOB    STATE        KIND   MODEL  AGE     DETAIL",
            "job_a  working      video  m      12 min  一只红船  [31m",
            "job_c  working 40%  image  n      7 s     a boat on a lak…: one.png and 1 more"])
        self.assertNotIn("job_b", r.stdout)
        self.assertNotIn("\x1b", r.stdout)
        self.assertIn("1 that ended", r.stderr)
        self.assertIn("job_b", self.run_host("jobs", "--all").stdout)
        self.assertEqual(len(json.loads(self.run_host("jobs", "--json").stdout)["jobs"]), 3)

    def test_help_and_version(self):
        r = self.run_host("--help")
        for word in ("SYNOPSIS", "EXIT STATUS", "EXAMPLES", "--outbox-script"):
            self.assertIn(word, r.stdout)
        self.assertTrue(all(len(line) <= 100 for line in r.stdout.splitlines()))
        self.assertRegex(self.run_host("--version").stdout, r"^agent-host \d+\.\d+\.\d+\n$")


class Outbox(Base):
    def submit(self, args="{}", *more):
        return self.call("deliver", args, "--background", "--conversation", "chat:1",
                         "--outbox", self.outbox, *more)[0]["job"]

    def idle(self, *args, code=0, check=True):
        r = self.run_host("run", "--until-idle", "--timeout", "30", "--stats", *args, code=code,
                          check=check)
        return json.loads(r.stderr.strip().splitlines()[-1])["deliveries"], r.stderr

    def held_back(self, args="{}"):
        """A job whose first offer is put off for so long that this process does not deliver it."""
        self.submit(args, "--outbox-script", self.script("later 100000")[3])
        self.assertEqual(self.messages(), [])

    def test_delivers_in_a_later_process(self):
        for extra in ([], ["--no-work"]):
            with self.subTest(extra=extra):
                self.outbox = self.path("out%d" % len(extra))
                self.held_back('{"bytes": 1000000, "text": "一只红船"}')
                counts, _ = self.idle("--outbox", self.outbox, *extra)
                self.assertEqual((counts["delivered"], counts["failed"]), (1, 0))
                self.whole_message()

    def whole_message(self):
        found = self.messages()
        self.assertEqual(len(found), 1)
        m = found[0]
        self.assertEqual((m["key"], m["job"], m["reply_to"], m["conversation"], m["kind"]),
                         ("probe:job_1:1", "job_1", "chat:1", "chat:1", "result"))
        self.assertEqual(m["text"], "一只红船")
        self.assertRegex(m["delivered_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        f = m["files"][0]
        self.assertEqual((f["name"], f["bytes"], f["handle"]), ("data 图.bin", 1000000, "bin_1"))
        self.assertEqual(f["path"], os.path.join(os.path.realpath(self.outbox), "media",
                                                 "probe=job_1=1", "data 图.bin"))
        with open(f["path"], "rb") as media:
            self.assertEqual(media.read(), b"m" * 1000000)
        self.assertEqual(self.leftovers(), [])
        self.assertEqual(os.listdir(self.outbox).count("probe=job_1=1.json"), 1)

    def leftovers(self):
        return [n for _, _, names in os.walk(self.outbox) for n in names if n.endswith(".part")]

    def test_says_what_was_delivered(self):
        self.held_back()
        _, words = self.idle("--outbox", self.outbox)
        self.assertRegex(words, r"delivered job_1 to chat:1: \S+/probe=job_1=1\.json\n")

    def test_repeats_are_dropped_and_counted(self):
        self.held_back()
        self.patch(repeat=2)
        counts, _ = self.idle("--outbox", self.outbox, check=False)
        self.assertEqual((counts["delivered"], counts["repeats"]), (1, 2))
        self.assertEqual(len(self.messages()), 1)
        with open(os.path.join(self.outbox, "repeats.log")) as f:
            lines = f.read().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("probe:job_1:1 attempt=2", lines[0])

    def patch(self, **values):
        path = os.path.join(self.state, "probe-1.json")
        with open(path) as f:
            record = json.load(f)
        record.update(values)
        with open(path, "w") as f:
            json.dump(record, f)

    def test_every_answer_of_the_script(self):
        self.held_back()
        counts, _ = self.idle(*self.script("# first", "later 20", "busy", "unknown", "held 50",))
        self.assertEqual((counts["delivered"], counts["repeats"], counts["offers"]), (1, 0, 4))
        self.assertEqual(len(self.messages()), 1)
        self.assertEqual(os.listdir(os.path.join(self.outbox, "held")), [])

    def test_unknown_but_written_is_dropped_the_second_time(self):
        self.held_back()
        counts, _ = self.idle(*self.script("unknown-written"))
        self.assertEqual((counts["delivered"], counts["repeats"]), (1, 1))
        self.assertEqual(len(self.messages()), 1)

    def test_refused_is_final(self):
        self.held_back()
        counts, _ = self.idle(*self.script("refused"))
        self.assertEqual((counts["refused"], counts["offers"]), (1, 1))
        self.assertEqual(self.messages(), [])
        self.assertEqual(self.idle("--outbox", self.outbox)[0]["offers"], 0)

    def test_held_survives_the_process(self):
        self.held_back()
        p = subprocess.Popen(self.command("run", *self.script("held 100000"), check=False),
                             stderr=subprocess.DEVNULL)
        held = os.path.join(self.outbox, "held")
        self.wait_for(lambda: os.path.isdir(held) and
                      any(n.endswith(".json") for n in os.listdir(held)) and self.noted_held())
        p.kill()
        p.wait(LIMIT)
        self.assertEqual(self.messages(), [])
        self.idle("--outbox", self.outbox)
        self.assertEqual(len(self.messages()), 1)

    def held_files(self):
        held = os.path.join(self.outbox, "held")
        return [n for n in os.listdir(held) if n.endswith(".json")] if os.path.isdir(held) else []

    def hold(self, ms):
        """A running process that holds the message of one job."""
        self.held_back()
        p = subprocess.Popen(self.command("run", *self.script("held %d" % ms), check=False),
                             stderr=subprocess.PIPE, text=True)
        self.wait_for(lambda: self.held_files() and self.noted_held())
        return p

    def tell(self, what):
        with open(os.path.join(self.state, what), "w"):
            pass

    def test_tools_releases_nothing(self):
        p = self.hold(100000)
        p.kill()
        p.communicate(timeout=LIMIT)
        self.run_host("tools", "--outbox", self.outbox)
        self.run_host("--plugin", self.path("none.so"), "run", "--until-idle", "--outbox",
                      self.outbox, code=3)
        self.assertEqual((self.messages(), len(self.held_files())), ([], 1))
        self.idle("--outbox", self.outbox)
        self.assertEqual((len(self.messages()), self.held_files()), (1, []))

    def test_receipt_of_a_held_message_is_said_until_it_is_taken(self):
        p = self.hold(100000)
        p.kill()
        p.communicate(timeout=LIMIT)
        self.tell("no-receipts")
        r = self.run_host("run", "--until-idle", "--timeout", "0.5", "--outbox", self.outbox,
                          code=1)
        self.assertIn("1 unfinished", r.stderr)
        self.assertEqual((len(self.messages()), len(self.held_files())), (1, 1))
        os.unlink(os.path.join(self.state, "no-receipts"))
        counts, _ = self.idle("--outbox", self.outbox)
        self.assertEqual((counts["delivered"], counts["offers"]), (0, 0))
        self.assertEqual((len(self.messages()), self.held_files()), (1, []))

    def test_nothing_is_released_while_the_instance_goes(self):
        # the held message falls due while destroy runs, which is after the last receipt
        self.tell("slow-destroy")
        p = self.hold(1500)
        p.terminate()
        words = p.communicate(timeout=LIMIT)[1]
        self.assertEqual((p.returncode, "Sanitizer" in words), (0, False), words)
        self.assertEqual(self.messages(), [])
        os.unlink(os.path.join(self.state, "slow-destroy"))
        self.idle("--outbox", self.outbox)
        self.assertEqual(len(self.messages()), 1)

    def noted_held(self):
        with open(os.path.join(self.state, "probe-1.json")) as f:
            return '"held"' in f.read()

    def wait_for(self, what):
        end = time.monotonic() + LIMIT
        while not what():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_killed_while_writing(self):
        self.held_back('{"bytes": 40000000}')
        for extra in ([], ["--no-work"]) * 3:
            p = subprocess.Popen(self.command("run", "--outbox", self.outbox, *extra),
                                 stderr=subprocess.DEVNULL)
            self.wait_for(lambda: self.leftovers() or self.messages())
            p.kill()
            p.wait(LIMIT)
            if self.messages():
                break
        self.idle("--outbox", self.outbox)
        found = self.messages()
        self.assertEqual(len(found), 1)
        self.assertEqual(os.stat(found[0]["files"][0]["path"]).st_size, 40000000)

    def test_two_hosts_write_a_key_once(self):
        states = [self.path("state%d" % i) for i in range(4)]
        for self.state in states:
            os.mkdir(self.state)
            self.held_back('{"bytes": 3000000}')
        running = []
        for self.state in states:
            running.append(subprocess.Popen(
                self.command("run", "--until-idle", "--stats", "--timeout", "30", "--outbox",
                             self.outbox), stderr=subprocess.PIPE, text=True))
        counts = []
        for p in running:
            words = p.communicate(timeout=LIMIT)[1]
            self.assertEqual(p.returncode, 0, words)
            counts.append(json.loads(words.strip().splitlines()[-1])["deliveries"])
        self.assertEqual(sum(c["delivered"] for c in counts), 1)
        self.assertEqual(sum(c["repeats"] for c in counts), 3)
        self.assertEqual(len(self.messages()), 1)

    def test_missing_file_is_refused(self):
        self.held_back()
        os.unlink(os.path.join(self.state, "probe-1.bin"))
        counts, words = self.idle("--outbox", self.outbox)
        self.assertEqual(counts["refused"], 1)
        self.assertIn("probe-1.bin", words)
        self.assertEqual(self.messages(), [])
        self.assertEqual(self.leftovers(), [])

    def test_short_file_is_refused(self):
        self.held_back()
        self.patch(bytes=11)
        self.assertEqual(self.idle("--outbox", self.outbox)[0]["refused"], 1)
        self.assertEqual(self.messages(), [])
        self.assertEqual(self.leftovers(), [])

    def test_keys_cannot_leave_the_folder(self):
        self.held_back()
        for key in ("..", ".hidden", "a" * 256):
            self.patch(key=key)
            self.idle("--outbox", self.outbox)
            self.submit("{}", "--outbox-script", self.script("later 100000")[3])
        self.assertEqual(sorted(m["key"][:7] for m in self.messages()), ["..", ".hidden", "aaaaaaa"])
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["out", "script", "state"])
        self.assertNotIn(".hidden.json", os.listdir(self.outbox))

    def test_until_idle_gives_up(self):
        self.held_back()
        r = self.run_host("run", "--until-idle", "--timeout", "0.3",
                          *self.script("later 100000"), code=1)
        self.assertIn("1 unfinished", r.stderr)
        self.assertEqual(r.stdout, "")

    def test_without_outbox_nothing_is_offered_to(self):
        self.held_back()
        counts, _ = self.idle()
        self.assertEqual((counts["delivered"], counts["receipts"]), (0, 0))

    def test_bad_script(self):
        r = self.run_host("run", *self.script("later"), code=2)
        self.assertIn("line 1", r.stderr)


class Screen:
    """agent-host on a pseudo-terminal; stdout goes to a pipe of its own."""

    def __init__(self, command, columns=80, **env):
        self.text = b""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environ = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environ[name] = os.environ[name]
        self.process = subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, stderr=slave,
                                        env=environ, start_new_session=True)
        os.close(slave)
        self.master = master

    def until(self, pattern):
        end = time.monotonic() + LIMIT
        while not re.search(pattern, self.text.decode(errors="replace")):
            if time.monotonic() > end:
                raise AssertionError("did not come: %r in %r" % (pattern, self.text))
            self.read()

    def read(self):
        if not select.select([self.master], [], [], LIMIT)[0]:
            return False
        try:
            data = os.read(self.master, 4096)
        except OSError:
            return False
        self.text += data
        return bool(data)

    def end(self):
        while self.read():
            pass
        out = self.process.stdout.read().decode()
        self.process.stdout.close()
        os.close(self.master)
        return self.process.wait(LIMIT), out, self.text.decode()


class Terminal(Base):
    def test_live_line_and_clean_end(self):
        s = Screen(self.command("call", "sleep", '{"ms": 600, "steps": 3}'))
        code, out, words = s.end()
        self.assertEqual((code, json.loads(out)["status"]), (0, "done"))
        self.assertIn("step 2 of 3", words)
        self.assertIn("50%", words)
        last = words.rsplit("\r\x1b[K", 1)[1]  # what stays on the screen
        self.assertRegex(last, r"^sleep: done in 0:0\d\r\n$")

    def test_no_color_and_dumb(self):
        _, _, words = Screen(self.command("call", "sleep", '{"ms": 300}'), NO_COLOR="1").end()
        self.assertNotRegex(words, r"\x1b\[[0-9;]*m")
        self.assertIn("\x1b[K", words)
        _, _, words = Screen(self.command("call", "sleep", '{"ms": 300}'), TERM="dumb").end()
        self.assertNotIn("\x1b", words)
        self.assertIn("sleep: step 1 of 1", words)

    def test_fits_the_width(self):
        for columns in (20, 40, 60):
            s = Screen(self.command("call", "sleep", '{"ms": 300, "steps": 2}'), columns, NO_COLOR="1")
            for line in s.end()[2].split("\r\x1b[K")[1:-1]:
                self.assertLess(len(line.rstrip("\r\n")), columns, line)

    def interrupted(self, signum, job):
        s = Screen(self.command("call", "sleep", json.dumps({"ms": 60000, "job": job})))
        s.until("step 1 of 1")
        os.kill(s.process.pid, signum)
        return s.end()

    def test_interrupt_keeps_the_job(self):
        code, out, words = self.interrupted(signal.SIGINT, True)
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out)["job"], "job_z")
        self.assertIn("run --until-idle", words)
        self.assertIn("job_z is kept", words)
        self.assertIn("--state " + self.state, words)

    def test_interrupt_without_a_job(self):
        self.assertEqual(self.interrupted(signal.SIGINT, False)[0], 130)
        self.assertEqual(self.interrupted(signal.SIGTERM, False)[0], 143)

    def test_control_c_from_the_terminal(self):
        s = Screen(["setsid", "-c", *self.command("call", "sleep", '{"ms": 60000, "job": true}')])
        s.until("step 1 of 1")
        os.write(s.master, b"\x03")
        code, out, _ = s.end()
        self.assertEqual((code, json.loads(out)["job"]), (0, "job_z"))

    def test_run_until_interrupted(self):
        s = Screen(self.command("run"))
        s.until("0 unfinished")
        os.kill(s.process.pid, signal.SIGTERM)
        code, out, _ = s.end()
        self.assertEqual((code, out), (0, ""))

    def test_second_interrupt_is_immediate(self):
        # a call that never ends keeps the instance, without the shim, until its deadline
        s = Screen(self.command("call", "misbehave", '{"how": "never"}', check=False))
        s.until("misbehave")
        os.kill(s.process.pid, signal.SIGINT)
        os.kill(s.process.pid, signal.SIGINT)
        self.assertIn(s.end()[0], (130, -signal.SIGINT))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
