"""A root with a database of dpkg's own, in a folder: packages are installed, verified and purged there by
dpkg itself, and nothing of the machine's is touched.

What our packages depend on is in the database as the machine has it, with name, version and files, so
that dpkg decides whether a dependency is met and whether somebody else's file would be overwritten; the
files themselves are not in the folder. dpkg wants to be root; a user namespace will do.
"""
import os
import re
import shutil
import subprocess

LIMIT_S = 120


def run(argv, env=None, cwd=None, want=0):
    r = subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False)
    if r.returncode != want:
        raise AssertionError("%s: %d\n%s%s" % (" ".join(argv), r.returncode, r.stdout, r.stderr))
    return r.stdout


def as_root():
    """What goes before a command that wants to be root; None if nothing helps."""
    if os.geteuid() == 0:
        return []
    unshare = ["unshare", "--map-root-user"]
    if shutil.which("unshare") and subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL,
                                                  check=False).returncode == 0:
        return unshare
    return None


def field(path, name):
    return run(["dpkg-deb", "-f", path, name]).strip()


def depends_of(path):
    """The packages' names in Depends; there are no alternatives in ours."""
    return [re.match(r"[a-z0-9.+-]+", one).group(0) for one in field(path, "Depends").split(", ") if one]


class Root:
    def __init__(self, folder, packages):
        self.folder = folder
        self.admin = os.path.join(folder, "var", "lib", "dpkg")
        for name in ("info", "updates", "triggers"):
            os.makedirs(os.path.join(self.admin, name))
        os.makedirs(os.path.join(folder, "var", "log"))
        ours = set(packages)
        others = sorted({one for path in packages.values() for one in depends_of(path)} - ours)
        with open(os.path.join(self.admin, "status"), "w", encoding="utf-8") as file:
            for name in others:
                file.write(self._of_the_machine(name))
        self.before = self.files()

    def _of_the_machine(self, name):
        """A package's entry, without what it needs itself; its list of files is copied."""
        said = run(["dpkg-query", "-W", "-f", "${Version} ${Architecture} ${Multi-Arch}\n", name]).splitlines()
        version, arch, *multi = said[0].split(" ")
        known = run(["dpkg-query", "-L", "%s:%s" % (name, arch) if arch != "all" else name])
        unit = "%s:%s" % (name, arch) if multi[0] == "same" else name
        with open(os.path.join(self.admin, "info", unit + ".list"), "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in known.splitlines() if line.startswith("/")))
        lines = ["Package: " + name, "Status: install ok installed", "Maintainer: nobody <nobody@localhost>",
                 "Architecture: " + arch, "Version: " + version, "Description: of the machine"]
        if multi[0]:
            lines.insert(3, "Multi-Arch: " + multi[0])
        return "\n".join(lines) + "\n\n"

    def dpkg(self, *args, want=0):
        """What it says, errors too."""
        argv = [*as_root(), "sh", "-c", 'exec dpkg "$@" 2>&1', "dpkg", "--root=" + self.folder,
                "--log=%s/var/log/dpkg.log" % self.folder, "--force-script-chrootless", "--force-unsafe-io",
                "--no-pager", *args]
        return run(argv, env=dict(os.environ, LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive"), want=want)

    def install(self, *paths, want=0):
        return self.dpkg("--install", *paths, want=want)

    def state(self, name):
        """"installed", or "" for a package that dpkg knows nothing of."""
        said = run(["dpkg-query", "--admindir=" + self.admin, "-W", "-f", "${Package} ${db:Status-Status}\n"])
        return dict(line.split() for line in said.splitlines()).get(name, "")

    def about(self, name, what):
        return run(["dpkg-query", "--admindir=" + self.admin, "-W", "-f", "${%s}" % what, name])

    def files(self):
        """All files and folders but dpkg's own."""
        found = set()
        for where, folders, names in os.walk(self.folder):
            found |= {os.path.relpath(os.path.join(where, one), self.folder) for one in folders + names}
        return {one for one in found if not one.startswith(("var/lib/dpkg/", "var/log/"))}

    def left(self):
        """What is there now that was not there at first, apart from folders of other packages, too."""
        others = set()
        for name in os.listdir(os.path.join(self.admin, "info")):
            if name.endswith(".list"):
                with open(os.path.join(self.admin, "info", name), encoding="utf-8") as file:
                    others |= {line.strip().lstrip("/") for line in file}
        return sorted(one for one in self.files() - self.before
                      if one not in others or not os.path.isdir(os.path.join(self.folder, one)))
