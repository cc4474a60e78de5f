"""Files that are broken, lie about themselves, or are as small or large as they can be."""
import os
import struct
import zlib

from pictures import PictureCase, convert, main, noise, paint


def png(width, height, rows=None, kind=2):
    """A PNG whose header says width x height; `rows` is its picture data, before compression."""
    def chunk(name, data):
        return (struct.pack('>I', len(data)) + name + data +
                struct.pack('>I', zlib.crc32(name + data)))
    packer = zlib.compressobj(9)
    data = b''.join(packer.compress(part) for part in rows or [b'']) + packer.flush()
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, kind, 0, 0, 0)) +
            chunk(b'IDAT', data) + chunk(b'IEND', b''))


def rows_of(path, bands):
    """The rows of a PNG that was made here (filters 0 and 1), for sizes that ImageMagick refuses."""
    with open(path, 'rb') as file:
        data = file.read()
    packed = b''
    at = 8
    while at < len(data):
        size, name = struct.unpack('>I4s', data[at:at + 8])
        if name == b'IHDR':
            width, height = struct.unpack('>II', data[at + 8:at + 16])
        elif name == b'IDAT':
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    flat = zlib.decompress(packed)
    step = width * bands + 1
    rows = []
    for y in range(height):
        row = bytearray(flat[y * step + 1:(y + 1) * step])
        if flat[y * step] == 1:
            for i in range(bands, len(row)):
                row[i] = (row[i] + row[i - bands]) & 255
        rows.append(bytes(row))
    return rows


class Limits(PictureCase):
    def write(self, name, data):
        path = self.path(name)
        with open(path, 'wb') as file:
            file.write(data)
        return path

    def every_operation(self, picture):
        """Jobs of all kinds that read `picture`; those with a mask use the one that is made first."""
        mask = self.path('every-mask.png')
        return [
            dict(kind='mask_regions', picture=picture, output=mask,
                 regions=[{'percent': 1, 'x': 0, 'y': 0, 'width': 100, 'height': 100}]),
            dict(kind='mask_file', picture=picture, mask=picture, invert=1, grow_px=2),
            dict(kind='mask_object', picture=picture, tolerance=1, has_colour=1, largest_only=1,
                 colour=[1, 2, 3, 255]),
            dict(kind='mask_alpha', mask=mask),
            *[dict(kind='canvas', picture=picture, left=3, bottom=2, fill=fill, feather_px=1,
                   output_mask=self.path('canvas-mask.png'))
              for fill in ('transparent', 'solid', 'edge', 'mirror', 'blur')],
            dict(kind='composite', picture=picture, mask=mask, result=picture),
            dict(kind='preview', picture=picture, mask=mask, width=50, height=50, colour=[255, 0, 0, 9]),
            dict(kind='fit', picture=picture, fit='cover', width=20, height=30),
            dict(kind='sheet', pictures=[picture, picture]),
        ]

    def run_every(self, picture):
        jobs = self.every_operation(picture)
        for i, job in enumerate(jobs):
            if os.path.exists(job.get('output', '')):
                os.unlink(job['output'])
            job.setdefault('output', self.path('%d.png' % i))
        return list(zip(jobs, self.jobs(*jobs)))

    def refuse_everywhere(self, picture, errors=('invalid', 'limit'), header_is_good=False):
        """None of them succeeds with it, but for the sheet, which shows that it is missing. To mark a
        region only the header is read."""
        for job, result in self.run_every(picture):
            if job['kind'] == 'sheet':
                self.assertEqual(result['unreadable'], 2)
            elif header_is_good and job['kind'] == 'mask_regions':
                self.assertNotIn('error', result)
            elif job['kind'] != 'mask_alpha':
                self.assertIn(result.get('error'), errors + (('not_found',) if 'mask' in job else ()),
                              (job, result))
                self.assertFalse(os.path.exists(job['output']))

    def test_one_pixel(self):
        for name in ('one.png', 'one.jpg', 'one.gif', 'one.webp'):
            path = self.save(paint(1, 1, lambda x, y: (200, 100, 50)), name)
            for job, result in self.run_every(path):
                self.assertNotIn('error', result, (job, result))

    def test_one_row_and_one_column(self):
        for width, height in ((300, 1), (1, 300)):
            path = self.save(noise(width, height), 'line.png')
            for job, result in self.run_every(path):
                self.assertNotIn('error', result, (job, result))

    def test_wide_pictures(self):
        for width, height in ((20000, 3), (65535, 1)):
            row = bytes(x * 255 // (width - 1) for x in range(width))
            path = self.write('wide.png', png(width, height, [b'\0' + row] * height, kind=0))
            region = [{'x': 19990, 'y': 0, 'width': 10, 'height': 9}]
            self.run_job(kind='mask_regions', picture=path, regions=region, feather_px=2, grow_px=1)
            mask = rows_of(self.output, 1)[0]
            self.assertGreater(mask[19995], 250)
            self.assertEqual(mask[19900], 0)
            result = self.run_job(kind='composite', picture=path, mask=self.output, result=path,
                                  output=self.path('wide-out.png'))
            self.assertEqual((result['width'], result['height']), (width, height))
            self.assertTrue(rows_of(self.output, 3)[height - 1][::3] == row)

    def test_wide_and_high(self):
        """40 million pixels, and a mask that lies in a file while it is worked on."""
        plain = b'\0' + b'\xff\0\0' * 20000
        marked = b'\0' + b'\xff\0\0' * 19000 + b'\0\0\xff' * 10 + b'\xff\0\0' * 990
        path = self.write('wide.png', png(20000, 2000, [plain] * 50 + [marked] * 1900 + [plain] * 50))
        result = self.run_job(kind='mask_object', picture=path, tolerance=40, largest_only=1, grow_px=2,
                              has_colour=1, colour=[255, 0, 0, 255])
        self.assertEqual((result['width'], result['height']), (20000, 2000))
        self.assertEqual(result['masked_pixels'], 14 * 1904)

    def test_a_header_that_promises_too_much(self):
        for width, height in ((60000, 60000), (70000, 2), (2, 70000), (12000, 12000)):
            path = self.write('bomb.png', png(width, height))
            result = self.refuse('limit', 'picture', 'pixels', kind='fit', picture=path, width=9,
                                 height=9)
            self.assertIn(str(width), result['text'])
            self.assertLess(self.stats['peak_kib'], 80000 + self.idle_kib())
        self.refuse_everywhere(path)

    def idle_kib(self):
        """Sanitizers take their share."""
        before = self.stats
        tiny = self.save(noise(2, 2), 'idle.png')
        self.run_job(kind='fit', picture=tiny, width=2, height=2, output=self.path('idle-out.png'))
        idle, self.stats = self.stats['peak_kib'], before
        return idle

    def test_webp_gif_and_jpeg_that_promise_too_much(self):
        gif = b'GIF89a' + struct.pack('<HH', 65535, 65535) + b'\0\0\0,\0\0\0\0\1\0\1\0\0\2\2L\1\0;'
        webp = b'VP8X\x0a\0\0\0\0\0\0\0' + b'\xff\xff\0\xff\xff\0' + b'VP8L\x06\0\0\0/\0\0\0\0\0'
        webp = b'RIFF' + struct.pack('<I', len(webp) + 4) + b'WEBP' + webp
        plain = self.save(noise(9, 9), 'plain.jpg')
        with open(plain, 'rb') as file:
            jpeg = bytearray(file.read())
        at = jpeg.index(b'\xff\xc0') + 5
        jpeg[at:at + 4] = b'\xff\xff\xff\xff'
        for name, data in (('a.gif', gif), ('a.webp', webp), ('a.jpg', bytes(jpeg))):
            path = self.write(name, data)
            self.refuse('limit', 'picture', 'pixels', kind='fit', picture=path, width=9, height=9)

    def test_a_bomb_within_the_limits_costs_no_memory(self):
        """100 million pixels from 100 kB of file: read in strips, whatever is done with them."""
        row = bytes(3 * 10000 + 1)
        path = self.write('bomb.png', png(10000, 10000, [row] * 10000))
        self.assertLess(os.path.getsize(path), 500000)
        self.run_job(kind='fit', fit='cover', picture=path, width=50, height=50)
        self.assertLess(self.stats['peak_kib'] - self.idle_kib(), 40000)

    def test_formats_that_are_held_whole_have_a_lower_limit(self):
        path = self.path('interlaced.png')
        convert('-size', '8000x7000', 'xc:red', '-interlace', 'PNG', path)
        self.refuse('limit', 'picture', '8000 x 7000', kind='fit', picture=path, width=9, height=9)

    def test_cut_short(self):
        for name, options in (('a.png', []), ('a.jpg', []), ('a.webp', []), ('a.gif', []),
                              ('b.jpg', ['-interlace', 'JPEG']), ('b.png', ['-interlace', 'PNG'])):
            whole = self.save(noise(90, 70), name, *options)
            with open(whole, 'rb') as file:
                data = file.read()
            for part in (0.3, 0.9):
                path = self.write('cut-' + name, data[:int(len(data) * part)])
                header_is_good = 'error' not in self.jobs(self.every_operation(path)[0])[0]
                self.refuse_everywhere(path, ('invalid',), header_is_good)

    def test_damaged_in_the_middle(self):
        whole = self.save(noise(90, 70), 'a.png')
        with open(whole, 'rb') as file:
            data = bytearray(file.read())
        data[len(data) // 2] ^= 0xff
        self.refuse_everywhere(self.write('damaged.png', data), ('invalid',), header_is_good=True)

    def test_the_extension_means_nothing(self):
        whole = self.save(noise(9, 7), 'a.png')
        path = self.path('a.jpg')
        os.rename(whole, path)
        result = self.run_job(kind='fit', fit='stretch', picture=path, width=9, height=7)
        self.assertEqual(result['width'], 9)

    def test_what_is_no_picture(self):
        svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9"/></svg>'
        for name, data in (('a.png', b'no picture'), ('b.png', svg), ('c.png', b'%PDF-1.4\n%%EOF'),
                           ('d.png', b'RIFF\x24\0\0\0WAVEfmt \x10\0\0\0' + bytes(24)),
                           ('e.png', b'P6 1 1 255 abc'), ('f.png', b'')):
            self.refuse('invalid', 'picture', '', kind='fit', picture=self.write(name, data), width=9,
                        height=9)

    def test_files_that_are_not_there(self):
        self.refuse('not_found', '', 'nothing.png', kind='fit', picture=self.path('nothing.png'),
                    width=9, height=9)
        self.refuse('invalid', 'picture', 'no file with a picture', kind='fit', picture=self.dir, width=9,
                    height=9)
        os.mkfifo(self.path('pipe.png'))
        self.refuse('invalid', 'picture', 'no file with a picture', kind='fit',
                    picture=self.path('pipe.png'), width=9, height=9)

    def test_a_place_that_cannot_be_written(self):
        picture = self.save(noise(9, 9), 'a.png')
        job = dict(kind='fit', picture=picture, width=9, height=9, output=self.path('none/out.png'))
        result, = self.jobs(job)
        self.assertEqual(result['error'], 'io')
        self.assertIn('No such file', result['text'])
        result, = self.jobs(dict(job, output='/dev/full/out.png'))
        self.assertEqual(result['error'], 'io')

    def test_a_selection_in_too_many_pieces(self):
        path = self.path('pieces.png')
        convert('-size', '4200x4200', 'pattern:gray50', '-scale', '100%', path)
        result, = self.jobs(dict(kind='mask_object', picture=path, tolerance=100, largest_only=1,
                                 has_colour=1, colour=[255, 255, 255, 255], output=self.path('o.png')))
        self.assertEqual(result['error'], 'limit')
        self.assertIn('higher tolerance', result['text'])


if __name__ == '__main__':
    main()
