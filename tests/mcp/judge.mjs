/*
 * Runs one scenario with a real client of the protocol: node judge.mjs CLIENT SCENARIO SETUP
 *
 *   CLIENT    sdk: @modelcontextprotocol/sdk 1.x; client: @modelcontextprotocol/client 2.x, which finds
 *             out the era by itself; client-legacy: the same with a handshake
 *   SETUP     JSON: {"command", "args", "env", "cwd", and what the scenario wants}
 *
 * Prints one JSON object with what was seen. The clients check every message by their own schemas, and
 * structured results by the tools' output schemas: what is not as it must be is thrown.
 */
const [, , clientName, scenario, setupText] = process.argv;
const setup = JSON.parse(setupText);
const info = { name: 'clawmedia-judge', version: '1' };
const isSdk = clientName === 'sdk';

const { Client } = isSdk ? await import('@modelcontextprotocol/sdk/client/index.js')
                         : await import('@modelcontextprotocol/client');
const { StdioClientTransport } = isSdk ? await import('@modelcontextprotocol/sdk/client/stdio.js')
                                       : await import('@modelcontextprotocol/client/stdio');

async function connect(capabilities = {}, prepare = () => {}) {
    const transport = new StdioClientTransport({
        command: setup.command, args: setup.args, env: setup.env, cwd: setup.cwd, stderr: 'pipe',
    });
    const mode = clientName === 'client' ? 'auto' : 'legacy';
    const client = new Client(info, {
        capabilities, ...(isSdk ? {} : { versionNegotiation: { mode } }),
    });
    const errors = [];
    let log = '';
    transport.stderr.on('data', (data) => { log += data; });
    client.onerror = (error) => errors.push(String(error));
    prepare(client);
    await client.connect(transport);
    return { client, transport, errors, log: () => log };
}

/* The server's process must end by itself when its input is closed, and in good order. */
async function close({ client, errors, log }) {
    await client.close();
    if (errors.length || /misbehaves|Sanitizer|runtime error/.test(log()))
        throw new Error(`${errors.join('\n')}\n${log()}`);
}

const call = (client, name, args, options) => isSdk
    ? client.callTool({ name, arguments: args }, undefined, options)
    : client.callTool({ name, arguments: args }, options);

const facts = (result) => ({
    isError: result.isError ?? false, types: result.content.map((c) => c.type),
    text: result.content[0]?.text, structured: result.structuredContent,
    links: result.content.filter((c) => c.type === 'resource_link'),
});

async function everyTool() {
    const c = await connect();
    const { client } = c;
    const told = [];
    const seen = {
        era: isSdk ? 'legacy' : client.getProtocolEra(), server: client.getServerVersion(),
        instructions: client.getInstructions(), calls: {},
    };
    seen.tools = (await client.listTools()).tools;
    for (const [name, args] of setup.calls) {
        const onprogress = (progress) => told.push(progress);
        seen.calls[name] = facts(await call(client, name, args, { onprogress }));
    }
    seen.told = told;
    seen.resources = (await client.listResources()).resources;
    seen.templates = (await client.listResourceTemplates()).resourceTemplates;
    const { contents } = await client.readResource({ uri: seen.resources[0].uri });
    seen.read = contents.map(({ uri, mimeType, blob }) =>
        ({ uri, mimeType, bytes: Buffer.from(blob, 'base64').length }));
    seen.refused = {};
    for (const [what, ask] of Object.entries({
        tool: () => call(client, 'no_such_tool', {}),
        resource: () => client.readResource({ uri: 'file:///etc/passwd' }),
    }))
        seen.refused[what] = await ask().then(() => 'nothing', (error) => error.code);
    await close(c);
    return seen;
}

/* Cancelled at the first sign of progress; then it is asked how the job is. */
async function cancel() {
    const c = await connect();
    const [name, args] = setup.calls[0];
    const controller = new AbortController();
    const seen = {};
    /* What was on its way when it was cancelled is for nobody. */
    const { onerror } = c.client;
    c.client.onerror = (error) => /unknown token/.test(error) || onerror(error);
    seen.ended = await call(c.client, name, args, {
        signal: controller.signal, onprogress: () => controller.abort('enough'),
    }).then(() => 'result', () => 'cancelled');
    seen.job = facts(await call(c.client, 'poll', { action: 'wait', wait_seconds: 50 }));
    await close(c);
    return seen;
}

/* The server is killed under a call; a new one goes on with the job. */
async function killed() {
    const first = await connect();
    const [name, args] = setup.calls[0];
    const seen = {};
    const open = call(first.client, name, args).then(() => 'result', (error) => String(error));
    await fetch(setup.until); // answers once the provider has been asked for the job
    process.kill(first.transport.pid, 'SIGKILL');
    seen.open = await open;
    const second = await connect();
    seen.again = facts(await call(second.client, name, args));
    await close(second);
    return seen;
}

async function many() {
    const c = await connect();
    const [name, args] = setup.calls[0];
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) =>
        call(c.client, name, { ...args, prompt: `${args.prompt} ${i}` })));
    await close(c);
    return { jobs: results.map((r) => r.structuredContent.job), errors: results.filter((r) => r.isError) };
}

/* A task of the experimental kind, by the 1.x client. */
async function sdkTask() {
    const c = await connect();
    const [name, args] = setup.calls[0];
    await c.client.listTools();
    const seen = { types: [] };
    for await (const message of c.client.experimental.tasks.callToolStream(
        { name, arguments: args }, undefined, { task: { ttl: 60000 } })) {
        seen.types.push(message.type);
        if (message.type === 'result')
            seen.result = facts(message.result);
        if (message.type === 'error')
            throw message.error;
    }
    await close(c);
    return seen;
}

/* A task of the extension: @modelcontextprotocol/ext-tasks over the 2.x client's own connection. */
async function extensionTask() {
    const { createTaskSessionFromClient, resultFromTaskOutcome } =
        await import('@modelcontextprotocol/ext-tasks/client');
    const capabilities = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
    const c = await connect(capabilities);
    const waiting = new Map();
    const onmessage = c.transport.onmessage;
    c.transport.onmessage = (message, extra) => {
        const done = waiting.get(message.id);
        waiting.delete(message.id);
        if (done)
            done(message);
        else
            onmessage(message, extra);
    };
    let number = 0;
    const seen = { methods: [] };
    const rawDispatch = (request) => new Promise((resolve, reject) => {
        const id = `raw-${++number}`;
        seen.methods.push(request.method);
        waiting.set(id, (message) => resolve({ ...message, id: request.id ?? message.id }));
        c.transport.send({ ...request, jsonrpc: '2.0', id }).catch(reject);
    });
    const session = createTaskSessionFromClient(c.client, {
        endpointId: 'clawmedia', rawDispatch,
        v2RequestFraming: { protocolVersion: '2026-07-28', clientInfo: info,
                            clientCapabilities: capabilities },
    });
    const execution = await session.callTool(...setup.calls[0]);
    const { outcome } = await execution.settle();
    seen.result = facts(resultFromTaskOutcome(outcome));
    await session.close();
    await close(c);
    return seen;
}

/* Files in a root of the client's, and elsewhere. */
async function roots() {
    const list = { roots: [{ uri: setup.root, name: 'work' }] };
    const what = isSdk
        ? (await import('@modelcontextprotocol/sdk/types.js')).ListRootsRequestSchema : 'roots/list';
    const c = await connect({ roots: { listChanged: true } },
        (client) => client.setRequestHandler(what, () => list));
    const seen = [];
    for (const [name, args] of setup.calls)
        seen.push(facts(await call(c.client, name, args)));
    await close(c);
    return seen;
}

const scenarios = { everyTool, cancel, killed, many, sdkTask, extensionTask, roots };
console.log(JSON.stringify(await scenarios[scenario]()));
process.exit(0);
