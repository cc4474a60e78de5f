"""Makes the skills' bundles in OUT and prints the paths of the archives: bundle.py OUT.

A bundle is skills/NAME with a front matter for people who find the skill alone: its version, that it
needs the plugin, and how one gets that. The host checks what is needed by `requires.config`: installing
the plugin sets plugins.entries.clawmedia.enabled, and until then the skill is shown as missing that and
is not given to models. Front matter and limits are those of ClawHub's skill format and of OpenClaw's
page on skills (docs/tools/skills.md of the npm package openclaw 2026.9.6).

Archives hold regular files only, in a fixed order, uncompressed and with one date, so that the same
skills give the same bytes.
"""
import json
import os
import re
import shutil
import sys
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKILLS = os.path.join(ROOT, "skills")
PLUGIN = "clawmedia"
FILE_BYTES_MAX = 200 * 1024         # ClawHub shows a text up to this size
BUNDLE_BYTES_MAX = 1024 * 1024      # of the 50 MB that it takes; texts of ours are a few KB
DESCRIPTION_MAX = 1024
NOTE = """> The tools that are named here are those of the OpenClaw plugin %(plugin)s, and without it this skill is off. \
`%(install)s` brings them, and this skill, too; then this copy, which goes before the plugin's own, can be removed: \
`clawhub uninstall %(name)s`.

"""


def read(*names):
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


def version():
    return re.search(r"^project\(clawmedia VERSION ([\d.]+)", read("CMakeLists.txt"), re.M).group(1)


def install_command():
    return "openclaw plugins install clawhub:" + json.loads(read("packaging", "npm", "package.json"))["name"]


def names():
    return sorted(name for name in os.listdir(SKILLS) if os.path.exists(os.path.join(SKILLS, name, "SKILL.md")))


def variables_in(texts):
    """The environment variables that a bundle speaks of: ClawHub wants those declared."""
    found = sorted(set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", "".join(texts))))
    return [{"name": name, "required": False} for name in found]


def front_matter(given, texts):
    """A skill's own lines, each a name and a JSON value or plain text, and what a bundle adds."""
    lines = dict(line.split(": ", 1) for line in given.splitlines())
    metadata = json.loads(lines["metadata"])
    about = metadata["openclaw"]
    about["requires"] = {"config": ["plugins.entries.%s.enabled" % PLUGIN]}
    if variables_in(texts):
        about["envVars"] = variables_in(texts)
    description = "%s Needs the OpenClaw plugin %s: %s" % (json.loads(lines["description"]), PLUGIN, install_command())
    if len(description) > DESCRIPTION_MAX:
        sys.exit("%s: the description has %d characters" % (lines["name"], len(description)))
    return "name: %s\ndescription: %s\nversion: %s\nmetadata: %s\n" % (
        lines["name"], json.dumps(description, ensure_ascii=False), version(), json.dumps(metadata, ensure_ascii=False))


def files_of(name):
    """The texts of a bundle by their paths in it."""
    top = os.path.join(SKILLS, name)
    found = {}
    for where, folders, there in os.walk(top):
        for one in sorted(folders + there):
            path = os.path.join(where, one)
            if os.path.islink(path):
                sys.exit("a link does not belong into a bundle: " + path)
            if one in folders:
                continue
            if not one.endswith(".md") or os.path.getsize(path) > FILE_BYTES_MAX:
                sys.exit("not a page, or too large: " + path)
            with open(path, encoding="utf-8") as file:
                found[os.path.relpath(path, top)] = file.read()
    _, given, body = re.split(r"^---\n", found["SKILL.md"], maxsplit=2, flags=re.M)
    note = NOTE % {"plugin": PLUGIN, "install": install_command(), "name": name}
    found["SKILL.md"] = "---\n%s---\n\n%s%s" % (front_matter(given, found.values()), note, body.lstrip("\n"))
    if sum(len(text.encode()) for text in found.values()) > BUNDLE_BYTES_MAX:
        sys.exit("%s is too large" % name)
    return found


def make(name, out):
    """The path of the archive; the folder is beside it."""
    folder = os.path.join(out, name)
    path = os.path.abspath(os.path.join(out, "%s-%s.zip" % (name, version())))
    files = files_of(name)
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(path + ".new", "w", zipfile.ZIP_STORED) as archive:
        for inside in sorted(files):
            info = zipfile.ZipInfo(inside)      # of 1980-01-01
            info.create_system = 3              # with the modes of files
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[inside])
            os.makedirs(os.path.dirname(os.path.join(folder, inside)), exist_ok=True)
            with open(os.path.join(folder, inside), "w", encoding="utf-8") as file:
                file.write(files[inside])
    os.replace(path + ".new", path)
    return path


def main():
    (out,) = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    for name in names():
        print(make(name, out))


if __name__ == "__main__":
    main()
