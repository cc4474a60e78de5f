/*
 * answer.mjs - a result of the engine as OpenClaw wants it from a tool: words and small JSON, thrown
 * when the call failed. The host drops local files from results, so they are never attached: a chat
 * gets them through delivery, a page through a line that the model repeats.
 */

/* ahp/calls.h */
export const RESULT_OK = 0;
export const RESULT_ERROR = 1;
export const RESULT_CANCELLED = 2;
export const RESULT_SHUTDOWN = 3;
export const RESULT_PENDING_JOB = 4;

function parsed(json) {
  try {
    const value = JSON.parse(json);
    return value && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/* The call has ended, its job has not. */
export function goesOn(result) {
  return Boolean(result.jobId) && (result.status === RESULT_CANCELLED || result.status === RESULT_PENDING_JOB);
}

/* The words for people of a result. */
export function wordsOfResult(result) {
  const body = parsed(result.json);
  return String(body.message ?? body.error?.text ?? "");
}

/* The line that a page shows a file for, when it stands in a reply. */
export const mediaLine = (file) => `MEDIA:${file.path}`;

/* The host reads some keys of details, such as status and error, as its own: ours go one level down. */
export function answerOf(result, { showsFiles = false } = {}) {
  const body = parsed(result.json);
  const { message, ...facts } = body;
  const lines = [];
  const words = message ?? body.error?.message;

  if (words) lines.push(words);
  if (result.status === RESULT_SHUTDOWN) {
    lines.push("The gateway is stopping. What was begun goes on when it runs again; do not order it a second time.");
  }
  if (Object.keys(facts).length > 0) lines.push(JSON.stringify(facts));
  if (result.status === RESULT_ERROR || result.status === RESULT_CANCELLED) {
    throw new Error(lines.join("\n") || "the call failed");
  }
  if (showsFiles && result.files.length > 0) {
    lines.push("To show the files, repeat these lines in the reply as they are:");
    lines.push(...result.files.map(mediaLine));
  }
  return {
    content: [{ type: "text", text: lines.join("\n") || "done" }],
    details: { job: result.jobId, result: facts },
  };
}
