// The configurations of the comparison. `files` are relative to the case's home, "@" in texts is that
// home; the working directory is <home>/work. `commands`: ask the host's own command too. `refused`:
// provider -> a part of our reason, where we refuse what the host would do. `strict`: invalid by the
// host's schema, which is not ours to enforce. `own`: refused by our own settings' schema.
const main = '.openclaw/openclaw.json';
const entry = (key, more = '') => `{ baseUrl: 'https://x.example/v1', apiKey: ${key}, models: []${more} }`;
const one = (key, more = '') => `{ models: { providers: { x: ${entry(key)} } }${more} }`;
const secretFile = (mode, path = '@/keys') => `, secrets: { providers: { f: { source: 'file', path: '${path}', mode: '${mode}' } } }`;
const fileRef = (id) => `{ source: 'file', provider: 'f', id: '${id}' }`;
const deep = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) =>
    [i === 0 ? main : `.openclaw/p${i}.json`, i === n - 1 ? one("'sk-deep-key'") : `{ $include: 'p${i + 1}.json' }`]));

export const cases = [
    // Where the file is.
    { name: 'no file', commands: 'file' },
    { name: 'the usual place', files: { [main]: one("'sk-usual-key-1234'") }, commands: 'file', source: 'models.providers.x.apiKey in @/.openclaw/openclaw.json' },
    { name: 'config path', files: { 'a/b.json5': one("'sk-path-key'"), [main]: one("'sk-other-key'") }, env: { OPENCLAW_CONFIG_PATH: ' @/a/b.json5 ' }, commands: 'file' },
    { name: 'config path with tilde', files: { 'c.json': one("'sk-tilde-key'") }, env: { OPENCLAW_CONFIG_PATH: '~/c.json' } },
    { name: 'config path from the working directory', files: { 'work/c.json': one("'sk-cwd-key'") }, env: { OPENCLAW_CONFIG_PATH: './x/../c.json' } },
    { name: 'config path goes before the state folder', files: { 'c.json': one("'sk-c'"), 's/openclaw.json': one("'sk-s'") }, env: { OPENCLAW_CONFIG_PATH: '@/c.json', OPENCLAW_STATE_DIR: '@/s' } },
    { name: 'state folder', files: { 's/openclaw.json': one("'sk-state-key'"), [main]: one("'sk-other'") }, env: { OPENCLAW_STATE_DIR: '~/s' }, commands: 'file' },
    { name: 'state folder that is not there', files: { [main]: one("'sk-other'") }, env: { OPENCLAW_STATE_DIR: '@/nowhere' } },
    { name: 'own home', files: { 'h/.openclaw/openclaw.json': one("'sk-home-key'") }, env: { OPENCLAW_HOME: '~/h' } },
    { name: 'own home "undefined"', files: { [main]: one("'sk-home-key'") }, env: { OPENCLAW_HOME: 'undefined' } },
    { name: 'own home blank', files: { [main]: one("'sk-home-key'") }, env: { OPENCLAW_HOME: '  ' } },
    { name: 'profile variable alone', files: { [main]: one("'sk-main'"), '.openclaw-abc/openclaw.json': one("'sk-abc'") }, env: { OPENCLAW_PROFILE: 'abc' } },
    { name: 'older file name', files: { '.openclaw/clawdbot.json': one("'sk-older-key'") } },
    { name: 'older folder', files: { '.clawdbot/clawdbot.json': one("'sk-older-key'") } },
    { name: 'older folder beside the new one', files: { '.openclaw/note': '', '.clawdbot/openclaw.json': one("'sk-older-key'") } },

    // The text.
    { name: 'script instead of a value', files: { [main]: `// comment\n{ models: { 'providers': { x: { baseUrl: 'a'.length } } } }` }, error: /line 2, column 45/ },
    { name: 'numbers and escapes', files: { [main]: `{ /* c */ models: { providers: { x: { baseUrl: 'https://\\u0078.example/v1/', apiKey: 'sk-\\x41\\
B', timeoutSeconds: +0x1E, maxTokens: 1e3, models: [ { id: 'm', name: 'M', }, ], }, }, }, }` } },
    { name: 'unclosed', files: { [main]: '{ models: {' }, commands: 'validate', error: /openclaw\.json, line 1, column 12/ },
    { name: 'an array', files: { [main]: '[]' } },
    { name: 'empty', files: { [main]: '' }, error: /line 1, column 1/ },
    { name: 'byte order mark', files: { [main]: `\uFEFF${one("'sk-bom-key'")}` } },
    { name: 'twice the same key', files: { [main]: `{ models: { providers: { x: ${entry("'sk-first'")}, x: ${entry("'sk-second'")} } } }` } },
    { name: 'a folder in its place', files: { [main]: { folder: true } } },

    // Parts.
    { name: 'include', files: { [main]: "{ models: { $include: './parts/models.json5' } }", '.openclaw/parts/models.json5': `{ providers: { x: ${entry("'sk-part-key'")} } }` } },
    { name: 'include list with arrays and siblings', files: { [main]: "{ $include: ['a.json', 'b.json'], skills: { entries: { s: { env: { A: 'main' } } } } }",
        '.openclaw/a.json': `{ models: { providers: { x: ${entry("'sk-a'")} } }, plugins: { allow: ['a'] }, skills: { entries: { s: { env: { A: 'a', B: 'a' } } } } }`,
        '.openclaw/b.json': "{ models: { providers: { x: { apiKey: 'sk-b' } } }, plugins: { allow: ['b'] } }" } },
    { name: 'include that is not there', files: { [main]: "{ $include: 'no.json' }" }, commands: 'validate', error: /no\.json/ },
    { name: 'include in a circle', files: { [main]: "{ $include: 'a.json' }", '.openclaw/a.json': "{ $include: 'b.json' }", '.openclaw/b.json': "{ $include: 'a.json' }" }, error: /a\.json -> .*b\.json -> .*a\.json/ },
    { name: 'include of a broken file', files: { [main]: "{ $include: 'a.json' }", '.openclaw/a.json': '{\n  models: ]\n}' }, error: /a\.json, line 2, column 11/ },
    { name: 'include from outside', files: { [main]: "{ $include: '../out.json' }", 'out.json': one("'sk-out'") } },
    { name: 'include from an allowed outside', files: { [main]: "{ $include: '@/more/out.json' }", 'more/out.json': one("'sk-out-key'") }, env: { OPENCLAW_INCLUDE_ROOTS: '@/none:~/more' } },
    { name: 'include through a link to the outside', files: { [main]: "{ $include: 'l.json' }", 'out.json': one("'sk-out'"), '.openclaw/l.json': { link: '@/out.json' } } },
    { name: 'include of a hard link', files: { [main]: "{ $include: 'l.json' }", '.openclaw/o.json': one("'sk-out'"), '.openclaw/l.json': { hard: '.openclaw/o.json' } } },
    { name: 'ten levels', files: deep(11) },
    { name: 'eleven levels', files: deep(12) },
    { name: 'include that is a number', files: { [main]: '{ $include: 3 }' } },
    { name: 'keys beside an included array', files: { [main]: "{ plugins: { $include: 'a.json', enabled: true } }", '.openclaw/a.json': '[1]' } },

    // Variables.
    { name: 'variable from the process', files: { [main]: one("'${K}'") }, env: { K: 'sk-env-key' }, ask: ['K'], source: 'variable K (environment)' },
    { name: 'variables in a text', files: { [main]: one("'a-${K}-${lower}-$K-${K'") }, env: { K: 'sk-env-key' } },
    { name: 'escaped variables', files: { [main]: one("'$${K}$$${K}'") }, env: { K: 'sk-env-key' } },
    { name: 'variable that is not set', files: { [main]: one("'${UNSET_X}'") }, ask: ['UNSET_X'] },
    { name: 'variable that is empty', files: { [main]: one("'${EMPTY}'") }, env: { EMPTY: '' } },
    { name: 'variable in a variable', files: { [main]: one("'${K}'") }, env: { K: 'x${L}y', L: 'l' } },
    { name: 'what a variable puts in is no reference', files: { [main]: one("'${K}'") }, env: { K: '$L', L: 'sk-l' } },
    { name: 'an escaped variable is no reference', files: { [main]: one("'$${L}'") }, env: { L: 'sk-l' } },
    { name: 'env.vars', files: { [main]: one("'${K}'", ", env: { vars: { K: 'sk-vars-key', L: '${K}', M: ' ' } }") }, ask: ['K', 'L', 'M'], source: 'variable K (env.vars)' },
    { name: 'env.vars against the process', files: { [main]: one("'${K}'", ", env: { vars: { K: 'sk-vars', E: 'filled' } }") }, env: { K: 'sk-process', E: '' }, ask: ['K', 'E'] },
    { name: 'env.vars with names that it may not set', files: { [main]: one("'sk-k'", ", env: { vars: { LD_PRELOAD: 'a', node_options: 'b', HTTPS_PROXY: 'c', SSL_CERT_FILE: 'd', GIT_CONFIG_X: 'e', OPENCLAW_INCLUDE_ROOTS: 'f', CARGO_TARGET_X_RUNNER: 'g', FINE_NAME: 'h', OPENAI_API_KEY: 'i' } }") },
        ask: ['LD_PRELOAD', 'node_options', 'HTTPS_PROXY', 'SSL_CERT_FILE', 'GIT_CONFIG_X', 'OPENCLAW_INCLUDE_ROOTS', 'CARGO_TARGET_X_RUNNER', 'FINE_NAME', 'OPENAI_API_KEY'] },
    { name: '.env of the state folder', files: { [main]: one("'${K}'"), '.openclaw/.env': 'export K="sk-dot env"\nL=2 # c\nM=\n' }, ask: ['K', 'L', 'M'], source: 'variable K (@/.openclaw/.env)' },
    { name: 'the order of all sources', files: { [main]: one("'${A}'", ", env: { vars: { A: 'v', B: 'v', C: 'v', D: 'v', E: 'v' } }"),
        'work/.env': 'A=w\nB=w\n', '.openclaw/.env': 'A=s\nB=s\nC=s\n', '.config/openclaw/gateway.env': 'A=g\nB=g\nC=g\nD=g\n' }, env: { A: 'process' }, ask: ['A', 'B', 'C', 'D', 'E'] },
    { name: '.env of the working directory is not trusted with keys', files: { [main]: one("'${OPENAI_API_KEY}'"),
        'work/.env': 'OPENAI_API_KEY=w\nOPENCLAW_MEDIA_PROVIDER=w\nX_BASE_URL=w\nMY_TOKEN=w\nHTTPS_PROXY=w\nDISABLE_TLS_CHECK=w\nFAL_KEY=w\nopenrouter_api_key=w\nPLUME_API_KEY=w\nNODE_OPTIONS=w\nX_SKIP_AUTH_Y=w\nSKIP_AUTHX=w\n' },
        ask: ['OPENAI_API_KEY', 'OPENCLAW_MEDIA_PROVIDER', 'X_BASE_URL', 'MY_TOKEN', 'HTTPS_PROXY', 'DISABLE_TLS_CHECK', 'FAL_KEY', 'openrouter_api_key', 'PLUME_API_KEY', 'NODE_OPTIONS', 'X_SKIP_AUTH_Y', 'SKIP_AUTHX'] },
    { name: '.env beside a moved file', files: { 'm/c.json': one("'${K}'"), 'm/.env': 'K=sk-moved', '.openclaw/.env': 'K=sk-usual', '.config/openclaw/gateway.env': 'K=g\nL=g' }, env: { OPENCLAW_CONFIG_PATH: '@/m/c.json' }, ask: ['K', 'L'] },
    { name: 'gateway.env and a moved state folder', files: { 's/openclaw.json': one("'${K}'"), '.config/openclaw/gateway.env': 'K=sk-g' }, env: { OPENCLAW_STATE_DIR: '@/s' }, ask: ['K'] },
    { name: '.env that is too large', files: { [main]: one("'${K}'"), '.openclaw/.env': `K=1\n#${'x'.repeat(1 << 20)}` }, ask: ['K'] },

    // Secrets.
    { name: 'env reference', files: { [main]: one("{ source: 'env', provider: 'default', id: 'K' }") }, env: { K: 'sk-ref-key' }, source: 'variable K (environment)' },
    { name: 'env reference to nothing', files: { [main]: one("{ source: 'env', provider: 'default', id: 'K' }") } },
    { name: 'short reference', files: { [main]: one("'$K'") }, env: { K: 'sk-short-key' } },
    { name: 'env reference outside its list', files: { [main]: one("{ source: 'env', provider: 'e', id: 'K' }", ", secrets: { providers: { e: { source: 'env', allowlist: ['L'] } } }") }, env: { K: 'sk-ref-key' } },
    { name: 'file reference', files: { [main]: one(fileRef('/a/b~0c~1d'), secretFile('json')), keys: { text: '{"a":{"b~c/d":"sk-file-key"}}', mode: 0o600 } }, source: 'file @/keys (/a/b~0c~1d)' },
    { name: 'file reference to nothing', files: { [main]: one(fileRef('/b'), secretFile('json')), keys: { text: '{"a":1}', mode: 0o600 } } },
    { name: 'file that others may read', files: { [main]: one(fileRef('/a'), secretFile('json')), keys: { text: '{"a":"sk-file-key"}', mode: 0o644 } } },
    { name: 'file with one value', files: { [main]: one(fileRef('value'), secretFile('singleValue', '~/keys')), keys: { text: 'sk-single-key\n', mode: 0o600 } } },
    { name: 'file that is not there', files: { [main]: one(fileRef('/a'), secretFile('json')) } },
    { name: 'exec reference', files: { [main]: one("{ source: 'exec', provider: 'p', id: 'k' }", ", secrets: { providers: { p: { source: 'exec', command: '/bin/cat' } } }") }, refused: { x: 'use source env or file' } },
    { name: 'store reference', files: { [main]: one("{ source: 'store', provider: 'default', id: 'K' }") }, refused: { x: 'use source env or file' } },
    { name: 'one broken among others', files: { [main]: `{ models: { providers: { a: ${entry("'sk-good-key-a'")}, b: ${entry("'${UNSET_B}'")}, c: ${entry("'$C'")}, d: ${entry("{ source: 'file', provider: 'nope', id: '/x' }")}, e: { baseUrl: 'https://e.example', models: [] } } } }` }, env: { C: 'sk-good-key-c' } },
    { name: 'headers', files: { [main]: `{ models: { providers: { x: ${entry("'sk-h'", ", headers: { 'X-One': '1', 'X-Two': '${K}', 'X-Three': { source: 'env', provider: 'default', id: 'K' } }")} } } }` }, env: { K: 'sk-header-key' } },
    { name: 'header that leads nowhere', files: { [main]: `{ models: { providers: { x: ${entry("'sk-h'", ", headers: { 'X-Two': '$NOPE' }")} } } }` } },

    // The rest of what is read, and what the host's schema refuses.
    { name: 'skills, plugins, defaults', files: { [main]: `{ models: { providers: { x: ${entry("'sk-usual-key'")} } }, skills: { entries: { 'media-generation': { enabled: true, apiKey: '$K', env: { OPENCLAW_MEDIA_PROVIDER: '\${P}' } } } },
        plugins: { entries: { clawmedia: { enabled: true, config: { default_provider: 'x', providers: { x: { image_model: 'm' } } } } } }, agents: { defaults: { mediaModels: { image: 'x/m', video: { primary: 'x/v', fallbacks: [] } } } } }` }, env: { K: 'sk-skill-key', P: 'x' }, commands: 'validate' },
    { name: 'key unknown to the host', files: { [main]: one("'sk-k'", ', bogus: 1') }, commands: 'validate', strict: true },
    { name: 'setting unknown to us', files: { [main]: "{ plugins: { entries: { clawmedia: { config: { default_provder: 'x' } } } } }" }, own: 'did you mean "default_provider"?' },
];
