"""The manual's pages are well-formed, and say what the programs say: each option of --help is on its
page and each option on the page in --help; each tool of the plugin, and each variable, is named.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

options = argparse.Namespace()
LIMIT_S = 30


def output(*argv):
    env = dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="100")
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
                          stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)


def long_options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def source(name):
    with open(os.path.join(options.doc, name), encoding="utf-8") as file:
        return file.read()


class Manual(unittest.TestCase):
    PAGES = ("agent-host.1", "agent-host-mcp.1", "clawmedia.7")

    def test_pages_are_well_formed(self):
        linted = 0
        for name in self.PAGES:
            path = os.path.join(options.doc, name)
            with self.subTest(name):
                if shutil.which("mandoc"):
                    # Debian's mandoc holds a page's date and name against its own habits: style only.
                    r = output("mandoc", "-Tlint", "-Wwarning", path)
                    self.assertEqual((r.returncode, r.stdout + r.stderr), (0, ""))
                    linted += 1
                if shutil.which("man"):
                    r = output("man", "--warnings", "-E", "UTF-8", "-l", path)
                    self.assertEqual((r.returncode, r.stderr), (0, ""))
                    linted += 1
        if not linted:
            self.skipTest("neither mandoc nor man is here")

    def test_pages_have_the_options_of_help(self):
        for name, program in (("agent-host.1", options.agent_host),
                              ("agent-host-mcp.1", options.agent_host_mcp)):
            with self.subTest(name):
                told = long_options(output(program, "--help").stdout)
                self.assertGreater(len(told), 8)
                written = set("--" + one for one in re.findall(r"Fl -([a-z][a-z-]*)", source(name)))
                written |= set("--" + one for one in re.findall(r"v , -([a-z-]+)", source(name)))
                written |= set("--" + one for one in re.findall(r"h , -([a-z-]+)", source(name)))
                self.assertEqual(written, told)

    def test_agent_host_has_the_exit_codes_of_help(self):
        text = output(options.agent_host, "--help").stdout
        told = re.findall(r"^  (\d+(?:, \d+)*)  ", text.split("EXIT STATUS")[1], re.M)
        page = source("agent-host.1").split(".Sh EXIT STATUS")[1]
        written = [one.replace(" ,", ",") for one in re.findall(r"^\.It (\d[\d ,]*)$", page, re.M)]
        self.assertEqual(written, told)

    def test_clawmedia_names_every_tool(self):
        r = output(options.agent_host, "--plugin", options.plugin, "tools", "--json")
        tools = json.loads(r.stdout)
        names = {tool["name"] for tool in tools.get("tools", tools)} if isinstance(
            tools, dict) else {tool["name"] for tool in tools}
        page = source("clawmedia.7").split(".Sh TOOLS")[1].split(".Sh")[0]
        self.assertEqual(set(re.findall(r"^\.It Cm (\w+)$", page, re.M)), names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--doc", "--agent-host", "--agent-host-mcp", "--plugin"):
        parser.add_argument(option, required=True, type=os.path.abspath)
    _, rest = parser.parse_known_args(namespace=options)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
