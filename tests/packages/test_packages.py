"""The Debian packages of this build: made by cpack into a folder of the test's own, unpacked into a
fresh root, and used from there alone: a host and a plugin of somebody else are built with pkg-config
and with CMake, the installed programs find the installed plugin, and lintian has no errors.

test_packages.py --source DIR --build DIR --version V --cpack PROGRAM --cc COMPILER
"""
import argparse
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

options = argparse.Namespace()
LIMIT_S = 120       # of any single process

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


def run(argv, env=None, cwd=None):
    r = subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False)
    if r.returncode:
        raise AssertionError("%s: %d\n%s%s" % (" ".join(argv), r.returncode, r.stdout, r.stderr))
    return r.stdout


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


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="clawmedia-deb-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.packages = make_packages(cls.dir + "/deb")
        cls.root = cls.dir + "/root"
        for path in cls.packages.values():
            run(["dpkg-deb", "-x", path, cls.root])
        (cls.plugin,) = glob.glob(cls.root + "/usr/lib/*/clawmedia/clawmedia.so")
        cls.lib = os.path.dirname(os.path.dirname(cls.plugin))
        # Nothing of the machine's own: no configuration, no state, no named plugin.
        cls.env = {"PATH": os.environ["PATH"], "HOME": cls.dir, "LC_ALL": "C.UTF-8",
                   "PKG_CONFIG_PATH": cls.lib + "/pkgconfig"}

    def field(self, package, name):
        return run(["dpkg-deb", "-f", self.packages[package], name]).strip()

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--source", "--build"):
        parser.add_argument(option, required=True, type=os.path.abspath)
    for option in ("--version", "--cpack", "--cc"):
        parser.add_argument(option, required=True)
    _, rest = parser.parse_known_args(namespace=options)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
