"""The part of tests/bench/run about the real OpenClaw gateway: what the plugin adds to its memory and to
its event loop's delay, with nothing to do and with many jobs working, against the same gateway without
the plugin. The gateway, its home and its chat are those of tests/openclaw (bed.py).
"""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
JOBS = 1000
LOOKS = 100         # at jobs, before a gateway counts as busy
AGE_S = 15          # of a gateway when a span begins: its memory still falls in the beginning
JOBS_BOUND_S = 120  # until all jobs are submitted, and until some have been looked at


class Span:
    """A started gateway; measures spans of time. Memory is what stays after a garbage collection, with
    one arena for malloc: with one for each thread, two starts of the same gateway differ by 40 MiB. For
    the same reason nobody has talked to it."""

    def __init__(self, home, bed):
        self.port = bed.free_port()
        home.env.update(NODE_OPTIONS='--import=file://' + os.path.join(HERE, 'loop_delay.mjs'),
                        BENCH_PROBE_PORT=str(self.port), MALLOC_ARENA_MAX='1')
        self.gateway = home.start()
        self.began = time.monotonic()

    def ask(self, what):
        with urllib.request.urlopen('http://127.0.0.1:%d/%s' % (self.port, what), timeout=60) as answer:
            return json.load(answer)

    def measure(self, seconds):
        self.ask('reset')
        time.sleep(max(0, self.began + AGE_S - time.monotonic()))
        self.ask('reset')
        began = self.ask_cpu()
        time.sleep(seconds)
        got = self.ask('read')
        got['cpu_share'] = (self.ask_cpu() - began) / seconds
        return got

    def ask_cpu(self):
        """Seconds of processor time so far."""
        with open('/proc/%d/stat' % self.gateway.pid) as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def stop(self):
        self.gateway.stop(signal.SIGTERM)
        self.gateway.end()


def host_installed(bench):
    """The host's package, as the tests bring it."""
    folder = bench.program('tests/config')
    subprocess.run(['ctest', '--test-dir', bench.build, '-R', '^config_package$'], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


def submit_jobs(bench, home, jobs):
    """So many unfinished jobs in the home's ledger, submitted by a process that has ended since."""
    folder = bench.fresh('gateway-jobs')
    config = json.dumps({'state_dir': os.path.join(home.state, 'clawmedia'), 'workspace': folder,
                         'config_file': os.path.join(home.state, 'openclaw.json')})
    env = {name: value for name, value in home.env.items() if name != 'NODE_OPTIONS'}
    child = subprocess.Popen([bench.program('tests/bench/bench_host'), 'jobs', bench.plugin(), config,
                              str(jobs), '1'], cwd=folder, env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        began = time.monotonic()
        while home.sim.totals()['submissions'] < jobs:
            if time.monotonic() - began > JOBS_BOUND_S or child.poll() is not None:
                raise RuntimeError('%d of %d jobs were submitted' %
                                   (home.sim.totals()['submissions'], jobs))
            time.sleep(0.2)
        open(os.path.join(folder, 'submitted'), 'w').close()
        child.wait(JOBS_BOUND_S)
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


def polls(home):
    return sum(home.sim.totals()['polls'].values())


def measure_all(bench, bed, seconds):
    """Spans without the plugin, with it idle, and with jobs; looks at jobs a second in the last."""
    # Jobs are asked for as in earnest, not as often as tests do.
    home = bed.Bed({'plugins': {'entries': {bed.PLUGIN: {'config': {'providers': {'sim': {
        'poll_floor_ms': 2000, 'poll_ceiling_ms': 30000, 'typical_seconds': 60}}}}}}})
    try:
        Span(home, bed).stop()  # the first start in a home makes what later ones find
        span = Span(home, bed)
        without = span.measure(seconds)
        span.stop()
        home.install()
        span = Span(home, bed)
        idle = span.measure(seconds)
        span.stop()
        home.sim.set(video_mode='never')
        submit_jobs(bench, home, JOBS)
        before = polls(home)
        span = Span(home, bed)
        while polls(home) - before < LOOKS:
            if time.monotonic() - span.began > JOBS_BOUND_S:
                raise RuntimeError('the gateway does not look at the jobs')
            time.sleep(0.2)
        looked, at = polls(home), time.monotonic()
        busy = span.measure(seconds)
        rate = (polls(home) - looked) / (time.monotonic() - at)
        open_jobs = home.rows("SELECT count(*) AS n FROM jobs WHERE open = 1 AND state = 'working'")[0]['n']
        if open_jobs != JOBS:
            raise RuntimeError('%d jobs work, not %d' % (open_jobs, JOBS))
        span.stop()
    finally:
        home.close()
    return without, idle, busy, rate


def bench_openclaw(bench):
    sys.path[:0] = [os.path.join(TESTS, 'openclaw'), os.path.join(TESTS, 'e2e')]
    sys.dont_write_bytecode = True
    import bed
    import harness
    bed.options.openclaw = host_installed(bench)
    bed.options.package = bench.program('npm/package')
    harness.programs.sim = bench.program('tests/sim/clawmedia-sim')
    harness.SIM_LIFE_S = bed.SIM_LIFE_S

    without, idle, busy, rate = measure_all(bench, bed, 8 if bench.quick else 12)
    mib, ms = 1024 * 1024, 1e6
    for what, got in (('gateway with the plugin, idle', idle),
                      ('  with %d jobs working' % JOBS, busy)):
        added = got['rss'] - without['rss']
        bench.row(what + ': added memory', '%+.1f MiB' % (added / mib),
                  'the gateway without: %.0f MiB' % (without['rss'] / mib),
                  '%.2f' % (got['rss'] / without['rss']), '< 64 MiB', added < 64 * mib)
        bench.row("    event loop's delay, mean and p99",
                  '%.2f, %.2f ms' % (got['mean'] / ms, got['p99'] / ms),
                  'without: %.2f, %.2f ms' % (without['mean'] / ms, without['p99'] / ms),
                  '%.2f, %.2f' % (got['mean'] / without['mean'], got['p99'] / without['p99']))
    own = busy['own']
    bench.row("    the plugin's callbacks, p99.9 and longest",
              '%.2f, %.1f ms' % (own['nsP999'] / ms, own['nsMax'] / ms),
              "the loop's longest delay without: %.1f ms" % (without['max'] / ms),
              '%.2f' % (own['nsMax'] / without['max']), '< 10 ms', own['nsP999'] < 10 * ms)
    bench.row('    processor; looks at jobs', '%.1f %%; %.0f/s' % (busy['cpu_share'] * 100, rate),
              'without: %.1f %%' % (without['cpu_share'] * 100),
              '%.1f' % (busy['cpu_share'] / max(without['cpu_share'], 0.001)))
    if os.environ.get('BENCH_RAW'):
        print(json.dumps({'without': without, 'idle': idle, 'busy': busy}, indent=1), file=sys.stderr)
