"""Lays out the OpenClaw package in a folder: assemble.py OUT --version V --source DIR --plugin SO
--addon NODE [--imaging SO] [--strip PROGRAM].

What it says of itself is made by describe.py. The native files carry a hash of their content in their
names, since the same path gives the same code for as long as a process lives; native/files.json says
which they are and which shared libraries they need. The imaging module bears the plugin's hash, by
which the plugin finds it; what it needs is not asked for, as all but masks works without.
"""
import argparse
import hashlib
import os
import shutil
import subprocess

import describe


def place_native(folder, strip, *sources):
    """Copies without debugging symbols, under names with the hash of all contents; the first's path."""
    digest = hashlib.sha256()
    for i, source in enumerate(sources):
        bare = os.path.join(folder, "new%d" % i)
        if strip:
            subprocess.run([strip, "--strip-unneeded", "-o", bare, source], check=True)
        else:
            shutil.copyfile(source, bare)
        with open(bare, "rb") as file:
            digest.update(file.read())
        os.chmod(bare, 0o755)
    paths = []
    for i, source in enumerate(sources):
        stem, ending = os.path.splitext(os.path.basename(source))
        paths.append(os.path.join(folder, "%s-%s%s" % (stem, digest.hexdigest()[:16], ending)))
        os.replace(os.path.join(folder, "new%d" % i), paths[i])
    return paths[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    for option in ("--version", "--source", "--plugin", "--addon"):
        parser.add_argument(option, required=True)
    parser.add_argument("--imaging")
    parser.add_argument("--strip")
    options = parser.parse_args()

    shutil.rmtree(options.out, ignore_errors=True)
    native = os.path.join(options.out, "native")
    os.makedirs(native)
    plugin = place_native(native, options.strip, options.plugin,
                          *([options.imaging] if options.imaging else []))
    addon = place_native(native, options.strip, options.addon)
    for path in describe.modules_of(options.source):
        shutil.copyfile(path, os.path.join(options.out, os.path.basename(path)))
    for name, path in {**describe.skills_of(options.source), **describe.schemas_of(options.source)}.items():
        os.makedirs(os.path.dirname(os.path.join(options.out, name)), exist_ok=True)
        shutil.copyfile(path, os.path.join(options.out, name))
    needs = describe.needs_of(options.source, plugin, addon)
    made = describe.descriptions(options.source, options.version, plugin, addon, needs)
    for name, value in made.items():
        with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
            file.write(describe.text_of(value))


main()
