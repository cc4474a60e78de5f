/*
 * engine.mjs - the one native engine of a process. Instances of the plugin share it across their copies
 * of this module through globalThis, under the library's path; each counts as a user, and the last one
 * that lets go stops it. Everything that calls back runs in the async context of this module's
 * evaluation and not in a tool call's, where the host would refuse what comes after the turn.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { RESULT_ERROR, RESULT_OK, RESULT_PENDING_JOB, wordsOfResult } from "./answer.mjs";
import { deliver, DELIVERED, HELD, KEPT_MS, LATER } from "./delivery.mjs";
import { addHeld, noteSent, settleSent } from "./held.mjs";
import { explain, loadAddon, nativeFiles } from "./native.mjs";
import { FINISHED, noticeOf, tellSession } from "./session.mjs";
import { targetOf } from "./route.mjs";

const inRoot = AsyncLocalStorage.snapshot();
const ENGINES = Symbol.for("clawmedia.openclaw.engines/1");
const STOP_MS = 4000; // the host waits 5 s
const NOTE_AGAIN_MS = 30 * 1000;
const FOLLOW_S = 3600;
const FOLLOW_ROUNDS_MAX = 24;
const LEVELS = ["debug", "info", "warn", "error", "error", "error"];

function engines() {
  return (globalThis[ENGINES] ??= new Map());
}

export function stateDirOf(api) {
  return api.runtime.state.resolveStateDir(process.env);
}

export function outputDirOf(api) {
  return path.join(stateDirOf(api), "media", "clawmedia");
}

/*
 * What the plugin's create gets. Providers and their keys are not among it: it reads the host's files.
 * Calls bring their agent's folders; one that does not gets nobody's.
 */
function configOf(api, options) {
  const stateDir = stateDirOf(api);
  const own = outputDirOf(api);
  return {
    state_dir: path.join(stateDir, "clawmedia"),
    output_dir: own,
    workspace: own,
    resume: options.canDeliver,
  };
}

class Engine {
  constructor(api, files, options) {
    this.key = files.plugin;
    this.users = new Map();
    this.sending = new Map(); // deliveries by key that a receipt follows for
    this.tries = new Map(); // keys whose last try never left the host: how many such tries there were
    this.stateDir = stateDirOf(api);
    this.canDeliver = options.canDeliver;
    this.stopped = undefined;
    fs.mkdirSync(outputDirOf(api), { recursive: true, mode: 0o700 });
    this.host = inRoot(() =>
      loadAddon(files.addon).open({
        plugin: files.plugin,
        name: "openclaw",
        version: String(api.runtime.version ?? ""),
        config: JSON.stringify(configOf(api, options)),
        delivers: options.canDeliver,
        dropsRepeats: true,
        repeatWindowMs: KEPT_MS,
        onDelivery: (delivery) => void this.deliver(delivery),
        onLog: (level, item, text) => this.log(level, text),
      }),
    );
  }

  /* Any live instance will do: they see the same configuration and the same channels. */
  get api() {
    return [...this.users.values()].at(-1);
  }

  log(level, text) {
    this.api?.logger?.[LEVELS[level] ?? "info"]?.(`clawmedia: ${text}`);
  }

  call(request, { signal, onProgress }) {
    return new Promise((resolve, reject) => {
      let id;
      const onAbort = () => this.host.cancel(id);
      const onEnd = (result) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(result);
      };
      try {
        id = this.host.call(request, onEnd, onProgress);
        signal?.addEventListener("abort", onAbort, { once: true });
      } catch (error) {
        reject(error);
      }
    });
  }

  /*
   * A turn that nothing can be delivered after is over before its job: waits for the end, and then its
   * session is told. `request` is that of the call, for the conversation; ends with the engine.
   */
  async follow(request, job, session) {
    const args = JSON.stringify({ job, action: "wait", wait_seconds: FOLLOW_S });
    for (let rounds = 0; rounds < FOLLOW_ROUNDS_MAX; rounds++) {
      const result = await this.call({ ...request, tool: "poll", args, deadlineMs: 0 }, {});
      if (result.status === RESULT_PENDING_JOB) continue;
      if (result.status !== RESULT_OK && result.status !== RESULT_ERROR) return;
      const notice = { ...session, job, result: true, words: wordsOfResult(result), files: result.files };
      await inRoot(() => tellSession([...this.users.values()], job, notice, FINISHED));
      return;
    }
  }

  async deliver(delivery) {
    const { key } = delivery;
    if (this.sending.has(key)) return;
    this.sending.set(key, delivery);
    const receipt = this.noted(delivery, await this.send(delivery));
    this.sending.delete(key);
    if (receipt.neverLeft) this.tries.set(key, (this.tries.get(key) ?? 0) + 1);
    else this.tries.delete(key);
    if (receipt.outcome !== DELIVERED) this.log(2, `${key} is not delivered: ${receipt.error}`);
    this.tell(receipt, noticeOf(delivery));
  }

  /*
   * What the host's queue holds is known by our note of it alone. Without one (a full disk) it is offered
   * again, which the key keeps from being sent twice.
   */
  noted(delivery, receipt) {
    if (receipt.outcome !== HELD) return receipt;
    try {
      addHeld(this.stateDir, delivery);
      return receipt;
    } catch (error) {
      return { key: delivery.key, outcome: LATER, delayMs: NOTE_AGAIN_MS, error: String(error?.message ?? error) };
    }
  }

  async send(delivery) {
    const tries = this.tries.get(delivery.key);
    const intent = tries ? `${delivery.key}:try${tries + 1}` : delivery.key;
    try {
      const { sendDurableMessageBatch } = await import("openclaw/plugin-sdk/channel-outbound");
      const cfg = this.api?.runtime.config.current();
      return await inRoot(() => deliver(sendDurableMessageBatch, cfg, delivery, intent));
    } catch (error) {
      return { key: delivery.key, outcome: LATER, error: String(error?.message ?? error) };
    }
  }

  /* Refused once the engine stops: it offers the same key again after a restart. */
  tell(receipt, notice) {
    try {
      this.host.receipt(receipt);
      void inRoot(() => tellSession([...this.users.values()], receipt.key, notice, receipt.outcome));
      return true;
    } catch (error) {
      this.log(1, `a receipt came too late: ${error.message}`);
      return false;
    }
  }

  /* Is a message with these words just on its way there, so that the host's hook speaks of that one? */
  isSending(event) {
    const isThat = (one) => one.text === event?.content && targetOf(one.replyTo) === event.to;
    return [...this.sending.values()].some(isThat);
  }

  /* What the host's queue has sent since, maybe before this engine ran. */
  settleHeld() {
    settleSent(this.stateDir, ({ key, sent, notice }) => this.tell({ key, outcome: DELIVERED, hostRef: sent.hostRef }, notice));
  }

  stop() {
    this.stopped ??= new Promise((resolve) => this.host.stop(STOP_MS, resolve)).then(() => {
      engines().delete(this.key);
    });
    return this.stopped;
  }
}

async function acquire(api, options) {
  const files = nativeFiles(api.rootDir);
  const all = engines();
  let engine = all.get(files.plugin);

  while (engine?.stopped) {
    await engine.stopped;
    engine = all.get(files.plugin);
  }
  if (!engine) {
    try {
      engine = new Engine(api, files, options);
    } catch (error) {
      throw new Error(explain(error, files), { cause: error });
    }
    all.set(files.plugin, engine);
    if (options.canDeliver) engine.settleHeld();
  }
  const user = Symbol("user");
  engine.users.set(user, api);
  return {
    engine,
    async release() {
      if (!engine.users.delete(user) || engine.users.size > 0) return;
      await engine.stop();
    },
  };
}

/*
 * Resolves to { engine, release() }; the engine is running. Rejects with words for people when the
 * libraries do not load or the plugin does not start.
 */
export function acquireEngine(api, options) {
  return inRoot(() => acquire(api, options));
}

/* The host's hook: a message went out, perhaps one of those that its queue had held. */
export function messageSent(stateDir, event) {
  const running = [...engines().values()].filter((engine) => engine.stateDir === stateDir);
  if (running.some((engine) => engine.isSending(event)) || !noteSent(stateDir, event)) return;
  for (const engine of running) engine.settleHeld();
}
