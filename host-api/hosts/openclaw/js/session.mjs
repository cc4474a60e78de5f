/*
 * session.mjs - tells the agent's session what became of a delivery, without a turn and without a
 * message to anybody: the host puts these words before the next prompt of that session, once. Only the
 * instance of the plugin that has the services may do so; for the others the host does nothing.
 */
import { mediaLine } from "./answer.mjs";
import { DELIVERED, LOST, REFUSED } from "./delivery.mjs";
import { storedRouteOf } from "./route.mjs";

/* Of a job that nothing is delivered for; beside the outcomes of deliveries. */
export const FINISHED = "finished";

const RESULT = 0; // ahp/deliver.h
const KEPT_MS = 7 * 24 * 3600 * 1000;
const WORDS_MAX = 2000;

const WHAT = {
  [DELIVERED]: "was sent to the user in this conversation and arrived. Nothing has to be sent or made again.",
  [REFUSED]: "could not be sent to this conversation. poll with action redeliver tries again.",
  [LOST]: "was sent to this conversation; whether it arrived is not known. Ask the user; poll with action redeliver sends it again.",
  [FINISHED]: "came after the turn that had waited for it. The user has not seen it: to show the files, repeat their MEDIA lines in the reply as they are.",
};

function fileLine(file) {
  const handle = file.handle ? `${file.handle}, ` : "";
  return `- ${handle}${file.mime}: ${file.path}`;
}

/* What is kept of a delivery for its session; undefined when it has none. Plain JSON. */
export function noticeOf(delivery) {
  const { sessionKey, agentId } = storedRouteOf(delivery.replyTo);
  if (!sessionKey) return undefined;
  const files = delivery.files.map(({ path, mime, handle }) => ({ path, mime, handle }));
  return { sessionKey, agentId, job: delivery.jobId, result: delivery.kind === RESULT, words: delivery.text, files };
}

export function wordsOf(notice, outcome, when = new Date()) {
  const what = notice.result ? "the result of" : "a message about";
  const words = notice.words.slice(0, WORDS_MAX);
  const lines = [
    `[clawmedia, ${when.toISOString().slice(0, 16)}Z] In the background, ${what} job ${notice.job} ${WHAT[outcome]}`,
    `Its words: ${JSON.stringify(words)}`,
  ];
  return lines.concat(notice.files.map(fileLine), outcome === FINISHED ? notice.files.map(mediaLine) : []).join("\n");
}

/* Whether one of the instances could. Never rejects: it is a service to the model, not the delivery. */
export async function tellSession(apis, key, notice, outcome) {
  if (!notice || !WHAT[outcome]) return false;
  const injection = {
    sessionKey: notice.sessionKey,
    agentId: notice.agentId,
    text: wordsOf(notice, outcome),
    idempotencyKey: `${key}:${outcome}`,
    ttlMs: KEPT_MS,
  };
  for (const api of apis) {
    try {
      const told = await api.session?.workflow?.enqueueNextTurnInjection?.(injection);
      if (!told?.id) continue; // it has one also when it was there already
      api.logger?.info?.(`clawmedia: the session is told of ${key}`);
      return true;
    } catch (error) {
      api.logger?.warn?.(`clawmedia: the session was not told of ${key}: ${error.message}`);
    }
  }
  return false;
}
