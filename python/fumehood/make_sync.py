"""Makes src/fumehood/_sync out of src/fumehood/_async. With --check it only compares, and fails when they differ."""

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "src" / "fumehood" / "_async"
TARGET = SOURCE.parent / "_sync"
# What does input and output by itself is written twice.
BY_HAND = {"io.py"}
HEADER = "# Made from _async/{name} by make_sync.py.\n"

RULES = [
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b_async\b", "_sync"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\baclose\b", "close"),
    (r"\ba(read|iter_bytes)\b", r"\1"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\basynchronous\b", "synchronous"),
]


def to_sync(name: str, text: str) -> str:
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return HEADER.format(name=name) + text


def main() -> int:
    differ = []
    for source in sorted(SOURCE.glob("*.py")):
        if source.name in BY_HAND:
            continue
        target = TARGET / source.name
        text = to_sync(source.name, source.read_text())
        if "--check" not in sys.argv[1:]:
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            differ.append(target.name)
    for name in differ:
        print(f"_sync/{name} is not what _async/{name} gives: run python3 make_sync.py", file=sys.stderr)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
