// node compare.mjs CONFIG_VIEW BUILD_DIR NAMES_C [--seed N] [--count N] [--only NAME] [--spoil]
//
// Gives the same files and variables to the real host and to the plugin's reader, and compares what
// each makes of them: the file's place, the verdict, the whole resolved tree, variables, and the key
// and headers of every provider. The host is asked through its plugin SDK, which is what its own
// commands use, and, for a part of the cases, through those commands.
// Beside cases.mjs there are cases made by chance from the seed, which is printed.
// --spoil falsifies one answer, to show that a difference is found.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { cases } from './cases.mjs';
import { everyName, generate } from './generate.mjs';

const { values: options, positionals: [program, buildDir, namesFile] } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string' }, count: { type: 'string' }, only: { type: 'string' }, spoil: { type: 'boolean' } },
});
const base = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'clawmedia-config-')));
const PATH = process.env.PATH;
const seed = Number(options.seed ?? Date.now() % 4294967296), count = Number(options.count ?? 200);
const require = createRequire(path.join(path.resolve(buildDir), 'package.json'));
const cli = path.join(path.resolve(buildDir), 'node_modules/openclaw/openclaw.mjs');
let differences = 0, compared = 0, commands = 0, broken = 0, valid = 0, usable = 0, unusable = 0;

function setEnvironment(variables) {
    for (const name of Object.keys(process.env))
        delete process.env[name];
    Object.assign(process.env, variables);
}

// The host keeps a record of each home's configuration, which has no bearing on the comparison.
const { error: say } = console;
console.error = (text, ...more) => /health-state|infra:dotenv/.test(text) || say(text, ...more);
console.warn = () => {};

// A blank header is nothing to send, for the host an unresolved value.
const isBlank = (value) => typeof value === 'string' && value.trim() === '';

function differ(name, what, theirs, ours) {
    differences++;
    console.error(`${name}: ${what}\n  host:   ${JSON.stringify(theirs)}\n  plugin: ${JSON.stringify(ours)}`);
}

// The case's own folder; "@" in its texts stands for it.
function build(one, index) {
    const home = path.join(base, String(index).padStart(3, '0'));
    const put = (text) => text.replaceAll('@', home);
    mkdirSync(path.join(home, 'work'), { recursive: true });
    for (const [name, content] of Object.entries(one.files ?? {})) {
        const file = path.join(home, name);
        mkdirSync(path.dirname(file), { recursive: true });
        const { text = content, mode, link, hard, folder } = typeof content === 'string' ? {} : content;
        if (folder)
            mkdirSync(file);
        else if (link)
            symlinkSync(put(link), file);
        else if (hard)
            linkSync(path.join(home, hard), file);
        else
            writeFileSync(file, typeof text === 'string' ? put(text) : text);
        if (mode !== undefined)
            chmodSync(file, mode);
    }
    const env = { HOME: home, PATH };
    for (const [name, value] of Object.entries(one.env ?? {}))
        env[name] = put(value);
    return { home, env };
}

async function askHost(sdk, one, { home, env }) {
    setEnvironment(env);
    process.chdir(path.join(home, 'work'));
    const { snapshot } = await sdk.readConfigFileSnapshotForWrite();
    const after = { ...process.env };
    const tree = snapshot.sourceConfigBeforeMigrations;
    const isObject = snapshot.parsed !== null && typeof snapshot.parsed === 'object' && !Array.isArray(snapshot.parsed);
    const broken = !snapshot.valid && (tree === undefined || (snapshot.exists && !isObject));
    const secret = async (value, at) => {
        const answer = await sdk.resolveConfiguredSecretInputString({ config: tree, env: after, value, path: at });
        return answer.value;
    };
    const providers = {};
    const configured = broken ? {} : tree?.models?.providers ?? {};
    for (const [id, entry] of Object.entries(configured)) {
        const headers = {};
        for (const [name, value] of Object.entries(entry?.headers ?? {}).filter(([, value]) => !isBlank(value)))
            headers[name] = await secret(value, `models.providers.${id}.headers.${name}`);
        providers[id] = { key: await secret(entry?.apiKey, `models.providers.${id}.apiKey`), headers };
    }
    return { file: snapshot.path, valid: snapshot.valid, broken, tree, after, providers, issues: snapshot.issues };
}

function askPlugin(one, { home, env }) {
    const text = execFileSync(program, (one.ask ?? []).flatMap((name) => ['--variable', name]),
        { env, cwd: path.join(home, 'work'), encoding: 'utf8' });
    return JSON.parse(text);
}

// A usable provider has the same key and headers; any other is a problem in both.
function compareProviders(one, theirs, ours) {
    for (const [id, { key, headers }] of Object.entries(theirs.providers)) {
        const mine = ours.providers.find((p) => p.id === id), problem = ours.problems.find((p) => p.id === id);
        const complete = key !== undefined && Object.values(headers).every((v) => v !== undefined);
        const meant = one.refused?.[id];
        if (meant !== undefined) { // a difference that we want, with the reason that is given
            if (!problem?.reason.includes(meant))
                differ(one.name, `${id} should be refused because of ${meant}`, key !== undefined, problem);
        } else if (complete !== (mine !== undefined) || (mine === undefined) !== (problem !== undefined)) {
            differ(one.name, `whether ${id} is usable`, complete, problem ?? mine?.id);
        } else if (mine) {
            if (mine.key !== key)
                differ(one.name, `the key of ${id}`, key, mine.key);
            for (const [name, value] of Object.entries(headers))
                if (!mine.headers.some((h) => h.name === name && h.value === value))
                    differ(one.name, `header ${name} of ${id}`, value, mine.headers);
        }
    }
}

function compare(one, theirs, ours) {
    compared++;
    if (theirs.file !== ours.file)
        differ(one.name, 'which file', theirs.file, ours.file);
    if (one.source && ours.providers[0]?.key_source !== one.source.replaceAll('@', theirs.after.HOME))
        differ(one.name, 'the key\'s source', one.source, ours.providers[0]?.key_source);
    if (one.own) { // our own settings: the host knows them only when the plugin is installed
        if (!ours.error?.includes(one.own))
            differ(one.name, `should be refused because of ${one.own}`, theirs.issues, ours.error);
        return;
    }
    if (theirs.broken !== (ours.error !== null)) {
        differ(one.name, 'whether it can be read', theirs.issues, ours.error);
        return;
    }
    if (one.error && !one.error.test(ours.error ?? ''))
        differ(one.name, 'what the error names', String(one.error), ours.error);
    if (theirs.broken) {
        broken++;
        return;
    }
    if (!isDeepStrictEqual(JSON.parse(JSON.stringify(theirs.tree ?? {})), ours.root))
        differ(one.name, 'the resolved tree', theirs.tree, ours.root);
    if (!theirs.valid && !one.strict) // by its schema; it then takes back what it set from env.vars
        return;
    valid++;
    usable += ours.providers.length;
    unusable += ours.problems.length;
    for (const name of one.ask ?? []) {
        const value = theirs.after[name] === '' ? undefined : theirs.after[name];
        if (value !== ours.variables[name]?.[0])
            differ(one.name, `variable ${name}`, value, ours.variables[name]);
    }
    compareProviders(one, theirs, ours);
}

// The host's own commands, on cases that are marked for it.
function compareCommands(one, { home, env }, theirs, ours) {
    const run = (...args) => spawnSync(process.execPath, [cli, ...args],
        { env, cwd: path.join(home, 'work'), encoding: 'utf8', timeout: 60000 });
    if (one.commands === 'file') {
        commands++;
        const said = run('config', 'file').stdout.trim().split('\n').at(-1);
        const shown = said.startsWith('~') ? path.join(env.OPENCLAW_HOME ?? home, said.slice(1)) : said;
        if (shown !== ours.file)
            differ(one.name, 'openclaw config file', said, ours.file);
    } else if (one.commands === 'validate') {
        commands++;
        const { status, stdout, stderr } = run('config', 'validate');
        if ((status === 0) !== (ours.error === null && !one.strict) || (status === 0) !== theirs.valid)
            differ(one.name, 'openclaw config validate', `${status} ${stdout}${stderr}`, ours.error);
    }
}

try {
    const docs = path.join(path.resolve(buildDir), 'node_modules/openclaw/docs');
    const all = [...cases, ...everyName(namesFile, docs), ...generate(seed, count)];
    const chosen = all.filter((one) => !options.only || one.name === options.only);
    const built = chosen.map(build);
    setEnvironment(built[0].env);
    const sdk = await import(pathToFileURL(require.resolve('openclaw/plugin-sdk/config-runtime')));
    for (const [i, one] of chosen.entries()) {
        const theirs = await askHost(sdk, one, built[i]), ours = askPlugin(one, built[i]);
        if (options.spoil && i === 0)
            ours.root = { spoiled: true };
        compare(one, theirs, ours);
        if (one.commands && !options.spoil)
            compareCommands(one, built[i], theirs, ours);
    }
} finally {
    process.chdir('/');
    rmSync(base, { recursive: true, force: true });
}
console.log(`configurations: ${compared} (${broken} broken, ${valid} valid), providers: ${usable} usable, ${unusable} not, ` +
    `commands: ${commands}, seed: ${seed}, differences: ${differences}`);
process.exit(differences === 0 && compared > 0 ? 0 : 1);
