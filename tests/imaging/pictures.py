"""What the imaging tests share: pictures made from rows of numbers, jobs run by imaging_tool, files
read back through ImageMagick, which is also the judge of what can be judged twice.

A picture in memory is (width, height, bytes of RGBA).
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOL, MODULE = sys.argv[1:3]
CONVERT = shutil.which('convert')
BOUND_S = 60


def convert(*arguments, data=None):
    """ImageMagick, one thread, no network: what it prints."""
    env = dict(os.environ, MAGICK_THREAD_LIMIT='1')
    done = subprocess.run([CONVERT, *arguments], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=env, timeout=BOUND_S)
    if done.returncode != 0:
        raise RuntimeError('convert %s: %s' % (' '.join(arguments), done.stderr.decode()))
    return done.stdout


def paint(width, height, colour):
    """colour(x, y) gives (r, g, b) or (r, g, b, a)."""
    rows = bytearray()
    for y in range(height):
        for x in range(width):
            pixel = tuple(colour(x, y))
            rows += bytes(pixel if len(pixel) == 4 else pixel + (255,))
    return width, height, bytes(rows)


def noise(width, height, seed=1, alpha=False):
    """Pixels that differ everywhere, the same each time."""
    state = [seed]

    def pixel(_x, _y):
        state[0] = (state[0] * 1103515245 + 12345) & 0x7fffffff
        value = state[0] >> 7
        return value & 255, value >> 8 & 255, value >> 16 & 255, (value >> 4 & 255 if alpha else 255)
    return paint(width, height, pixel)


def grey(width, height, value):
    """value(x, y) as a grey picture."""
    return paint(width, height, lambda x, y: (value(x, y),) * 3)


class PictureCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='imaging-')
        self.stats = None

    def tearDown(self):
        left = [name for name in os.listdir(self.dir) if '.part' in name]
        shutil.rmtree(self.dir)
        self.assertEqual(left, [], 'half written files')

    def path(self, name):
        return os.path.join(self.dir, name)

    def save(self, picture, name, *options):
        width, height, data = picture
        path = self.path(name)
        convert('-size', '%dx%d' % (width, height), '-depth', '8', 'rgba:-', *options, path, data=data)
        return path

    def load(self, path, *options):
        data = convert(path, *options, '-depth', '8', 'rgba:-')
        size = convert(path, *options, '-format', '%w %h', 'info:-').split()
        width, height = int(size[0]), int(size[1])
        self.assertEqual(len(data), width * height * 4)
        return width, height, data

    def jobs(self, *jobs, options=(), module=MODULE):
        # With the address sanitizer: what is freed goes back, or peaks of memory would say nothing.
        env = dict(os.environ)
        env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':quarantine_size_mb=1'
        done = subprocess.run([TOOL, module, *options, *[json.dumps(job) for job in jobs]],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
                              timeout=BOUND_S)
        self.assertEqual(done.returncode, 0, done.stderr[-4000:])
        self.assertEqual(done.stderr, '')
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.stats = lines.pop()
        self.assertEqual(len(lines), len(jobs))
        return lines

    def run_job(self, **job):
        job.setdefault('output', self.path('out.png'))
        result, = self.jobs(job)
        self.assertNotIn('error', result, result.get('text'))
        self.output = job['output']
        return result

    def refuse(self, error, field, word, **job):
        job.setdefault('output', self.path('refused.png'))
        result, = self.jobs(job)
        self.assertEqual(result.get('error'), error, result)
        self.assertEqual(result['field'], field, result)
        self.assertIn(word, result['text'])
        self.assertFalse(os.path.exists(job['output']))
        return result

    def values(self, path):
        """A mask's grey values, row by row."""
        width, height, data = self.load(path)
        rows = [list(data[4 * width * y:4 * width * (y + 1):4]) for y in range(height)]
        self.assertEqual(data[0::4], data[1::4])
        self.assertEqual(set(data[3::4]), {255})
        return rows

    def mask(self, **job):
        self.run_job(**job)
        return self.values(self.output)

    def compare(self, got, wanted, tolerance=0):
        self.assertEqual(got[:2], wanted[:2])
        worst = max(abs(a - b) for a, b in zip(got[2], wanted[2]))
        self.assertLessEqual(worst, tolerance)


def main():
    if not CONVERT:
        sys.exit('ImageMagick is missing: packaging/setup installs it')
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
