// Configurations made by chance, in the form of cases.mjs, and two that try every name of a variable
// that our lists or the host's documentation know.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

// mulberry32
export function makeRandom(seed) {
    let state = seed >>> 0;
    return (n) => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
}

const names = ['K_ONE', 'K_TWO', 'K_THREE', 'K_FOUR', 'LD_X', 'X_BASE_URL', 'OPENAI_API_KEY', 'a_small', 'K_EMPTY'];
const folders = { usual: '.openclaw', state: 's', home: 'h/.openclaw', path: 'c' };

function makeCase(random, index) {
    const pick = (list) => list[random(list.length)], chance = (n) => random(n) === 0;
    const value = () => pick(['sk-v1', 'two words', '', ' ', '${K_ONE}', 'x$y', '$K_TWO', 'ä✓', '"', "it's"]);
    const dotenv = () => Array.from({ length: 1 + random(5) }, () =>
        `${pick(['', '', 'export ', '  '])}${pick(names)}${pick(['=', ' = ', ': '])}${pick([value(), JSON.stringify(value()), `'${value()}' # c`, `\`${value()}\``])}`).join(pick(['\n', '\r\n']));
    const text = () => pick(['sk-literal', '${K_ONE}', '$K_TWO', '$${K_ONE}', 'a${K_TWO}b${K_NONE}', '${K_EMPTY}', ' ${K_ONE} ', '${a_small}', '', '  ', '$', '${', '$K_ONE$', ' sk-spaced ']);
    const reference = () => pick([
        { source: 'env', provider: pick(['default', 'e', 'f', 'no']), id: pick(['K_ONE', 'K_TWO', 'k', 'K_NONE', 'K_EMPTY']) },
        { source: 'file', provider: pick(['f', 'v', 'no']), id: pick(['/a', '/b/c', '/a~1b/0', '/none', 'value', '/n', '', '/~2']) },
    ]);
    const secret = () => (chance(3) ? reference() : text());
    const entry = () => ({
        baseUrl: 'https://x.example/v1', models: [],
        ...(chance(8) ? {} : { apiKey: secret() }),
        ...(chance(3) ? { headers: { 'X-A': secret(), 'X-B': text() || 'b' } } : {}),
    });
    const where = pick(Object.keys(folders)), folder = folders[where], env = {}, files = {};
    for (const name of names)
        if (chance(4))
            env[name] = name === 'K_EMPTY' ? '' : value();
    if (where === 'state')
        env.OPENCLAW_STATE_DIR = pick(['@/s', '~/s', ' @/x/../s']);
    if (where === 'home')
        env.OPENCLAW_HOME = pick(['@/h', '~/h', '../h']);
    if (where === 'path')
        env.OPENCLAW_CONFIG_PATH = pick(['@/c/openclaw.json', '../c/openclaw.json', '~/c/./openclaw.json']);
    const part = (depth) => {
        const tree = { models: { providers: { [pick(['a', 'b', 'c'])]: entry(), [pick(['d', 'b'])]: entry() } } };
        if (chance(3))
            tree.plugins = { allow: [pick(['p', 'q'])] };
        if (chance(3))
            tree.env = { vars: Object.fromEntries(names.filter(() => chance(3)).map((name) => [name, value()])) };
        if (chance(3))
            tree.secrets = { defaults: { env: pick(['e', 'default', 'f']) } };
        for (const place of [tree, tree.models, tree.models.providers]) {
            if (depth < 3 && chance(5)) {
                const name = `p${Object.keys(files).length}.json5`;
                files[`${folder}/${name}`] = chance(8) ? pick(['[1]', '3', '{', "'t'"]) : JSON.stringify(place === tree ? part(depth + 1) : place === tree.models ? part(depth + 1).models : part(depth + 1).models.providers);
                place.$include = chance(3) ? [`./${name}`, name] : chance(12) ? `no-${name}` : name;
            }
        }
        return tree;
    };
    const tree = part(0);
    tree.secrets = { ...tree.secrets, providers: { e: { source: 'env', allowlist: ['K_ONE'] }, f: { source: 'file', path: pick(['@/keys', '~/keys']), mode: 'json' }, v: { source: 'file', path: '@/keys', mode: 'singleValue' } } };
    files[`${folder}/openclaw.json`] = JSON.stringify(tree);
    files.keys = { text: pick(['{"a":"sk-fa","b":{"c":"sk-fc"},"a/b":["sk-f0"],"n":1}', 'sk-whole\n', '{']), mode: chance(6) ? 0o640 : 0o600 };
    for (const place of ['work/.env', `${folder}/.env`, '.openclaw/.env', '.config/openclaw/gateway.env', 'h/.config/openclaw/gateway.env'])
        if (chance(3))
            files[place] = dotenv();
    return { name: `by chance ${index}`, files, env, ask: names };
}

export function generate(seed, count) {
    const random = makeRandom(seed);
    return Array.from({ length: count }, (_, i) => makeCase(random, i));
}

function documentedNames(folder, found) {
    for (const item of readdirSync(folder, { withFileTypes: true })) {
        const file = path.join(folder, item.name);
        if (item.isDirectory())
            documentedNames(file, found);
        else if (item.name.endsWith('.md'))
            for (const [name] of readFileSync(file, 'utf8').matchAll(/\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b/g))
                found.add(name);
    }
    return found;
}

// The host steers itself by OPENCLAW_ names, so those are tried where it must not take them only.
export function everyName(source, documentation) {
    const listed = [...readFileSync(source, 'utf8').matchAll(/"([A-Z_0-9() ]+)"/g)]
        .flatMap((match) => match[1].split(' ')).filter((name) => /^[A-Z_0-9]+$/.test(name));
    const all = [...new Set([...listed, ...documentedNames(documentation, new Set())])].sort();
    const free = all.filter((name) => !name.startsWith('OPENCLAW_') && !['HOME', 'PATH', 'USERPROFILE'].includes(name));
    const ours = (name) => /^[A-Za-z_]\w*$/.test(name);
    return [
        { name: 'every name in the .env of the working directory', files: { 'work/.env': all.filter(ours).map((name) => `${name}=w`).join('\n') }, ask: all.filter((name) => name !== 'PATH' && name !== 'HOME') },
        { name: 'every name in env.vars', files: { '.openclaw/openclaw.json': JSON.stringify({ env: { vars: Object.fromEntries(free.map((name) => [name, 'v'])) } }) }, ask: free },
    ];
}
