/*
 * held.mjs - deliveries that OpenClaw's durable queue has taken but not sent yet. The queue sends them
 * by itself, maybe after a restart and before the engine runs; its message_sent hook then names target
 * and words but not the intent, so these are kept in a small file until the receipt has been given.
 * The file is read anew each time: instances of the plugin share it, and it is hardly ever there.
 */
import fs from "node:fs";
import path from "node:path";
import { noticeOf } from "./session.mjs";
import { targetOf } from "./route.mjs";

const ENTRIES_MAX = 1000;
const KEPT_MS = 30 * 24 * 3600 * 1000;

const fileOf = (stateDir) => path.join(stateDir, "clawmedia", "openclaw-held.json");

function read(stateDir) {
  try {
    const entries = JSON.parse(fs.readFileSync(fileOf(stateDir), "utf8"));
    return Array.isArray(entries) ? entries.filter((one) => Date.now() - one?.at < KEPT_MS) : [];
  } catch {
    return []; // not there; a torn one cannot be, it is renamed into its place
  }
}

function write(stateDir, entries) {
  const file = fileOf(stateDir);
  if (entries.length === 0) {
    fs.rmSync(file, { force: true });
    return;
  }
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${file}.new`, JSON.stringify(entries.slice(-ENTRIES_MAX)), { mode: 0o600, flush: true });
  fs.renameSync(`${file}.new`, file);
}

export function addHeld(stateDir, delivery) {
  const others = read(stateDir).filter((one) => one.key !== delivery.key);
  const entry = { key: delivery.key, to: targetOf(delivery.replyTo), text: delivery.text, at: Date.now(), notice: noticeOf(delivery) };
  write(stateDir, [...others, entry]);
}

/* The host has sent a message: notes it for the oldest that it can be. Whether it was one of ours. */
export function noteSent(stateDir, event) {
  if (!event?.success) return false;
  const entries = read(stateDir);
  const entry = entries.find((one) => !one.sent && one.to === event.to && one.text === event.content);
  if (!entry) return false;
  entry.sent = { hostRef: String(event.messageId ?? "") };
  write(stateDir, entries);
  return true;
}

/* Gives `tell` each that was sent, the message's id in it; one that it takes is forgotten. */
export function settleSent(stateDir, tell) {
  const entries = read(stateDir);
  const rest = entries.filter((one) => !one.sent || !tell(one));
  if (rest.length < entries.length) write(stateDir, rest);
}
