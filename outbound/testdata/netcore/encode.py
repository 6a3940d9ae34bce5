"""Encodes batches as Netcore does: python3 encode.py < cases.json > bodies.txt

A case is {"ascii": bool, "panels": {panel: [event, ...]}}; a line of the output is the body of one.
"""
import json
import sys
import urllib.parse

sys.stdin.reconfigure(encoding="utf-8")
for case in json.load(sys.stdin):
    text = json.dumps(case["panels"], separators=(",", ":"), ensure_ascii=case["ascii"])
    print("data=" + urllib.parse.quote(text, safe=""))
