/*
 * delivery.mjs - brings one delivery of the engine to a chat through OpenClaw's durable outbound queue
 * and says what became of it, in the terms of ahp/deliver.h.
 *
 * The delivery's key is the queue's intent id, kept for as long as KEPT_MS after it was sent: offering
 * a key again, after a crash, is not sent twice. A send that broke off in the middle is LOST: the queue
 * parks it for good and blocks its id. An id that is blocked otherwise may still be at work, UNKNOWN,
 * until it has been for longer than the queue needs to park it. One that never left the host blocks its id too; its receipt says so
 * (`neverLeft`), and only then may the next try go under another id.
 */
import path from "node:path";
import { routeFromReplyTo } from "./route.mjs";

export const DELIVERED = 0;
export const HELD = 1;
export const LATER = 2;
export const REFUSED = 3;
export const UNKNOWN = 4;
export const LOST = 5;

export const KEPT_MS = 30 * 24 * 3600 * 1000;
const KEPT_ENTRIES_MAX = 10000;
const MIB = 1024 * 1024;
const BUSY_DELAY_MS = 30 * 1000;
const ATTEMPTS_UNTIL_PARKED = 7; // some two minutes after the first

/* The host's cap for a durable file is 5 MB unless the configuration says more. */
export function withRoomFor(cfg, files) {
  const needed = Math.ceil(Math.max(0, ...files.map((file) => file.bytes)) / MIB) + 1;
  const defaults = cfg?.agents?.defaults;
  if (Number(defaults?.mediaMaxMb ?? 5) >= needed) return cfg;
  return { ...cfg, agents: { ...cfg?.agents, defaults: { ...defaults, mediaMaxMb: needed } } };
}

export function requestOf(cfg, delivery, intent = delivery.key) {
  const route = routeFromReplyTo(delivery.replyTo);
  const paths = delivery.files.map((file) => file.path);
  const payload = { text: delivery.text };
  if (paths.length === 1) payload.mediaUrl = paths[0];
  if (paths.length > 1) payload.mediaUrls = paths;
  const session = route.sessionKey ? { key: route.sessionKey, agentId: route.agentId } : undefined;
  return {
    cfg: withRoomFor(cfg, delivery.files),
    channel: route.channel,
    to: route.to,
    accountId: route.accountId,
    threadId: route.threadId,
    payloads: [payload],
    session,
    mediaAccess: { localRoots: [...new Set(paths.map((file) => path.dirname(file)))] },
    deliveryIntentId: intent,
    completionRetention: { idPrefix: "clawmedia:", maxAgeMs: KEPT_MS, maxEntries: KEPT_ENTRIES_MAX },
    reusePendingDeliveryIntent: true,
    // The agent's session learns what was sent, without a turn and without a second message.
    mirror: session && {
      sessionKey: route.sessionKey,
      agentId: route.agentId,
      text: delivery.text,
      mediaUrls: paths,
      idempotencyKey: delivery.key,
    },
  };
}

function textOf(error) {
  return String(error?.message ?? error ?? "").slice(0, 1000);
}

function messageIdOf(sent) {
  const ids = sent.receipt?.platformMessageIds;
  return String(sent.receipt?.primaryPlatformMessageId ?? ids?.[0] ?? sent.results?.[0]?.messageId ?? "");
}

/* What a failed send means. The host's own words are the only thing that tells some cases apart. */
function outcomeOfFailure(sent, { key, attempt = 1 }) {
  const error = sent.error;
  const text = textOf(error) || "the host gives no reason";
  const began = sent.payloadOutcomes?.some((one) => one.sentBeforeError === true);

  if (text.includes(key) && text.includes("already queued")) {
    return { key, outcome: attempt < ATTEMPTS_UNTIL_PARKED ? UNKNOWN : LOST, error: text };
  }
  if (/awaiting queue migration/.test(text)) return { key, outcome: LATER, delayMs: BUSY_DELAY_MS, error: text };
  if (began) return { key, outcome: LOST, error: text };
  if (error?.queueCustody === "held") return { key, outcome: HELD, error: text };
  if (error?.code === "OPENCLAW_PLATFORM_MESSAGE_NOT_DISPATCHED" || /exceeds .*limit/.test(text)) {
    return { key, outcome: REFUSED, error: text };
  }
  return { key, outcome: LATER, error: text, neverLeft: sent.status === "failed" };
}

export function receiptOf(sent, delivery) {
  const { key } = delivery;

  switch (sent?.status) {
    case "sent":
    case "partial_failed":
      return { key, outcome: DELIVERED, hostRef: messageIdOf(sent), error: textOf(sent.error) };
    case "suppressed":
      if (!sent.reason || sent.reason === "no_visible_result") return { key, outcome: DELIVERED };
      return { key, outcome: REFUSED, error: `the host suppressed it: ${sent.reason}` };
    case "failed":
      return outcomeOfFailure(sent, delivery);
    default:
      return { key, outcome: UNKNOWN, error: `the host reported the state ${sent?.status}` };
  }
}

/*
 * Sends and returns the receipt; never throws. What is thrown before the host has taken the message is
 * tried again later: the key protects from a repeat.
 */
export async function deliver(send, cfg, delivery, intent = delivery.key) {
  const { key } = delivery;
  let request;

  try {
    request = requestOf(cfg, delivery, intent);
  } catch (error) {
    return { key, outcome: REFUSED, error: textOf(error) };
  }
  try {
    return receiptOf(await send(request), delivery);
  } catch (error) {
    return outcomeOfFailure({ error }, delivery);
  }
}
