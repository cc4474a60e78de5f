/*
 * native.mjs - finds and loads the addon and names the plugin's library, by their paths under the
 * install folder: OpenClaw runs this module from private copies of the package, and from those every
 * instance would get libraries of its own. The file names carry a hash of the content, so an upgrade
 * in a running process loads the new code.
 *
 * It also says which shared libraries a machine lacks: native/files.json lists those that the native
 * files need, and the linker is asked for each.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";

const WARNED = Symbol.for("clawmedia.openclaw.warned/1");
const RTLD_NODELETE = 0x1000; // Linux; Node does not name it

/* What native/files.json says: addon and plugin as paths, and needs, library to package on Debian. */
export function nativeFiles(rootDir) {
  const folder = path.join(rootDir, "native");
  const { addon, plugin, needs } = JSON.parse(fs.readFileSync(path.join(folder, "files.json"), "utf8"));
  return { addon: path.join(folder, addon), plugin: path.join(folder, plugin), needs };
}

/*
 * How libraries are looked at: as the plugin's own are loaded later, so that what comes in here is
 * bound to the same things; and to stay, since not all of them can be unloaded. Sanitizers do without
 * the first.
 */
function lookFlags(needs) {
  const { RTLD_NOW, RTLD_DEEPBIND = 0 } = os.constants.dlopen;
  const isSanitized = Object.keys(needs).some((library) => library.startsWith("libasan."));
  return RTLD_NOW | RTLD_NODELETE | (isSanitized ? 0 : RTLD_DEEPBIND);
}

/* The one that the linker does not find: `library`, or what that needs in turn. */
function lackOf(library, flags) {
  try {
    process.dlopen({ exports: {} }, library, flags);
  } catch (error) {
    // A library that loads is no addon, which is an error, too, in other words.
    return /(\S+\.so[.\d]*): cannot open shared object file/.exec(String(error?.message))?.[1];
  }
  return undefined;
}

/* One message about all that is missing here; undefined when nothing is. */
export function missingLibraries({ needs }) {
  const flags = lookFlags(needs);
  const lacks = Object.entries(needs)
    .map(([library, debian]) => ({ library, debian, lack: lackOf(library, flags) }))
    .filter(({ lack }) => lack);
  if (lacks.length === 0) return undefined;
  const names = lacks.map(({ library, lack }) => (lack === library ? library : `${lack} (needed by ${library})`));
  return (
    `shared libraries are missing on this machine: ${names.join(", ")}. ` +
    `On Debian and Ubuntu: apt-get install ${[...new Set(lacks.map(({ debian }) => debian))].join(" ")}. ` +
    "Elsewhere the packages have similar names. It works as soon as they are there."
  );
}

/*
 * Warns of what is missing, once in a process however often it evaluates the package: on the standard
 * error of a command, in the log of a gateway.
 */
export function warnOfMissing(rootDir) {
  if (globalThis[WARNED]) return;
  globalThis[WARNED] = true;
  try {
    const missing = missingLibraries(nativeFiles(rootDir));
    if (missing) console.warn(`clawmedia cannot work: ${missing}`);
  } catch {
    /* no such files: who needs them says so */
  }
}

/* Words for people about what did not load: the linker's own, unless a library is missing. */
export function explain(error, files) {
  return missingLibraries(files) ?? String(error?.message ?? error);
}

export function loadAddon(file) {
  const module = { exports: {} };
  process.dlopen(module, file);
  return module.exports;
}
