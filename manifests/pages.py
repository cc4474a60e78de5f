#!/usr/bin/env python3
"""The pages that are made from manifests/: pages.py writes them, pages.py --check says which are out of
date and then exits with 1.

    doc/settings.md                       the settings, from schema/config.schema.json
    skills/chatart/references/words.md    ChatArt's pages and sentences, from messages/
"""
import argparse
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

SETTINGS = """# Settings

All of them, made from `manifests/schema/config.schema.json` by `manifests/pages.py`. They belong into
`plugins.entries.clawmedia.config` of `openclaw.json`, and none is needed. A setting that there is not, or a value
that does not fit, is refused by its place, with the nearest name. `<id>` is an entry of `models.providers`, or
%s, which need none; `<model>` is a model's name.

| Setting | Value | Meaning |
|---|---|---|
%s
"""

WORDS = """# Words of ChatArt's pages

Made from the plugin's messages; … stands for what the call tells. Leave out lines that do not apply. With a single
model: 唯一支持 / Only option, and no line about switching; mark the recommended one （推荐）✓ / (Recommended) ✓.

## Confirmation page

%s

Types: %s.

## After submitting

%s

## Done

%s
"""


def read_json(*names):
    with open(os.path.join(ROOT, "manifests", *names), encoding="utf-8") as file:
        return json.load(file)


def catalogues():
    folder = os.path.join(ROOT, "manifests", "providers")
    return {name[:-5]: read_json("providers", name) for name in sorted(os.listdir(folder))}


# --- settings ---

def number(value):
    return "%.15g" % value


def bounds_of(rule):
    least, most = rule.get("minimum"), rule.get("maximum")
    if least is None:
        return ""
    return ", %s to %s" % (number(least), number(most)) if most is not None else ", %s or more" % number(least)


def value_of(rule):
    """What may stand there, in a few words."""
    kind = rule["type"]
    if isinstance(kind, list):
        words = re.findall(r"\w+", rule["pattern"])
        return ", ".join(["`%s`" % word for word in words] + ["an amount", "or an object"])
    if "enum" in rule:
        return ", ".join("`%s`" % word for word in rule["enum"])
    if kind == "array":
        return "list of texts, up to %d" % rule["maxItems"]
    return {"string": "text", "boolean": "`true`, `false`", "object": "object",
            "number": "number", "integer": "whole number"}[kind] + bounds_of(rule)


def settings_rows(rule, place=""):
    for name, one in rule.get("properties", {}).items():
        here = place + name
        yield here, value_of(one), one.get("description", "")
        yield from settings_rows(one, here + ".")
        more = one.get("additionalProperties")
        if isinstance(more, dict):
            yield from settings_rows(more, "%s.%s." % (here, "<id>" if name == "providers" else "<model>"))


def settings_page():
    accounts = sorted(one["id"] for catalogue in catalogues().values() for one in catalogue.get("accounts", []))
    rows = ["| `%s` | %s | %s |" % row for row in settings_rows(read_json("schema", "config.schema.json"))]
    return SETTINGS % (", ".join("`%s`" % name for name in accounts), "\n".join(rows))


# --- ChatArt's words ---

def shown(text, currency):
    """A message with … where something is filled in."""
    text = re.sub(r" ?[（(][^（()）]*\{job\}[)）]", "", text.replace("{currency}", currency))
    return re.sub(r"\{[a-z_]+\}", "…", text)


def words_page():
    languages = [read_json("messages", name + ".json") for name in ("zh", "en")]
    currency = catalogues()["chatart"]["currency"]

    def blocks(keys):
        return "\n\n".join("```text\n%s\n```" % shown(words[key], currency) for key in keys for words in languages)

    def keys_of(start):
        return [key for key in languages[1] if key.startswith("chatart.%s." % start)]

    def label(words, key):
        return re.search(r"[（(](.+)[)）]", words[key]).group(1)

    types = ", ".join(" ".join(label(words, key) for words in languages) for key in keys_of("sort"))
    return WORDS % (blocks(keys_of("confirm")), types, blocks(keys_of("submitted")), blocks(keys_of("result")))


PAGES = {"doc/settings.md": settings_page, "skills/chatart/references/words.md": words_page}


def out_of_date():
    """The pages that are not what would be made now."""
    found = []
    for name, make in PAGES.items():
        try:
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                same = file.read() == make()
        except FileNotFoundError:
            same = False
        if not same:
            found.append(name)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        found = out_of_date()
        for name in found:
            print("%s is out of date: run manifests/pages.py" % name)
        sys.exit(1 if found else 0)
    for name, make in PAGES.items():
        with open(os.path.join(ROOT, name), "w", encoding="utf-8") as file:
            file.write(make())


if __name__ == "__main__":
    main()
