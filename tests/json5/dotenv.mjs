// node dotenv.mjs DOTENV_VALUES BUILD_DIR [SEED]
//
// Gives random .env files to the npm package dotenv, which the host uses, and to
// openclaw_dotenv_parse, and compares names, values and their order.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { makeRandom } from './generate.mjs';

const [program, buildDir, seedText] = process.argv.slice(2);
const dotenv = createRequire(path.join(path.resolve(buildDir), 'package.json'))('dotenv');
const seed = Number(seedText ?? Date.now() % 4294967296), count = 50000, r = makeRandom(seed);

const before = ['', '', 'export ', 'export\t', ' ', '\n', '# c\n', '\ufeff', '\u00a0'];
const keys = ['A', 'B', 'K_1', '_x', 'a.b', 'x-y', '9', 'export', 'export export', '__proto__'];
const signs = ['=', '=', ' = ', ': ', ':', ' =\n', '\n=', ' : ', ''];
const pieces = [...'\'"`\\#=:$ \t1é', "\\'", '\\"', '\\`', '\\n', '\\r', ' # c', 'val', 'two words', '\n', '\r\n', '\r',
                '\u00a0', '\ufeff', '\u2003', '${X}', 'A=', "'v'", '"v"', '"a\\nb"', '`v`'];
const ends = ['\n', '\n', '\r\n', '\r', ''];

function generate() {
    let text = '';
    for (let lines = 1 + r.below(4); lines > 0; lines--) {
        text += r.pick(before) + r.pick(keys) + r.pick(signs);
        for (let n = r.below(8); n > 0; n--)
            text += r.pick(pieces);
        text += r.pick(ends);
    }
    return text;
}

function expected(text) { // the host keeps portable names only
    const entries = Object.entries(dotenv.parse(Buffer.from(text)));
    return JSON.stringify(Object.fromEntries(entries.filter(([key]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(key))));
}

console.log(`seed ${seed}, ${count} files`);
const documents = Array.from({ length: count }, generate), parts = [];
for (const document of documents) {
    const bytes = Buffer.from(document), head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    parts.push(head, bytes);
}
const answers = execFileSync(program, { input: Buffer.concat(parts), maxBuffer: 1 << 28 }).toString().split('\n');
let withValues = 0;
documents.forEach((document, i) => {
    const want = expected(document), got = JSON.stringify(JSON.parse(answers[i]));
    if (want !== got) {
        console.error(`first difference: expected ${want}, got ${got}\nfile: ${JSON.stringify(document)}\nseed: ${seed}`);
        process.exit(1);
    }
    withValues += want === '{}' ? 0 : 1;
});
console.log(`${count} files agree, ${withValues} of them set something`);
process.exit(withValues > count / 2 ? 0 : 1);
