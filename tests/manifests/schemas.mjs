/*
 * Every file of manifests/ is held to the schema of its kind, and each schema refuses the mistakes that
 * are usually made: a real file is taken, one thing in it is made wrong, and the schema has to say where.
 * Which file belongs to which schema is told by its place; a file without a schema is an error.
 *
 *   node schemas.mjs MANIFESTS FOLDER_OF_NODE_MODULES PAGE
 *
 * PAGE is the one for authors of providers: the catalogue and the schema that it shows fit each other.
 */
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { mistakes } from "./mistakes.mjs";

const [manifests, modules, page] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), "package.json"));
const { default: Ajv } = require("ajv/dist/2020.js");

let checks = 0;
let failures = 0;
function check(ok, text) {
  checks += 1;
  failures += ok ? 0 : 1;
  if (!ok) console.log(`FAIL ${text}`);
}

const read = (...names) => JSON.parse(fs.readFileSync(path.join(...names), "utf8"));
const jsonIn = (folder) => fs.readdirSync(folder).filter((name) => name.endsWith(".json")).sort();

/* Strict: a word that JSON Schema does not have is an error of the schema, as is what can never hold. */
const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, validateSchema: true });
const schemas = jsonIn(path.join(manifests, "schema"));
for (const name of schemas) ajv.addSchema(read(manifests, "schema", name), name);
const told = (errors) => errors.map((e) => `${e.instancePath || "/"} ${e.message} ${JSON.stringify(e.params)}`);
/* What a schema has against a value; [] for nothing. */
function against(schema, value) {
  const validate = ajv.getSchema(schema);
  return validate(value) ? [] : told(validate.errors);
}

/* The schema of each file, by its place. */
function schemaOf(file) {
  const [folder, name] = file.split("/");
  if (folder === "tools") return "tool.schema.json";
  if (folder === "messages") return "messages.schema.json";
  if (folder === "providers") return name.replace(/[.]json$/, ".schema.json");
  return file === "clawmedia.plugin.json" ? "plugin.schema.json" : undefined;
}

const folders = fs.readdirSync(manifests, { withFileTypes: true }).filter((one) => one.isDirectory()).map((one) => one.name);
const files = [...jsonIn(manifests), ...folders.filter((name) => name !== "schema")
  .flatMap((folder) => jsonIn(path.join(manifests, folder)).map((name) => `${folder}/${name}`))];
const used = new Set(["provider.schema.json", "config.schema.json"]);
for (const file of files) {
  const schema = schemaOf(file);
  check(schema && schemas.includes(schema), `${file} has a schema: ${schema}`);
  if (!schema || !schemas.includes(schema)) continue;
  used.add(schema);
  for (const error of against(schema, read(manifests, file))) check(false, `${file}: ${error}`);
  check(true);
}
check(schemas.every((name) => used.has(name)), `every schema is one of a file: ${schemas.filter((name) => !used.has(name))}`);

/* Every catalogue begins with what all have in common. */
for (const file of files.filter((name) => name.startsWith("providers/")))
  check(read(manifests, "schema", schemaOf(file)).$ref === "provider.schema.json", `${file}: its schema refers to provider.schema.json`);

/* One thing wrong at a time. */
const tried = new Set();
for (const [file, what, change, where] of mistakes) {
  const schema = file.startsWith("settings") ? "config.schema.json" : schemaOf(file);
  const value = file.startsWith("settings") ? {} : read(manifests, file);
  change(value);
  const found = against(schema, value);
  tried.add(schema);
  check(found.some((error) => error.startsWith(`${where} `)), `${file}, ${what}: ${schema} says where: ${found.join("; ") || "nothing"}`);
}
for (const schema of schemas.filter((name) => name !== "provider.schema.json"))
  check(tried.has(schema), `${schema} is tried with mistakes`);

/* What authors of catalogues are shown. */
const blocks = [...fs.readFileSync(page, "utf8").matchAll(/^```json\n(.*?)^```$/gms)].map((match) => JSON.parse(match[1]));
check(blocks.length === 2, `${page} shows a catalogue and its schema`);
ajv.addSchema(blocks[1], "shown.schema.json");
for (const error of against("shown.schema.json", blocks[0])) check(false, `${page}: ${error}`);
check(against("shown.schema.json", { ...blocks[0], acounts: [] }).length > 0, `${page}: its schema refuses what it does not know`);

console.log(`${files.length} files, ${schemas.length} schemas, ${mistakes.length} mistakes, ${checks} checks, ${failures} failures`);
process.exit(failures ? 1 : 0);
