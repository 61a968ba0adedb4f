"""Checks one signature, from files, as the agent does: without a parser or a compiler beside it."""
import sys

from seawall_agent import load


def content(name):
    with open(name, "rb") as f:
        return f.read()


verifier = load(sys.argv[1])
for _ in range(3):
    print(verifier.verify(content("key"), content("digest"), content("signature")))
