"""A strict JSON scanner that keeps what the rules need: byte offsets, the characters of numbers, and broken text."""

import re

DEPTH = 64
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
ESCAPES = {"\"": "\"", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Malformed(Exception):
    """The bytes cannot be read: they belong into quarantine."""


class Node:
    """One value. kind is object, list, text, number or word; data[start:end] are its own bytes."""

    def __init__(self, kind, value, start, end):
        self.kind, self.value, self.start, self.end = kind, value, start, end

    def get(self, name):
        return self.value.get(name) if self.kind == "object" else None

    def text(self):
        """Text and number as text; anything else, and an empty text, is absent."""
        return self.value if self.kind in ("text", "number") and self.value != "" else None


def follow(node, path):
    """The text at the first of the dotted alternatives that has one."""
    for alternative in path.split("|"):
        at = node
        for name in alternative.split("."):
            at = at.get(name) if at is not None else None
        if at is not None and at.text() is not None:
            return at.text()
    return None


def parse(data):
    """The one value of data; a repeated name, more than 64 levels, or anything behind it is Malformed."""
    reader = Reader(data)
    node = reader.value(0)
    reader.space()
    if reader.at != len(data):
        raise Malformed("bytes behind the value")
    return node


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def space(self):
        while self.data[self.at:self.at + 1] in (b" ", b"\t", b"\n", b"\r"):
            self.at += 1

    def take(self, token):
        self.space()
        if self.data[self.at:self.at + len(token)] != token:
            return False
        self.at += len(token)
        return True

    def value(self, depth):
        self.space()
        start, first = self.at, self.data[self.at:self.at + 1]
        if first in (b"{", b"[") and depth == DEPTH:
            raise Malformed("deeper than 64")
        if first == b"{":
            kind, value = "object", self.members(depth + 1)
        elif first == b"[":
            kind, value = "list", self.elements(depth + 1)
        elif first == b'"':
            kind, value = "text", self.string()
        elif number := NUMBER.match(self.data, self.at):
            self.at = number.end()
            kind, value = "number", number.group().decode()
        else:
            for word in (b"true", b"false", b"null"):
                if self.take(word):
                    kind, value = "word", word.decode()
                    break
            else:
                raise Malformed("no value")
        return Node(kind, value, start, self.at)

    def members(self, depth):
        found = {}
        self.take(b"{")
        if self.take(b"}"):
            return found
        while True:
            self.space()
            name = self.string()
            if name in found:
                raise Malformed("a name twice")
            if not self.take(b":"):
                raise Malformed("no colon")
            found[name] = self.value(depth)
            if self.take(b"}"):
                return found
            if not self.take(b","):
                raise Malformed("no comma")

    def elements(self, depth):
        found = []
        self.take(b"[")
        if self.take(b"]"):
            return found
        while True:
            found.append(self.value(depth))
            if self.take(b"]"):
                return found
            if not self.take(b","):
                raise Malformed("no comma")

    def string(self):
        """The decoded text. Bytes that are no UTF-8 and lone surrogates stay visible as surrogates."""
        if not self.take(b'"'):
            raise Malformed("no text")
        out, run = [], bytearray()
        while True:
            c = self.data[self.at:self.at + 1]
            self.at += 1
            if c == b"" or (c < b" "):
                raise Malformed("text breaks off")
            if c not in (b'"', b"\\"):
                run += c
                continue
            out.append(bytes(run).decode("utf-8", "surrogateescape"))
            run.clear()
            if c == b'"':
                return "".join(out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
            letter = self.data[self.at:self.at + 1].decode("latin-1")
            self.at += 1
            if letter == "u":
                digits = self.data[self.at:self.at + 4]
                if not re.fullmatch(rb"[0-9a-fA-F]{4}", digits):
                    raise Malformed("no escape")
                out.append(chr(int(digits, 16)))
                self.at += 4
            elif letter in ESCAPES:
                out.append(ESCAPES[letter])
            else:
                raise Malformed("no escape")
