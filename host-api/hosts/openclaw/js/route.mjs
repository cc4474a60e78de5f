/*
 * route.mjs - where a call came from, in the engine's terms. The reply address is plain JSON that is
 * still valid after a restart; the conversation's key is made from the delivery route and not from the
 * session key, which changes its form for the same chat when settings change. No state, no effects.
 */
import { createHash } from "node:crypto";
import path from "node:path";

/* ahp/calls.h */
export const FLAG_NO_LATE_DELIVERY = 1;
export const FLAG_ONE_SHOT = 2;
export const FLAG_OPERATOR = 8;
const KEY_BYTES_MAX = 256;
const REPLY_TO_BYTES_MAX = 4096;
const FOLDER_BYTES_MAX = 3900; // the plugin's limit, less our part of the path

/* Nothing can be sent there after the turn: the web page has no outbound side. */
const CHANNELS_WITHOUT_OUTBOUND = new Set(["webchat"]);

function routeOf(ctx) {
  const to = ctx?.deliveryContext;
  if (!to?.channel || !to.to || CHANNELS_WITHOUT_OUTBOUND.has(to.channel)) return undefined;
  return to;
}

function shortKey(text) {
  if (Buffer.byteLength(text) <= KEY_BYTES_MAX) return text;
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/* undefined when nothing can be delivered later. */
export function replyToOf(ctx) {
  const route = routeOf(ctx);
  if (!route || ctx.oneShotCliRun) return undefined;
  const text = JSON.stringify({
    channel: route.channel,
    to: String(route.to),
    accountId: route.accountId,
    threadId: route.threadId,
    sessionKey: ctx.sessionKey,
    agentId: ctx.agentId,
  });
  return Buffer.byteLength(text) <= REPLY_TO_BYTES_MAX ? text : undefined;
}

export function routeFromReplyTo(text) {
  const route = JSON.parse(text);
  if (typeof route?.channel !== "string" || typeof route.to !== "string") {
    throw new Error("the reply address has no channel or no target");
  }
  return route;
}

/* The same; an empty one for what is no reply address. */
export function storedRouteOf(text) {
  try {
    return routeFromReplyTo(text);
  } catch {
    return {};
  }
}

export const targetOf = (text) => storedRouteOf(text).to;

export function conversationOf(ctx) {
  const route = routeOf(ctx);
  if (!route) return shortKey(`session:${ctx?.sessionKey ?? ctx?.sessionId ?? "none"}`);
  const parts = [route.channel, route.accountId ?? "", route.to, route.threadId ?? ""];
  return shortKey(parts.map((part) => encodeURIComponent(String(part))).join("/"));
}

export function callerOf(ctx) {
  return shortKey(String(ctx?.requesterSenderId ?? ctx?.agentId ?? ""));
}

/* The agent's own folders: results lie beside what the host puts there of the chat's. */
export function foldersOf(ctx) {
  const workspace = ctx?.workspaceDir;
  if (!workspace || !path.isAbsolute(workspace) || Buffer.byteLength(workspace) > FOLDER_BYTES_MAX) return {};
  return { workspace, outputDir: path.join(workspace, "media", "clawmedia") };
}

/* Only on the command line does the owner ask as the owner: a chat may have other readers. */
export function flagsOf(ctx) {
  let flags = replyToOf(ctx) ? 0 : FLAG_NO_LATE_DELIVERY;
  if (ctx?.oneShotCliRun) flags |= FLAG_ONE_SHOT;
  if (!ctx?.deliveryContext?.channel && ctx?.senderIsOwner === true) flags |= FLAG_OPERATOR;
  return flags;
}
