"""Lays out the OpenClaw package in a folder: assemble.py OUT --version V --source DIR --plugin SO
--addon NODE [--strip PROGRAM].

What it says of itself is made by describe.py. The native files carry a hash of their content in their
names, since the same path gives the same code for as long as a process lives; native/files.json says
which they are and which shared libraries they need.
"""
import argparse
import hashlib
import os
import shutil
import subprocess

import describe


def place_native(source, folder, strip):
    """Copies without debugging symbols, under a name with the content's hash; the path."""
    stem, ending = os.path.splitext(os.path.basename(source))
    bare = os.path.join(folder, "new")
    if strip:
        subprocess.run([strip, "--strip-unneeded", "-o", bare, source], check=True)
    else:
        shutil.copyfile(source, bare)
    with open(bare, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:16]
    path = os.path.join(folder, "%s-%s%s" % (stem, digest, ending))
    os.chmod(bare, 0o755)
    os.replace(bare, path)
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    for option in ("--version", "--source", "--plugin", "--addon"):
        parser.add_argument(option, required=True)
    parser.add_argument("--strip")
    options = parser.parse_args()

    shutil.rmtree(options.out, ignore_errors=True)
    native = os.path.join(options.out, "native")
    os.makedirs(native)
    plugin = place_native(options.plugin, native, options.strip)
    addon = place_native(options.addon, native, options.strip)
    for path in describe.modules_of(options.source):
        shutil.copyfile(path, os.path.join(options.out, os.path.basename(path)))
    needs = describe.needs_of(options.source, plugin, addon)
    made = describe.descriptions(options.source, options.version, plugin, addon, needs)
    for name, value in made.items():
        with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
            file.write(describe.text_of(value))


main()
