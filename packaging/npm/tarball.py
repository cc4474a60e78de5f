"""Makes FOLDER's npm tarball in OUT and prints its path: tarball.py FOLDER OUT. Regular files only,
below package/ as npm has it, in a fixed order and without dates or owners."""
import gzip
import json
import os
import sys
import tarfile

folder, out = sys.argv[1:]
with open(os.path.join(folder, "package.json"), encoding="utf-8") as file:
    package = json.load(file)
path = os.path.abspath(os.path.join(out, "%s-%s.tgz" % (package["name"], package["version"])))
names = []
for where, folders, files in os.walk(folder):
    for name in folders + files:
        if os.path.islink(os.path.join(where, name)):
            sys.exit("a link does not belong into the package: %s" % os.path.join(where, name))
    names += [os.path.relpath(os.path.join(where, name), folder) for name in files]
with open(path + ".new", "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed, \
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
    for name in sorted(names):
        info = tarfile.TarInfo("package/" + name)
        info.size = os.path.getsize(os.path.join(folder, name))
        info.mode = 0o755 if name.startswith("native/") and not name.endswith(".json") else 0o644
        with open(os.path.join(folder, name), "rb") as file:
            tar.addfile(info, file)
os.replace(path + ".new", path)
print(path)
