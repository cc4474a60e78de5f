/*
 * The Node host: the addon with plugins of this tree, and the package's JavaScript around it, in plain
 * Node. test_openclaw_addon.mjs ADDON ECHO_PLUGIN PROBE_PLUGIN PACKAGE SIM
 *
 * OpenClaw itself is not here (tests/openclaw has it): its plugin api and its outbound call are played
 * by a few lines below, so that what each answer of the host leads to can be seen.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import readline from "node:readline";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const [addonFile, echoPlugin, probePlugin, packageDir, simProgram] = process.argv.slice(2).map((file) => path.resolve(file));
const LIMIT = { timeout: 60000 };
const KEY = "sk-addon-test-0123456789";

/* A gateway has its server; here a timer stands for what keeps the process, as a host does not. */
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

function load(file) {
  const module = { exports: {} };
  process.dlopen(module, file);
  return module.exports;
}

function folder(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "clawmedia-node-"));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const addon = load(addonFile);
const call = (host, request, onProgress) => new Promise((resolve) => host.call(request, resolve, onProgress));
const stop = (host) => new Promise((resolve) => host.stop(4000, resolve));

async function stopClean(host) {
  const end = await stop(host);
  assert.deepEqual(
    [end.stopLate, end.callsOpen, end.watchesLive, end.timersLive, end.deferredLive],
    [0, 0, 0, 0, 0],
  );
  return end;
}

test("a call ends once, with what the plugin answered", LIMIT, async () => {
  const host = addon.open({ plugin: echoPlugin, name: "node-test", check: true });
  assert.deepEqual(host.tools().map((tool) => tool.name), ["echo"]);
  const result = await call(host, { tool: "echo", args: '{"say":"grüße"}' });
  assert.deepEqual(result, { status: 0, json: '{"say":"grüße"}', jobId: null, files: [] });
  assert.equal((await stopClean(host)).stats.callsEnded, 1);
  assert.throws(() => host.tools(), { code: "AHP_E_STATE" });
  assert.equal(host.stats().callsEnded, 1);
});

test("mistakes are errors, not crashes", LIMIT, async (t) => {
  const dir = folder(t);
  const text = path.join(dir, "text.so");
  fs.writeFileSync(text, "no library");
  assert.throws(() => addon.open(), { name: "TypeError" });
  assert.throws(() => addon.open({ name: "x" }), { code: "AHP_E_INVALID" });
  assert.throws(() => addon.open({ plugin: 7, name: "x" }), /plugin must be a string/);
  assert.throws(() => addon.open({ plugin: path.join(dir, "none.so"), name: "x" }), { code: "AHP_E_NOT_FOUND" });
  assert.throws(() => addon.open({ plugin: text, name: "x" }), /text\.so: .*(ELF|too short)/);
  assert.throws(() => addon.open({ plugin: addonFile, name: "x" }), /no symbol ahp_entry_1/);
  assert.throws(() => addon.open({ plugin: echoPlugin, name: "x", delivers: true }), /onDelivery/);

  const host = addon.open({ plugin: echoPlugin, name: "node-test" });
  const none = () => assert.fail("a refused call ended");
  assert.throws(() => host.call({ tool: "none" }, none), { code: "AHP_E_NOT_FOUND" });
  assert.throws(() => host.call({ tool: "echo" }), /must be a function/);
  assert.throws(() => host.call(undefined, none), { name: "TypeError" });
  assert.throws(() => host.call({ tool: "echo", args: {} }, none), /args must be a string/);
  assert.throws(() => host.call({ tool: "echo", conversation: "c".repeat(4097) }, none), { code: "AHP_E_INVALID" });
  assert.throws(() => host.cancel(1), { code: "AHP_E_INVALID" });
  assert.equal(host.cancel(123n), false);
  assert.throws(() => host.receipt({ key: "k", outcome: 9 }), { code: "AHP_E_INVALID" });
  assert.throws(() => host.tools.call({}), /not called on a host/);
  assert.equal(host.unfinished(), -1);
  await stopClean(host);
});

test("cancel, progress and a stop under open calls", LIMIT, async (t) => {
  const host = addon.open({
    plugin: probePlugin, name: "node-test", check: true, config: JSON.stringify({ state_dir: folder(t) }),
  });
  const seen = [];
  const done = await call(host, { tool: "sleep", args: '{"ms":60,"steps":3}' }, (permille) => seen.push(permille));
  assert.equal(done.status, 0);
  assert.ok(seen.length > 0, "no progress was seen");
  const stopped = call(host, { tool: "sleep", args: '{"ms":50000,"steps":1,"job":true}' });
  const end = stopClean(host);
  assert.equal((await stopped).status, 3);
  await end;
});

test("what a callback throws is a log line", LIMIT, async () => {
  let told;
  const line = new Promise((resolve) => (told = resolve));
  const host = addon.open({ plugin: echoPlugin, name: "node-test", onLog: (level, item, text) => told([level, text]) });
  host.call({ tool: "echo" }, () => { throw new Error("as asked"); });
  assert.deepEqual(await line, [3, "a callback threw: Error: as asked"]);
  await stopClean(host);
});

test("two images of the addon and two hosts in one process", LIMIT, async (t) => {
  const copy = path.join(folder(t), "copy.node");
  fs.copyFileSync(addonFile, copy);
  const hosts = [addon, load(addonFile), load(copy)].map((one) => one.open({ plugin: echoPlugin, name: "node-test" }));
  const results = await Promise.all(hosts.map((host, at) => call(host, { tool: "echo", args: `{"at":${at}}` })));
  assert.deepEqual(results.map((result) => result.json), ['{"at":0}', '{"at":1}', '{"at":2}']);
  await Promise.all(hosts.map(stopClean));
});

test("an open host does not keep the process, an open call does", LIMIT, () => {
  const code = `const m = { exports: {} }; process.dlopen(m, ${JSON.stringify(addonFile)});
    const h = m.exports.open({ plugin: ${JSON.stringify(echoPlugin)}, name: "node-test" });
    h.call({ tool: "echo", args: "{}" }, () => console.log("ended"));`;
  const run = spawnSync(process.execPath, ["-e", code], { encoding: "utf8", timeout: 20000 });
  assert.deepEqual([run.status, run.signal, run.stdout], [0, null, "ended\n"], run.stderr);
});

/* ---- whose libraries the plugin is bound to ---- */

/* Symbols of system libraries (and of the plugin) that the linker bound to the Node program. */
function boundToNode(dir, code) {
  const out = path.join(dir, "bindings");
  const run = spawnSync(process.execPath, ["-e", code], {
    encoding: "utf8", timeout: 30000, env: { ...process.env, LD_DEBUG: "bindings", LD_DEBUG_OUTPUT: out },
  });
  assert.equal(run.status, 0, run.stderr);
  const node = fs.realpathSync(process.execPath);
  const all = [];
  for (const name of fs.readdirSync(dir).filter((one) => one.startsWith("bindings"))) {
    for (const line of fs.readFileSync(path.join(dir, name), "utf8").split("\n")) {
      const found = /binding file (\S+) \[0\] to (\S+) \[0\]: \w+ symbol `(\w+)'/.exec(line);
      if (found) all.push({ from: path.basename(found[1]), to: found[2], symbol: found[3] });
    }
    fs.rmSync(path.join(dir, name));
  }
  const ours = all.filter((one) => /^(clawmedia|lib(curl|cares|ssl|crypto|sqlite3|z|nghttp2|jansson|nettle))\b/.test(one.from));
  assert.ok(ours.some((one) => one.symbol.startsWith("SSL_")), "libcurl's TLS was not seen at all");
  return ours.filter((one) => one.to === node || one.to === process.execPath || path.basename(one.to) === "node");
}

/* The address sanitizer cannot be loaded beside such a library: there the loader leaves it out. */
const BINDING = { ...LIMIT, skip: process.env.CM_SANITIZE ? "built with sanitizers" : false };

test("the plugin's libraries are the system's, not those inside Node", BINDING, (t) => {
  const dir = folder(t);
  const { plugin } = JSON.parse(fs.readFileSync(path.join(packageDir, "native", "files.json"), "utf8"));
  const file = JSON.stringify(path.join(packageDir, "native", plugin));
  const config = JSON.stringify(JSON.stringify({ state_dir: path.join(dir, "state") }));
  const ours = boundToNode(dir, `const m = { exports: {} }; process.dlopen(m, ${JSON.stringify(addonFile)});
    m.exports.open({ plugin: ${file}, name: "node-test", config: ${config} }).stop(4000, () => {});`);
  assert.deepEqual(ours, []);
  // Nor after it was looked whether any is missing.
  const native = JSON.stringify(pathToFileURL(path.join(packageDir, "native.mjs")));
  const looked = boundToNode(dir, `import(${native}).then(({ missingLibraries, nativeFiles }) => {
    if (missingLibraries(nativeFiles(${JSON.stringify(packageDir)}))) process.exit(1);
    const m = { exports: {} }; process.dlopen(m, ${JSON.stringify(addonFile)});
    m.exports.open({ plugin: ${file}, name: "node-test", config: ${config} }).stop(4000, () => {}); })`);
  assert.deepEqual(looked, []);
  // Loaded plainly they are bound to Node's: this test would notice.
  const plain = boundToNode(dir, `try { process.dlopen({ exports: {} }, ${file}, 2) } catch {}`);
  assert.ok(plain.some((one) => one.symbol.startsWith("SSL_")), "Node exports no OpenSSL any more");
});

/* ---- the package, with the simulator as the provider ---- */

async function startSim(t) {
  const sim = spawn(simProgram, ["--port", "0", "--max-seconds", "120", "--key", KEY], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => sim.once("exit", resolve));
  t.after(async () => {
    sim.kill("SIGTERM");
    await ended;
  });
  for await (const line of readline.createInterface({ input: sim.stdout })) {
    return /^listening on (http:\S+)$/.exec(line)[1];
  }
  throw new Error("the simulator gave no address");
}

/* A copy of the package that finds an outbound module of ours; `send` decides what a send leads to. */
async function makeWorld(t, { send }) {
  const dir = folder(t);
  const root = path.join(dir, "install");
  const sdk = path.join(root, "node_modules", "openclaw");
  const state = path.join(dir, "state");
  fs.cpSync(packageDir, root, { recursive: true });
  fs.mkdirSync(sdk, { recursive: true });
  fs.writeFileSync(path.join(sdk, "package.json"), '{"name":"openclaw","type":"module","exports":{"./plugin-sdk/channel-outbound":"./out.mjs"}}');
  fs.writeFileSync(path.join(sdk, "out.mjs"), "export const sendDurableMessageBatch = (request) => globalThis.clawmediaTestSend(request);");
  globalThis.clawmediaTestSend = send;
  fs.mkdirSync(state);
  const base = await startSim(t);
  const config = { models: { providers: { sim: { baseUrl: `${base}/v1`, apiKey: KEY, models: [{ id: "sim-image" }] } } } };
  fs.writeFileSync(path.join(state, "openclaw.json"), JSON.stringify(config), { mode: 0o600 });
  process.env.OPENCLAW_STATE_DIR = state;
  return { root, state, config };
}

/* The parts of OpenClaw's plugin api that the package uses. */
function makeApi(world) {
  const api = {
    rootDir: world.root, pluginConfig: {}, tools: new Map(), hooks: {}, log: [],
    runtime: { version: "0", state: { resolveStateDir: () => world.state }, config: { current: () => world.config } },
    registerTool: (make, { name }) => api.tools.set(name, make),
    registerService: (service) => (api.service = service),
    on: (name, hook) => (api.hooks[name] = hook),
    lifecycle: { onDispose: (dispose) => (api.dispose = dispose) },
    logger: {},
  };
  for (const level of ["debug", "info", "warn", "error"]) api.logger[level] = (text) => api.log.push(text);
  return api;
}

const CHAT = {
  sessionKey: "agent:main:main", agentId: "main", requesterSenderId: "7",
  deliveryContext: { channel: "telegram", to: "telegram:7", accountId: "default" },
};

async function register(world) {
  const entry = (await import(pathToFileURL(path.join(world.root, "index.mjs")))).default;
  const api = makeApi(world);
  entry.register(api);
  return api;
}

async function facts(api, ctx, tool, params, onUpdate) {
  const answer = await api.tools.get(tool)(ctx).execute("call-1", params, new AbortController().signal, onUpdate);
  assert.equal(answer.content[0].type, "text");
  return { text: answer.content[0].text, ...answer.details.result };
}

test("a picture goes to the chat, and is delivered only on the receipt", LIMIT, async (t) => {
  const sent = [];
  let answer;
  const world = await makeWorld(t, {
    send: (request) => {
      sent.push(request);
      return new Promise((resolve) => (answer = resolve));
    },
  });
  const service = await register(world);
  const tools = await register(world); // the host's second instance
  assert.equal(fs.existsSync(path.join(world.state, "clawmedia")), false, "registering started the engine");
  await service.service.start({ workspaceDir: path.join(world.state, "workspace") });
  const order = await facts(tools, CHAT, "generate_image", { prompt: "a red boat" });
  assert.equal(order.status, "submitted");

  while (!answer) await new Promise((resolve) => setImmediate(resolve));
  const [request] = sent;
  assert.deepEqual([request.channel, request.to, request.accountId], ["telegram", "telegram:7", "default"]);
  assert.deepEqual(request.session, { key: "agent:main:main", agentId: "main" });
  assert.equal(request.deliveryIntentId, `clawmedia:${order.job}:1`);
  const file = request.payloads[0].mediaUrl;
  assert.ok(file.startsWith(path.join(world.state, "media", "clawmedia", "images")), file);
  assert.deepEqual([...fs.readFileSync(file).subarray(1, 4)], [...Buffer.from("PNG")]);
  assert.ok(request.payloads[0].text.length > 0);
  assert.equal(request.mirror.idempotencyKey, request.deliveryIntentId);

  const poll = () => facts(tools, CHAT, "poll", { job: order.job });
  assert.equal((await poll()).status, "delivering");
  answer({ status: "sent", receipt: { primaryPlatformMessageId: "42", platformMessageIds: ["42"] } });
  let state;
  do state = await poll(); while (state.status === "delivering");
  assert.equal(state.status, "delivered");
  assert.equal(sent.length, 1);

  await tools.dispose();
  assert.equal((await service.service.stop()) ?? "stopped", "stopped");
  await service.dispose();
  assert.equal(globalThis[Symbol.for("clawmedia.openclaw.engines/1")].size, 0, "the engine outlived its users");
  assert.ok(![...service.log, ...tools.log].some((line) => line.includes(KEY)), "the key is in the log");
});

test("a held delivery is delivered when the host says so, also while nothing of ours runs", LIMIT, async (t) => {
  let answered;
  const asked = new Promise((resolve) => (answered = resolve));
  const world = await makeWorld(t, {
    send: async (request) => {
      answered(request);
      return { status: "failed", error: Object.assign(new Error("refused"), { queueCustody: "held" }), payloadOutcomes: [{ sentBeforeError: false }] };
    },
  });
  const api = await register(world);
  await api.service.start({});
  const order = await facts(api, CHAT, "generate_image", { prompt: "a tower" });
  const request = await asked;
  const poll = () => facts(api, CHAT, "poll", { job: order.job });
  const file = path.join(world.state, "clawmedia", "openclaw-held.json");
  while (!fs.existsSync(file)) await poll();
  await api.service.stop();
  await api.dispose();

  const event = { success: true, to: "telegram:7", content: request.payloads[0].text, messageId: "77" };
  const later = await register(world);
  later.hooks.message_sent({ ...event, to: "telegram:8" });
  later.hooks.message_sent({ ...event, success: false });
  assert.equal(JSON.parse(fs.readFileSync(file, "utf8"))[0].sent, undefined);
  later.hooks.message_sent(event);
  await later.service.start({});
  let state;
  do state = await facts(later, CHAT, "poll", { job: order.job }); while (state.status !== "delivered");
  assert.equal(fs.existsSync(file), false);
  await later.service.stop();
  await later.dispose();
});

test("one engine starts again after the last user let go, and answers where nothing can be delivered", LIMIT, async (t) => {
  const world = await makeWorld(t, { send: () => assert.fail("something was sent") });
  const api = await register(world);
  const ctx = { sessionKey: "agent:main:cli", agentId: "main", oneShotCliRun: true };
  for (const prompt of ["a hut", "a hill"]) {
    const tool = api.tools.get("generate_image")(ctx);
    const answer = await tool.execute("c", { prompt }, undefined, undefined);
    assert.equal(answer.details.result.status, "done");
    const line = answer.content[0].text.split("\n").at(-1);
    assert.ok(fs.statSync(/^MEDIA:(.*)$/.exec(line)[1]).size > 100, line);
    await api.dispose();
  }
  await assert.rejects(api.tools.get("generate_image")(ctx).execute("c", { prompt: "x", size: "huge" }), /size/);
  await api.dispose();
});

test("the tools that are registered are those of the library", LIMIT, (t) => {
  const read = (name) => JSON.parse(fs.readFileSync(path.join(packageDir, name), "utf8"));
  const config = JSON.stringify({ state_dir: path.join(folder(t), "state") });
  const host = addon.open({ plugin: path.join(packageDir, "native", read("native/files.json").plugin), name: "node-test", config });
  const declared = host.tools().map((tool) => ({
    name: tool.name, title: tool.title, summary: tool.summary, input_schema: JSON.parse(tool.inputSchema),
  }));
  const byName = (a, b) => (a.name < b.name ? -1 : 1);
  assert.deepEqual(read("tools.json").sort(byName), declared.sort(byName));
  assert.deepEqual(read("openclaw.plugin.json").contracts.tools.sort(), declared.map((tool) => tool.name).sort());
  return stopClean(host);
});

test("what a send led to, in the plugin's terms", LIMIT, async () => {
  const { DELIVERED, HELD, LATER, LOST, REFUSED, UNKNOWN, deliver, withRoomFor } = await import(pathToFileURL(path.join(packageDir, "delivery.mjs")));
  const failed = (message, more = {}, outcomes = []) => ({ status: "failed", error: Object.assign(new Error(message), more), payloadOutcomes: outcomes });
  const rows = [
    [{ status: "sent", receipt: { platformMessageIds: ["5"] } }, DELIVERED],
    [{ status: "partial_failed", receipt: { primaryPlatformMessageId: "5" } }, DELIVERED],
    [{ status: "suppressed", reason: "no_visible_result" }, DELIVERED],
    [{ status: "suppressed", reason: "cancelled_by_hook" }, REFUSED],
    [failed("refused", { queueCustody: "held" }, [{ sentBeforeError: false }]), HELD],
    [failed("500", { queueCustody: "held" }, [{ sentBeforeError: true }]), LOST],
    [failed("Stable delivery intent is already queued: clawmedia:j:1"), UNKNOWN],
    [failed("no such channel", { code: "OPENCLAW_PLATFORM_MESSAGE_NOT_DISPATCHED" }), REFUSED],
    [failed("Media exceeds 5MB limit"), REFUSED],
    [failed("the database is busy"), LATER, true],
    [undefined, UNKNOWN],
  ];
  const delivery = { key: "clawmedia:j:1", text: "x", files: [], replyTo: '{"channel":"telegram","to":"7"}' };
  for (const [sent, outcome, neverLeft = false] of rows) {
    const receipt = await deliver(async () => sent, {}, delivery);
    assert.deepEqual([receipt.outcome, Boolean(receipt.neverLeft)], [outcome, neverLeft], JSON.stringify(sent));
  }
  const blocked = async () => failed("Stable delivery intent is already queued: clawmedia:j:1");
  assert.equal((await deliver(blocked, {}, { ...delivery, attempt: 6 })).outcome, UNKNOWN);
  assert.equal((await deliver(blocked, {}, { ...delivery, attempt: 7 })).outcome, LOST);
  const threw = await deliver(async () => { throw new Error("it broke"); }, {}, delivery);
  assert.deepEqual([threw.outcome, Boolean(threw.neverLeft)], [LATER, false]);
  assert.equal((await deliver(async () => assert.fail(), {}, { ...delivery, replyTo: "{}" })).outcome, REFUSED);

  const small = { agents: { defaults: { mediaMaxMb: 50, model: "m" } } };
  assert.equal(withRoomFor(small, [{ bytes: 20 << 20 }]), small);
  assert.deepEqual(withRoomFor(small, [{ bytes: 60 << 20 }]).agents.defaults, { mediaMaxMb: 61, model: "m" });
});

/* A copy of a library in which names of others that it needs are replaced, by ones of the same length. */
function withOtherNeeds(file, copy, names) {
  let text = fs.readFileSync(file, "latin1");
  for (const [from, to] of Object.entries(names)) {
    assert.equal(text.split(`\0${from}\0`).length, 2, `${from} in ${file}`);
    text = text.replace(`\0${from}\0`, () => `\0${to}\0`);
  }
  fs.writeFileSync(copy, text, "latin1");
}

test("missing libraries are named all at once, with the packages that have them", LIMIT, async (t) => {
  const { explain, missingLibraries, nativeFiles } = await import(pathToFileURL(path.join(packageDir, "native.mjs")));
  const { acquireEngine } = await import(pathToFileURL(path.join(packageDir, "engine.mjs")));
  const real = nativeFiles(packageDir);
  assert.equal(missingLibraries(real), undefined);
  assert.equal(explain(new Error("something else"), real), "something else");

  const rootDir = folder(t);
  fs.mkdirSync(path.join(rootDir, "native"));
  withOtherNeeds(real.plugin, path.join(rootDir, "native", "p.so"),
    { "libcurl.so.4": "libcurX.so.4", "libjansson.so.4": "libjanssoX.so.4" });
  fs.copyFileSync(real.addon, path.join(rootDir, "native", "a.node"));
  // One that is there but for what it needs itself.
  const inner = path.join(rootDir, "native", "inner.so");
  withOtherNeeds(real.addon, inner, { "libltdl.so.7": "libltdX.so.7" });
  const sanitizers = Object.fromEntries(Object.entries(real.needs).filter(([library]) => library.startsWith("libasan.")));
  fs.writeFileSync(path.join(rootDir, "native", "files.json"), JSON.stringify({
    plugin: "p.so", addon: "a.node",
    needs: { ...sanitizers, "libcurX.so.4": "libcurl4", "libjanssoX.so.4": "libjansson4", "libsqlite3.so.0": "libsqlite3-0", [inner]: "inner1" },
  }));
  const api = {
    rootDir, registrationMode: "full", logger: {}, pluginConfig: {},
    runtime: { version: "0", state: { resolveStateDir: () => rootDir }, config: { current: () => ({}) } },
  };
  await assert.rejects(acquireEngine(api, { canDeliver: true }), (error) => {
    assert.equal(error.message, "shared libraries are missing on this machine: libcurX.so.4, libjanssoX.so.4, " +
      `libltdX.so.7 (needed by ${inner}). On Debian and Ubuntu: apt-get install libcurl4 libjansson4 inner1. ` +
      "Elsewhere the packages have similar names. It works as soon as they are there.");
    return true;
  });
  // The packages were installed meanwhile.
  fs.copyFileSync(real.plugin, path.join(rootDir, "native", "q.so"));
  fs.writeFileSync(path.join(rootDir, "native", "files.json"), JSON.stringify({ plugin: "q.so", addon: "a.node", needs: real.needs }));
  const held = await acquireEngine(api, { canDeliver: true });
  assert.ok(held.engine.host.tools().length > 0);
  await held.release();
});

test("a held delivery that cannot be noted is offered again", LIMIT, async (t) => {
  const { acquireEngine } = await import(pathToFileURL(path.join(packageDir, "engine.mjs")));
  const { HELD, LATER } = await import(pathToFileURL(path.join(packageDir, "delivery.mjs")));
  const stateDir = folder(t);
  const api = {
    rootDir: packageDir, registrationMode: "full", logger: {}, pluginConfig: {},
    runtime: { version: "0", state: { resolveStateDir: () => stateDir }, config: { current: () => ({}) } },
  };
  const { engine, release } = await acquireEngine(api, { canDeliver: true });
  const told = [];
  engine.send = async ({ key }) => ({ key, outcome: HELD, error: "no network" });
  engine.tell = (receipt) => told.push([receipt.key, receipt.outcome]);
  const delivery = { key: "clawmedia:j:1", text: "x", files: [], replyTo: '{"channel":"telegram","to":"7"}' };
  const note = path.join(stateDir, "clawmedia", "openclaw-held.json");
  fs.mkdirSync(`${note}.new`, { recursive: true }); // where it is written first
  await engine.deliver(delivery);
  assert.deepEqual(told.pop(), [delivery.key, LATER]);
  fs.rmdirSync(`${note}.new`);
  await engine.deliver(delivery);
  assert.deepEqual(told.pop(), [delivery.key, HELD]);
  assert.equal(JSON.parse(fs.readFileSync(note, "utf8"))[0].key, delivery.key);
  await release();
});

test("the host's own media tools become calls of ours", LIMIT, async (t) => {
  const { imageCall, registerProviders, servedKinds, videoCall } = await import(pathToFileURL(path.join(packageDir, "provider.mjs")));
  assert.deepEqual([{}, { built_in_tools: "off" }, { built_in_tools: "video" }, { built_in_tools: "both" }].map(servedKinds), [
    { image: false, video: false }, { image: false, video: false }, { image: false, video: true }, { image: true, video: true }]);
  assert.deepEqual(imageCall({ model: "default", prompt: "p", count: 2, size: "1x1", aspectRatio: "1:1", quality: "max" }, []),
    { tool: "generate_image", args: { prompt: "p", count: 2, size: "1x1", again: true } });
  assert.deepEqual(imageCall({ model: "sim/a/b", prompt: "p", quality: "high", outputFormat: "webp" }, ["/1", "/2"]),
    { tool: "edit_image", args: { provider: "sim", model: "a/b", prompt: "p", quality: "high", format: "webp", again: true,
      reference_images: ["/2"], operation: "edit", image: "/1" } });
  const roles = ["reference_image", "last_frame", "first_frame"].map((role) => ({ role }));
  assert.deepEqual(videoCall({ model: "sim", prompt: "p", durationSeconds: 4, resolution: "720P", audio: true,
    providerOptions: { seed: 7, other: 1 }, inputImages: roles }, ["/r", "/l", "/f"]),
    { tool: "generate_video", args: { provider: "sim", prompt: "p", seconds: 4, resolution: "720p", sound: true, seed: 7, again: true,
      first_frame: "/f", last_frame: "/l", reference_images: ["/r"] } });
  assert.equal(videoCall({ prompt: "p", inputImages: [{}] }, ["/f"]).args.first_frame, "/f");

  // What is not over in time keeps what lies there for it; a failure is told in the plugin's words.
  const dir = folder(t);
  const file = path.join(dir, "made.png");
  fs.writeFileSync(file, "bytes");
  const answers = [
    { status: 0, jobId: "job_1", json: "{}", files: [{ path: file, mime: "image/png" }] },
    { status: 1, jobId: "job_2", json: '{"error":{"message":"no boats"}}', files: [] },
    { status: 4, jobId: "job_3", json: "{}", files: [] },
    { status: 0, jobId: null, json: '{"status":"needs_confirmation","confirm":"token"}', files: [] },
  ];
  const seen = [];
  const engine = { call: async (request) => (seen.push(request), answers.shift()) };
  let provider;
  registerProviders(
    { pluginConfig: { built_in_tools: "image" }, registerImageGenerationProvider: (one) => (provider = one), registerVideoGenerationProvider: () => assert.fail() },
    { engine: async () => engine, outputDir: () => dir },
  );
  const req = { model: "default", prompt: "p", inputImages: [{ buffer: Buffer.from("in"), mimeType: "image/png" }], timeoutMs: 1000 };
  const made = await provider.generateImage(req);
  assert.deepEqual([made.images.length, made.images[0].buffer.toString(), made.images[0].mimeType], [1, "bytes", "image/png"]);
  assert.deepEqual([seen[0].flags, seen[0].deadlineMs, seen[0].replyTo], [1, 1000, undefined]);
  await assert.rejects(provider.generateImage(req), /^Error: no boats$/);
  assert.deepEqual(fs.readdirSync(path.join(dir, "inputs")), []);
  await assert.rejects(provider.generateImage(req), /job_3 is not done in time/);
  const kept = fs.readdirSync(path.join(dir, "inputs"));
  assert.equal(JSON.parse(seen[2].args).image, path.join(dir, "inputs", kept[0]));
  await assert.rejects(provider.generateImage({ ...req, inputImages: [] }), /say yes .* call generate_image instead/);
});

test("the session is told, by the instance that may", LIMIT, async () => {
  const { noticeOf, tellSession } = await import(pathToFileURL(path.join(packageDir, "session.mjs")));
  const { DELIVERED, LATER, LOST } = await import(pathToFileURL(path.join(packageDir, "delivery.mjs")));
  const told = [];
  const instance = (id) => ({ session: { workflow: { enqueueNextTurnInjection: async (one) => { told.push(one); return { id: id && one.idempotencyKey }; } } } });
  const throwing = { session: { workflow: { enqueueNextTurnInjection: async () => { throw new Error("no"); } } } };
  const delivery = {
    key: "clawmedia:job_1:1", jobId: "job_1", kind: 0, text: "Here it is.", files: [{ path: "/a/b.mp4", mime: "video/mp4", handle: "vid_1" }],
    replyTo: JSON.stringify({ channel: "telegram", to: "7", sessionKey: "agent:main:main", agentId: "main" }),
  };
  const notice = noticeOf(delivery);
  assert.equal(await tellSession([{}, throwing, instance(false), instance(true), instance(true)], delivery.key, notice, DELIVERED), true);
  assert.equal(told.length, 2);
  assert.deepEqual([told[1].sessionKey, told[1].agentId, told[1].idempotencyKey], ["agent:main:main", "main", "clawmedia:job_1:1:0"]);
  for (const part of ["the result of job job_1 was sent", '"Here it is."', "vid_1, video/mp4: /a/b.mp4"]) assert.ok(told[1].text.includes(part), told[1].text);
  assert.equal(await tellSession([instance(false)], delivery.key, notice, LOST), false);
  assert.match(told.at(-1).text, /not known/);
  assert.equal(await tellSession([instance(true)], delivery.key, notice, LATER), false);
  assert.equal(noticeOf({ ...delivery, replyTo: "{}" }), undefined);
});

test("where a call came from", LIMIT, async () => {
  const route = await import(pathToFileURL(path.join(packageDir, "route.mjs")));
  const topic = { ...CHAT, deliveryContext: { ...CHAT.deliveryContext, to: "telegram:-5:topic:77", threadId: 77 } };
  const web = { sessionKey: "agent:main:web", deliveryContext: { channel: "webchat", to: "agent:main:web" }, senderIsOwner: true };
  assert.deepEqual([CHAT, topic, web, { oneShotCliRun: true, senderIsOwner: true }].map(route.flagsOf), [0, 0, 1, 11]);
  assert.equal(route.replyToOf(web), undefined);
  assert.equal(route.routeFromReplyTo(route.replyToOf(topic)).threadId, 77);
  assert.equal(route.conversationOf(CHAT), route.conversationOf({ ...CHAT, sessionKey: "agent:main:telegram:default:direct:7" }));
  assert.notEqual(route.conversationOf(CHAT), route.conversationOf(topic));
  const long = { ...CHAT, deliveryContext: { ...CHAT.deliveryContext, to: "x".repeat(900) } };
  assert.ok(route.conversationOf(long).length <= 256);
  assert.deepEqual(route.foldersOf({ workspaceDir: "/home/me/agent" }), { workspace: "/home/me/agent", outputDir: "/home/me/agent/media/clawmedia" });
  for (const workspaceDir of [undefined, "relative", `/${"x".repeat(5000)}`]) assert.deepEqual(route.foldersOf({ workspaceDir }), {});
});

test("the host's prompt stands before calls that need a yes, and only there", LIMIT, async () => {
  const { makeApproval, spendingTools } = await import(pathToFileURL(path.join(packageDir, "approval.mjs")));
  const tools = JSON.parse(fs.readFileSync(path.join(packageDir, "tools.json"), "utf8"));
  const names = spendingTools(tools).map((tool) => tool.name);
  for (const name of ["generate_image", "generate_video", "edit_image", "character_replace", "run_batch", "poll"]) {
    assert.ok(names.includes(name), name);
  }
  assert.ok(!names.includes("account") && !names.includes("list_models"));

  const plan = { status: "plan", provider: "p", model: "m", message: "words", needs_confirmation: true, confirm: "ok_1", cost_estimate: { amount: 0.25, currency: "USD" } };
  const asked = [];
  const planFor = (answer) => async (_ctx, tool, params) => {
    asked.push([tool.name, params]);
    return { json: JSON.stringify(answer) };
  };
  const telegram = { sessionKey: "s", deliveryContext: { channel: "telegram", to: "7", accountId: "default" } };
  const approvers = { channels: { telegram: { execApprovals: { enabled: true, approvers: ["7"] } } } };
  const event = (params) => ({ toolName: "generate_image", params });
  const approval = makeApproval(tools);
  const before = (params, cfg = approvers, answer = plan) => approval.before(event(params), { sessionKey: "s" }, cfg, planFor(answer));

  assert.equal(await before({ prompt: "x" }), undefined); // of a turn that was never seen
  approval.remember(telegram);
  const wanted = await before({ prompt: "x", confirm: "ok_of_the_model" });
  assert.deepEqual(asked.at(-1), ["generate_image", { prompt: "x", dry_run: true }]);
  assert.deepEqual(wanted.params, { confirm: "ok_1" });
  assert.deepEqual(wanted.requireApproval.scope, { kind: "payment", amount: "0.25", currency: "USD", target: "p / m" });
  assert.deepEqual(wanted.requireApproval.allowedDecisions, ["allow-once", "deny"]);

  assert.equal(await before({ prompt: "x", dry_run: true }), undefined);
  assert.equal(await before({ prompt: "x" }, approvers, { status: "plan" }), undefined);
  assert.equal(await before({ prompt: "x" }, approvers, { status: "error" }), undefined);
  assert.equal(await before({ prompt: "x" }, {}), undefined); // nobody to ask: the engine's token
  assert.equal(await before({ prompt: "x" }, { channels: { telegram: { execApprovals: { enabled: true } } } }), undefined);
  assert.equal(await before({ prompt: "x" }, { channels: { telegram: { execApprovals: { enabled: false, approvers: ["7"] } } } }), undefined);
  assert.ok(await before({ prompt: "x" }, { approvals: { plugin: { enabled: true } } }));
  const unpriced = await before({ prompt: "x" }, approvers, { ...plan, cost_estimate: undefined });
  assert.equal(unpriced.requireApproval.scope, undefined);

  // A prompt that was over at once was never shown: from then on the engine's own way.
  (await before({ prompt: "x" })).requireApproval.onResolution("deny");
  assert.ok(await before({ prompt: "x" }));
  (await before({ prompt: "x" })).requireApproval.onResolution("cancelled");
  assert.equal(await before({ prompt: "x" }), undefined);
});
