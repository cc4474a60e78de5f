"""The Debian packages of this build: made by cpack into a folder of the test's own, installed by dpkg into
a fresh root (debroot.py), and used from there alone: a host and a plugin of somebody else are built with
pkg-config and with CMake, the installed programs find the installed plugin. They are verified, upgraded
and purged, need what their files need, and lintian has no errors.

Without root, and where no user namespace can be had, they are only unpacked, and what takes dpkg is skipped.

test_packages.py --source DIR --build DIR --version V --cpack PROGRAM --cc COMPILER
"""
import argparse
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from debroot import LIMIT_S, Root, as_root, depends_of, field, run

options = argparse.Namespace()

# Makes the linker bring in the host side for libuv, and what that needs.
UV_SOURCE = """#include <ahp_shim.h>
#include <ahp_uv.h>

int main(int argc, char **argv)
{
    (void)argv;
    return argc > 1 ? (int)ahp_uv_open(NULL, NULL, NULL) : 0;
}
"""
CMAKE_PROJECT = """cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
find_package(ahp %s CONFIG REQUIRED)
ahp_add_plugin(echo smallest_plugin.c)
add_executable(host smallest_host.c)
target_link_libraries(host PRIVATE ahp::ahp_loader)
add_executable(uv uv.c)
target_link_libraries(uv PRIVATE ahp::ahp_uv)
"""


def make_packages(folder):
    """Path by package name."""
    stamp = run(["dpkg-parsechangelog", "-l", options.source + "/packaging/debian/changelog", "-S",
                 "Timestamp"]).strip()
    run([options.cpack, "--config", options.build + "/CPackConfig.cmake", "-B", folder],
        env=dict(os.environ, SOURCE_DATE_EPOCH=stamp))
    return {os.path.basename(path).split("_")[0]: path for path in glob.glob(folder + "/*.deb")}


def digests(packages):
    found = {}
    for name, path in packages.items():
        with open(path, "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def setUpModule():
    """The packages are made once."""
    Made.dir = tempfile.mkdtemp(prefix="clawmedia-deb-")
    unittest.addModuleCleanup(shutil.rmtree, Made.dir, ignore_errors=True)
    Made.packages = make_packages(Made.dir + "/deb")


class Made(unittest.TestCase):
    dir = None
    packages = {}


class Packages(Made):
    @classmethod
    def setUpClass(cls):
        cls.root = cls.dir + "/root"
        if as_root() is None:
            for path in cls.packages.values():
                run(["dpkg-deb", "-x", path, cls.root])
        else:
            Root(cls.root, cls.packages).install(*cls.packages.values())
        (cls.plugin,) = glob.glob(cls.root + "/usr/lib/*/clawmedia/clawmedia.so")
        cls.lib = os.path.dirname(os.path.dirname(cls.plugin))
        # Nothing of the machine's own: no configuration, no state, no named plugin.
        cls.env = {"PATH": os.environ["PATH"], "HOME": cls.dir, "LC_ALL": "C.UTF-8",
                   "PKG_CONFIG_PATH": cls.lib + "/pkgconfig"}

    def field(self, package, name):
        return field(self.packages[package], name)

    def poll(self, host):
        """Calls the installed plugin through a host that was just compiled."""
        answer = run([host, self.plugin, "poll", '{"action":"list"}'], env=self.env)
        self.assertEqual(json.loads(answer)["jobs"], [])

    def source(self, name):
        return os.path.join(options.source, "host-api/examples", name)

    def test_packages_say_what_they_need(self):
        names = {"clawmedia", "agent-host", "libahp-dev"}
        for package in self.packages:
            self.assertTrue(self.field(package, "Version").startswith(options.version + "-"))
        for package, needed in (("clawmedia", ("libcurl4", "libsqlite3-0", "libjansson4")),
                                ("agent-host", ("libuv1", "libltdl7")),
                                ("libahp-dev", ("libltdl-dev", "libuv1-dev"))):
            for one in needed:
                self.assertIn(one, self.field(package, "Depends"), package)
        for package in ("clawmedia", "agent-host"):
            for library in ("libvips", "libchafa"):
                self.assertNotIn(library, self.field(package, "Depends"), package)
        if "clawmedia-imaging" in self.packages:
            names.add("clawmedia-imaging")
            depends = self.field("clawmedia-imaging", "Depends")
            self.assertIn("libvips", depends)
            self.assertIn("clawmedia (= %s)" % self.field("clawmedia", "Version"), depends)
        if "agent-host-preview" in self.packages:
            names.add("agent-host-preview")
            depends = self.field("agent-host-preview", "Depends")
            for one in ("libvips", "libchafa", "agent-host (= %s)" % self.field("agent-host", "Version")):
                self.assertIn(one, depends)
            self.assertIn("agent-host-preview", self.field("agent-host", "Recommends"))
        self.assertEqual(set(self.packages), names)

    @unittest.skipUnless(shutil.which("readelf"), "no readelf")
    def test_they_need_what_their_files_need(self):
        """Each library that an ELF file names is of a package in Depends, and none is there for nothing."""
        for name, path in self.packages.items():
            content = run(["dpkg-deb", "-c", path]).splitlines()
            files = [os.path.join(self.root, line.split(" ./")[-1]) for line in content if line.startswith("-")]
            needed = set()
            linked = {}
            for one in files:
                with open(one, "rb") as file:
                    if file.read(4) != b"\x7fELF":
                        continue
                needed |= set(re.findall(r"\(NEEDED\).*\[(.+)\]", run(["readelf", "-d", one])))
                linked.update(re.findall(r"(\S+) => (/\S+)", run(["ldd", one])))
            owners = set()
            for library in needed - {one for one in needed if one.startswith("ld-linux")}:
                real = os.path.realpath(linked[library])
                owner = subprocess.run(["dpkg-query", "-S", real, real.removeprefix("/usr")], text=True,
                                       capture_output=True, check=False).stdout
                owners.add(re.match(r"([a-z0-9.+-]+)[:,]", owner).group(1))
            written = {"clawmedia-imaging": {"clawmedia"}, "agent-host-preview": {"agent-host"},
                       "libahp-dev": {"libltdl-dev", "libuv1-dev"}}
            self.assertEqual(set(depends_of(path)), owners | written.get(name, set()), name)

    def test_the_schemas_are_there(self):
        there = self.root + "/usr/share/clawmedia/schema"
        ours = os.path.join(options.source, "manifests/schema")
        self.assertEqual(sorted(os.listdir(there)), sorted(os.listdir(ours)))
        for name in os.listdir(ours):
            with open(os.path.join(there, name), "rb") as one, open(os.path.join(ours, name), "rb") as other:
                self.assertEqual(one.read(), other.read(), name)

    def test_no_licence_is_claimed(self):
        for name in self.packages:
            with open("%s/usr/share/doc/%s/copyright" % (self.root, name), encoding="utf-8") as file:
                self.assertEqual(set(re.findall(r"^License: (.*)$", file.read(), re.M)), {"none-chosen"})

    def test_the_same_build_gives_the_same_bytes(self):
        self.assertEqual(digests(make_packages(self.dir + "/again")), digests(self.packages))

    def test_no_path_of_the_build_is_in_them(self):
        for folder, _, files in os.walk(self.root):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                for path in (options.source, options.build):
                    if path.encode() + b"/" in content:
                        self.fail("%s is in %s" % (path, os.path.join(folder, name)))

    def compile(self, module, source):
        program = os.path.join(self.dir, module)
        flags = run(["pkg-config", "--cflags", "--libs", module], env=self.env).split()
        run([options.cc, "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", source, "-o", program, *flags],
            env=self.env)
        return program

    def test_hosts_are_built_with_pkg_config(self):
        self.poll(self.compile("ahp-loader", self.source("smallest_host.c")))
        with open(self.dir + "/uv.c", "w", encoding="utf-8") as file:
            file.write(UV_SOURCE)
        run([self.compile("ahp-uv", self.dir + "/uv.c")], env=self.env)

    def test_a_host_and_a_plugin_are_built_with_cmake(self):
        folder = self.dir + "/user"
        os.mkdir(folder)
        for name in ("smallest_host.c", "smallest_plugin.c"):
            shutil.copy(self.source(name), folder)
        with open(folder + "/uv.c", "w", encoding="utf-8") as file:
            file.write(UV_SOURCE)
        with open(folder + "/CMakeLists.txt", "w", encoding="utf-8") as file:
            file.write(CMAKE_PROJECT % options.version)
        env = {key: value for key, value in self.env.items() if key != "PKG_CONFIG_PATH"}
        run(["cmake", "-S", folder, "-B", folder + "/build", "-DCMAKE_C_COMPILER=" + options.cc,
             "-DCMAKE_PREFIX_PATH=" + self.root + "/usr", "-DCMAKE_C_FLAGS=-D_GNU_SOURCE"], env=env)
        run(["cmake", "--build", folder + "/build"], env=env)
        answer = run([folder + "/build/host", folder + "/build/echo.so", "echo", '{"say":"hi"}'], env=env)
        self.assertEqual(answer, '{"say":"hi"}\n')
        run([folder + "/build/uv"], env=env)
        self.poll(folder + "/build/host")

    def test_installed_programs_find_the_installed_plugin(self):
        listed = json.loads(run([self.root + "/usr/bin/agent-host", "tools", "--json"], env=self.env))
        self.assertIn("generate_image", json.dumps(listed))
        self.assertIn("generate_image", run([self.root + "/usr/bin/agent-host", "tools"], env=self.env))
        if "agent-host-preview" in self.packages:   # where agent-host looks for it
            self.assertTrue(os.access(self.root + "/usr/bin/../libexec/agent-host-preview", os.X_OK))
        # Standard input is at its end at once: it starts, loads the plugin and ends well.
        run([self.root + "/usr/bin/agent-host-mcp"], env=self.env)
        os.rename(self.plugin, self.plugin + ".away")
        try:
            for program in ("agent-host", "agent-host-mcp"):
                argv = [self.root + "/usr/bin/" + program]
                argv += ["tools"] if program == "agent-host" else []
                r = subprocess.run(argv, env=self.env, stdin=subprocess.DEVNULL,
                                   capture_output=True, timeout=LIMIT_S, check=False)
                self.assertNotEqual(r.returncode, 0, program + " took a plugin from elsewhere")
        finally:
            os.rename(self.plugin + ".away", self.plugin)

    def test_lintian_has_no_errors(self):
        if not shutil.which("lintian"):
            self.skipTest("lintian is not installed; packaging/setup installs it")
        r = subprocess.run(["lintian", "--allow-root", "--no-cfg", "--fail-on", "error",
                            *self.packages.values()], stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
        self.assertEqual(r.returncode, 0, r.stdout)


@unittest.skipIf(as_root() is None, "neither root nor a user namespace: dpkg installs nothing")
class Installed(Made):
    """The life of an installation."""

    def setUp(self):
        self.root = tempfile.mkdtemp(dir=self.dir)
        self.fresh = Root(self.root, self.packages)

    def newer(self, name):
        """The same package with a higher version; its path."""
        folder = "%s/newer-%s" % (self.dir, name)
        run(["dpkg-deb", "-R", self.packages[name], folder])
        path = folder + "/DEBIAN/control"
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"(?m)^Version: .*", "Version: 99-1", file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        run(["dpkg-deb", "--root-owner-group", "-b", folder, folder + ".deb"])
        return folder + ".deb"

    def test_from_the_first_to_the_last(self):
        self.fresh.install(*self.packages.values())
        for name in self.packages:
            self.assertEqual(self.fresh.state(name), "installed")
            self.assertEqual(self.fresh.about(name, "Conffiles"), "", "settings are the host's")
        self.assertEqual(self.fresh.dpkg("--verify", *self.packages), "")
        self.assertEqual(self.fresh.dpkg("--audit", *self.packages), "")

        page = self.root + "/usr/share/clawmedia/schema/tool.schema.json"
        with open(page, "a", encoding="utf-8") as file:
            file.write("\n")
        self.assertRegex(self.fresh.dpkg("--verify", "clawmedia"), r"^\?\?5\?{6}   /usr/share/clawmedia/schema/tool")
        self.fresh.install(self.packages["clawmedia"])      # once more, which mends it
        self.assertEqual(self.fresh.dpkg("--verify", *self.packages), "")

        self.fresh.dpkg("--purge", *self.packages)
        self.assertEqual([name for name in self.packages if self.fresh.state(name)], [])
        self.assertEqual(self.fresh.left(), [])

    def test_there_are_no_scripts(self):
        """Nothing of ours runs when they are installed or removed; else it would have to be tried here."""
        for name, path in self.packages.items():
            folder = "%s/control-%s" % (self.dir, name)
            run(["dpkg-deb", "-e", path, folder])
            self.assertEqual(sorted(os.listdir(folder)), ["control", "md5sums"], name)

    def test_what_belongs_together_stays_together(self):
        if "clawmedia-imaging" not in self.packages:
            self.skipTest("built without libvips")
        said = self.fresh.install(self.packages["clawmedia-imaging"], want=1)
        self.assertIn("clawmedia-imaging depends on clawmedia (=", said)
        self.fresh.install(self.packages["clawmedia"], self.packages["clawmedia-imaging"])
        self.assertIn("clawmedia-imaging depends on clawmedia", self.fresh.dpkg("--purge", "clawmedia", want=1))

    def test_an_upgrade_replaces_all(self):
        self.fresh.install(self.packages["agent-host"])
        before = self.fresh.files()
        self.fresh.install(self.newer("agent-host"))
        self.assertEqual(self.fresh.about("agent-host", "Version"), "99-1")
        self.assertEqual(self.fresh.files(), before)
        self.assertEqual(self.fresh.dpkg("--verify", "agent-host"), "")

    def test_somebody_elses_file_is_not_overwritten(self):
        """What the others' lists are in the database for."""
        name = sorted(set(depends_of(self.packages["agent-host"])) & {"libuv1", "libjansson4"})[0]
        (path,) = glob.glob("%s/info/%s*.list" % (self.fresh.admin, name))
        with open(path, "a", encoding="utf-8") as file:
            file.write("/usr/bin/agent-host\n")
        os.makedirs(self.root + "/usr/bin")
        with open(self.root + "/usr/bin/agent-host", "w", encoding="utf-8") as file:
            file.write("another one\n")
        said = self.fresh.install(self.packages["agent-host"], want=1)
        self.assertIn("trying to overwrite '/usr/bin/agent-host', which is also in package " + name, said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--source", "--build"):
        parser.add_argument(option, required=True, type=os.path.abspath)
    for option in ("--version", "--cpack", "--cc"):
        parser.add_argument(option, required=True)
    _, rest = parser.parse_known_args(namespace=options)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
