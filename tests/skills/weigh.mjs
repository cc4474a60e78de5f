/*
 * What a model has to read: the tools as a host hands them over, and each skill's body, both within their
 * budgets in tokens of o200k; and that skills are true: their front matter is what hosts accept, every
 * call they show is a tool's, every argument that no schema announces is told of in a reference.
 *
 *   node weigh.mjs MANIFESTS SKILLS FOLDER_OF_NODE_MODULES [--most-tools N] [--most-skill N]
 */
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const [manifests, skills, modules, ...rest] = process.argv.slice(2);
const option = (name, otherwise) => (rest.includes(name) ? Number(rest[rest.indexOf(name) + 1]) : otherwise);
/* Words of results, beside the names of tools and arguments. */
const STATUSES = ["needs_confirmation", "login_needed", "maybe_delivered"];
/* Where the arguments stand that schemas do not announce, below the skills. */
const ARGUMENTS = "clawmedia/references/arguments.md";
const TOOLS_MOST = option("--most-tools", 2500);
const SKILL_MOST = option("--most-skill", 1500);
const TOOLS = ["account", "character_replace", "edit_image", "fetch_media", "generate_image",
  "generate_video", "list_models", "poll", "run_batch"];
const SKILLS = ["chatart", "clawmedia", "libtv-video", "media-generation", "plume-image"];

const require = createRequire(path.join(path.resolve(modules), "package.json"));
const { Tiktoken } = require("js-tiktoken/lite");
const o200k = require("js-tiktoken/ranks/o200k_base");
const yaml = require("yaml");
const encoder = new Tiktoken(o200k.default ?? o200k);
const tokens = (text) => encoder.encode(text).length;

let checks = 0;
let failures = 0;
function check(ok, text) {
  checks += 1;
  failures += ok ? 0 : 1;
  if (!ok) console.log(`FAIL ${text}`);
}

/* What a host hands to a model: name, description, parameters. */
const read = fs.readdirSync(path.join(manifests, "tools")).filter((n) => n.endsWith(".json")).sort();
check(read.join() === TOOLS.map((n) => n + ".json").join(), `nine tools: ${read.join(" ")}`);
const tools = read.map((n) => JSON.parse(fs.readFileSync(path.join(manifests, "tools", n), "utf8")));
const page = fs.readFileSync(path.join(skills, ARGUMENTS), "utf8");
const told = [...page.split("\n|---|---|---|\n")[1].matchAll(/^\| (\w+) \| (\w+) \| \S/gm)];
let all = 0;
const types = new Map();
const argumentsOf = (tool) => {
  const checks = tool.input_checks ?? {};
  const both = { ...tool.input_schema.properties };
  for (const [name, check] of Object.entries(checks)) both[name] = { ...both[name], ...check };
  return both;
};
for (const tool of tools) {
  const handed = { name: tool.name, description: tool.summary, parameters: tool.input_schema };
  const count = tokens(JSON.stringify(handed));
  all += count;
  console.log(`${String(count).padStart(6)} ${tool.name}`);
  check(/\bnot\b/i.test(tool.summary), `${tool.name} says when not to use it`);
  for (const [name, schema] of Object.entries(argumentsOf(tool))) {
    const announced = name in tool.input_schema.properties;
    check(typeof schema.description === "string" && schema.description && !schema.description.includes("\n"),
      `${tool.name}.${name} is described in one line`);
    for (const word of ["anyOf", "oneOf", "allOf", "$ref", "not"])
      check(!(word in schema), `${tool.name}.${name} has no ${word}`);
    check(announced || told.some((row) => row[1] === tool.name && row[2] === name),
      `${tool.name}.${name} is announced or in ${ARGUMENTS}`);
    types.set(name, (types.get(name) ?? new Set()).add(schema.type));
  }
}
for (const [name, set] of types) check(set.size === 1, `${name} has one type everywhere`);
for (const [, tool, name] of told)
  check(name in argumentsOf(tools.find((t) => t.name === tool) ?? { input_schema: { properties: {} } }),
    `${ARGUMENTS}: ${tool} takes ${name}`);
console.log(`${String(all).padStart(6)} all tools`);
check(all < TOOLS_MOST, `${all} tokens for all tools, fewer than ${TOOLS_MOST}`);

const folders = fs.readdirSync(skills).filter((n) => fs.existsSync(path.join(skills, n, "SKILL.md"))).sort();
check(folders.join() === SKILLS.join(), `five skills: ${folders.join(" ")}`);
/* The pages beside a skill. */
function references(name) {
  const folder = path.join(skills, name, "references");
  return fs.existsSync(folder)
    ? fs.readdirSync(folder).sort().map((page) => fs.readFileSync(path.join(folder, page), "utf8")) : [];
}

/*
 * A call is `tool` {arguments}; each argument is its name, or its name, a colon, and a word or JSON value
 * that the schema allows. Names in backticks with an underline are tools, too.
 */
function checkCalls(name, text) {
  for (const [, word] of text.matchAll(/`([a-z]+_[a-z]+)`(?! \|)/g))
    check(STATUSES.includes(word) || tools.some((t) => t.name === word || word in argumentsOf(t)),
      `${name}: ${word} exists`);
  for (const [, called, given] of text.matchAll(/`(\w+)` \{([^}]*)\}/g)) {
    const tool = tools.find((t) => t.name === called);
    check(tool !== undefined, `${name}: ${called} is a tool`);
    const known = tool ? argumentsOf(tool) : {};
    for (const part of given.replace(/"[^"]*"|\[[^\]]*\]/g, (one) => one.replaceAll(",", ";")).split(",")) {
      const [key, ...rest] = part.split(":");
      const value = rest.join(":").trim().replace(/^"|"$/g, "");
      const schema = known[key.trim()];
      check(schema !== undefined, `${name}: ${called} takes ${key.trim()}`);
      if (schema?.enum && value)
        check(schema.enum.includes(value), `${name}: ${called} ${key.trim()} may be ${value}`);
    }
  }
}

for (const name of folders) {
  const text = fs.readFileSync(path.join(skills, name, "SKILL.md"), "utf8");
  const match = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(text);
  check(match !== null, `${name} has front matter`);
  if (!match) continue;
  const front = yaml.parse(match[1]);
  check(front.name === name, `${name} is called so`);
  check(typeof front.description === "string" && front.description.length > 80 && front.description.length <= 1024,
    `${name} has a description of up to 1024 characters`);
  check(/[\u4e00-\u9fff]/.test(front.description) && /[a-z]{4}/.test(front.description),
    `${name} has trigger words in English and Chinese`);
  const count = tokens(match[2]);
  console.log(`${String(count).padStart(6)} ${name}/SKILL.md`);
  check(count < SKILL_MOST, `${name}: ${count} tokens, fewer than ${SKILL_MOST}`);
  for (const link of match[2].matchAll(/references\/[\w-]+[.]md/g))
    check(fs.existsSync(path.join(skills, name, link[0])), `${name} refers to ${link[0]}`);
  for (const text of [match[2], ...references(name)]) checkCalls(name, text);
}
console.log(`${checks} checks, ${failures} failures`);
process.exit(failures ? 1 : 0);
