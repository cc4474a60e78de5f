"""Lays out the OpenClaw package in a folder: assemble.py OUT --version V --source DIR --plugin SO
--addon NODE [--strip PROGRAM].

Everything in it comes from one place: what the host is told about the tools from manifests/tools/, what
it checks the settings with from manifests/schema/config.schema.json, names and versions from
packaging/npm/plugin.json. The native files carry a hash of their content in their names, since the
same path gives the same code for as long as a process lives; native/files.json says which they are.
"""
import argparse
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys

JS = ("index.mjs", "approval.mjs", "engine.mjs", "native.mjs", "route.mjs", "delivery.mjs", "held.mjs",
      "session.mjs", "answer.mjs")
CPUS = {0x3e: "x64", 0xb7: "arm64"}


def read_json(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


def write_json(value, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def cpu_of(path):
    """Node's name of the processor that an ELF file is for."""
    with open(path, "rb") as file:
        head = file.read(20)
    if head[:4] != b"\x7fELF":
        sys.exit("%s is no ELF file" % path)
    return CPUS.get(struct.unpack_from("<H", head, 18)[0]) or sys.exit("%s: unknown processor" % path)


def place_native(source, folder, strip):
    """Copies without debugging symbols, under a name with the content's hash."""
    stem, ending = os.path.splitext(os.path.basename(source))
    bare = os.path.join(folder, "new")
    if strip:
        subprocess.run([strip, "--strip-unneeded", "-o", bare, source], check=True)
    else:
        shutil.copyfile(source, bare)
    with open(bare, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:16]
    name = "%s-%s%s" % (stem, digest, ending)
    os.chmod(bare, 0o755)
    os.replace(bare, os.path.join(folder, name))
    return name


def tools_of(folder):
    """What the host registers: sorted by name, as the plugin declares them."""
    tools = [read_json(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".json")]
    return [{"name": tool["name"], "title": tool["title"], "summary": tool["summary"],
             "input_schema": tool["input_schema"]} for tool in tools]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    for option in ("--version", "--source", "--plugin", "--addon"):
        parser.add_argument(option, required=True)
    parser.add_argument("--strip")
    options = parser.parse_args()
    manifests = os.path.join(options.source, "manifests")
    given = read_json(options.source, "packaging", "npm", "plugin.json")
    tools = tools_of(os.path.join(manifests, "tools"))

    shutil.rmtree(options.out, ignore_errors=True)
    native = os.path.join(options.out, "native")
    os.makedirs(native)
    write_json({"plugin": place_native(options.plugin, native, options.strip),
                "addon": place_native(options.addon, native, options.strip)}, native, "files.json")
    for name in JS:
        shutil.copyfile(os.path.join(options.source, "host-api", "hosts", "openclaw", "js", name),
                        os.path.join(options.out, name))
    write_json(tools, options.out, "tools.json")
    write_json(dict(given["manifest"], version=options.version,
                    contracts={"tools": [tool["name"] for tool in tools]},
                    configSchema=read_json(manifests, "schema", "config.schema.json")),
               options.out, "openclaw.plugin.json")
    write_json(dict(given["package"], version=options.version, cpu=[cpu_of(options.plugin)]),
               options.out, "package.json")


main()
