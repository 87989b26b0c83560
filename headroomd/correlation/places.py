"""Paths as evidence keeps them: relative to the project's root, whatever the agent wrote."""

from __future__ import annotations

import posixpath
from typing import Final

__all__ = ["extension_kind", "is_generated", "is_generic", "locate", "shared_parts", "stem", "words"]


def words(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


_GENERATED: Final = words(
    """node_modules .git site-packages __pycache__ .venv venv .tox .nox .next .nuxt .cache .gradle .terraform
    .mypy_cache"""
)
_GENERIC: Final = words(
    """index main mod lib app init __init__ __main__ readme license changelog package config settings makefile
    dockerfile page layout route routes setup build test tests util utils helper helpers type types constants models
    model views view urls admin schema server client style styles manifest gemfile cargo go pom tsconfig
    requirements pyproject compose docker-compose conftest base default common core api errors error src source java
    scala kotlin resources com org io components docs doc scripts bin public static assets spec specs fixtures data
    templates services service controllers handler handlers worker application module program version global globals
    env contributing todo notes example sample"""
)
_KINDS: Final[dict[str, str]] = {
    extension: kind
    for kind, extensions in {
        "text": "md mdx rst txt adoc org",
        "data": "json json5 jsonc yaml yml toml ini cfg conf xml properties env csv tsv",
        "style": "css scss sass less styl",
        "markup": "html htm erb haml slim hbs ejs pug j2 jinja twig",
        "other": "lock log png jpg jpeg gif svg ico pdf zip gz map snap sum",
    }.items()
    for extension in extensions.split()
}


def locate(path: str, folder: str | None, root: str, home: str) -> str | None:
    """`path` relative to `root` ("." is the root itself); None where it lies outside or cannot be told.

    `folder` is the absolute folder that relative paths start from, None where that is not known.
    """
    if not path or "$" in path or "`" in path or "\n" in path or "*" in path:
        return None
    if path.startswith("~"):
        if path[1:2] not in ("", "/"):
            return None
        path = home + path[1:]
    if not path.startswith("/"):
        if not folder:
            return None
        path = f"{folder}/{path}"
    path = posixpath.normpath(path)
    if path == root:
        return "."
    return path[len(root) + 1 :] if path.startswith(root + "/") else None


def stem(name: str) -> str:
    """A file name without its last extension; a leading dot is part of the name."""
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else name


def extension_kind(name: str) -> str:
    """What sort of file an extension announces; every programming language is "code"."""
    dot = name.rfind(".")
    return _KINDS.get(name[dot + 1 :].lower(), "code") if dot > 0 else ""


def is_generic(part: str) -> bool:
    """Whether a file or folder name recurs in every tree and so identifies nothing by itself."""
    return stem(part).lower().lstrip(".") in _GENERIC or len(stem(part)) < 3


def is_generated(path: str) -> bool:
    """Whether the path lies in a folder that tools fill: nobody looks for a project's own file there."""
    return not _GENERATED.isdisjoint(path.split("/"))


def shared_parts(one: str, other: str) -> list[str]:
    """The path parts that both end with, last first."""
    shared = []
    for left, right in zip(reversed(one.split("/")), reversed(other.split("/")), strict=False):
        if left != right:
            break
        shared.append(left)
    return shared
