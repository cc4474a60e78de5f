"""Reading pictures as ImageMagick reads them, canvases, composites, previews, other sizes."""
import struct

from pictures import PictureCase, convert, grey, main, noise, paint


def has_coder(name):
    return any(line.split()[0].rstrip('*') == name and 'rw' in line.split()[2]
               for line in convert('-list', 'format').decode().splitlines() if len(line.split()) > 3)


def swapped_profile():
    """An ICC profile of sRGB with red and blue exchanged, so that nobody overlooks it."""
    def fixed(*values):
        return b''.join(struct.pack('>i', round(value * 65536)) for value in values)
    text = b'red and blue exchanged\0'
    tags = {
        b'desc': b'desc\0\0\0\0' + struct.pack('>I', len(text)) + text + bytes(78),
        b'cprt': b'text\0\0\0\0none\0',
        b'wtpt': b'XYZ \0\0\0\0' + fixed(0.9642, 1, 0.8249),
        b'bXYZ': b'XYZ \0\0\0\0' + fixed(0.43607, 0.22249, 0.01392),
        b'gXYZ': b'XYZ \0\0\0\0' + fixed(0.38515, 0.71687, 0.09708),
        b'rXYZ': b'XYZ \0\0\0\0' + fixed(0.14307, 0.06061, 0.71410),
    }
    for name in (b'rTRC', b'gTRC', b'bTRC'):
        tags[name] = b'curv\0\0\0\0' + struct.pack('>IH', 1, round(2.2 * 256)) + bytes(2)
    table = struct.pack('>I', len(tags))
    body = b''
    at = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack('>II', at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack('>I4sI4s4s4s', at + len(body), b'lcms', 0x02100000, b'mntr', b'RGB ', b'XYZ ')
    head += struct.pack('>6H', 2026, 1, 1, 0, 0, 0) + b'acsp' + bytes(28) + fixed(0.9642, 1, 0.8249)
    return head + bytes(128 - len(head)) + table + body


class Reading(PictureCase):
    def same(self, path, tolerance=0, width=23, height=17, reference=None):
        """Copied in its own size, a file has the pixels that ImageMagick sees in it."""
        self.run_job(kind='fit', fit='stretch', picture=path, width=width, height=height)
        self.compare(self.load(self.output), reference or self.load(path), tolerance)

    def test_png(self):
        picture = noise(23, 17)
        for options in ([], ['-interlace', 'PNG'], ['-define', 'png:color-type=6'], ['-colors', '11'],
                        ['-colorspace', 'gray'], ['-monochrome'], ['-define', 'png:bit-depth=16']):
            self.same(self.save(picture, 'a.png', *options))

    def test_png_with_alpha(self):
        for options in ([], ['-colorspace', 'gray'], ['-interlace', 'PNG'],
                        ['-define', 'png:bit-depth=16']):
            path = self.save(noise(23, 17, alpha=True), 'a.png', *options)
            self.same(path)

    def test_jpeg(self):
        for options in ([], ['-interlace', 'JPEG'], ['-sampling-factor', '1x1'],
                        ['-colorspace', 'gray']):
            self.same(self.save(noise(23, 17), 'a.jpg', '-quality', '90', *options))

    def test_cmyk_jpeg_becomes_rgb(self):
        path = self.save(paint(23, 17, lambda x, y: (250, 250, 250) if x < 12 else (5, 5, 5)), 'a.jpg',
                         '-colorspace', 'CMYK')
        self.run_job(kind='fit', fit='stretch', picture=path, width=23, height=17)
        data = self.load(self.output)[2]
        self.assertGreater(data[0], 200)
        self.assertLess(data[4 * 22], 70)

    def test_webp(self):
        for alpha in (False, True):
            path = self.save(noise(23, 17, alpha=alpha), 'a.webp', '-define', 'webp:lossless=true',
                             '-define', 'webp:exact=true')
            self.same(path)
        self.same(self.save(paint(23, 17, lambda x, y: (8 * x, 9 * y, 90)), 'b.webp'), 2)

    def test_gif_shows_its_first_frame(self):
        first = self.save(paint(23, 17, lambda x, y: (255, 0, 0) if x < 9 else (0, 0, 255)), 'a.png')
        second = self.save(paint(23, 17, lambda x, y: (0, 255, 0)), 'b.png')
        path = self.path('both.gif')
        convert('-delay', '10', first, second, path)
        self.same(path, reference=self.load(first))

    def test_heic_and_avif(self):
        for kind in ('heic', 'avif'):
            if has_coder(kind.upper()):
                path = self.save(paint(64, 48, lambda x, y: (4 * x, 5 * y, 90)), 'a.' + kind,
                                 '-quality', '95')
                self.same(path, 8, 64, 48)

    def turned(self, plain, turn):
        """The JPEG with an APP1 segment that has one TIFF tag, Orientation."""
        exif = (b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01' + bytes([0, turn]) +
                b'\0\0\0\0\0\0')
        with open(plain, 'rb') as file:
            data = file.read()
        path = self.path('turned%d.jpg' % turn)
        with open(path, 'wb') as file:
            file.write(data[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + data[2:])
        return path

    def test_every_orientation(self):
        picture = paint(32, 16, lambda x, y: (255, 0, 0) if x < 16 and y < 8 else
                        (0, 255, 0) if y < 8 else (0, 0, 255) if x < 16 else (255, 255, 0))
        plain = self.save(picture, 'plain.jpg', '-quality', '100', '-sampling-factor', '1x1')
        for turn in range(1, 9):
            path = self.turned(plain, turn)
            wanted = self.load(path, '-auto-orient')
            self.same(path, 0, wanted[0], wanted[1], wanted)
            # The mask of a region is told in what people see.
            result = self.run_job(kind='mask_regions', picture=path,
                                  regions=[{'x': 0, 'y': 0, 'width': 3, 'height': 5}])
            self.assertEqual((result['width'], result['height']), wanted[:2])
            mask = self.output
            edit = self.save(paint(*wanted[:2], lambda x, y: (9, 9, 9)), 'edit.png')
            self.run_job(kind='composite', picture=path, mask=mask, result=edit,
                         output=self.path('done.png'))
            done = self.load(self.output)
            for y in range(done[1]):
                for x in range(done[0]):
                    at = 4 * (y * done[0] + x)
                    self.assertEqual(done[2][at:at + 3], b'\x09\x09\x09' if x < 3 and y < 5
                                     else wanted[2][at:at + 3])
            # And one that is scaled down while it lies askew.
            result = self.run_job(kind='fit', fit='contain', picture=path, width=8, height=8)
            self.assertEqual((result['width'], result['height']),
                             (8, 4) if wanted[0] > wanted[1] else (4, 8))
            small = self.load(self.output)
            shrunk = self.load(path, '-auto-orient', '-resize', '%dx%d!' % small[:2])
            for corner in (0, small[0] - 1, small[0] * (small[1] - 1), small[0] * small[1] - 1):
                for c in range(3):
                    self.assertAlmostEqual(small[2][4 * corner + c], shrunk[2][4 * corner + c], delta=40)

    def test_a_large_turned_picture(self):
        """More than LIMIT_IMAGING_MEMORY, so that it lies in a file while it is turned."""
        plain = self.path('large.jpg')
        convert('-size', '5200x3000', 'gradient:red-blue', '-quality', '80', plain)
        path = self.turned(plain, 6)
        self.run_job(kind='fit', fit='stretch', picture=path, width=3000, height=5200)
        data = convert(path, '-auto-orient', '-depth', '8', 'rgb:-')
        self.assertTrue(convert(self.output, '-depth', '8', 'rgb:-') == data)

    def test_profile(self):
        """An edit stays in the colours of its picture; what is only looked at becomes sRGB."""
        with open(self.path('swapped.icc'), 'wb') as file:
            file.write(swapped_profile())
        plain = self.save(paint(23, 17, lambda x, y: (200, 90, 30)), 'plain.png')
        tagged = self.path('tagged.png')
        convert(plain, '-profile', self.path('swapped.icc'), tagged)

        def near(pixel, wanted):
            self.assertLessEqual(max(abs(a - b) for a, b in zip(pixel, wanted)), 6, (pixel, wanted))
        self.run_job(kind='fit', fit='stretch', picture=tagged, width=23, height=17)
        near(self.load(self.output)[2][:3], (30, 90, 200))
        mask = self.save(grey(23, 17, lambda x, y: 255 if x < 5 else 0), 'mask.png')
        edit = self.save(paint(23, 17, lambda x, y: (30, 200, 120)), 'edit.png')
        self.run_job(kind='composite', picture=tagged, mask=mask, result=edit)
        done = convert(self.output, '-depth', '8', 'rgb:-')
        self.assertEqual(tuple(done[3 * 10:3 * 10 + 3]), (200, 90, 30))
        near(done[:3], (120, 200, 30))
        convert(self.output, self.path('kept.icc'))
        with open(self.path('kept.icc'), 'rb') as file:
            self.assertEqual(file.read(), swapped_profile())
        # The other way round: an edit with a profile, for a picture without.
        self.run_job(kind='composite', picture=edit, mask=mask, result=tagged)
        done = convert(self.output, '-depth', '8', 'rgb:-')
        self.assertEqual(tuple(done[3 * 10:3 * 10 + 3]), (30, 200, 120))
        near(done[:3], (30, 90, 200))


class Canvas(PictureCase):
    WIDTH, HEIGHT = 12, 9

    def setUp(self):
        super().setUp()
        self.picture = noise(self.WIDTH, self.HEIGHT)
        self.file = self.save(self.picture, 'picture.png')

    def pixel(self, x, y):
        at = 4 * (y * self.WIDTH + x)
        return tuple(self.picture[2][at:at + 4])

    def grown(self, outside, **more):
        sides = dict(left=5, top=3, right=7, bottom=4)
        sides.update({key: more.pop(key) for key in list(more) if key in sides})
        result = self.run_job(kind='canvas', picture=self.file, output_mask=self.path('mask.png'),
                              **sides, **more)
        width = self.WIDTH + sides['left'] + sides['right']
        height = self.HEIGHT + sides['top'] + sides['bottom']
        self.assertEqual((result['width'], result['height']), (width, height))
        inside = lambda x, y: (0 <= x - sides['left'] < self.WIDTH and
                               0 <= y - sides['top'] < self.HEIGHT)
        if outside:
            self.compare(self.load(self.output), paint(width, height, lambda x, y: (
                self.pixel(x - sides['left'], y - sides['top']) if inside(x, y)
                else outside(x - sides['left'], y - sides['top']))))
        mask = self.values(self.path('mask.png'))
        if not more.get('feather_px'):
            self.assertEqual(mask, [[0 if inside(x, y) else 255 for x in range(width)]
                                    for y in range(height)])
            self.assertEqual(result['masked_pixels'], width * height - self.WIDTH * self.HEIGHT)
        return mask

    def test_transparent(self):
        self.grown(lambda x, y: (0, 0, 0, 0), fill='transparent')

    def test_solid(self):
        self.grown(lambda x, y: (10, 20, 30), fill='solid', colour=[10, 20, 30, 255])
        self.grown(lambda x, y: (10, 20, 30, 40), fill='solid', colour=[10, 20, 30, 40])

    def test_edge(self):
        self.grown(lambda x, y: self.pixel(min(max(x, 0), self.WIDTH - 1),
                                           min(max(y, 0), self.HEIGHT - 1)), fill='edge')

    def test_mirror(self):
        def fold(i, n):
            i %= 2 * n
            return i if i < n else 2 * n - 1 - i
        self.grown(lambda x, y: self.pixel(fold(x, self.WIDTH), fold(y, self.HEIGHT)), fill='mirror')
        self.grown(lambda x, y: self.pixel(fold(x, self.WIDTH), fold(y, self.HEIGHT)), fill='mirror',
                   left=40, bottom=50)

    def test_one_side(self):
        self.grown(lambda x, y: (0, 0, 0, 0), fill='transparent', left=0, top=0, right=3, bottom=0)

    def test_edge_and_mirror_as_imagemagick_does(self):
        for fill, name in (('edge', 'edge'), ('mirror', 'mirror')):
            self.grown(None, fill=fill)
            wanted = self.path('wanted.png')
            convert(self.file, '-virtual-pixel', name, '-set', 'option:distort:viewport', '24x16-5-3',
                    '-filter', 'point', '-distort', 'SRT', '0', '+repage', wanted)
            self.compare(self.load(self.output), self.load(wanted))

    def test_blur_keeps_the_picture_and_has_its_colours(self):
        self.picture = paint(self.WIDTH, self.HEIGHT,
                             lambda x, y: (200, 0, 0) if x < self.WIDTH // 2 else (0, 0, 200))
        self.file = self.save(self.picture, 'picture.png')
        self.grown(None, fill='blur', left=20, right=20, top=0, bottom=0)
        width, _height, data = self.load(self.output)
        for y in range(self.HEIGHT):
            at = 4 * (y * width + 20)
            self.assertEqual(data[at:at + 4 * self.WIDTH],
                             self.picture[2][4 * y * self.WIDTH:4 * (y + 1) * self.WIDTH])
        self.assertGreater(data[0], data[2])
        self.assertGreater(data[4 * (width - 1) + 2], data[4 * (width - 1)])
        steps = [abs(data[4 * x] - data[4 * x + 4]) for x in range(19)]
        self.assertLess(max(steps), 12)

    def test_the_mask_reaches_into_the_picture_only(self):
        mask = self.grown(lambda x, y: (0, 0, 0, 0), fill='transparent', feather_px=2, left=30)
        self.assertEqual({value for row in mask for value in row[:30]}, {255})
        row = mask[3 + self.HEIGHT // 2][30:30 + self.WIDTH]
        self.assertTrue(255 > row[0] > row[1] > row[2], row)

    def test_transparent_pixels_stay_as_they_are(self):
        self.picture = noise(self.WIDTH, self.HEIGHT, alpha=True)
        self.file = self.save(self.picture, 'picture.png')
        self.grown(lambda x, y: (1, 2, 3), fill='solid', colour=[1, 2, 3, 255])
        self.grown(None, fill='blur')

    def test_sides_that_make_no_sense(self):
        for sides, word in (({}, 'no side'), ({'left': -1}, '0 pixels or more'),
                            ({'left': 70000}, '65535'), ({'right': 65530}, '65542 x 9')):
            self.refuse('invalid', 'left', word, kind='canvas', picture=self.file, **sides)


class Composite(PictureCase):
    WIDTH, HEIGHT = 40, 30

    def setUp(self):
        super().setUp()
        self.before = noise(self.WIDTH, self.HEIGHT, 1)
        self.after = noise(self.WIDTH, self.HEIGHT, 2)
        self.files = {'picture': self.save(self.before, 'before.png'),
                      'result': self.save(self.after, 'after.png')}

    def feathered(self, **more):
        self.run_job(kind='mask_regions', picture=self.files['picture'], feather_px=1.5,
                     regions=[{'shape': 'ellipse', 'x': 8, 'y': 6, 'width': 24, 'height': 16}],
                     output=self.path('mask.png'))
        self.run_job(kind='composite', mask=self.output, output=self.path('out.png'),
                     **dict(self.files, **more))
        return self.values(self.path('mask.png')), self.load(self.output)

    def test_outside_every_byte_is_the_original(self):
        mask, done = self.feathered()
        counts = {'outside': 0, 'inside': 0, 'between': 0}
        for i in range(self.WIDTH * self.HEIGHT):
            part = mask[i // self.WIDTH][i % self.WIDTH]
            got, a, b = (p[2][4 * i:4 * i + 4] for p in (done, self.before, self.after))
            if part == 0:
                counts['outside'] += 1
                self.assertEqual(got, a)
            elif part == 255:
                counts['inside'] += 1
                self.assertEqual(got, b)
            else:
                counts['between'] += 1
                for c in range(4):
                    self.assertLessEqual(abs(got[c] - (a[c] * (255 - part) + b[c] * part) / 255), 0.51)
        self.assertTrue(all(count > 20 for count in counts.values()), counts)

    def test_as_imagemagick_composites(self):
        _mask, done = self.feathered()
        wanted = self.path('wanted.png')
        convert(self.files['picture'], self.files['result'], self.path('mask.png'), '-composite', wanted)
        self.compare(done, self.load(wanted), 1)

    def test_a_jpeg_original_too(self):
        self.files['picture'] = self.save(self.before, 'before.jpg', '-quality', '70')
        self.before = self.load(self.files['picture'])
        mask, done = self.feathered()
        outside = 0
        for i in range(self.WIDTH * self.HEIGHT):
            if mask[i // self.WIDTH][i % self.WIDTH] == 0:
                outside += 1
                self.assertEqual(done[2][4 * i:4 * i + 4], self.before[2][4 * i:4 * i + 4])
        self.assertGreater(outside, 100)

    def test_alpha_of_both(self):
        self.before = noise(self.WIDTH, self.HEIGHT, 3, alpha=True)
        self.after = noise(self.WIDTH, self.HEIGHT, 4, alpha=True)
        self.files = {'picture': self.save(self.before, 'before.png'),
                      'result': self.save(self.after, 'after.png')}
        mask, done = self.feathered()
        for i in range(self.WIDTH * self.HEIGHT):
            part = mask[i // self.WIDTH][i % self.WIDTH]
            got, a, b = (p[2][4 * i:4 * i + 4] for p in (done, self.before, self.after))
            if part in (0, 255):
                self.assertEqual(got, b if part else a)
            else:
                alpha = (a[3] * (255 - part) + b[3] * part) / 255
                self.assertLessEqual(abs(got[3] - alpha), 0.51)
                for c in range(3 if alpha > 1 else 0):
                    colour = (a[c] * a[3] * (255 - part) + b[c] * b[3] * part) / 255 / alpha
                    self.assertLessEqual(abs(got[c] - colour), 0.51)

    def test_an_edit_gains_transparency(self):
        self.after = paint(self.WIDTH, self.HEIGHT, lambda x, y: (9, 9, 9, 0))
        self.files['result'] = self.save(self.after, 'after.png')
        mask, done = self.feathered()
        self.assertEqual(done[2][4 * (14 * self.WIDTH + 20) + 3], 0)
        self.assertEqual(done[2][3], 255)
        self.assertEqual(mask[14][20], 255)

    def test_a_result_of_another_size_is_scaled(self):
        self.files['result'] = self.save(paint(80, 60, lambda x, y: (7, 77, 177)), 'large.png')
        mask, done = self.feathered()
        for i in range(self.WIDTH * self.HEIGHT):
            if mask[i // self.WIDTH][i % self.WIDTH] == 255:
                self.assertEqual(tuple(done[2][4 * i:4 * i + 3]), (7, 77, 177))
        self.assertEqual(done[2][:4], self.before[2][:4])

    def test_a_result_of_another_shape_is_refused(self):
        self.run_job(kind='mask_regions', picture=self.files['picture'], output=self.path('mask.png'),
                     regions=[{'x': 0, 'y': 0, 'width': 4, 'height': 4}])
        other = self.save(paint(40, 40, lambda x, y: (0, 0, 0)), 'square.png')
        self.refuse('invalid', 'result', 'same shape', kind='composite', mask=self.path('mask.png'),
                    picture=self.files['picture'], result=other)

    def test_a_mask_of_another_size_is_refused(self):
        mask = self.save(grey(41, 30, lambda x, y: 255), 'mask.png')
        self.refuse('invalid', 'mask', '41 x 30', kind='composite', mask=mask, **self.files)

    def test_preview(self):
        self.run_job(kind='mask_regions', picture=self.files['picture'], output=self.path('mask.png'),
                     regions=[{'x': 0, 'y': 0, 'width': 10, 'height': 30}])
        self.run_job(kind='preview', picture=self.files['picture'], mask=self.path('mask.png'),
                     colour=[255, 0, 0, 128])
        done = self.load(self.output)
        for i in range(self.WIDTH * self.HEIGHT):
            got, a = done[2][4 * i:4 * i + 4], self.before[2][4 * i:4 * i + 4]
            if i % self.WIDTH >= 10:
                self.assertEqual(got, a)
            else:
                self.assertEqual(got[0], (a[0] * 127 + 255 * 128 + 127) // 255)
                self.assertEqual(got[1], (a[1] * 127 + 127) // 255)

    def test_small_preview(self):
        self.run_job(kind='mask_regions', picture=self.files['picture'], output=self.path('mask.png'),
                     regions=[{'x': 0, 'y': 0, 'width': 20, 'height': 30}])
        result = self.run_job(kind='preview', picture=self.files['picture'], colour=[255, 0, 0, 255],
                              mask=self.path('mask.png'), width=20, height=20)
        self.assertEqual((result['width'], result['height']), (20, 15))
        self.assertEqual(tuple(self.load(self.output)[2][:3]), (255, 0, 0))


class Sizes(PictureCase):
    def fit(self, fit, width, height, picture=None):
        path = self.save(picture or paint(60, 40, lambda x, y: (4 * x, 6 * y, 0)), 'picture.png')
        self.run_job(kind='fit', fit=fit, picture=path, width=width, height=height)
        return path, self.load(self.output)

    def test_cover(self):
        path, got = self.fit('cover', 30, 30)
        wanted = self.path('wanted.png')
        convert(path, '-resize', '30x30^', '-gravity', 'center', '-extent', '30x30', wanted)
        self.compare(got, self.load(wanted), 6)

    def test_cover_may_enlarge(self):
        _path, got = self.fit('cover', 120, 100)
        self.assertEqual(got[:2], (120, 100))
        self.assertAlmostEqual(got[2][4 * (50 * 120 + 60)], 120, delta=3)

    def test_contain_never_enlarges(self):
        self.assertEqual(self.fit('contain', 30, 30)[1][:2], (30, 20))
        self.assertEqual(self.fit('contain', 600, 600)[1][:2], (60, 40))

    def test_stretch(self):
        path, got = self.fit('stretch', 33, 11)
        wanted = self.path('wanted.png')
        convert(path, '-filter', 'Lanczos', '-resize', '33x11!', wanted)
        self.compare(got, self.load(wanted), 8)

    def test_transparent_pixels_bleed_no_colour(self):
        picture = paint(60, 40, lambda x, y: (0, 0, 255, 255) if x < 30 else (255, 0, 0, 0))
        _path, got = self.fit('stretch', 15, 10, picture)
        for i in range(150):
            if got[2][4 * i + 3] > 30:
                self.assertEqual(got[2][4 * i], 0)

    def test_a_large_jpeg_is_shrunk_while_it_is_read(self):
        path = self.path('large.jpg')
        convert('-size', '2400x1600', 'gradient:red-blue', '-quality', '95', path)
        self.run_job(kind='fit', fit='cover', picture=path, width=120, height=80)
        wanted = self.path('wanted.png')
        convert(path, '-resize', '120x80!', wanted)
        self.compare(self.load(self.output), self.load(wanted), 4)

    def test_every_small_size(self):
        picture = self.save(noise(7, 5), 'picture.png')
        jobs = [dict(kind='fit', fit=fit, picture=picture, width=width, height=height,
                     output=self.path('%s-%d-%d.png' % (fit, width, height)))
                for fit in ('cover', 'stretch', 'contain') for width in (1, 2, 3, 7, 13)
                for height in (1, 4, 5, 11)]
        for job, result in zip(jobs, self.jobs(*jobs)):
            self.assertNotIn('error', result, job)
            if job['fit'] != 'contain':
                self.assertEqual((result['width'], result['height']), (job['width'], job['height']))

    def test_contact_sheet(self):
        colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
        files = [self.save(paint(40, 40, lambda x, y, c=c: c), '%d.png' % i)
                 for i, c in enumerate(colours)]
        text = self.path('text.png')
        with open(text, 'w') as file:
            file.write('no picture at all')
        files.insert(1, text)
        files.append(self.save(paint(10, 20, lambda x, y: (9, 9, 9, 0)), 'clear.png'))
        result = self.run_job(kind='sheet', pictures=files, cell_px=20, columns=2)
        self.assertEqual(result['unreadable'], 1)
        self.assertEqual((result['width'], result['height']), (8 + 2 * 28, 8 + 3 * 28))
        width, _height, data = self.load(self.output)
        middle = lambda column, row: tuple(data[4 * ((18 + 28 * row) * width + 18 + 28 * column):][:3])
        self.assertEqual([middle(0, 0), middle(1, 0), middle(0, 1), middle(1, 1), middle(0, 2),
                          middle(1, 2)],
                         [(255, 0, 0), (192,) * 3, (0, 255, 0), (0, 0, 255), (255,) * 3, (255,) * 3])
        self.assertEqual(data[:4], b'\xff' * 4)

    def test_contact_sheet_of_many(self):
        files = [self.save(noise(9, 9, i + 1), '%d.png' % i) for i in range(3)]
        result = self.run_job(kind='sheet', pictures=(files * 34)[:100], cell_px=9)
        self.assertEqual((result['width'], result['height']), (8 + 170, 8 + 170))
        self.refuse('invalid', 'pictures', 'no pictures', kind='sheet')


if __name__ == '__main__':
    main()
