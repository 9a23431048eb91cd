"""How a guide is read, and that each can be followed."""

from pathlib import Path

import pytest

from e2e.guide import Step, adapted, steps

GUIDES = Path(__file__).parents[3] / "examples" / "guides"
READMES = sorted(GUIDES.glob("*/README.md"))
README = """\
Text with `$ no command`.

```console
$ helm install it chart.tgz \\
    --wait
$ kubectl get pods
NAME   READY
it-... 1/1

$ kubectl patch it -p '{a:
    1}'
```

```yaml
$ not a command either
```

```console
$ last
```
"""


def test_commands_are_what_stands_after_the_prompt_and_output_what_follows():
    assert list(steps(README)) == [
        Step(4, "helm install it chart.tgz \\\n    --wait"),
        Step(6, "kubectl get pods", "NAME   READY\nit-... 1/1\n\n"),
        Step(10, "kubectl patch it -p '{a:\n    1}'"),
        Step(19, "last"),
    ]


def test_what_cannot_be_had_is_replaced_in_commands_alone():
    found = adapted(steps(README), {"chart.tgz": "/there --values=v", "1/1": "x"})
    assert [step.command for step in found][:2] == ["helm install it /there --values=v \\\n    --wait", "kubectl get pods"]
    assert "1/1" in found[1].printed


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("NAME READY\nit-5f 1/1\n", True),
        ("NAME    READY\nit-5f    1/1\n\n", True),
        ("NAME READY\nit-5f 0/1\n", False),
        ("NAME READY\n", False),
        ("", False),
    ],
)
def test_dots_stand_for_anything_and_the_width_of_columns_does_not_count(text, is_it):
    assert Step(1, "x", "NAME   READY\nit-... 1/1\n\n").prints(text) is is_it
    assert Step(1, "x").prints(text)


@pytest.mark.parametrize("text", ["found\n", "before\nfound\n", "found\nafter\n", "before\nand\nfound\nafter\n\n"])
def test_a_line_of_dots_stands_for_any_lines_and_for_none(text):
    assert Step(1, "x", "...\nfound\n...\n").prints(text)
    assert not Step(1, "x", "...\nlost\n...\n").prints(text)
    assert Step(1, "x", "All of them.\n...\nfound\n...\n").prints(f"All of them.\n{text}")


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_guide_shows_commands_and_names_each_of_its_manifests(readme):
    found = list(steps(readme.read_text()))
    assert len([step for step in found if step.printed]) >= 4
    commands = "\n".join(step.command for step in found)
    assert [file.name for file in readme.parent.glob("*.yaml") if str(file.relative_to(GUIDES.parents[1])) not in commands] == []


def test_there_are_guides():
    assert len(READMES) == 4
