/*
 * native.mjs - finds and loads the addon and names the plugin's library, by their paths under the
 * install folder: OpenClaw runs this module from private copies of the package, and from those every
 * instance would get libraries of its own. The file names carry a hash of the content, so an upgrade
 * in a running process loads the new code.
 */
import fs from "node:fs";
import path from "node:path";
import process from "node:process";

const HINT = {
  "libcurl.so.4": "libcurl4",
  "libcares.so.2": "libc-ares2",
  "libjansson.so.4": "libjansson4",
  "libsqlite3.so.0": "libsqlite3-0",
  "libnettle.so.8": "libnettle8",
  "libunistring.so.2": "libunistring2",
  "libunistring.so.5": "libunistring5",
  "libltdl.so.7": "libltdl7",
};

/* The linker's words, and for a missing library the package that has it on Debian and its relatives. */
export function explain(error) {
  const text = String(error?.message ?? error);
  const library = /(lib[\w.+-]+\.so[.\d]*): cannot open shared object file/.exec(text)?.[1];
  if (!library) return text;
  const debian = HINT[library] ? ` (Debian, Ubuntu: apt-get install ${HINT[library]})` : "";
  return `the library ${library} is missing on this machine${debian}: ${text}`;
}

export function nativeFiles(rootDir) {
  const folder = path.join(rootDir, "native");
  const { addon, plugin } = JSON.parse(fs.readFileSync(path.join(folder, "files.json"), "utf8"));
  return { addon: path.join(folder, addon), plugin: path.join(folder, plugin) };
}

export function loadAddon(file) {
  const module = { exports: {} };
  try {
    process.dlopen(module, file);
  } catch (error) {
    throw new Error(explain(error), { cause: error });
  }
  return module.exports;
}
