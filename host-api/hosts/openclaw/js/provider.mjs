/*
 * provider.mjs - the side door: clawmedia as a provider of OpenClaw's own image_generate and
 * video_generate, for agents that use those. Such a request becomes a call of our tools that waits for
 * its result; the host then delivers it in its own way, with its own limits and losses. Off unless the
 * setting built_in_tools asks for it.
 *
 * A model is named "default", "<entry of models.providers>" or "<entry>/<model>". A request says
 * nothing of the chat it comes from, so these jobs share one conversation, which no chat can look into.
 * Input pictures come as bytes: they lie in a folder of ours until the job has ended.
 */
import { randomUUID } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { RESULT_OK, RESULT_PENDING_JOB, RESULT_SHUTDOWN } from "./answer.mjs";
import { FLAG_NO_LATE_DELIVERY } from "./route.mjs";

const ID = "clawmedia";
const CONVERSATION = "openclaw:built-in-tools";
const IMAGE_TIMEOUT_MS = 10 * 60 * 1000;
const VIDEO_TIMEOUT_MS = 30 * 60 * 1000;
const INPUT_KEPT_MS = 24 * 3600 * 1000; // of jobs that nobody saw the end of
const ENDINGS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif" };
const QUALITIES = ["low", "medium", "high", "auto"];

/* What the setting turns on: { image, video }. */
export function servedKinds(settings) {
  const which = settings?.built_in_tools ?? "off";
  return { image: which === "image" || which === "both", video: which === "video" || which === "both" };
}

function modelArgs(model) {
  const [provider, ...rest] = String(model ?? "").split("/");
  if (!provider || provider === "default") return {};
  return rest.length > 0 ? { provider, model: rest.join("/") } : { provider };
}

/* Without what is undefined: our tools are strict about types. */
function defined(args) {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
}

/* The tool and its arguments for an ImageGenerationRequest whose pictures are at `paths`. */
export function imageCall(req, paths) {
  const args = defined({
    ...modelArgs(req.model),
    prompt: req.prompt,
    count: req.count,
    size: req.size,
    aspect_ratio: req.size ? undefined : req.aspectRatio,
    resolution: req.resolution,
    quality: QUALITIES.includes(req.quality) ? req.quality : undefined,
    background: req.background,
    format: req.outputFormat,
    again: true, // the host guards against repeats itself, chat by chat
  });
  if (paths.length === 0) return { tool: "generate_image", args };
  const [image, ...references] = paths;
  if (references.length > 0) args.reference_images = references;
  return { tool: "edit_image", args: { ...args, operation: "edit", image } };
}

/* The same for a VideoGenerationRequest; `paths` are those of its inputImages, in their order. */
export function videoCall(req, paths) {
  const options = req.providerOptions ?? {};
  const args = defined({
    ...modelArgs(req.model),
    prompt: req.prompt,
    seconds: req.durationSeconds,
    size: req.size,
    aspect_ratio: req.size ? undefined : req.aspectRatio,
    resolution: req.resolution?.replace(/p$/i, "p"),
    sound: req.audio,
    seed: options.seed,
    fps: options.fps,
    preset: options.preset,
    again: true,
  });
  const roles = (req.inputImages ?? []).map((image) => image.role);
  const references = [];
  for (const [i, file] of paths.entries()) {
    if (roles[i] === "first_frame" || (!roles[i] && paths.length === 1)) args.first_frame = file;
    else if (roles[i] === "last_frame") args.last_frame = file;
    else references.push(file);
  }
  if (references.length > 0) args.reference_images = references;
  return { tool: "generate_video", args };
}

/* Addresses stay what they are; bytes become files. */
async function placeInputs(folder, images) {
  if (!images?.length) return [];
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await fs.readdir(folder)) {
    const file = path.join(folder, name);
    const facts = await fs.stat(file).catch(() => undefined);
    if (facts && Date.now() - facts.mtimeMs > INPUT_KEPT_MS) await fs.rm(file, { force: true });
  }
  return Promise.all(
    images.map(async (image) => {
      if (!image.buffer) return image.url;
      const file = path.join(folder, `${randomUUID()}.${ENDINGS[image.mimeType] ?? "bin"}`);
      await fs.writeFile(file, image.buffer, { mode: 0o600 });
      return file;
    }),
  );
}

/* Why there is no file. Nobody can be asked from in there, so a yes has to be had elsewhere. */
function reasonOf(result, tool) {
  try {
    const body = JSON.parse(result.json);
    if (body.status === "needs_confirmation") {
      return `a person has to say yes to this before money is spent: call ${tool} instead, which asks`;
    }
    return body.message ?? body.error?.message;
  } catch {
    return undefined;
  }
}

async function run(deps, { images, timeoutMs, callOf }) {
  const inputDir = path.join(deps.outputDir(), "inputs");
  const paths = await placeInputs(inputDir, images);
  const placed = paths.filter((file) => path.dirname(String(file)) === inputDir);
  let isOver = true;
  try {
    const engine = await deps.engine();
    const { tool, args } = callOf(paths);
    const request = { tool, args: JSON.stringify(args), conversation: CONVERSATION, flags: FLAG_NO_LATE_DELIVERY, deadlineMs: timeoutMs };
    const result = await engine.call(request, {});
    isOver = result.status !== RESULT_PENDING_JOB && result.status !== RESULT_SHUTDOWN;
    if (!isOver) {
      throw new Error(`job ${result.jobId} is not done in time; it goes on, and its file will be in ${deps.outputDir()}`);
    }
    if (result.status !== RESULT_OK || result.files.length === 0) throw new Error(reasonOf(result, tool) ?? "clawmedia made nothing");
    const assets = result.files.map(async (file) => ({
      buffer: await fs.readFile(file.path),
      mimeType: file.mime,
      fileName: path.basename(file.path),
      metadata: { path: file.path, job: result.jobId },
    }));
    return { assets: await Promise.all(assets), metadata: { job: result.jobId } };
  } finally {
    if (isOver) await Promise.all(placed.map((file) => fs.rm(file, { force: true })));
  }
}

const IMAGE_MODE = { maxCount: 4, supportsSize: true, supportsAspectRatio: true, supportsResolution: true };
const VIDEO_MODE = {
  maxVideos: 1,
  maxDurationSeconds: 60,
  supportsSize: true,
  supportsAspectRatio: true,
  supportsResolution: true,
  supportsAudio: true,
  supportsWatermark: false,
  resolutions: ["480P", "720P", "1080P", "4K"],
  providerOptions: { seed: "number", fps: "number", preset: "string" },
};

/*
 * Registers what the settings ask for, usually nothing. deps.engine() resolves to the running engine,
 * deps.outputDir() is where its files go. What a model cannot do is adapted by the engine, so
 * everything is declared.
 */
export function registerProviders(api, deps) {
  const kinds = servedKinds(api.pluginConfig);
  const common = { id: ID, label: "clawmedia", defaultModel: "default", models: ["default"] };

  if (kinds.image) {
    api.registerImageGenerationProvider({
      ...common,
      defaultTimeoutMs: IMAGE_TIMEOUT_MS,
      capabilities: {
        generate: IMAGE_MODE,
        edit: { ...IMAGE_MODE, enabled: true, maxInputImages: 16 },
        output: { qualities: QUALITIES, formats: ["png", "jpeg", "webp"], backgrounds: ["transparent", "opaque", "auto"] },
      },
      isConfigured: () => true,
      async generateImage(req) {
        const { assets, metadata } = await run(deps, {
          images: req.inputImages,
          timeoutMs: req.timeoutMs ?? IMAGE_TIMEOUT_MS,
          callOf: (paths) => imageCall(req, paths),
        });
        return { images: assets, metadata };
      },
    });
  }
  if (kinds.video) {
    api.registerVideoGenerationProvider({
      ...common,
      defaultTimeoutMs: VIDEO_TIMEOUT_MS,
      capabilities: {
        ...VIDEO_MODE,
        generate: VIDEO_MODE,
        imageToVideo: { ...VIDEO_MODE, enabled: true, maxInputImages: 9 },
        videoToVideo: { enabled: false },
      },
      isConfigured: () => true,
      async generateVideo(req) {
        const { assets, metadata } = await run(deps, {
          images: req.inputImages,
          timeoutMs: req.timeoutMs ?? VIDEO_TIMEOUT_MS,
          callOf: (paths) => videoCall(req, paths),
        });
        return { videos: assets, metadata };
      },
    });
  }
}
