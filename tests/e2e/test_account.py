"""The tool account: a true table of what is configured, what providers say about keys, stored defaults,
languages, and keys that show up nowhere (which every world checks at its end, too)."""
import json
import os
import stat

import harness

IMAGE = "generate_image"
TABLE = {  # id: (configured, what `check` says)
    "alpha": (True, "accepted"),
    "beta": (True, "refused"),
    "delta": (True, "unavailable"),
    "epsilon": (True, "cannot_tell"),
    "gamma": (False, "unusable"),
}


class Account(harness.Case):
    def five(self):
        """Five providers, one broken; their keys come from a file, a variable, and a .env file."""
        world = self.world()
        world.secrets += ["sk-wrong-000000000000", "plain-key-of-epsilon-9", "envkey-0123456789"]
        base = world.sim.base
        world.configure({
            "alpha": {"baseUrl": base + "/v1", "apiKey": world.key},
            "beta": {"baseUrl": base + "/v1/", "apiKey": "${BETA_KEY}"},
            "gamma": {"baseUrl": base + "/v1", "apiKey": "${GAMMA_KEY}"},
            "delta": {"baseUrl": "http://127.0.0.1:9/v1",
                      "apiKey": {"source": "env", "provider": "default", "id": "DELTA_KEY"}},
            "epsilon": {"baseUrl": base + "/elsewhere", "apiKey": "plain-key-of-epsilon-9"},
        })
        env = {"BETA_KEY": "sk-wrong-000000000000", "DELTA_KEY": "envkey-0123456789"}
        return world, env

    def test_status_of_five_with_one_broken(self):
        world, env = self.five()
        result = world.call("account", {"action": "status"}, env=env)
        rows = {row["id"]: row for row in result["providers"]}
        self.assertEqual({name: row["configured"] for name, row in rows.items()},
                         {name: configured for name, (configured, _) in TABLE.items()})
        self.assertEqual([row["id"] for row in result["providers"]], sorted(TABLE))
        self.assertEqual(rows["alpha"]["key"], "…" + world.key[-4:])
        self.assertEqual(rows["alpha"]["key_source"], "models.providers.alpha.apiKey in " + world.config)
        self.assertEqual(rows["beta"]["key_source"], "variable BETA_KEY (environment)")
        self.assertEqual(rows["beta"]["base_url"], world.sim.base + "/v1")
        self.assertIn("DELTA_KEY", rows["delta"]["key_source"])
        self.assertIn("GAMMA_KEY", rows["gamma"]["reason"])
        self.assertEqual((rows["gamma"]["file"], rows["gamma"]["place"]),
                         (world.config, "models.providers.gamma"))
        self.assertNotIn("key", rows["gamma"])
        self.assertEqual(rows["alpha"]["default_for"], ["image", "edit", "video"])
        self.assertEqual(result["defaults"]["video"],
                         {"provider": "alpha", "why": "first", "model": "sora-2", "model_from": "provider"})
        self.assertEqual(result["config"], {"file": world.config, "state": "ok"})
        self.assertIn("4 of 5", result["message"])
        self.assertEqual(world.sim.log(), [])
        # The same with the missing variable in the .env file beside the configuration.
        with open(world.path(".env"), "w", encoding="utf-8") as f:
            f.write("GAMMA_KEY=of-the-dotenv-file-1\n")
        rows = {row["id"]: row for row in world.call("account", {}, env=env)["providers"]}
        self.assertEqual(rows["gamma"]["key_source"], "variable GAMMA_KEY (%s)" % world.path(".env"))

    def test_check(self):
        world, env = self.five()
        result = world.call("account", {"action": "check"}, env=env)
        rows = {row["id"]: row for row in result["providers"]}
        self.assertEqual({name: row["key"] for name, row in rows.items()},
                         {name: word for name, (_, word) in TABLE.items()})
        self.assertEqual({name: row.get("kind") for name, row in rows.items()},
                         {"alpha": None, "beta": "auth", "delta": "unavailable", "epsilon": "not_found",
                          "gamma": "config"})
        self.assertEqual(rows["alpha"]["models"], 8)
        for name, row in rows.items():
            self.assertEqual("advice" in row and row["advice"] != "", name != "alpha", row)
        self.assertEqual({(r["method"], r["path"]) for r in world.sim.log()},
                         {("GET", "/v1/models"), ("GET", "/elsewhere/models")})
        self.assertEqual(len(world.sim.log()), 3)
        self.assertEqual(world.sim.totals()["charges"], 0)
        self.assertEqual(world.ledger(), [])
        one = world.call("account", {"action": "check", "provider": "alpha"}, "--locale", "zh-CN", env=env)
        self.assertEqual([row["id"] for row in one["providers"]], ["alpha"])
        self.assertIn("接受了密钥", one["message"])

    def test_defaults_last(self):
        world = self.world()
        two = world.second_sim()
        providers = {"one": {"baseUrl": world.sim.base + "/v1", "apiKey": world.key},
                     "two": {"baseUrl": two.base + "/v1", "apiKey": two.key}}
        world.configure(providers, default_provider="one")
        self.assertEqual(world.call(IMAGE, {"prompt": "a"})["provider"], "one")
        stored = world.call("account", {"action": "set_default", "provider": "two"})
        self.assertIn("two", stored["message"])
        world.call("account", {"action": "set_default", "kind": "image", "model": "sim-image"})
        made = world.call(IMAGE, {"prompt": "b"})
        self.assertEqual((made["provider"], made["model"]), ("two", "sim-image"))
        file = world.path("state", "defaults.json")
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        with open(file, encoding="utf-8") as f:
            self.assertEqual(json.load(f), {"providers": {"all": "two"},
                                            "models": {"two": {"image": "sim-image"}}})
        # Argument and environment go first.
        plan = {"prompt": "c", "dry_run": True}
        self.assertEqual(world.call(IMAGE, dict(plan, provider="one"))["provider"], "one")
        env = {"OPENCLAW_MEDIA_PROVIDER": "one", "OPENCLAW_MEDIA_IMAGE_MODEL": "m"}
        result = world.call(IMAGE, plan, env=env)
        self.assertEqual((result["provider"], result["model"]), ("one", "m"))
        status = world.call("account", {}, env=env)["defaults"]["image"]
        self.assertEqual(status, {"provider": "one", "why": "environment", "model": "m",
                                  "model_from": "environment"})
        world.call("account", {"action": "set_default", "provider": ""})
        self.assertEqual(world.call(IMAGE, plan)["provider"], "one")

    def test_broken_defaults_are_not_overwritten(self):
        world = self.world()
        world.call("account", {})
        file = world.path("state", "defaults.json")
        with open(file, "w", encoding="utf-8") as f:
            f.write("{\n  \"providers\": [\n")
        for tool, args in (("account", {"action": "set_default", "provider": "sim"}), (IMAGE, {"prompt": "x"})):
            result = world.call(tool, args, want=1)
            self.assertEqual(result["error"]["kind"], "config")
            self.assertIn(file + ", line", result["error"]["text"])
        with open(file, encoding="utf-8") as f:
            self.assertEqual(f.read(), "{\n  \"providers\": [\n")
        self.assertIn(file, world.call("account", {})["warning"])
        self.assertEqual(world.sim.log(), [])

    def test_broken_edit(self):
        world = self.world()
        with open(world.config, "w", encoding="utf-8") as f:
            f.write("{\n  models: {\n    providers: [,\n")
        result = world.call("account", {}, want=1)
        self.assertEqual((result["error"]["kind"], result["config"]["line"]), ("config", 3))
        self.assertEqual(result["config"]["state"], "broken")

    def test_nothing_configured(self):
        world = self.world(sim=False)
        english = world.call("account", {})
        self.assertEqual(english["providers"], [])
        for piece in (world.config, "models.providers", "baseUrl", "apiKey", "${MY_KEY}", "API key", "chat"):
            self.assertIn(piece, english["message"])
        chinese = world.call("account", {"action": "check"}, "--locale", "zh", want=1)
        for piece in (world.config, "models.providers", "${MY_KEY}", "请不要把密钥发到聊天里"):
            self.assertIn(piece, chinese["message"])
        self.assertIn("API 密钥", world.call(IMAGE, {"prompt": "一只船"}, want=1)["message"])

    def test_keys_are_not_taken(self):
        world = self.world()
        key = "sk-proj-AbCdEf0123456789"
        for args in ({"action": "set_key", "provider": "sim", "key": key},
                     {"action": "set_key", "provider": "sim", "key_env": key},
                     {"action": "set_key", "provider": key},
                     {"action": key}):
            done = world.call("account", args, "--verbose", want=1).done
            self.assertNotIn(key, done.out + done.err)
        for name in world.files():
            with open(world.path(name), "rb") as f:
                self.assertNotIn(key.encode(), f.read())
        told = world.call("account", {"action": "set_key", "provider": "sim", "key_env": "SIM_KEY"},
                          "--locale", "zh", want=1)
        self.assertIn('"apiKey": "${SIM_KEY}"', told["message"])
        self.assertIn("models.providers.sim.apiKey", told["message"])
        gone = world.call("account", {"action": "remove_key", "provider": "sim"}, want=1)
        self.assertIn("models.providers.sim.apiKey in " + world.config, gone["message"])


if __name__ == "__main__":
    harness.main()
