"""The module itself: what happens without it, that it starts no thread, that a host without workers
gets the same files, and that a host that ends takes nothing half done along."""
import os
import shutil
import subprocess

from pictures import MODULE, TOOL, PictureCase, convert, main, noise, paint


def read(path):
    with open(path, 'rb') as file:
        return file.read()


class Module(PictureCase):
    def setUp(self):
        super().setUp()
        self.picture = self.save(noise(200, 150), 'picture.png')

    def job(self, **more):
        return dict(dict(kind='mask_regions', picture=self.picture, output=self.path('out.png'),
                         regions=[{'x': 9, 'y': 9, 'width': 50, 'height': 50}], feather_px=3), **more)

    def test_without_it(self):
        for module in (self.path('nowhere.so'), '-'):
            result, = self.jobs(self.job(), module=module)
            self.assertEqual(result['error'], 'config')
            self.assertIn('install the package clawmedia-imaging', result['text'])

    def test_beside_the_program(self):
        tool = self.path('clawmedia-1234.tool')
        shutil.copy(TOOL, tool)
        for name in ('clawmedia-imaging-1234.tool', 'clawmedia-imaging.so'):
            os.symlink(os.path.abspath(MODULE), self.path(name))
            done = subprocess.run([tool, '-', '{"kind": "none"}'], stdout=subprocess.PIPE, text=True,
                                  timeout=60)
            self.assertIn('no such picture operation', done.stdout)
            os.unlink(self.path(name))

    def test_one_that_does_not_load(self):
        broken = self.path('broken.so')
        with open(broken, 'w') as file:
            file.write('no library')
        result, = self.jobs(self.job(), module=broken)
        self.assertEqual(result['error'], 'config')
        self.assertIn('install the package clawmedia-imaging anew', result['text'])

    def test_another_library(self):
        other = '/lib/%s/libm.so.6' % os.uname().machine.replace('aarch64', 'aarch64-linux-gnu') \
            .replace('x86_64', 'x86_64-linux-gnu')
        result, = self.jobs(self.job(), module=other)
        self.assertEqual(result['error'], 'config')
        self.assertIn('of the same version', result['text'])

    def test_it_is_found_once_it_is_there(self):
        """A failure is not remembered, and jobs in between all get their answer."""
        results = self.jobs(*[self.job(output=self.path('%d.png' % i)) for i in range(5)],
                            module=self.path('none.so'))
        self.assertEqual([result['error'] for result in results], ['config'] * 5)

    def test_it_exports_one_symbol_and_the_core_links_no_libvips(self):
        symbols = subprocess.run(['nm', '-D', '--defined-only', MODULE], stdout=subprocess.PIPE,
                                 text=True, check=True).stdout.split('\n')
        names = {line.split()[-1] for line in symbols if line and not line.split()[-1].startswith('__')}
        self.assertEqual(names, {'clawmedia_imaging_1'})
        needed = subprocess.run(['ldd', TOOL], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertNotIn('libvips', needed)

    def test_no_thread_is_started(self):
        """Not for PNG, JPEG and GIF, as long as nothing is enlarged."""
        jpeg = self.save(noise(200, 150), 'picture.jpg')
        gif = self.save(noise(200, 150), 'picture.gif')
        mask = self.path('mask.png')
        jobs = [self.job(output=mask, grow_px=3)]
        for picture in (self.picture, jpeg, gif):
            jobs += [self.job(kind='composite', picture=picture, mask=mask, result=jpeg),
                     self.job(kind='preview', picture=picture, mask=mask, width=50, height=50),
                     self.job(kind='canvas', picture=picture, left=30, fill='mirror'),
                     self.job(kind='mask_object', picture=picture, tolerance=9, largest_only=1),
                     self.job(kind='mask_file', picture=picture, mask=picture, grow_px=3),
                     self.job(kind='fit', picture=picture, width=30, height=20),
                     self.job(kind='sheet', pictures=[picture] * 3)]
        for result in self.jobs(*jobs):
            self.assertNotIn('error', result)
        self.assertEqual(self.stats['threads_made'], 0)

    def test_few_threads_where_libvips_starts_its_own(self):
        """A worker or two of its pool, which end by themselves, and one of each decoder's run."""
        webp = self.save(noise(200, 150), 'picture.webp')
        mask = self.path('mask.png')
        for job in (self.job(kind='fit', picture=webp, width=30, height=20),
                    self.job(kind='fit', width=400, height=300),
                    self.job(kind='canvas', left=400, fill='blur'),
                    self.job(kind='composite', mask=mask, result=webp)):
            results = self.jobs(self.job(output=mask), *[job] * 5)
            self.assertEqual([result.get('error') for result in results], [None] * 6)
            self.assertLessEqual(self.stats['threads_left'], 2)
            self.assertLessEqual(self.stats['threads_made'], 2 + 5)

    def test_a_host_without_workers_gets_the_same(self):
        jobs = [self.job(), self.job(kind='fit', width=77, height=33, output=self.path('fit.png'))]
        self.jobs(*jobs)
        with_work = [read(job['output']) for job in jobs]
        self.jobs(*jobs, options=['--no-work'])
        self.assertTrue(with_work == [read(job['output']) for job in jobs])

    def test_work_comes_in_slices(self):
        large = self.path('large.png')
        convert('-size', '3000x2000', 'gradient:red-blue', large)
        self.jobs(self.job(kind='fit', picture=large, width=3000, height=2000))
        self.assertGreater(self.stats['turns'], 3000 * 2000 // 131072)

    def test_a_host_that_ends(self):
        """Whenever that is: all jobs are answered, and there is a whole file or none."""
        large = self.path('large.png')
        convert('-size', '1500x1000', 'gradient:red-blue', large)
        ends = set()
        for after in (0, 1, 2, 3, 5, 9, 20, 60, 150, 1000):
            jobs = [self.job(picture=large, output=self.path('%d-%d.png' % (after, i)), grow_px=2)
                    for i in range(3)]
            for job, result in zip(jobs, self.jobs(*jobs, options=['--stop-after', str(after)])):
                ends.add(result.get('error', 'ok'))
                self.assertEqual(os.path.exists(job['output']), 'error' not in result)
            left = [name for name in os.listdir(self.dir) if '.part' in name]
            self.assertEqual(left, [])
        self.assertEqual(ends, {'cancelled', 'ok'})

    def test_out_of_memory(self):
        """Wherever the core lacks it: an error that says so, and the other job is done all the same."""
        jobs = [self.job(), self.job(output=self.path('other.png'))]
        ends = []
        for n in range(1, 25):
            for options in ([], ['--no-work']):
                results = {one['job']: one.get('error', 'ok') for one in
                           self.jobs(*jobs, options=[*options, '--fail-after', str(n)])}
                ends.append((results[0], results[1]))
        self.assertEqual(set(ends), {('nomem', 'ok'), ('ok', 'nomem'), ('ok', 'ok')})

    def test_the_output_of_before_stays_when_a_job_fails(self):
        out = self.path('out.png')
        shutil.copy(self.picture, out)
        mask = self.save(paint(3, 3, lambda x, y: (0, 0, 0)), 'mask.png')
        result, = self.jobs(self.job(kind='mask_file', mask=mask, output=out))
        self.assertEqual(result['error'], 'invalid')
        self.assertTrue(read(out) == read(self.picture))

    def test_memory_does_not_grow_with_the_picture(self):
        small, large = self.path('small.jpg'), self.path('large.jpg')
        convert('-size', '1000x667', 'gradient:red-blue', small)
        convert('-size', '6000x4000', 'gradient:red-blue', large)
        peaks = []
        for picture, width, height in ((small, 1000, 667), (large, 6000, 4000)):
            mask = self.path('mask-%d.png' % width)
            self.jobs(self.job(picture=picture, output=mask, feather_px=0))
            result, = self.jobs(self.job(kind='composite', picture=picture, mask=mask, result=picture))
            self.assertEqual(result['height'], height)
            peaks.append(self.stats['peak_kib'])
        self.assertLess(peaks[1] - peaks[0], 24 * 1024)


if __name__ == '__main__':
    main()
