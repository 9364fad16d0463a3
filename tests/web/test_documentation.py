"""Every example of ``docs/http-api.md``, run against a modelmeter that was just started."""

import json
import re
import subprocess
from pathlib import Path

from tests.programs import program
from tests.web.support import running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "http-api.md"
EXAMPLE = re.compile(
    r"```sh\n(?P<commands>.*?)```\n```(?P<form>json|text)\n(?P<answer>.*?)```", re.S
)


def test_each_example_is_answered_as_it_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    examples = list(EXAMPLE.finditer(text))
    assert len(examples) == text.count("```sh\n") > 10
    curl = f'curl() {{ command {program("curl")} --no-progress-meter "$@"; }}\n'
    with running() as client:
        for example in examples:
            commands = example["commands"].replace("http://localhost:9920", client.url)
            assert client.url in commands
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", curl + commands],
                capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, ""), example["commands"]
            if example["form"] == "json":
                assert json.loads(done.stdout) == json.loads(example["answer"])
            else:
                assert done.stdout == example["answer"]


def test_every_status_that_is_given_is_told() -> None:
    text = PAGE.read_text(encoding="utf-8")
    with running() as client:
        paths = client.get("/openapi.json").json()["paths"]
    codes = {code for path in paths.values() for one in path.values() for code in one["responses"]}
    assert codes - {"200"} <= set(re.findall(r"^\| `(\d+)` \|", text, re.M))
    for path in paths:
        assert path in text
