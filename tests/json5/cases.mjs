// What the JSON5 specification and the package's README document, one entry a document.
// Verdict and value come from the package at run time; this list only has to name the cases.

const strings = [
    String.raw`''`, String.raw`""`, String.raw`'a"b'`, String.raw`"a'b"`, String.raw`'a\'b'`,
    String.raw`"a\"b"`, String.raw`'\b\f\n\r\t\v\0\\\/'`, String.raw`'\x41\x00\xff\xFf'`,
    String.raw`'\u0041\uD83D\uDE00\u00e9'`, String.raw`'\a\c\d\q\'\"\ \-'`, String.raw`'\u{41}'`,
    String.raw`'\uD83D'`, String.raw`'\uDE00'`, String.raw`'\uDE00\uD83D'`, String.raw`'\uD83Dx\uDE00'`,
    String.raw`'\uD83D\uD83D\uDE00'`, "'\\uD83D\\\n\\uDE00'", "'\\uD83D\u2028\\uDE00'",
    String.raw`'\1'`, String.raw`'\9'`, String.raw`'\00'`, String.raw`'\01'`, String.raw`'\0a'`,
    String.raw`'\x4'`, String.raw`'\x4g'`, String.raw`'\xg4'`, String.raw`'\u004'`,
    String.raw`'\u00zz'`, String.raw`'\u'`, "'\\", String.raw`'\x`, String.raw`'abc`,
    String.raw`"abc'`, "'a\\\nb'", "'a\\\rb'", "'a\\\r\nb'", "'a\\\n\rb'", "'a\\\u2028b'",
    "'a\\\u2029b'", "'a\nb'", "'a\rb'", "'a\u2028b\u2029c'", "'a\tb\u0000c\u0007'", "'\\\u{1F600}'",
    "'\u{1F600}\uFEFF\u00A0'", "'\\\u0000'", "'\\", "'\\u", "\"\\0",
];

const numbers = [
    '0', '-0', '+0', '1', '-1', '+1', '1.', '.5', '-.5', '+.5', '5.', '-5.', '0.', '0.0', '-0.0', '.0',
    '00', '01', '-01', '08', '0.1', '1e3', '1E3', '1e+3', '1e-3', '1.e3', '.1e3', '0e0', '0e5', '-0e5',
    '1e', '1e+', '1e-', '.e1', '.', '+', '-', '+.', '--1', '+-1', '- 1', '+ 1', '1.2.3', '1..2', '1_000',
    '0x0', '0xF', '0XdecAF', '-0xC8', '+0x10', '0x', '0xg', '0x1.8', '0x1p3', '-0x', '0x1e5', '0b1', '0o7',
    '9007199254740991', '9007199254740992', '9007199254740993', '-9007199254740993',
    '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809',
    '9223372036854774784', '18446744073709551615', '12345678901234567890', '0xFFFFFFFFFFFFFFFF',
    '0x20000000000001', '0x20000000000003', '0x' + 'f'.repeat(255), '0x' + 'f'.repeat(256),
    '0x' + '0'.repeat(400) + '1', '123456789012345678901234567890', '1e308', '1.7976931348623157e308',
    '1.7976931348623158e308', '1.7976931348623159e308', '1e309', '-1e309', '1e999999999999', '5e-324',
    '2e-324', '3e-324', '-2e-324', '1e-999999999999', '2.2250738585072011e-308', '0.1e1', '1.0', '100e-2',
    '8.41e21', '1.5e1', '4.35', '0.000001', '123456.789', '9'.repeat(400), '0.' + '0'.repeat(400) + '1',
    '1' + '0'.repeat(300) + '.5', '179769313486231580793' + '0'.repeat(288), 'Infinity', '+Infinity',
    '-Infinity', 'NaN', '+NaN', '-NaN', 'infinity', 'nan', 'Inf', 'Infinityy', '-Infinit', 'Na', 'N', 'I',
];

const keys = [
    'a', '$', '_', '$_$', 'a1', 'a$', 'ünï', 'ä', 'ℓ', '\u2160', '\u16EE', '𐊧', 'a𐊧', '𝒜', 'a\u200C', 'a\u200D',
    '\u200Ca', 'a\u0301', '\u0301a', 'a\u203F', '\u203F', 'a\u0660', '1a', '-a', 'a-b', 'a b', 'a.b', 'null',
    'true', 'false', 'Infinity', 'NaN', '__proto__', 'constructor', 'toString', '0', '01', '4294967294',
    '\\u0061', '\\u0061\\u0062', 'a\\u0062c', '\\u0024', '\\u005F', 'a\\u200C', '\\u200C', '\\u0030', 'a\\u0030',
    '\\u0020', 'a\\u002D', '\\uD835\\uDC9C', 'a\\uD835\\uDC9C', '\\', '\\a', '\\x61', '\\u', '\\u006', 'a\\', 'a\\n',
    'a\\u00', '\\u{61}', '\u1CF2', 'a\u1CF2', '\u2118', '\u212E', 'a\u00B7', '\u2E2F', "'a'", '"a"', "''", '""',
    "'a b'", "'\\u0061'", "'__proto__'", "'\\0'", "'a\\\nb'", "'\\uD800'", '', ' ', 'a ', 'a/**/', 'a//\n',
];

const layout = [
    '', ' ', '\n', '//', '// x', '/**/', '/* x', '/*', '/* *', '/***/1', '/****/1', '/*/1', '/*/ */1', '/', '/ 1',
    '1/', '1//', '1/*', '1/**/', '// x\n1', '// x\r1', '// x\u20281', '// x\u20291', '// x\u00851', '/*\n*/1\n',
    '1//\u2028x', '1 /* \u{1F600} */ x', '\uFEFF1', '\u00A01', '\u16801', '\u2000\u200A1', '\u202F\u205F\u30001',
    '\t\v\f \n\r\u2028\u20291', '\u00851', '\u180E1', '\u200B1', '\u200C1', '\u00001', '1\u0000', '\u{1F600}',
    '1 2', '1,', ',1', '1 //\n,', 'null', 'true', 'false', 'nul', 'nulll', 'tru', 'truefalse', 'fals', 'Null',
    'undefined', 'n', 't', 'f', 'null/**/', 'tr\nue', '\n\n  x', '/*\n\n*/ x', '\r\r x', '\r\n x', 'a',
];

const containers = [
    '{}', '{ }', '{,}', '{', '}', '{a', '{a:', '{a:1', '{a:1,', '{a:1,}', '{a:1,,}', '{a:1 b:2}', '{a:1,b:2}',
    '{a 1}', '{a::1}', '{a:,}', '{a:}', '{:1}', '{a}', '{"a"}', '{"a":1,"a":2}', '{a:1,b:2,a:3}', '{a:{b:1},a:[2]}',
    '{a:[1],a:{}}', '{"":1,"":2}', '{10:1}', '{"10":1,"9":2,b:3,"01":4,a:5,"4294967295":6,"4294967294":7}',
    '{__proto__:1}', '{__proto__:{a:1},b:2}', '{"__proto__":[],"__proto__":null}', '{hasOwnProperty:1}',
    '{a:1]', '{a:[1}', '[]', '[ ]', '[,]', '[', ']', '[1', '[1,', '[1,]', '[1,,]', '[,1]', '[1 2]', '[1,2]', '[1}',
    '[[]]', '[[],]', '[{}]', '[{},{}]', '[[[[[[[]]]]]]]', '[null,true,false]', '[1]]', '{}}', '[]{}', '{}1', '[:]',
    "{// c\n  unquoted: 'and you can quote me on that',\n  singleQuotes: 'I can use \"double quotes\" here',\n" +
        "  lineBreaks: \"Look, Mom! \\\nNo \\\\n's!\",\n  hexadecimal: 0xdecaf,\n  leadingDecimalPoint: .8675309, " +
        "andTrailing: 8675309.,\n  positiveSign: +1,\n  trailingComma: 'in objects', andIn: ['arrays',],\n" +
        "  \"backwardsCompatible\": \"with JSON\",\n}\n",
];

const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);

export const cases = [
    ...strings, ...strings.map((s) => `[${s}]`), ...strings.map((s) => `{${s}:${s},}`),
    ...numbers, ...numbers.map((s) => `[${s}]`), ...numbers.map((s) => `{a:${s},b:[${s},${s}]}`),
    ...keys.map((k) => `{${k}:1}`), ...keys.map((k) => `{a:0,${k} : 1,}`), ...keys.map((k) => `{${k}`),
    ...layout, ...layout.map((s) => `[${s}]`), ...layout.map((s) => `{a:1${s}}`), ...layout.map((s) => `{a${s}:1}`),
    ...containers, ...containers.map((s) => `[${s},${s}]`), ...containers.map((s) => `{a:${s},b:${s}}`),
    nested(256), '{a:'.repeat(256) + '0' + '}'.repeat(256), '['.repeat(256),
];

// Deeper than JSON5_DEPTH_MAX: valid for the package, one clear error here.
export const tooDeep = [nested(257), '{a:'.repeat(257), nested(10000), '[{a:'.repeat(5000), '['.repeat(100000)];
