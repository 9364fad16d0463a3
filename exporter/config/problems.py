"""What is wrong with a configuration: where, why, and what would be right."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake in a file, an environment variable or a flag.

    ``line`` counts from 1 and is None where lines mean nothing (environment, flags).
    """

    file: str
    line: int | None
    key_path: str
    message: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return ``file:line: key.path: message; allowed: …``, leaving out what is not known."""
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        text = ": ".join(part for part in (where, self.key_path, self.message) if part)
        if not self.allowed:
            return text
        joint = " " if text.endswith("?") else "; "
        return f"{text}{joint}allowed: {', '.join(self.allowed)}"


class ConfigError(ValueError):
    """A configuration that cannot be used; holds every problem that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in the order in which they were found."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` did you mean X?`` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""
