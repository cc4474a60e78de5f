// node differential.mjs JSON5_VALUES BUILD_DIR [--seed N] [--count N] [--spoil]
//
// Gives the same documents to the npm package json5 and to json5_parse (through json5_values) and
// compares verdict, value, key order and the place of each error. The meant differences listed in
// plugin/config/json5.h are checked to be what they claim: a number refused as not finite must be
// one, and after it is replaced by 0 the rest of the document must agree again.
// --spoil falsifies one answer, to show that a difference is found.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { cases, tooDeep } from './cases.mjs';
import { generate, makeRandom } from './generate.mjs';

const NOT_FINITE = -2, DEPTH = -4, BATCH = 100000, REPAIRS_MAX = 200;

const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string' }, count: { type: 'string' }, spoil: { type: 'boolean' } },
});
const [program, buildDir] = positionals;
const JSON5 = createRequire(path.join(path.resolve(buildDir), 'package.json'))('json5');
const seed = Number(options.seed ?? Date.now() % 4294967296);
const count = Number(options.count ?? 60000);
const tally = { compared: 0, valid: 0, broken: 0, notFinite: 0, ambiguousKeys: 0 };
console.warn = () => {}; // the package warns about U+2028 in strings

function fail(document, why) {
    console.error(`first difference: ${why}`);
    console.error(`document: ${JSON.stringify(document).slice(0, 4000)}`);
    console.error(`seed: ${seed}`);
    process.exit(1);
}

// The reader's answers to the documents, one line each.
function ask(documents) {
    const parts = [];
    for (const document of documents) {
        const bytes = Buffer.from(document, 'utf8'), head = Buffer.alloc(4);
        head.writeUInt32LE(bytes.length);
        parts.push(head, bytes);
    }
    const input = path.join(buildDir, `documents-${process.pid}`), output = `${input}.out`;
    writeFileSync(input, Buffer.concat(parts));
    execFileSync(program, [input, output], { stdio: 'inherit' });
    const lines = readFileSync(output, 'utf8').split('\n');
    rmSync(input);
    rmSync(output);
    if (lines.pop() !== '' || lines.length !== documents.length)
        throw new Error(`${documents.length} documents, ${lines.length} answers`);
    return lines;
}

const hex = (text) => Buffer.from(text, 'utf8').toString('hex');
const bits = new DataView(new ArrayBuffer(8));

// A value in json5_values' notation. Half surrogates become U+FFFD by the UTF-8 encoding.
function canonical(value, notes) {
    switch (typeof value) {
    case 'boolean':
        return value ? 't' : 'f';
    case 'number':
        bits.setFloat64(0, value);
        return 'd' + bits.getBigUint64(0).toString(16).padStart(16, '0');
    case 'string':
        return 's' + hex(value);
    }
    if (value === null)
        return 'n';
    if (Array.isArray(value))
        return `[${value.map((v) => canonical(v, notes)).join(',')}]`;
    const keys = Object.keys(value);
    if (new Set(keys.map(hex)).size !== keys.length)
        notes.ambiguous = true; // two keys that differ in half surrogates only
    return `{${keys.map((k) => `${hex(k)}:${canonical(value[k], notes)}`).join(',')}}`;
}

function packageAnswer(document) {
    try {
        return { value: JSON5.parse(document) };
    } catch (error) {
        if (!(error instanceof SyntaxError))
            throw error;
        return { error };
    }
}

// The package counts UTF-16 units and stands behind the offending character; a line feed it has
// already counted as the next line. Here: the character's own place, in code points.
function place(document, error) {
    const lines = document.split('\n'), { lineNumber: line, columnNumber: column } = error;
    if (column === 0)
        return `${line - 1} ${[...lines[line - 2]].length + 1}`;
    const text = lines[line - 1], past = Math.max(0, column - text.length);
    return `${line} ${[...text.slice(0, column)].length + past}`;
}

function offsetOf(document, line, column) {
    const lines = document.split('\n');
    const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    return before + [...lines[line - 1]].slice(0, column - 1).join('').length;
}

// Replaces the number the reader refused by 0, after checking that it is not finite.
function repair(document, line, column) {
    const at = offsetOf(document, line, column);
    const token = /^[+-]?(Infinity|NaN|0[xX][0-9a-fA-F]+|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)/.exec(document.slice(at));
    if (!token || Number.isFinite(Number(token[1])))
        fail(document, `refused as not finite at ${line}:${column}, but it is no such number`);
    return `${document.slice(0, at)}0${document.slice(at + token[0].length)}`;
}

// Returns the document to compare instead, or undefined.
function compare(document, answer) {
    const [verdict, code, line, column] = answer.split(' ');
    if (verdict === 'err' && Number(code) === NOT_FINITE) {
        tally.notFinite++;
        return repair(document, Number(line), Number(column));
    }
    const theirs = packageAnswer(document);
    tally.compared++;
    if (theirs.error) {
        tally.broken++;
        if (verdict !== 'err' || Number(code) !== -1)
            fail(document, `the package says ${theirs.error.message}, the reader ${answer.slice(0, 2000)}`);
        if (`${line} ${column}` !== place(document, theirs.error))
            fail(document, `${theirs.error.message} should be at ${place(document, theirs.error)}: ${answer}`);
        return undefined;
    }
    tally.valid++;
    const notes = {}, expected = `ok ${canonical(theirs.value, notes)}`;
    if (notes.ambiguous && verdict === 'ok')
        tally.ambiguousKeys++;
    else if (answer !== expected)
        fail(document, `expected ${expected.slice(0, 2000)}, got ${answer.slice(0, 2000)}`);
    return undefined;
}

function compareAll(documents) {
    for (let pass = 0; documents.length > 0; pass++) {
        if (pass > REPAIRS_MAX)
            fail(documents[0], 'still refused as not finite after many repairs');
        const answers = ask(documents);
        if (options.spoil)
            answers[answers.length >> 1] = answers[answers.length >> 1] === 'ok n' ? 'ok t' : 'ok n';
        documents = documents.map((d, i) => compare(d, answers[i])).filter((d) => d !== undefined);
    }
}

function compareDepth() {
    const answers = ask(tooDeep);
    tooDeep.forEach((document, i) => {
        if (!answers[i].startsWith(`err ${DEPTH} `))
            fail(document, `expected a depth error, got ${answers[i].slice(0, 2000)}`);
    });
}

// Every code point as space or junk, as the first and as a later character of a key.
function compareCodePoints() {
    let documents = [];
    for (let c = 0; c < 0x110000; c++) {
        if (c === 0xd800)
            c = 0xe000;
        const text = String.fromCodePoint(c);
        documents.push(`{${text}:1}`, `{a${text}:1}`);
        if (c < 0x10000)
            documents.push(`${text}1`, `'\\${text}'`, `{\\u${c.toString(16).padStart(4, '0')}:1}`);
        if (documents.length >= BATCH || c === 0x10ffff) {
            compareAll(documents);
            documents = [];
        }
    }
}

console.log(`seed ${seed}, ${count} generated documents`);
compareAll(cases);
compareDepth();
const documented = tally.compared;
const random = makeRandom(seed);
for (let left = count; left > 0; left -= BATCH)
    compareAll(Array.from({ length: Math.min(left, BATCH) }, () => generate(random)));
const generated = tally.compared - documented;
console.log(`documented: ${documented}; generated: ${generated}`, tally);
if (tally.valid < count / 5 || tally.broken < count / 5)
    fail('', 'the generator makes too few valid or too few broken documents');
compareCodePoints();
console.log(`with every code point in five places: ${tally.compared} documents agree`);
