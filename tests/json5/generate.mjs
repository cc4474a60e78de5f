// Random JSON5 documents: most are valid, and some are broken on purpose afterwards.

export function makeRandom(seed) {
    let state = seed >>> 0;
    const next = () => { // mulberry32
        state = (state + 0x6d2b79f5) >>> 0;
        let t = state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const below = (n) => Math.floor(next() * n);
    return { next, below, chance: (p) => next() < p, pick: (list) => list[below(list.length)] };
}

const spaces = [' ', ' ', '  ', '\n', '\t', '\r', '\r\n', '\v', '\f', '\u00a0', '\ufeff', '\u2028', '\u2029',
                '\u1680', '\u2003', '\u202f', '\u205f', '\u3000'];
const words = ['a', 'b', 'key', 'apiKey', 'models', '$x', '_', 'a1', 'ünïcode', 'ключ', '键', '𝒜b', 'x\u200dy',
               'e\u0301', '__proto__', 'constructor', '0', '1', '7', '42', '007', '4294967294', '4294967295', 'null'];
const startChars = ['a', 'Z', '$', '_', 'é', 'ñ', '字', '\u2160', 'ª', '𐊧'];
const continueChars = [...startChars, '0', '9', '\u0301', '\u203f', '\u200c', '\u200d', '\u0660'];
const rawChars = ['a', 'b', ' ', '0', '/', '*', '{', '}', '[', ']', ',', ':', '\t', '\u0000', '\u0007', '\u007f', 'é',
                  '字', '😀', '\u2028', '\u2029', '\ufeff', '\u00a0', '\u200d', '\uffff', '\u{10ffff}', '//', '/*'];
const escapes = ['\\b', '\\f', '\\n', '\\r', '\\t', '\\v', '\\0', '\\\\', '\\/', "\\'", '\\"', '\\a', '\\z', '\\é',
                 '\\😀', '\\\n', '\\\r', '\\\r\n', '\\\u2028', '\\\u2029', '\\x00', '\\x7F', '\\xe9', '\\u0000',
                 '\\u00e9', '\\uD83D\\uDE00', '\\uD83D\\\n\\uDE00', '\\uFFFF', '\\uD800', '\\uDFFF', '\\uDBFF', '\\uDC00'];
// What a mutation may put in: everything that means something somewhere.
const debris = [...'{}[]:,\'"\\/*+-.0123456789abcdefnrtuvxzENIX$_ \n\r\t', '//', '/*', '*/', '\\u', '\\x', '\\u00',
                '\\0', 'Infinity', 'NaN', 'null', 'true', '0x', 'e+', '\u2028', '\u2029', '\ufeff', '\u00a0', '\u0085',
                '\u200b', '\u0000', 'é', '字', '😀', '“', '\ud800', '\u0560', '\u1cf2', ',,', '::', '__proto__:'];

function space(r, out) {
    if (r.chance(0.6))
        return;
    for (let n = 1 + r.below(2); n > 0; n--) {
        const kind = r.next();
        if (kind < 0.8)
            out.push(r.pick(spaces));
        else if (kind < 0.9)
            out.push('/*', r.chance(0.3) ? '*' : '', r.pick(rawChars).replace('*/', ''), r.chance(0.3) ? '\n**' : '', '*/');
        else
            out.push('//', r.pick(rawChars), r.pick(words), r.pick(['\n', '\r', '\u2028', '\u2029', '\r\n']));
    }
}

function string(r) {
    const quote = r.pick(["'", '"']);
    let text = '';
    for (let n = r.below(6); n > 0; n--) {
        const kind = r.next();
        if (kind < 0.4)
            text += r.pick(rawChars);
        else if (kind < 0.6)
            text += quote === '"' ? "'" : '"';
        else if (kind < 0.7)
            text += '\\u' + r.below(65536).toString(16).padStart(4, '0');
        else {
            const escape = r.pick(escapes);
            text += escape + (escape === '\\0' ? 'x' : '');
        }
    }
    return quote + text + quote;
}

function key(r) {
    const kind = r.next();
    if (kind < 0.25)
        return string(r);
    const word = r.pick(words);
    if (kind < 0.55)
        return /^[0-9]/.test(word) ? `"${word}"` : word;
    let text = '';
    for (let n = 1 + r.below(4); n > 0; n--) {
        const c = r.pick(text === '' ? startChars : continueChars);
        text += r.chance(0.2) && c.length === 1 ? '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0') : c;
    }
    return text;
}

function digits(r, most) {
    let text = '';
    for (let n = 1 + r.below(most); n > 0; n--)
        text += r.below(10);
    return text;
}

function number(r) {
    const sign = r.pick(['', '', '', '-', '+']);
    const kind = r.next();
    if (kind < 0.15)
        return sign + r.pick(['0x', '0X']) + r.below(2 ** 31).toString(16) + (r.chance(0.3) ? digits(r, 16) : '');
    if (kind < 0.18)
        return sign + r.pick(['Infinity', 'NaN', '1e400']);
    if (kind < 0.24)
        return sign + (2n ** BigInt(50 + r.below(20)) + BigInt(r.below(7) - 3)).toString();
    if (kind < 0.30)
        return sign + String(r.next() * 10 ** (r.below(640) - 330)).replace('e+', r.pick(['e', 'E', 'e+']));
    let whole = r.chance(0.2) ? '0' : digits(r, r.chance(0.1) ? 25 : 4).replace(/^0+(?=.)/, '');
    let fraction = '';
    if (r.chance(0.4))
        fraction = '.' + (r.chance(0.7) ? digits(r, r.chance(0.1) ? 30 : 4) : '');
    if (fraction.length > 1 && r.chance(0.3))
        whole = '';
    return sign + whole + fraction + (r.chance(0.25) ? r.pick(['e', 'E']) + r.pick(['', '+', '-']) + digits(r, 2) : '');
}

function value(r, depth, out) {
    const kind = depth <= 0 ? r.next() * 0.6 : r.next();
    if (kind < 0.1)
        out.push(r.pick(['null', 'true', 'false']));
    else if (kind < 0.35)
        out.push(number(r));
    else if (kind < 0.6)
        out.push(string(r));
    else {
        const object = kind < 0.85, n = r.below(5);
        out.push(object ? '{' : '[');
        for (let i = 0; i < n; i++) {
            space(r, out);
            if (object) {
                out.push(key(r));
                space(r, out);
                out.push(':');
                space(r, out);
            }
            value(r, depth - 1, out);
            space(r, out);
            if (i + 1 < n || r.chance(0.3))
                out.push(',');
        }
        space(r, out);
        out.push(object ? '}' : ']');
    }
}

function mutate(r, text) {
    const at = r.below(text.length + 1), other = r.below(text.length + 1);
    switch (r.below(6)) {
    case 0: return text.slice(0, at);
    case 1: return text.slice(0, at) + text.slice(at + 1 + r.below(3));
    case 2: return text.slice(0, at) + r.pick(debris) + text.slice(at);
    case 3: return text.slice(0, at) + r.pick(debris) + text.slice(at + 1);
    case 4: return text.slice(0, at) + text.slice(Math.min(at, other), Math.max(at, other)) + text.slice(at);
    default: return text.slice(0, at) + String.fromCodePoint(r.below(r.chance(0.5) ? 128 : 0x110000)) + text.slice(at);
    }
}

// String.prototype.toWellFormed is newer than Node.js 18: encoding puts U+FFFD for lone surrogates.
const wellFormed = (text) =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text));

export function generate(r) {
    const out = [];
    space(r, out);
    value(r, r.below(7), out);
    space(r, out);
    let text = out.join('');
    if (r.chance(0.55))
        for (let n = 1 + r.below(3); n > 0; n--)
            text = mutate(r, text);
    return wellFormed(text); // a half surrogate has no UTF-8
}
