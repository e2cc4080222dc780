"""Every network's card says what the network is: its layers, its size, its recipes, its honesty."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tintype.cli import main
from tintype.models import ARCHITECTURES
from tintype.training.recipes import load_recipe

ROOT = Path(__file__).parents[1]


def card(name: str) -> tuple[str, str]:
    """What a card says, and what stands in its last section, the layers."""
    text = (ROOT / f"docs/models/{name}.md").read_text(encoding="utf-8")
    said, heading, layers = text.partition("\n## Layers\n\n")
    assert heading
    return said, layers


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_are_those_of_the_network(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    said, layers = card(name)
    assert main(["models", "show", name, "--layers", "--markdown"]) == 0
    printed = capfd.readouterr().out
    assert layers == printed, "CONTRIBUTING.md, Adding a network, says how the table gets there"
    if name == "tintype":  # whose card rounds
        return
    *_, total, _, legend = printed.splitlines()
    trainable = total.split(" | ")[4].strip("*")
    assert f"| parameters | {trainable}" in said
    assert f"| cost | {legend.partition('. ')[0]}" in said


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_card_is_honest(name: str) -> None:
    said, _ = card(name)
    assert "\n**The colours are guesses.** " in said
    assert "\n## Scores\n" in said
    assert "LICENSE-WEIGHTS.md" in said


def test_cards_name_every_recipe() -> None:
    for path in (ROOT / "recipes").glob("*.yaml"):
        said, _ = card(load_recipe(path).architecture)
        assert f"recipes/{path.name}" in said, path.name
