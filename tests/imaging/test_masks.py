"""Masks: where they come from, how they are refined, what they look like to a provider."""
import math

from pictures import PictureCase, convert, grey, main, noise, paint

WIDTH, HEIGHT = 64, 48


def brute_grow(rows, by):
    """The greatest (least, for a negative `by`) value within |by| pixels, each way."""
    pick = max if by > 0 else min
    reach = abs(by)
    height, width = len(rows), len(rows[0])
    return [[pick(rows[j][i]
                  for j in range(max(0, y - reach), min(height, y + reach + 1))
                  for i in range(max(0, x - reach), min(width, x + reach + 1)))
             for x in range(width)] for y in range(height)]


def gauss(rows, sigma):
    """A true Gaussian, edges replicated."""
    reach = int(4 * sigma) + 1
    weights = [math.exp(-d * d / (2 * sigma * sigma)) for d in range(-reach, reach + 1)]
    whole = sum(weights)

    def line(values):
        last = len(values) - 1
        return [sum(w * values[min(max(i + d - reach, 0), last)] for d, w in enumerate(weights)) / whole
                for i in range(len(values))]
    across = [line(row) for row in rows]
    down = [line(list(column)) for column in zip(*across)]
    return [list(row) for row in zip(*down)]


class Masks(PictureCase):
    def setUp(self):
        super().setUp()
        self.picture = self.save(noise(WIDTH, HEIGHT), 'picture.png')

    def regions(self, *regions, **more):
        return self.mask(kind='mask_regions', picture=self.picture, regions=list(regions), **more)

    def test_rect_is_exactly_its_pixels(self):
        got = self.regions({'x': 4, 'y': 6, 'width': 20, 'height': 10})
        self.assertEqual(got, [[255 if 4 <= x < 24 and 6 <= y < 16 else 0 for x in range(WIDTH)]
                               for y in range(HEIGHT)])

    def test_rect_is_clipped_and_united(self):
        got = self.regions({'x': -10, 'y': -10, 'width': 14, 'height': 13},
                           {'x': 60, 'y': 40, 'width': 100, 'height': 100})
        self.assertEqual(got, [[255 if (x < 4 and y < 3) or (x >= 60 and y >= 40) else 0
                                for x in range(WIDTH)] for y in range(HEIGHT)])

    def test_percent(self):
        got = self.regions({'percent': 1, 'x': 25, 'y': 50, 'width': 50, 'height': 50})
        self.assertEqual(got, [[255 if 16 <= x < 48 and y >= 24 else 0 for x in range(WIDTH)]
                               for y in range(HEIGHT)])

    def test_ellipse_has_the_pixels_whose_centres_it_has(self):
        got = self.regions({'shape': 'ellipse', 'x': 5, 'y': 3, 'width': 41, 'height': 30})
        for y in range(HEIGHT):
            for x in range(WIDTH):
                inside = ((x + .5 - 25.5) / 20.5) ** 2 + ((y + .5 - 18) / 15) ** 2
                if abs(inside - 1) > 1e-9:
                    self.assertEqual(got[y][x], 255 if inside < 1 else 0, (x, y, inside))

    def test_ellipse_as_imagemagick_draws_it(self):
        got = self.regions({'shape': 'ellipse', 'percent': 1, 'x': 10, 'y': 10, 'width': 80,
                            'height': 80})
        data = convert('-size', '%dx%d' % (WIDTH, HEIGHT), 'xc:black', '-fill', 'white', '+antialias',
                       '-draw', 'ellipse 31.5,23.5 25.6,19.2 0,360', '-depth', '8', 'gray:-')
        for y in range(HEIGHT):
            for x in range(WIDTH):
                if got[y][x] != data[y * WIDTH + x]:  # the outline itself is a matter of taste
                    away = math.hypot((x + .5 - 32) / 25.6, (y + .5 - 24) / 19.2) - 1
                    self.assertLess(abs(away) * 19.2, 1, (x, y))

    def test_invert_then_grow(self):
        plain = self.regions({'x': 20, 'y': 20, 'width': 9, 'height': 7})
        inverted = [[255 - value for value in row] for row in plain]
        for by in (1, 3, 8, -2):
            got = self.regions({'x': 20, 'y': 20, 'width': 9, 'height': 7}, invert=1, grow_px=by)
            self.assertEqual(got, brute_grow(inverted, by), by)

    def test_grow_of_soft_masks(self):
        soft = self.save(grey(WIDTH, HEIGHT, lambda x, y: (x * 37 + y * 91) % 256), 'soft.png')
        plain = self.mask(kind='mask_file', picture=self.picture, mask=soft)
        for by in (-5, -1, 1, 2, 7, 100):
            got = self.mask(kind='mask_file', picture=self.picture, mask=soft, grow_px=by)
            self.assertEqual(got, brute_grow(plain, by), by)

    def test_grow_as_imagemagick_does(self):
        soft = self.save(grey(WIDTH, HEIGHT, lambda x, y: (x * 37 + y * 91) % 256), 'soft.png')
        got = self.mask(kind='mask_file', picture=self.picture, mask=soft, grow_px=2)
        data = convert(soft, '-morphology', 'Dilate', 'Square:2', '-depth', '8', 'gray:-')
        self.assertEqual([value for row in got for value in row], list(data))

    def test_feather_is_a_gaussian(self):
        region = {'x': 18, 'y': 14, 'width': 30, 'height': 20}
        plain = self.regions(region)
        for sigma in (0.7, 1, 2.5, 4, 9):
            got = self.regions(region, feather_px=sigma)
            wanted = gauss(plain, sigma)
            worst = max(abs(a - b) for row, other in zip(got, wanted) for a, b in zip(row, other))
            self.assertLess(worst, 255 * 0.035, sigma)
            inked = sum(sum(row) for row in got) / sum(sum(row) for row in wanted)
            self.assertAlmostEqual(inked, 1, delta=0.02)

    def test_feather_as_imagemagick_blurs(self):
        region = {'x': 18, 'y': 14, 'width': 30, 'height': 20}
        self.regions(region)
        data = convert(self.output, '-virtual-pixel', 'edge', '-blur', '0x4', '-depth', '8', 'gray:-')
        got = self.regions(region, feather_px=4)
        worst = max(abs(a - b) for a, b in zip([v for row in got for v in row], data))
        self.assertLess(worst, 255 * 0.035)

    def test_feather_ends(self):
        got = self.regions({'x': 0, 'y': 0, 'width': 8, 'height': HEIGHT}, feather_px=4)
        self.assertEqual({value for row in got for value in row[8 + 14:]}, {0})
        self.assertEqual([row[0] for row in got], [got[0][0]] * HEIGHT)

    def test_feather_keeps_what_is_whole(self):
        got = self.regions({'x': 0, 'y': 0, 'width': WIDTH, 'height': HEIGHT}, feather_px=12)
        self.assertEqual({value for row in got for value in row}, {255})

    def test_white_means_change(self):
        drawn = self.save(grey(WIDTH, HEIGHT, lambda x, y: 255 if x < 9 else 0), 'mask.png')
        got = self.mask(kind='mask_file', picture=self.picture, mask=drawn)
        self.assertEqual(got, [[255 if x < 9 else 0 for x in range(WIDTH)]] * HEIGHT)

    def test_transparent_means_change_whatever_colour_it_has(self):
        drawn = self.save(paint(WIDTH, HEIGHT, lambda x, y: (255, 255, 255, 4 * x)), 'mask.png')
        got = self.mask(kind='mask_file', picture=self.picture, mask=drawn)
        self.assertEqual(got, [[255 - 4 * x for x in range(WIDTH)]] * HEIGHT)

    def test_an_opaque_alpha_says_nothing(self):
        drawn = self.save(grey(WIDTH, HEIGHT, lambda x, y: 255 if y > 9 else 0), 'mask.png',
                          '-define', 'png:color-type=6')
        got = self.mask(kind='mask_file', picture=self.picture, mask=drawn)
        self.assertEqual([row[0] for row in got], [255 if y > 9 else 0 for y in range(HEIGHT)])

    def test_colours_count_by_their_brightness(self):
        drawn = self.save(paint(WIDTH, HEIGHT, lambda x, y: [(255, 0, 0), (0, 255, 0), (0, 0, 255),
                                                             (9, 9, 9)][x % 4]), 'mask.png')
        got = self.mask(kind='mask_file', picture=self.picture, mask=drawn)
        self.assertEqual(got[0][:4], [76, 150, 29, 9])

    def test_a_mask_of_the_same_shape_is_scaled(self):
        drawn = self.save(grey(2 * WIDTH, 2 * HEIGHT, lambda x, y: 255 if x >= WIDTH else 0), 'mask.png')
        result = self.run_job(kind='mask_file', picture=self.picture, mask=drawn)
        self.assertTrue(result['was_scaled'])
        got = self.values(self.output)
        self.assertEqual([len(got), len(got[0])], [HEIGHT, WIDTH])
        self.assertEqual({row[x] for row in got for x in range(WIDTH // 2 - 1)}, {0})
        self.assertEqual({row[x] for row in got for x in range(WIDTH // 2 + 1, WIDTH)}, {255})

    def test_a_small_mask_is_enlarged(self):
        drawn = self.save(grey(4, 3, lambda x, y: 255 if x >= 2 else 0), 'mask.png')
        got = self.mask(kind='mask_file', picture=self.picture, mask=drawn)
        self.assertEqual([got[20][0], got[20][WIDTH - 1]], [0, 255])

    def test_another_shape_is_refused_with_both_sizes(self):
        drawn = self.save(grey(HEIGHT, WIDTH, lambda x, y: 255), 'mask.png')
        result = self.refuse('invalid', 'mask', '48 x 64', kind='mask_file', picture=self.picture,
                             mask=drawn)
        self.assertIn('64 x 48', result['text'])

    def test_a_mask_that_marks_nothing_is_refused(self):
        drawn = self.save(grey(WIDTH, HEIGHT, lambda x, y: 0), 'mask.png')
        self.refuse('invalid', 'mask', 'marks nothing', kind='mask_file', picture=self.picture,
                    mask=drawn)

    def test_regions_outside_and_without_size(self):
        for region in ({'x': 64, 'y': 0, 'width': 5, 'height': 5},
                       {'x': 0, 'y': -9, 'width': 5, 'height': 5}):
            self.refuse('invalid', 'regions', '64 x 48', kind='mask_regions', picture=self.picture,
                        regions=[region])
        self.refuse('invalid', 'regions', 'above 0', kind='mask_regions', picture=self.picture,
                    regions=[{'x': 0, 'y': 0, 'width': 0, 'height': 5}])
        self.refuse('invalid', 'regions', 'no region', kind='mask_regions', picture=self.picture)

    def test_bounds_of_refinement(self):
        region = [{'x': 0, 'y': 0, 'width': 5, 'height': 5}]
        for field, value in (('grow_px', 257), ('grow_px', -257), ('feather_px', 257),
                             ('feather_px', -1)):
            self.refuse('invalid', field, '256', kind='mask_regions', picture=self.picture,
                        regions=region, **{field: value})

    def test_what_openai_takes(self):
        drawn = self.save(grey(WIDTH, HEIGHT, lambda x, y: 4 * x), 'mask.png')
        self.mask(kind='mask_file', picture=self.picture, mask=drawn)
        result = self.run_job(kind='mask_alpha', mask=self.output, output=self.path('alpha.png'))
        self.assertTrue(result['has_alpha'])
        self.assertEqual(result['masked_pixels'], (WIDTH - 1) * HEIGHT)
        width, height, data = self.load(self.output)
        self.assertEqual((width, height), (WIDTH, HEIGHT))
        self.assertEqual(list(data[3::4]), [255 - 4 * x for x in range(WIDTH)] * HEIGHT)
        kind = convert(self.output, '-format', '%[channels] %[bit-depth]', 'info:-')
        self.assertEqual(kind.split(), [b'srgba', b'8'])

    def test_what_openai_takes_in_another_size(self):
        self.regions({'x': 0, 'y': 0, 'width': WIDTH // 2, 'height': HEIGHT})
        self.run_job(kind='mask_alpha', mask=self.output, output=self.path('alpha.png'), width=1024,
                     height=768)
        width, height, data = self.load(self.output)
        self.assertEqual((width, height), (1024, 768))
        self.assertEqual([data[3], data[4 * 1023 + 3]], [0, 255])


class Objects(PictureCase):
    def find(self, picture, **more):
        more.setdefault('tolerance', 40)
        return self.mask(kind='mask_object', picture=self.save(picture, 'picture.png'), **more)

    def disc(self):
        return paint(40, 40, lambda x, y: (200, 30, 30, 255 if (x - 20) ** 2 + (y - 20) ** 2 <= 100
                                           else 0))

    def test_by_alpha(self):
        got = self.find(self.disc(), select='alpha', tolerance=10)
        self.assertEqual(got, [[255 if (x - 20) ** 2 + (y - 20) ** 2 <= 100 else 0 for x in range(40)]
                               for y in range(40)])

    def test_background(self):
        got = self.find(self.disc(), select='alpha', tolerance=10, target_background=1)
        self.assertEqual(got[20][20], 0)
        self.assertEqual(got[0][0], 255)

    def test_background_inverted_is_the_object(self):
        got = self.find(self.disc(), select='alpha', tolerance=10, target_background=1, invert=1)
        self.assertEqual(got[20][20], 255)

    def test_by_backdrop(self):
        picture = paint(40, 30, lambda x, y: (20, 40, 200) if 10 <= x < 25 and 8 <= y < 20
                        else (250, 250 - x % 3, 250))
        got = self.find(picture, tolerance=30)
        self.assertEqual(got, [[255 if 10 <= x < 25 and 8 <= y < 20 else 0 for x in range(40)]
                               for y in range(30)])

    def test_by_a_given_colour(self):
        picture = paint(40, 30, lambda x, y: (0, 255, 0) if x < 20 else (0, 200, 0))
        got = self.find(picture, tolerance=50, has_colour=1, colour=[0, 255, 0, 255])
        self.assertEqual(got[0], [0] * 20 + [255] * 20)

    def test_tolerance_is_a_distance_in_rgb(self):
        picture = paint(40, 30, lambda x, y: (30, 40, 0) if x == 20 and y == 15 else (0, 0, 0))
        self.assertEqual(self.find(picture, tolerance=50)[15][20], 255)
        self.refuse('invalid', 'mask', 'marks nothing', kind='mask_object', tolerance=50.5,
                    picture=self.path('picture.png'))

    def test_largest_part(self):
        # A ring (hard for runs that join late), a diagonal, and crumbs.
        def inked(x, y):
            ring = 64 <= (x - 15) ** 2 + (y - 15) ** 2 <= 121
            return ring or (x - y == 22 and x < 50) or (x % 9 == 4 and y == 38)
        picture = paint(60, 40, lambda x, y: (0, 0, 0) if inked(x, y) else (255, 255, 255))
        everything = self.find(picture)
        self.assertEqual(sum(map(sum, everything)) // 255,
                         sum(inked(x, y) for x in range(60) for y in range(40)))
        got = self.find(picture, largest_only=1)
        self.assertEqual(got, [[255 if 64 <= (x - 15) ** 2 + (y - 15) ** 2 <= 121 else 0
                                for x in range(60)] for y in range(40)])

    def test_parts_touch_by_corners(self):
        picture = paint(40, 40, lambda x, y: (0, 0, 0) if x == y or (x == 30 and y < 8)
                        else (255, 255, 255))
        got = self.find(picture, largest_only=1, has_colour=1, colour=[255, 255, 255, 255])
        self.assertEqual(got, [[255 if x == y else 0 for x in range(40)] for y in range(40)])

    def test_largest_part_as_imagemagick_finds_it(self):
        state = [7]

        def speck(_x, _y):
            state[0] = (state[0] * 1103515245 + 12345) & 0x7fffffff
            return (0, 0, 0) if state[0] >> 16 & 255 < 130 else (255, 255, 255)
        picture = paint(90, 70, speck)
        got = self.find(picture, largest_only=1, has_colour=1, colour=[255, 255, 255, 255])
        # A mask with every part of it but the largest painted over.
        lines = convert(self.path('picture.png'), '-negate', '-type', 'bilevel', '-define',
                        'connected-components:verbose=true', '-connected-components', '8',
                        'null:').decode().splitlines()[1:]
        areas = [int(line.split()[3]) for line in lines
                 if line.split()[4] in ('gray(255)', 'srgb(255,255,255)', 'white')]
        self.assertEqual(sum(map(sum, got)) // 255, max(areas))

    def test_no_transparency_to_go_by(self):
        path = self.save(noise(20, 20), 'plain.png')
        self.refuse('invalid', 'select', 'no transparency', kind='mask_object', picture=path,
                    select='alpha', tolerance=10)

    def test_bounds_of_tolerance(self):
        path = self.save(noise(20, 20, alpha=True), 'plain.png')
        for select, value in (('alpha', 0), ('alpha', 256), ('backdrop', 0), ('backdrop', 443)):
            self.refuse('invalid', 'tolerance', 'allowed', kind='mask_object', picture=path,
                        select=select, tolerance=value)


if __name__ == '__main__':
    main()
