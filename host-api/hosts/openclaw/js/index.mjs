/*
 * index.mjs - clawmedia as an OpenClaw plugin: registers what tools.json lists and hands calls to the
 * native engine. OpenClaw evaluates this module and calls register() several times in a process, also
 * when it only installs or inspects: nothing is started here, but libraries that this machine lacks are
 * named, since an install evaluates the module and no more. The engine starts with the gateway's
 * service, so that what an earlier process left unfinished goes on, or else with the first call; it
 * stops with its last user.
 */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { answerOf, goesOn } from "./answer.mjs";
import { makeApproval } from "./approval.mjs";
import { acquireEngine, messageSent, outputDirOf, stateDirOf } from "./engine.mjs";
import { warnOfMissing } from "./native.mjs";
import { registerProviders } from "./provider.mjs";
import { callerOf, flagsOf, foldersOf, conversationOf, replyToOf, FLAG_NO_LATE_DELIVERY, FLAG_ONE_SHOT } from "./route.mjs";

const WAIT_MS = 20 * 60 * 1000; // of a call that nothing can be delivered after
const IS_GATEWAY = Symbol.for("clawmedia.openclaw.gateway/1");
const SLACK_MS = 30 * 1000;     // what the host waits longer than the engine

/* How long the host should let a call run. The plugin answers before, with the job's handle. */
function executionTimeoutMs(params) {
  const seconds = Number(params?.wait_seconds);
  return Math.max(WAIT_MS, Number.isFinite(seconds) ? seconds * 1000 : 0) + SLACK_MS;
}

/* The instance's hold on the engine: taken by the first that needs it, let go with the instance. */
function makeLease(api) {
  let lease;
  return {
    async engine(options) {
      lease ??= acquireEngine(api, options);
      try {
        return (await lease).engine;
      } catch (error) {
        lease = undefined; // the next call tries again: a library may have been installed meanwhile
        throw error;
      }
    },
    async release() {
      const held = lease;
      lease = undefined;
      await (await held?.catch(() => undefined))?.release();
    },
  };
}

function requestOf(ctx, tool, params) {
  return {
    tool,
    args: JSON.stringify(params ?? {}),
    replyTo: replyToOf(ctx),
    conversation: conversationOf(ctx),
    caller: callerOf(ctx),
    ...foldersOf(ctx),
    flags: flagsOf(ctx),
    deadlineMs: 0,
  };
}

function makeTool(api, lease, described, ctx) {
  return {
    name: described.name,
    label: described.title,
    description: described.summary,
    parameters: described.input_schema,
    catalogMode: "direct-only",
    hideFromChannelProgress: true, // else a "Working" stays behind in the chat, beside the answer
    getExecutionTimeoutMs: executionTimeoutMs,
    async execute(toolCallId, params, signal, onUpdate) {
      const flags = flagsOf(ctx);
      const engine = await lease.engine({ canDeliver: !(flags & FLAG_ONE_SHOT) });
      signal?.throwIfAborted();
      const waits = Boolean(flags & FLAG_NO_LATE_DELIVERY);
      const request = requestOf(ctx, described.name, params);
      const result = await engine.call(
        { ...request, deadlineMs: waits ? executionTimeoutMs(params) - SLACK_MS : 0 },
        { signal, onProgress: (permille, text) => tellProgress(onUpdate, toolCallId, permille, text) },
      );
      if (waits && !(flags & FLAG_ONE_SHOT) && goesOn(result)) {
        engine.follow(request, result.jobId, { sessionKey: ctx.sessionKey, agentId: ctx.agentId }).catch(() => {});
      }
      signal?.throwIfAborted();
      return answerOf(result, { showsFiles: waits });
    },
  };
}

/* A hint for people; whether the channel shows it is the host's business, and so is its failure. */
function tellProgress(onUpdate, id, permille, text) {
  const line = permille >= 0 ? `${text} (${Math.round(permille / 10)} %)` : text;
  try {
    onUpdate?.({ content: [], details: { permille }, progress: { text: line, visibility: "channel", privacy: "public", id } });
  } catch {
    /* the turn has ended */
  }
}

/* What the engine would do, for the host's prompt. */
function planFor(lease, ctx, tool, params) {
  return lease
    .engine({ canDeliver: !(flagsOf(ctx) & FLAG_ONE_SHOT) })
    .then((engine) => engine.call(requestOf(ctx, tool.name, params), {}));
}

function askBefore(api, lease, approval, event, hookCtx) {
  const cfg = api.runtime.config?.current?.() ?? api.config;
  return approval.before(event, hookCtx, cfg, (ctx, tool, params) => planFor(lease, ctx, tool, params));
}

warnOfMissing(path.dirname(fileURLToPath(import.meta.url)));

export default {
  id: "clawmedia",
  name: "clawmedia",
  description: "Pictures and videos, made in the background and delivered to the chat.",
  register(api) {
    const tools = JSON.parse(fs.readFileSync(new URL("./tools.json", import.meta.url), "utf8"));
    const ofTools = makeLease(api);
    const ofService = makeLease(api);

    const approval = makeApproval(tools);

    for (const described of tools) {
      const make = (ctx) => {
        approval.remember(ctx);
        return makeTool(api, ofTools, described, ctx);
      };
      api.registerTool(make, { name: described.name });
    }
    api.on?.("before_tool_call", (event, ctx) => askBefore(api, ofTools, approval, event, ctx), {
      matcher: approval.toolNames,
    });
    api.registerService({
      id: "clawmedia",
      async start() {
        globalThis[IS_GATEWAY] = true;
        try {
          await ofService.engine({ canDeliver: true });
        } catch (error) {
          api.logger?.error?.(`clawmedia cannot work: ${error.message}`);
        }
      },
      stop: () => ofService.release(),
    });
    registerProviders(api, {
      // A command of the host that makes one picture leaves the unfinished jobs to the gateway.
      engine: () => ofTools.engine({ canDeliver: Boolean(globalThis[IS_GATEWAY]) }),
      outputDir: () => outputDirOf(api),
    });
    api.on?.("message_sent", (event) => messageSent(stateDirOf(api), event));
    api.lifecycle?.onDispose?.(async () => {
      await Promise.all([ofTools.release(), ofService.release()]);
    });
  },
};
