"""Small previews of finished pictures: there on a terminal that can, within their bounds, and nothing
anywhere else, whatever the file is."""
import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import time
import zlib

import harness

IMAGE, VIDEO = "generate_image", "generate_video"
BOAT = {"prompt": "a boat", "model": "sim-image"}
BLOCKS = " ▀▄█▌▐▖▗▘▝▚▞▙▛▜▟"
SGR = re.compile(r"\x1b\[[0-9;]*m")
COLORS = {"TERM": "xterm-256color"}
PROGRAM = "agent-host-preview"
ALIEN = "\x1b]0;from the file\x07"


def picture_of(text):
    """The lines of the picture in what a terminal was sent, without colours."""
    lines = [SGR.sub("", line).replace("\r\x1b[K", "").strip("\r") for line in text.split("\n")]
    return [line for line in lines if set(line) <= set(BLOCKS) and set(line) & set(BLOCKS[1:])]


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body +
            struct.pack(">I", zlib.crc32(body)))


class Preview(harness.Case):
    def small_videos(self):
        world = self.world()
        world.sim.set(video_size="64x64", video_seconds=1, video_ms=0)
        return world

    def called(self, world, *options, tool=IMAGE, args=None, columns=80, rows=24, whole=True,
               program=None, **env):
        terminal = self.on_terminal(world, *options, "call", tool, json.dumps(args or BOAT),
                                    columns=columns, rows=rows, whole=whole, program=program,
                                    env=dict(COLORS, **env))
        terminal.end(0)
        self.assertNotIn("Sanitizer", terminal.text)
        return terminal.text

    def shown(self, text, columns=40, rows=12):
        lines = picture_of(text)
        self.assertTrue(lines, "no picture: %r" % text)
        self.assertLessEqual(len(lines), rows)
        for line in lines:
            self.assertLessEqual(len(line), columns, line)
        return lines

    def nothing(self, text):
        self.assertEqual(picture_of(text), [], text)
        self.assertNotRegex(text, r"\x1b[_P\]]")

    def own_programs(self, world, preview):
        """agent-host in a folder of its own, with that as the program beside it."""
        folder = world.path("programs")
        os.mkdir(folder)
        host = shutil.copy(harness.programs.host, folder)
        if preview is not None:
            path = os.path.join(folder, PROGRAM)
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n" + preview)
            os.chmod(path, stat.S_IRWXU)
        return host

    def undelivered(self, world):
        """A picture that is made, and that nobody has taken yet: its job and its file."""
        job = world.submit(IMAGE, BOAT, "--outbox-script", self.script(world))
        world.run("run", "--until-idle")
        (row,) = world.rows("SELECT path FROM files")
        self.assertEqual(world.messages(), [])
        return job, row["path"]

    def script(self, world, line="later 1"):
        with open(world.path("script"), "w", encoding="utf-8") as f:
            f.write(line + "\n")
        return world.path("script")

    def delivered_on(self, world, *options, columns=80, program=None, env=None):
        terminal = self.on_terminal(world, "--outbox", world.outbox, *options, "run", "--until-idle",
                                    columns=columns, whole=True, program=program,
                                    env=dict(COLORS, **(env or {})))
        terminal.end(0)
        self.assertNotIn("Sanitizer", terminal.text)
        return terminal.text


class Shown(Preview):
    def test_colours_that_the_terminal_has(self):
        world = self.world()
        text = self.called(world)
        self.shown(text)
        self.assertRegex(text, r"\x1b\[[0-9;]*[34]8;5;\d")
        self.assertNotRegex(text, r"\x1b\[[0-9;]*[34]8;2;\d")
        self.assertLess(text.index('"status":"done"'), text.index("▀"))
        text = self.called(world, COLORTERM="truecolor")
        self.shown(text)
        self.assertRegex(text, r"\x1b\[[0-9;]*[34]8;2;\d")
        text = self.called(world, TERM="linux")
        self.shown(text)
        self.assertNotRegex(text, r"\x1b\[[0-9;]*[34]8;\d")
        self.assertFalse(set("".join(picture_of(text))) & set("▖▗▘▝▚▞▙▛▜▟"))

    def test_pixels_where_the_environment_says_so(self):
        world = self.world()
        for env, begins in (({"TERM": "xterm-kitty"}, "\x1b_G"), ({"TERM": "mlterm"}, "\x1bP"),
                            ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]1337;")):
            text = self.called(world, **env)
            self.assertIn(begins, text, env)
            self.assertEqual(picture_of(text), [])

    def test_bounds(self):
        world = self.world()
        for columns, rows, wide, high in ((80, 24, 40, 12), (200, 60, 40, 12), (21, 24, 20, 12),
                                          (80, 9, 40, 6)):
            with self.subTest(columns=columns, rows=rows):
                lines = self.shown(self.called(world, columns=columns, rows=rows), wide, high)
                self.assertTrue(len(lines) == high or max(map(len, lines)) >= wide - 1, lines)
        for columns, rows in ((8, 24), (80, 6), (1, 1)):
            self.nothing(self.called(world, columns=columns, rows=rows))

    def test_delivered_pictures_stand_above_their_words(self):
        world = self.small_videos()
        jobs = [world.submit(IMAGE, dict(BOAT, prompt="boat %d" % i)) for i in range(3)]
        jobs.append(world.submit(VIDEO, {"prompt": "x", "model": "sim-video"}))
        text = self.delivered_on(world)
        parts = re.split(r"delivered (job_\w+) to cli: \S+\r\n", text, maxsplit=4)
        self.assertEqual(sorted(parts[1::2]), sorted(jobs))
        for job, above in zip(parts[1::2], parts[0::2]):
            if job == jobs[3]:
                self.nothing(above)
            else:
                self.shown(above)
        self.assertEqual(len(world.messages()), 4)


class Nothing(Preview):
    def test_where_nobody_sees_it(self):
        world = self.world()
        self.nothing(self.called(world, whole=False))
        self.nothing(self.called(world, TERM="dumb"))
        self.nothing(self.called(world, TERM=""))
        self.nothing(self.called(world, NO_COLOR="1"))
        self.nothing(self.called(world, "--no-preview"))
        self.assertEqual(picture_of(world.run("call", IMAGE, json.dumps(BOAT)).err), [])

    def test_scripts_and_videos(self):
        world = self.small_videos()
        self.undelivered(world)
        text = self.delivered_on(world, "--outbox-script", self.script(world))
        self.nothing(text)
        self.assertIn("delivered job_", text)
        self.nothing(self.called(world, tool=VIDEO, args={"prompt": "x", "model": "sim-video"}))

    def test_without_the_program(self):
        world = self.world()
        text = self.called(world, program=self.own_programs(world, None))
        self.nothing(text)
        self.assertNotIn("preview", text)

    def test_a_program_that_fails_or_floods(self):
        world = self.world()
        for preview in ("printf '▀▀▀▀▀'; exit 1", "printf '▀▀▀▀▀'; kill -9 $$", "exec yes '▀▀▀▀▀'"):
            with self.subTest(preview):
                shutil.rmtree(world.path("programs"), ignore_errors=True)
                text = self.called(world, program=self.own_programs(world, preview))
                self.nothing(text)
                self.assertIn('"status":"done"', text)

    def test_after_one_that_took_too_long_there_are_no_more(self):
        world = self.world()
        jobs = [world.submit(IMAGE, dict(BOAT, prompt="boat %d" % i)) for i in range(3)]
        host = self.own_programs(world, "printf '▀▀▀▀▀'; echo >> %s; exec sleep 600" % world.path("begun"))
        text = self.delivered_on(world, program=host)
        self.nothing(text)
        self.assertEqual(sorted(re.findall(r"delivered (job_\w+) to", text)), sorted(jobs))
        with open(world.path("begun"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "\n")

    def test_the_program_gets_no_keys(self):
        world = self.world()
        text = self.called(world, program=self.own_programs(world, "env > %s; exit 1" % world.path("env")),
                           COLORTERM="truecolor", LC_TERMINAL="iTerm2", SOME_API_KEY="a-secret")
        self.nothing(text)
        with open(world.path("env"), encoding="utf-8") as f:
            seen = dict(line.split("=", 1) for line in f.read().splitlines())
        os.unlink(world.path("env"))
        for name, value in dict(COLORS, COLORTERM="truecolor", LC_TERMINAL="iTerm2").items():
            self.assertEqual(seen.get(name), value)
        self.assertEqual({name for name in seen if not re.match("LC_|LANG$|LD_LIBRARY_PATH$", name)} -
                         {"PWD", "OLDPWD", "SHLVL", "_"}, {"TERM", "COLORTERM"})

    def test_a_program_that_hangs_is_not_waited_for(self):
        world = self.world()
        self.undelivered(world)
        host = self.own_programs(world, "echo > %s; exec sleep 600" % world.path("begun"))
        terminal = self.on_terminal(world, "--outbox", world.outbox, "run", whole=True, env=COLORS,
                                    program=host)
        end = time.monotonic() + harness.LIMIT_S
        while not os.path.exists(world.path("begun")):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        # The loop turns meanwhile: the live line moves, and the receipt has arrived.
        seen = terminal.text
        while terminal.text.count("\r\x1b[K") < seen.count("\r\x1b[K") + 3:
            self.assertTrue(terminal.read())
        self.assertEqual([job["state"] for job in world.ledger()], ["delivered"])
        began = time.monotonic()
        terminal.process.send_signal(signal.SIGTERM)
        terminal.end(0)
        self.assertLess(time.monotonic() - began, 4)
        self.nothing(terminal.text)
        self.assertEqual(terminal.text.count("delivered job_"), 1)

    def test_files_that_are_not_what_they_were(self):
        def cut(data):
            return data[:len(data) // 2] + bytes(len(data) - len(data) // 2)

        def alien(data):
            text = (ALIEN.encode() * (len(data) // len(ALIEN) + 1))
            return data[:64] + text[:len(data) - 64]

        def huge(data):
            return png_header(60000, 60000) + data[33:]

        for change in (cut, alien, huge):
            with self.subTest(change.__name__):
                world = self.world()
                job, path = self.undelivered(world)
                with open(path, "rb") as f:
                    data = f.read()
                with open(path, "wb") as f:
                    f.write(change(data))
                text = self.delivered_on(world)
                self.nothing(text)
                self.assertNotIn("from the file", text)
                self.assertIn("delivered " + job, text)


class Program(Preview):
    """agent-host-preview alone."""

    def draw(self, path, grid="40x12"):
        program = os.path.join(os.path.dirname(harness.programs.host), PROGRAM)
        r = subprocess.run([program, grid, "8x16", path], capture_output=True, timeout=harness.LIMIT_S,
                           env={"TERM": "xterm-256color", "PATH": os.environ.get("PATH", "")},
                           stdin=subprocess.DEVNULL, check=False)
        self.assertNotIn(b"Sanitizer", r.stderr)
        self.assertIn(r.returncode, (0, 1))
        self.assertEqual(r.returncode == 0, r.stdout != b"")
        return r.stdout.decode()

    def test_shapes(self):
        world = self.world(sim=False)
        for width, height, wide, high in ((1000, 1000, 24, 12), (4000, 20, 40, 1), (20, 4000, 1, 12),
                                          (1, 1, 24, 12)):
            with open(world.path("a.png"), "wb") as f:
                f.write(harness.png(width, height))
            lines = [SGR.sub("", line) for line in self.draw(world.path("a.png")).split("\n")]
            self.assertEqual((max(map(len, lines)), len(lines)), (wide, high), (width, height))

    def test_what_it_does_not_read(self):
        world = self.world(sim=False)
        good = harness.png(300, 300)
        cases = {"cut.png": good[:len(good) // 2], "huge.png": png_header(60000, 60000) + good[33:],
                 "empty.png": b"", "words.png": ALIEN.encode() * 100,
                 "a.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
                          b'<rect width="9" height="9" fill="red"/></svg>',
                 "a.ppm": b"P6 2 2 255 " + b"\xff\0\0" * 4}
        for name, data in cases.items():
            with open(world.path(name), "wb") as f:
                f.write(data)
            self.assertEqual(self.draw(world.path(name)), "", name)
        os.mkfifo(world.path("fifo"))
        for path in (world.path("fifo"), world.dir, "/dev/zero", world.path("none")):
            self.assertEqual(self.draw(path), "", path)
        os.unlink(world.path("fifo"))   # the world's end reads all of its files


if __name__ == "__main__":
    harness.main()
