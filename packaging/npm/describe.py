"""What the OpenClaw package says of itself, made from its sources; assemble.py writes it down.

    describe.py --source DIR --package FOLDER

compares with a package that was built: which of its files another build would make differently. The
tools come from manifests/tools/ and the check of the settings from manifests/schema/, as they are built
into the plugin, too; what else the host wants to know from manifests/clawmedia.plugin.json; npm's part
from packaging/npm/package.json; and the packages that have the run-time libraries on Debian from
packaging/npm/libraries.json. The skills are skills/ as it is, and schema/ is manifests/schema/.
"""
import argparse
import filecmp
import hashlib
import json
import os
import re
import struct
import subprocess
import sys

CPUS = {0x3e: "x64", 0xb7: "arm64"}
# Whoever runs Node has these: the C library.
ALWAYS_THERE = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"}


def read_json(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


def text_of(value):
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def tools_of(manifests):
    """Sorted by name, as the plugin declares them."""
    folder = os.path.join(manifests, "tools")
    return [read_json(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".json")]


def replay_of(tool):
    """May the host run it once more after a turn that broke off? What costs money must not."""
    flags = tool.get("flags", [])
    return {"replaySafe": True} if "idempotent" in flags else {"sideEffecting": True}


def host_manifest(manifests, version):
    given = read_json(manifests, "clawmedia.plugin.json")
    tools = tools_of(manifests)
    contracts = dict(given.get("contracts", {}), tools=[tool["name"] for tool in tools])
    return dict(given, version=version, contracts=contracts,
                toolMetadata={tool["name"]: replay_of(tool) for tool in tools},
                configSchema=read_json(manifests, "schema", "config.schema.json"))


def modules_of(source):
    """The JavaScript of the package."""
    folder = os.path.join(source, "host-api", "hosts", "openclaw", "js")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".mjs")]


def skills_of(source):
    """The pages of the skills by their names in the package."""
    top = os.path.join(source, "skills")
    found = [os.path.join(where, name) for where, _, names in os.walk(top) for name in names]
    return {os.path.relpath(path, source): path for path in sorted(found) if path.endswith(".md")}


def schemas_of(source):
    """What manifests are held to, for who writes some, by its names in the package."""
    folder = os.path.join(source, "manifests", "schema")
    return {"schema/" + name: os.path.join(folder, name) for name in sorted(os.listdir(folder))}


def cpu_of(path):
    """Node's name of the processor that an ELF file is for."""
    with open(path, "rb") as file:
        head = file.read(20)
    if head[:4] != b"\x7fELF":
        sys.exit("%s is no ELF file" % path)
    return CPUS.get(struct.unpack_from("<H", head, 18)[0]) or sys.exit("%s: unknown processor" % path)


def needs_of(source, *paths):
    """The shared libraries that ELF files need, each with its package on Debian."""
    known = read_json(source, "packaging", "npm", "libraries.json")
    needs = set()
    for path in paths:
        out = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True,
                             env=dict(os.environ, LC_ALL="C")).stdout
        needs.update(re.findall(r"\(NEEDED\).*\[(.+)\]", out))
    needs -= {name for name in needs if name in ALWAYS_THERE or name.startswith("ld-linux")}
    unknown = needs - set(known)
    if unknown:
        sys.exit("packaging/npm/libraries.json does not name the package of %s" % ", ".join(unknown))
    return {name: known[name] for name in sorted(needs)}


def descriptions(source, version, plugin, addon, needs):
    """The package's JSON files by name. plugin and addon are the paths of its native files."""
    manifests = os.path.join(source, "manifests")
    wanted = ("name", "title", "summary", "input_schema")
    return {
        "native/files.json": {"plugin": os.path.basename(plugin), "addon": os.path.basename(addon),
                              "needs": needs},
        "tools.json": [{key: tool[key] for key in wanted} for tool in tools_of(manifests)],
        "openclaw.plugin.json": host_manifest(manifests, version),
        "package.json": dict(read_json(source, "packaging", "npm", "package.json"), version=version,
                             cpu=[cpu_of(plugin)]),
    }


def belonging(path):
    """A native file and what goes with it under the same hash: the plugin's imaging module."""
    folder, name = os.path.split(path)
    stem, _, rest = name.rpartition("-")
    module = os.path.join(folder, "%s-imaging-%s" % (stem, rest))
    return [path, module] if os.path.exists(module) else [path]


def same(one, other):
    try:
        return filecmp.cmp(one, other, shallow=False)
    except FileNotFoundError:
        return False


def differences(source, package):
    """Lines about what in a package is not what its sources make."""
    files = read_json(package, "native", "files.json")
    plugin, addon = (os.path.join(package, "native", files[key]) for key in ("plugin", "addon"))
    found = []
    names = set()
    for path in (plugin, addon):
        digest = hashlib.sha256()
        for part in belonging(path):
            names.add("native/" + os.path.basename(part))
            with open(part, "rb") as file:
                digest.update(file.read())
        if digest.hexdigest()[:16] not in os.path.basename(path):
            found.append("%s: the name is not that of its content" % path)
    copies = {os.path.basename(path): path for path in modules_of(source)}
    for name, path in dict(copies, **skills_of(source), **schemas_of(source)).items():
        names.add(name)
        if not same(path, os.path.join(package, name)):
            found.append("%s: out of date" % name)
    version = read_json(package, "package.json")["version"]
    made = descriptions(source, version, plugin, addon, needs_of(source, plugin, addon))
    for name, value in made.items():
        names.add(name)
        with open(os.path.join(package, name), encoding="utf-8") as file:
            if file.read() != text_of(value):
                found.append("%s: out of date" % name)
    for where, _, there in os.walk(package):
        for name in there:
            path = os.path.relpath(os.path.join(where, name), package)
            if path not in names:
                found.append("%s: does not belong there" % path)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--package", required=True)
    options = parser.parse_args()
    found = differences(options.source, options.package)
    print("\n".join(found) or "up to date")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
