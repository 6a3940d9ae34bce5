#!/usr/bin/env python3
"""Makes the vectors of this folder. --check compares with the files instead of writing them."""

import json
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import importlib  # noqa: E402

PROVIDERS = ("sprinklr", "salesiq", "commbox", "netcore", "bird")


ON_ONE_LINE = ("auth", "source", "headers", "duplicates")


def written(value, level=0, name=""):
    """JSON with an indent of one; an event takes one line, and so do auth, headers and what else is flat."""
    if level >= 4 or name in ON_ONE_LINE or value == {"status": 401, "outcome": None, "events": []}:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    pad = "\n" + " " * (level + 1)
    if isinstance(value, dict) and value:
        parts = [json.dumps(k) + ": " + written(v, level + 1, k) for k, v in value.items()]
        return "{" + pad + ("," + pad).join(parts) + "\n" + " " * level + "}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        return "[" + pad + ("," + pad).join(written(v, level + 1) for v in value) + "\n" + " " * level + "]"
    return json.dumps(value, ensure_ascii=False)


def main():
    different = 0
    for provider in PROVIDERS:
        found = importlib.import_module("maker." + provider).book()
        text = written(found) + "\n"
        path = os.path.join(HERE, provider + ".json")
        if "--check" in sys.argv[1:]:
            with open(path, encoding="utf-8", newline="") as f:
                same = f.read() == text
            different += not same
            print(provider, len(found), "cases,", "the same" if same else "DIFFERENT")
        else:
            with open(path, "w", encoding="utf-8", newline="") as f:
                f.write(text)
            print(provider, len(found), "cases,", len(text.encode()), "bytes")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
