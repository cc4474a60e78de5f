"""What no schema can say about manifests/, and that whatever repeats them says the same: the C sources,
the pages for people, the skills, the manual. What is generated is made anew and compared (npm's package in
tests/openclaw/test_package.py, the pages here); what is written by hand is held to them here.
"""
import glob
import json
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "manifests"))
import pages  # noqa: E402

LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def read_json(name):
    return json.loads(read(name))


def folder(name):
    """What is in a folder of manifests, by the names without .json."""
    paths = sorted(glob.glob(os.path.join(ROOT, "manifests", name, "*.json")))
    return {os.path.basename(path)[:-5]: read_json(os.path.relpath(path, ROOT)) for path in paths}


TOOLS = folder("tools")
CATALOGUES = folder("providers")
MESSAGES = folder("messages")


def code(name):
    """A C file without comments and includes."""
    return re.sub(r"(?m)^#include.*$", "", re.sub(r"(?s)/\*.*?\*/", "", read(name)))


def literals(*patterns):
    """The texts in C sources."""
    found = set()
    for pattern in patterns:
        for path in glob.glob(os.path.join(ROOT, pattern), recursive=True):
            found |= set(LITERAL.findall(code(os.path.relpath(path, ROOT))))
    return found


def texts_in(value):
    """All texts and names in a JSON value."""
    if isinstance(value, dict):
        return set(value) | {text for one in value.values() for text in texts_in(one)}
    if isinstance(value, list):
        return {text for one in value for text in texts_in(one)}
    return {value} if isinstance(value, str) else set()


def accounts():
    return [one for catalogue in CATALOGUES.values() for one in catalogue.get("accounts", [])]


def section(name, heading):
    return re.search(r"(?ms)^## %s\n(.*?)(?=^## |\Z)" % re.escape(heading), read(name)).group(1)


def words(text):
    return set(re.findall(r"\w+(?:[.]\d+)?", text))


class Tools(unittest.TestCase):
    def test_what_a_schema_cannot_say(self):
        for name, tool in TOOLS.items():
            with self.subTest(name):
                self.assertEqual(tool["name"], name)
                shown = tool["input_schema"]
                self.assertLessEqual(set(shown.get("required", [])), set(shown["properties"]))
                self.assertLessEqual(set(tool["output_schema"].get("required", [])),
                                     set(tool["output_schema"]["properties"]))
                for argument, check in tool.get("input_checks", {}).items():
                    # Either bounds of an argument that is shown, or one that is told nowhere else.
                    self.assertEqual("type" in check, argument not in shown["properties"], argument)
                    rule = dict(shown["properties"].get(argument, {}), **check)
                    self.assertLessEqual(rule.get("minimum", 0), rule.get("maximum", float("inf")), argument)
                    for word, kinds in (("minimum", ("integer", "number")), ("maximum", ("integer", "number")),
                                        ("maxLength", ("string",)), ("maxItems", ("array",)),
                                        ("enum", ("string",))):
                        if word in rule:
                            self.assertIn(rule["type"], kinds, "%s: %s" % (argument, word))

    def test_the_plugin_knows_what_schemas_allow(self):
        schema = read_json("manifests/schema/tool.schema.json")
        flags = set(re.findall(r'\{"(\w+)",\s+AHP_TOOL_', code("plugin/tools/toolbox.c")))
        self.assertEqual(set(schema["properties"]["flags"]["items"]["enum"]), flags)
        known = literals("plugin/tools/schema.c")
        self.assertLessEqual(set(schema["$defs"]["argument"]["properties"]) - {"description"}, known)

    def test_rare_arguments_are_told_as_they_are(self):
        """Ranges and words in arguments.md; that all of them are there, tests/skills looks at."""
        rows = re.findall(r"^\| (\w+) \| (\w+) \| (.+) \|$", read("skills/clawmedia/references/arguments.md"), re.M)
        ranges = 0
        self.assertEqual(rows.pop(0)[0], "Tool")
        for name, argument, text in rows:
            rule = TOOLS[name]["input_checks"][argument]
            told = re.search(r"(-?\d+) to (-?\d+)", text)
            if told:
                self.assertEqual([int(one) for one in told.groups()], [rule["minimum"], rule["maximum"]], text)
                ranges += 1
            for word in rule.get("enum", []):
                self.assertIn(word, text)
        self.assertGreater(ranges, 3)

    def test_errors_are_all_told(self):
        told = re.findall(r"^\| ([a-z_, ]+?)(?:, or the state `unknown`)? \|",
                          read("skills/clawmedia/references/errors.md"), re.M)
        kinds = re.findall(r'\[ERR_\w+\] = "(\w+)"', code("plugin/base/err.c"))
        self.assertEqual(sorted(kind for row in told for kind in row.split(", ")),
                         sorted(set(kinds) - {"none", "cancelled"}))


class Catalogues(unittest.TestCase):
    def test_each_has_an_adapter(self):
        listed = set(re.findall(r"&provider_(\w+)", code("plugin/providers/provider.c")))
        self.assertEqual(set(CATALOGUES), listed)
        for name, catalogue in CATALOGUES.items():
            self.assertEqual(catalogue["provider"], name)

    def test_the_kinds_of_errors_are_those_of_the_plugin(self):
        schema = read_json("manifests/schema/provider.schema.json")
        kinds = re.findall(r'\[ERR_\w+\] = "(\w+)"', code("plugin/base/err.c"))
        self.assertEqual(schema["$defs"]["error_kind"]["enum"], [kind for kind in kinds if kind != "none"])

    def test_accounts(self):
        ids = [one["id"] for one in accounts()]
        self.assertEqual(len(ids), len(set(ids)))
        for one in accounts():
            with self.subTest(one["id"]):
                secrets = {secret["name"] for secret in one["secrets"]}
                put_in = set(re.findall(r"\{\{(.*?)\}\}", json.dumps(one["headers"])))
                self.assertEqual(put_in, secrets)
                self.assertIn("setup.%s" % one["id"], [key for key in MESSAGES["en"] if "setup" in key])

    def test_defaults_are_models(self):
        for name, catalogue in CATALOGUES.items():
            models = {one["name"] for one in catalogue["models"]}
            for what, model in catalogue["defaults"].items():
                if what != "resolution":
                    self.assertIn(model, models, "%s: %s" % (name, what))

    def test_models_have_names_of_their_own(self):
        for name, catalogue in CATALOGUES.items():
            taken = {}
            for model in catalogue["models"]:
                for alias in {one.lower() for one in [model["name"], *model.get("aliases", [])]}:
                    other = taken.setdefault((model["kind"], alias), model["name"])
                    self.assertEqual(other, model["name"], "%s: %s" % (name, alias))

    def test_what_is_usual_is_possible(self):
        for name, catalogue in CATALOGUES.items():
            for model in catalogue["models"]:
                for one, all_of_them in (("resolution", "resolutions"), ("ratio", "ratios"),
                                         ("seconds_default", "seconds"), ("quality_default", "qualities")):
                    if one in model and all_of_them in model:
                        self.assertIn(model[one], model[all_of_them], "%s: %s" % (name, model["name"]))
                if "seconds_credits" in model:
                    self.assertEqual(list(model["seconds_credits"]), [str(n) for n in model["seconds"]])
            for what, times in catalogue["times"].items():
                self.assertLessEqual(times["floor_ms"], times["ceiling_ms"], "%s: %s" % (name, what))
                self.assertLess(times["typical_ms"], times["deadline_ms"], "%s: %s" % (name, what))


class Settings(unittest.TestCase):
    def words_of(self, rule):
        """The words of JSON Schema that stand in a schema."""
        found = set(rule)
        for one in [*rule.get("properties", {}).values(), rule.get("additionalProperties"), rule.get("items")]:
            if isinstance(one, dict):
                found |= self.words_of(one)
        return found

    def test_the_plugin_knows_every_word_of_the_schema(self):
        found = self.words_of(read_json("manifests/schema/config.schema.json"))
        self.assertLessEqual(found - {"description"}, literals("plugin/config/settings.c"))

    def test_every_setting_is_read(self):
        known = literals("plugin/**/*.c")
        # Of a provider's settings, the prices of a model are read by the words of a catalogue's.
        names = {re.sub(r".*[.]", "", row[0]) for row in
                 pages.settings_rows(read_json("manifests/schema/config.schema.json"))}
        self.assertEqual(sorted(names - known), ["built_in_tools"])
        self.assertIn("built_in_tools", read("host-api/hosts/openclaw/js/index.mjs") +
                      read("host-api/hosts/openclaw/js/provider.mjs"))

    def test_every_setting_is_described(self):
        for name, _, description in pages.settings_rows(read_json("manifests/schema/config.schema.json")):
            self.assertRegex(description, r"^[A-Z].*[.]$", name)

    def test_the_hosts_manifest_names_settings_that_there_are(self):
        manifest = read_json("manifests/clawmedia.plugin.json")
        settings = read_json("manifests/schema/config.schema.json")["properties"]
        for contract, metadata in (("imageGenerationProviders", "imageGenerationProviderMetadata"),
                                   ("videoGenerationProviders", "videoGenerationProviderMetadata")):
            self.assertEqual(manifest["contracts"][contract], list(manifest[metadata]))
            for signals in manifest[metadata].values():
                for signal in signals["configSignals"]:
                    allowed = settings[signal["mode"]["path"]]["enum"]
                    self.assertLessEqual({signal["mode"]["default"], *signal["mode"]["allowed"]}, set(allowed))


class Messages(unittest.TestCase):
    """That both languages have the same keys and places, tests/unit/test_words.c looks at."""

    @classmethod
    def setUpClass(cls):
        cls.literals = literals("plugin/**/*.c", "plugin/**/*.h")
        cls.words = cls.literals | texts_in([CATALOGUES, TOOLS])
        # How keys are put together: "done.%s.%s" and its like.
        cls.forms = [re.escape(one).replace("%s", "([a-z0-9_.]+)") for one in
                     (re.sub(r"%[.\d]*s", "%s", text) for text in cls.literals)
                     if re.fullmatch(r"[a-z_.]*(%s[a-z_.]*)+", one) and re.search(r"[a-z]", one.replace("%s", ""))]

    def is_used(self, key):
        if key in self.literals:
            return True
        for form in self.forms:
            match = re.fullmatch(form, key)
            if match and all(part in self.words for part in match.groups()):
                return True
        first, _, rest = key.partition(".")
        if first in CATALOGUES:                 # an adapter's own words for what all have
            return self.is_used(rest)
        return first in ("submitted", "pending") and rest in self.words     # "%s.%s"

    def test_every_key_is_used(self):
        self.assertEqual([key for key in MESSAGES["en"] if not self.is_used(key)], [])

    def test_a_key_that_nobody_uses_is_noticed(self):
        for key in ("nobody", "state.nobody", "advice.plume.nobody", "setup.nobody", "plume.result.image.dozens",
                    "submitted.sculpture", "account.check.good"):
            self.assertFalse(self.is_used(key), key)

    def missing(self, sources):
        """What is written as a key, or as the end of an advice's, and is none."""
        keys = set(MESSAGES["en"])
        starts = {key.partition(".")[0] for key in keys}
        return sorted(one for one in sources if re.fullmatch(r"[a-z_]+([.][a-z_]+)+", one)
                      and one.partition(".")[0] in starts and one not in keys and "advice." + one not in keys)

    def test_every_key_in_the_sources_is_there(self):
        sources = literals("plugin/tools/*.c", "plugin/engine/*.c", "plugin/config/*.c",
                           "plugin/providers/**/*.c", "plugin/providers/**/*.h") | texts_in(CATALOGUES["chatart"]["codes"])
        self.assertEqual(self.missing(sources), [])
        self.assertEqual(self.missing({"account.chekc", "plume.keys"}), ["account.chekc", "plume.keys"])

    def test_advice_by_word_is_there(self):
        found = set()
        for path in glob.glob(os.path.join(ROOT, "plugin/**/*.c"), recursive=True):
            found |= set(re.findall(r'err_advise\([\w&>.-]+, "([\w.]+)"\)', code(os.path.relpath(path, ROOT))))
        self.assertGreater(len(found), 5)
        self.assertEqual([one for one in sorted(found) if "advice." + one not in MESSAGES["en"]], [])

    def test_every_place_is_filled_by_something(self):
        places = {place for key, text in MESSAGES["en"].items()
                  for place in re.findall(r"(?<!\$)\{([a-z_]+)\}", text)}
        self.assertEqual(sorted(places - self.words), [])


class Pages(unittest.TestCase):
    def test_made_pages_are_up_to_date(self):
        self.assertEqual(pages.out_of_date(), [], "run manifests/pages.py")

    def test_each_kind_is_told_of(self):
        """Of tools and catalogues, which are many, the folder."""
        told = set(re.findall(r"`((?:\w+/)?[\w.]*)`", read("manifests/README.md")))
        for path in glob.glob(os.path.join(ROOT, "manifests", "**", "*.*"), recursive=True):
            name = os.path.relpath(path, os.path.join(ROOT, "manifests"))
            name = re.sub(r"^((tools|providers)/).*", r"\1", name)
            name = re.sub(r"/(%s)[.]" % "|".join(CATALOGUES), "/NAME.", name)
            self.assertIn(name, told | {"README.md"})

    def test_keys_and_files_of_services_in_the_manual(self):
        manual = read("doc/clawmedia.7")
        variables = {secret["variables"][0] for one in accounts() for secret in one["secrets"]}
        told = re.search(r"\.It Ev (.+)\nKeys of these services\.", manual).group(1)
        self.assertEqual(set(told.split(" , ")), variables)
        files = {"~/%s/%s" % (one["file"]["home"], one["file"]["name"]) for one in accounts() if "file" in one}
        for page in ("doc/clawmedia.7", "doc/providers.md"):
            for name in variables | files:
                self.assertIn(name, read(page), page)

    def test_places_of_results(self):
        page = read("doc/providers.md")
        for name in ("plume", "libtv"):
            for one in CATALOGUES[name]["accounts"]:
                for host in one["result_hosts"]:
                    self.assertIn("`%s`" % host, page)

    def test_models_are_named(self):
        """A model's name may be told in parts, "Nano Banana 2 and Pro"."""
        for name, heading in (("chatart", "ChatArt"), ("plume", "Plume")):
            told = words(section("doc/providers.md", heading))
            for model in CATALOGUES[name]["models"]:
                if not model["name"].startswith("remove-"):     # told as operations
                    self.assertLessEqual(words(model["name"]), told, model["name"])
        makes = [one["name"] for one in CATALOGUES["plume"]["models"] if not one["name"].startswith("remove-")]
        for page in ("README.md", "README.zh-CN.md", "doc/providers.md"):
            for model in makes:
                self.assertIn(model, read(page))

    def test_numbers_of_references(self):
        page = section("doc/providers.md", "ChatArt")
        pictures = max(one["references_max"] for one in CATALOGUES["chatart"]["models"] if one["kind"] == "image")
        self.assertIn("up to %d references" % pictures, page)
        self.assertIn("up to %d references" % CATALOGUES["chatart"]["references_max"], page)

    def test_families_of_video_interfaces(self):
        rows = re.findall(r"^\| (\w)(?: \(the default\))? \| (.+?) \| (.+?) \| (.+?) \|$",
                          section("doc/providers.md", "OpenAI-compatible services"), re.M)
        families = CATALOGUES["openai"]["families"]
        self.assertEqual([row[0] for row in rows], sorted(families))
        for name, ordered, asked, shape in rows:
            wire = families[name]
            self.assertEqual(ordered, "`%s`" % wire["submit"])
            self.assertEqual(re.findall(r"`(.+?)`", asked), [wire[one] for one in ("poll", "content") if one in wire])
            self.assertIn("`%s`" % wire["seconds"], shape)
            for page in ("README.md", "README.zh-CN.md"):
                self.assertRegex(read(page), r"%s `%s`" % (name, re.escape(wire["submit"])))


class Skills(unittest.TestCase):
    def test_plumes_categories_are_its_models(self):
        told = re.search(r"Categories are the `model`: (.+?);", read("skills/plume-image/SKILL.md")).group(1)
        self.assertEqual(re.sub(r" \(default\)", "", told).split(", "),
                         sorted((one["name"] for one in CATALOGUES["plume"]["models"]), key=told.index))
        self.assertIn("%s (default)" % CATALOGUES["plume"]["defaults"]["image"], told)
        also = re.search(r"seedance2; (.+?) work too", read("skills/plume-image/SKILL.md")).group(1)
        aliases = {alias for one in CATALOGUES["plume"]["models"] for alias in one["aliases"]}
        self.assertLessEqual(set(re.split(r", | and ", also)), aliases)

    def test_chatarts_recommendations_are_its_defaults(self):
        told = re.search(r"Recommended: (.+)[.]$", read("skills/chatart/SKILL.md"), re.M).group(1)
        usual = CATALOGUES["chatart"]["defaults"]
        self.assertEqual(usual["text"], usual["start"])
        self.assertEqual(usual["image"], usual["edit"])
        self.assertEqual(told, "text or picture to video %(text)s, extend %(extend)s, full_scene %(full_scene)s, "
                               "body_only %(body_only)s, pictures %(image)s" % usual)

    def test_chatarts_times_are_those_of_its_models(self):
        """Between the shortest time and as much above the usual one."""
        told = re.search(r"with the time: (.+?)[.] ", read("skills/chatart/SKILL.md")).group(1)
        spans = {(one["kind"] == "image", one["shortest_ms"] // 1000,
                  (2 * one["typical_ms"] - one["shortest_ms"]) // 1000) for one in CATALOGUES["chatart"]["models"]}
        self.assertEqual(spans, {(True, 30, 60), (False, 300, 600), (False, 180, 300)})
        self.assertEqual(told, "Seedance 2.0 5–10 min, other videos and character replacement 3–5 min, pictures 30 s–1 min")

    def test_libtvs_limit_of_uploads(self):
        size = "%d MB" % (CATALOGUES["libtv"]["libtv"]["upload_bytes_max"] >> 20)
        for text in (read("skills/libtv-video/SKILL.md"), MESSAGES["en"]["advice.libtv.size"],
                     MESSAGES["zh"]["advice.libtv.size"]):
            self.assertIn(size, text)

    def test_addresses_are_those_of_the_messages(self):
        known = "".join([*MESSAGES["en"].values(), json.dumps(CATALOGUES)])
        found = set()
        for path in glob.glob(os.path.join(ROOT, "skills", "**", "*.md"), recursive=True):
            found |= set(re.findall(r"https://[\w./-]*\w", read(os.path.relpath(path, ROOT))))
        self.assertGreater(len(found), 1)
        for address in found:
            self.assertIn(address, known)


if __name__ == "__main__":
    unittest.main(verbosity=2)
