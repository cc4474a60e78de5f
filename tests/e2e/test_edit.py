"""Editing parts of pictures: what reaches the provider, and what the user gets back."""
import json
import os
import shutil
import struct
import zlib

import harness

EDIT = "edit_image"
WIDTH, HEIGHT = 96, 64


def write_png(path, width, height, pixel, bands=3):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    kind = {1: 0, 3: 2, 4: 6}[bands]
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def read_png(path):
    """(width, height, bands, rows) of what the plugin writes: 8 bits, filters 0 and 1."""
    with open(path, "rb") as file:
        data = file.read()
    packed, at = b"", 8
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        if name == b"IHDR":
            width, height, _bits, kind = struct.unpack(">IIBB", data[at + 8:at + 18])
        elif name == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    bands = {0: 1, 2: 3, 6: 4}[kind]
    flat, step, rows = zlib.decompress(packed), width * bands + 1, []
    for y in range(height):
        row = bytearray(flat[y * step + 1:(y + 1) * step])
        assert flat[y * step] in (0, 1)
        if flat[y * step]:
            for i in range(bands, len(row)):
                row[i] = (row[i] + row[i - bands]) & 255
        rows.append(bytes(row))
    return width, height, bands, rows


def noise(x, y):
    value = (x * 7919 + y * 104729) * 2654435761
    return value >> 8 & 255, value >> 16 & 255, value >> 24 & 255


class Edits(harness.Case):
    def setUp(self):
        super().setUp()
        self.w = self.world()
        self.picture = write_png(os.path.join(self.w.workspace, "picture.png"), WIDTH, HEIGHT, noise)

    def edit(self, want=(0,), **args):
        args.setdefault("image", "picture.png")
        args.setdefault("prompt", "a red balloon")
        return self.w.call(EDIT, args, want=want)

    def sent(self):
        request = self.w.sim.log(spends=1)[-1]
        self.assertEqual(request["path"], "/v1/images/edits")
        return request, {part["name"]: part for part in request["parts"] if part["filename"]}

    def one_file(self, result):
        self.assertEqual(result["status"], "done", result)
        self.assertEqual(len(result["files"]), 1)
        self.assertEqual(self.w.parts(), [])
        return result["files"][0]

    def compare_outside(self, path, mask_path, before):
        """Byte for byte where the mask is 0; how many pixels that, and the others, are."""
        _w, _h, bands, rows = read_png(path)
        mask = read_png(mask_path)[3]
        self.assertEqual((_w, _h), (len(mask[0]), len(mask)))
        outside = changed = 0
        for y, row in enumerate(mask):
            for x, part in enumerate(row):
                pixel = rows[y][bands * x:bands * x + 3]
                if part == 0:
                    outside += 1
                    self.assertEqual(tuple(pixel), tuple(before(x, y)[:3]), (x, y))
                else:
                    changed += tuple(pixel) != tuple(before(x, y)[:3])
        return outside, changed

    def mask_of(self, operation):
        folder = os.path.join(self.w.workspace, "tmp", "images", "masks")
        (name,) = [n for n in os.listdir(folder) if n.startswith(operation) and n.endswith("-mask.png")]
        return os.path.join(folder, name)

    def test_inpaint_a_region(self):
        file = self.one_file(self.edit(operation="inpaint", region="25%,25%,50%,50%", feather=2))
        self.assertEqual((file["width"], file["height"], file["mime"]), (WIDTH, HEIGHT, "image/png"))
        request, files = self.sent()
        self.assertEqual(sorted(files), ["image", "mask"])
        self.assertEqual((files["mask"]["width"], files["mask"]["height"]), (WIDTH, HEIGHT))
        self.assertEqual(files["mask"]["sniffed"], "image/png")
        outside, changed = self.compare_outside(file["path"], self.mask_of("inpaint"), noise)
        self.assertGreater(outside, WIDTH * HEIGHT // 2)
        self.assertGreater(changed, WIDTH * HEIGHT // 8)
        # What the provider made as a whole is kept beside it.
        self.assertTrue(os.path.exists(file["path"].replace("-restored.png", ".png")))

    def test_the_mask_says_by_transparency_what_changes(self):
        self.one_file(self.edit(operation="inpaint", region="0,0,48,64", feather=0))
        folder = os.path.dirname(self.mask_of("inpaint"))
        (alpha,) = [n for n in os.listdir(folder) if n.endswith("-alpha.png")]
        _w, _h, bands, rows = read_png(os.path.join(folder, alpha))
        self.assertEqual(bands, 4)
        self.assertEqual(rows[9][3::4], b"\0" * 48 + b"\xff" * 48)
        _request, files = self.sent()
        self.assertEqual(files["mask"]["bytes"], os.path.getsize(os.path.join(folder, alpha)))

    def test_inpaint_with_a_mask_file(self):
        write_png(os.path.join(self.w.workspace, "mask.png"), WIDTH, HEIGHT,
                  lambda x, y: (255 if x < 20 else 0,), 1)
        file = self.one_file(self.edit(operation="inpaint", mask="mask.png", feather=0, invert=True))
        rows = read_png(file["path"])[3]
        self.assertEqual(rows[7][:60], bytes(v for x in range(20) for v in noise(x, 7)))
        self.assertNotEqual(rows[7][60:], bytes(v for x in range(20, WIDTH) for v in noise(x, 7)))

    def test_outpaint(self):
        result = self.edit(operation="outpaint", right=32, bottom=16, fill="edge", feather=0)
        file = self.one_file(result)
        self.assertEqual((file["width"], file["height"]), (WIDTH + 32, HEIGHT + 16))
        _request, files = self.sent()
        self.assertEqual((files["image"]["width"], files["image"]["height"]), (128, 80))
        self.assertEqual((files["mask"]["width"], files["mask"]["height"]), (128, 80))
        outside, changed = self.compare_outside(file["path"], self.mask_of("outpaint"), noise)
        self.assertEqual(outside, WIDTH * HEIGHT)
        self.assertGreater(changed, 1000)

    def test_object_and_background(self):
        def disc(x, y):
            return (200, 30, 30) if (x - 48) ** 2 + (y - 32) ** 2 < 400 else (250, 250, 250)
        for target, centre, corner in (("object", 255, 0), ("background", 0, 255)):
            write_png(self.picture, WIDTH, HEIGHT, disc)
            result = self.edit(operation="object", target=target, feather=0, prompt="for " + target)
            file = self.one_file(result)
            folder = os.path.dirname(self.mask_of("object"))
            newest = max((n for n in os.listdir(folder) if n.endswith("-mask.png")),
                         key=lambda n: os.stat(os.path.join(folder, n)).st_mtime_ns)
            mask = read_png(os.path.join(folder, newest))[3]
            self.assertEqual((mask[32][48], mask[0][0]), (centre, corner))
            self.compare_outside(file["path"], os.path.join(folder, newest), disc)
            shutil.rmtree(folder)

    def test_dry_run_shows_the_mask(self):
        result = self.edit(operation="inpaint", region="ellipse:24,16,48,32", feather=1,
                           dry_run=True)
        self.assertEqual(result["status"], "plan")
        width, height, _bands, rows = read_png(result["preview"])
        self.assertEqual((width, height), (WIDTH, HEIGHT))
        self.assertGreater(rows[32][3 * 48], 127)  # red over whatever it was
        self.assertEqual(rows[0][:9], bytes(v for x in range(3) for v in noise(x, 0)))
        self.assertEqual(read_png(result["mask"])[3][32][48], 255)
        self.assertEqual(self.w.sim.totals()["submissions"], 0)

    def test_a_result_of_another_shape_comes_as_it_is(self):
        result = self.edit(operation="inpaint", region="0,0,20,20", size="64x64")
        file = self.one_file(result)
        self.assertFalse(file["path"].endswith("-restored.png"))
        self.assertEqual((file["width"], file["height"]), (64, 64))

    def test_mistakes_cost_nothing(self):
        for args, field in (({"operation": "inpaint"}, "region"),
                            ({"operation": "inpaint", "region": "1,2,3"}, "region"),
                            ({"operation": "inpaint", "region": "500,500,9,9"}, "region"),
                            ({"operation": "outpaint"}, "left"),
                            ({"operation": "object", "select": "alpha"}, "select"),
                            ({"operation": "inpaint", "region": "0,0,9,9",
                              "image": "https://example.com/a.png"}, "image")):
            result = self.edit(want=1, **args)
            self.assertEqual(result["error"]["field"], field, result)
        self.assertEqual(self.w.sim.totals()["submissions"], 0)

    def test_a_yes_means_the_same_mask(self):
        """The files are made anew for the confirmed call, and the token is for that very request."""
        entry = {"baseUrl": self.w.sim.base + "/v1", "apiKey": self.w.key, "models": [{"id": "sim-image"}]}
        self.w.configure({"sim": entry},
                         {"sim": {"prices": {"sim-image": {"each": 0.25, "currency": "USD"}}}},
                         confirm="always")
        args = {"operation": "inpaint", "region": "20,10,40,30", "feather": 1}
        asked = self.edit(**args)
        self.assertEqual(asked["status"], "needs_confirmation")
        file = self.one_file(self.edit(confirm=asked["confirm"], **args))
        self.compare_outside(file["path"], self.mask_of("inpaint"), noise)

    def test_killed_before_and_after_the_pixels_are_put_back(self):
        args = json.dumps({"image": "picture.png", "prompt": "x", "operation": "inpaint",
                           "region": "20,10,40,30", "feather": 1})

        def killed(at):
            """One inpaint, killed at the instant `at`; the names of those that it came to."""
            self.setUp()
            log = self.w.path("points")
            env = {"CLAWMEDIA_CRASH_LOG": log, **({"CLAWMEDIA_CRASH_AT": str(at)} if at else {})}
            self.w.start("call", EDIT, args, plugin=harness.programs.crash, env=env).end()
            with open(log, encoding="ascii") as file:
                return [line.split()[1] for line in file]
        points = killed(None)
        self.assertLess(points.index("published"), points.index("restored"))
        for name in ("published", "restored"):
            for after in (0, 1):
                at = points.index(name) + 1 + after
                self.assertEqual(len(killed(at)), at)
                self.w.until_idle()
                (row,) = self.w.ledger()
                (file,) = self.w.rows("SELECT path FROM files")
                self.assertIn(row["state"], ("done", "delivered"))
                self.assertTrue(file["path"].endswith("-restored.png"), file)
                self.compare_outside(file["path"], self.mask_of("inpaint"), noise)
                self.assertEqual(self.w.sim.totals()["submissions"], 1)
                self.assertEqual(self.w.parts(), [])

    def test_without_the_module(self):
        """The plugin alone, in a folder of its own: whole pictures are edited all the same."""
        alone = self.w.path("alone")
        os.mkdir(alone)
        plugin = shutil.copy(harness.programs.plugin, os.path.join(alone, "clawmedia.so"))
        result = self.w.call(EDIT, {"image": "picture.png", "prompt": "x", "operation": "inpaint",
                                    "region": "0,0,9,9"}, plugin=plugin, want=1)
        self.assertIn("install the package clawmedia-imaging", json.dumps(result["error"]))
        self.assertEqual(self.w.sim.totals()["submissions"], 0)
        self.one_file(self.w.call(EDIT, {"image": "picture.png", "prompt": "x"}, plugin=plugin))


if __name__ == "__main__":
    harness.main()
