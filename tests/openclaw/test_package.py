"""The OpenClaw package as built: everything in it is what its sources make now, says the same about the
tools as the plugin in it does, and needs nothing but shared libraries whose packages it can name. No
gateway is run. test_package.py --source DIR --package FOLDER --agent-host PROGRAM
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

options = argparse.Namespace()


class Package(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="clawmedia-package-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.files = self.read("native/files.json")

    def read(self, name):
        return describe.read_json(options.package, name)

    def native(self, key):
        return os.path.join(options.package, "native", self.files[key])

    def sources(self):
        """A copy of all that the package is made from, to be changed."""
        for name in ("manifests", "skills", "packaging/npm", "host-api/hosts/openclaw/js"):
            shutil.copytree(os.path.join(options.source, name), os.path.join(self.dir, name))
        return self.dir

    def edit(self, path, old, new):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new, 1))

    def test_nothing_is_out_of_date(self):
        self.assertEqual(describe.differences(options.source, options.package), [])

    def test_a_change_of_any_source_is_noticed(self):
        for name, old, new, changed in (
                ("manifests/clawmedia.plugin.json", '"media"', '"tools"', ["openclaw.plugin.json"]),
                ("manifests/schema/config.schema.json", "default_provider", "usual_provider",
                 ["schema/config.schema.json", "openclaw.plugin.json"]),
                ("manifests/schema/tool.schema.json", "A tool", "Tools", ["schema/tool.schema.json"]),
                ("manifests/tools/poll.json", "Jobs", "Works", ["tools.json"]),
                ("manifests/tools/poll.json", '"poll"', '"pull"', ["tools.json", "openclaw.plugin.json"]),
                ("packaging/npm/package.json", "linux", "freebsd", ["package.json"]),
                ("packaging/npm/libraries.json", '"libcurl4"', '"curl"', ["native/files.json"]),
                ("skills/clawmedia/SKILL.md", "画图", "画画", ["skills/clawmedia/SKILL.md"]),
                ("skills/chatart/references/words.md", "credits", "coins",
                 ["skills/chatart/references/words.md"]),
                ("host-api/hosts/openclaw/js/index.mjs", "clawmedia", "other", ["index.mjs"])):
            with self.subTest(name):
                source = self.sources()
                self.edit(os.path.join(source, name), old, new)
                self.assertEqual(describe.differences(source, options.package),
                                 ["%s: out of date" % one for one in changed])
                shutil.rmtree(self.dir)

    def test_a_library_under_a_wrong_name_is_noticed(self):
        package = os.path.join(self.dir, "package")
        shutil.copytree(options.package, package)
        path = os.path.join(package, "native", self.files["plugin"])
        with open(path, "ab") as file:
            file.write(b"x")
        self.assertEqual(describe.differences(options.source, package),
                         [path + ": the name is not that of its content"])

    def test_the_plugin_in_it_declares_the_same_tools(self):
        said = subprocess.run([options.agent_host, "--plugin", self.native("plugin"), "--state",
                               os.path.join(self.dir, "state"), "tools", "--json"], check=True,
                              capture_output=True, text=True, timeout=60).stdout
        declared = {tool["name"]: tool for tool in json.loads(said)}
        listed = self.read("tools.json")
        manifest = self.read("openclaw.plugin.json")
        self.assertEqual(sorted(declared), [tool["name"] for tool in listed])
        self.assertEqual(sorted(declared), manifest["contracts"]["tools"])
        self.assertEqual(sorted(declared), sorted(manifest["toolMetadata"]))
        for tool in listed:
            same = declared[tool["name"]]
            self.assertEqual({key: same[key] for key in tool}, tool)

    def test_what_costs_money_is_never_replayed_by_the_host(self):
        metadata = self.read("openclaw.plugin.json")["toolMetadata"]
        for tool in ("generate_image", "generate_video", "poll"):
            self.assertEqual(metadata[tool], {"sideEffecting": True})
        self.assertEqual(metadata["list_models"], {"replaySafe": True})

    def test_the_hosts_manifest_is_not_built_into_the_plugin(self):
        words = describe.read_json(options.source, "manifests", "clawmedia.plugin.json")["description"]
        with open(self.native("plugin"), "rb") as file:
            self.assertNotIn(words.encode(), file.read())

    def test_nothing_is_compiled_or_fetched_on_install(self):
        package = self.read("package.json")
        for key in ("scripts", "dependencies", "optionalDependencies", "gypfile", "bundleDependencies"):
            self.assertNotIn(key, package)
        endings = {os.path.splitext(name)[1] for _, _, names in os.walk(options.package) for name in names}
        self.assertEqual(endings, {".mjs", ".json", ".so", ".node", ".md"})

    def test_no_licence_is_claimed(self):
        """None was chosen, in the tree or anywhere it is brought to."""
        self.assertNotIn("license", self.read("package.json"))
        names = os.listdir(options.source) + os.listdir(options.package)
        self.assertEqual([name for name in names if re.match(r"(?i)licen[cs]e|copying", name)], [])

    @unittest.skipUnless(shutil.which("dpkg-query"), "no Debian")
    def test_debian_has_the_libraries_in_the_packages_named(self):
        needs = self.files["needs"]
        self.assertIn("libcurl.so.4", needs)
        linked = "".join(subprocess.run(["ldd", self.native(key)], check=True, capture_output=True,
                                        text=True).stdout for key in ("plugin", "addon"))
        for library, package in needs.items():
            path = os.path.realpath(re.search(r"\b%s => (\S+)" % re.escape(library), linked).group(1))
            owner = subprocess.run(["dpkg-query", "-S", path, path.removeprefix("/usr")],
                                   capture_output=True, text=True).stdout
            # Releases with 64-bit times everywhere add t64; the old name gets the new package there.
            self.assertRegex(owner, r"(?m)^%s(t64)?[:,]" % re.escape(package))


def main():
    global describe
    parser = argparse.ArgumentParser()
    for option in ("--source", "--package", "--agent-host"):
        parser.add_argument(option, required=True)
    _, rest = parser.parse_known_args(namespace=options)
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(options.source, "packaging", "npm"))
    import describe
    unittest.main(argv=["test_package", *rest], verbosity=2)


if __name__ == "__main__":
    main()
