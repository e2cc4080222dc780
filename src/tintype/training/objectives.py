"""What each kind of training may be told to minimise: the options of the tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Supervised:
    """Colours predicted from their own greys; see ``training.losses``.

    Attributes:
        regression: weight of the distance between predicted and true colour.
        distance: "l1", "l2" (the mean square) or "huber".
        huber_beta: where huber turns from square to absolute, in ab units.
        classes: weight of the cross-entropy of the classes.
        encoding: "soft" spreads a colour over its nearest bins, "hard" gives it to the nearest.
        rebalancing: lambda of the classes' rebalancing, 1 = none. A network that reads its classes
            by the weights it was trained with (``calm``) goes on with these when it is a start.
        class_step: one of so many rows and columns of the classes is trained on in a step, drawn
            anew each time: neighbouring pixels say nearly the same.
        perceptual: weight of the distance between features of the predicted and the true picture.
        perceptual_encoder: arrays of the encoder whose features these are, relative to the data
            directory.
        colourfulness: weight of a reward for colourful pictures.
        scenes: weight of the cross-entropy of the kinds of scene, for networks that predict them;
            the kinds are the pictures' labels.
        teaching: weight of the distance between predicted colour and that of a teacher, who sees
            L undisturbed.
        teacher: name of the model in the zoo that teaches, or the path of an .onnx.
    """

    regression: float = 0.5
    distance: Literal["l1", "l2", "huber"] = "huber"
    huber_beta: float = 5.0
    classes: float = 1.0
    encoding: Literal["soft", "hard"] = "soft"
    rebalancing: float = 0.5
    class_step: int = 2
    perceptual: float = 0.0
    perceptual_encoder: str | None = None
    colourfulness: float = 0.0
    scenes: float = 0.0
    teaching: float = 0.0
    teacher: str = "tintype"


@dataclass(frozen=True)
class Guided(Supervised):
    """Supervised, with simulated hints of the true colours (Zhang 2017, section 3.2).

    Attributes:
        hint_stop: probability p of the geometric distribution of the number of hints.
        hint_spread: deviation of their places from the centre, as a part of the side.
        hint_sides: smallest and largest side of a hint, in pixels.
        all_hints: how often the whole true ab is given, so that the network learns to copy it.
    """

    hint_stop: float = 0.125
    hint_spread: float = 0.25
    hint_sides: tuple[int, int] = (1, 9)
    all_hints: float = 0.01


Verdict = Literal["bce", "least_squares", "hinge"]
"""How a discriminator's verdicts are turned into losses: ``losses.verdict_loss``."""


@dataclass(frozen=True)
class Adversarial:
    """A generator against a discriminator that sees the grey beside the colours.

    Attributes:
        discriminator: "patch" (70×70, Isola 2017) or "picture" (one verdict, Nazeri 2018).
        discriminator_width: channels of its first layer.
        discriminator_rate: its learning rate at the highest.
        verdict: "bce", "least_squares" or "hinge".
        adversarial: weight of the generator's adversarial loss.
        l1: lambda, weight of the mean absolute error of colours in [-1,1].
        smooth_real: what the discriminator is told that true pictures are; 0.9 is one-sided label
            smoothing (Salimans 2016, arXiv 1606.03498, section 3.4). The hinge has no such number.
    """

    discriminator: Literal["patch", "picture"] = "patch"
    discriminator_width: int = 64
    discriminator_rate: float = 2e-4
    verdict: Verdict = "bce"
    adversarial: float = 1.0
    l1: float = 100.0
    smooth_real: float = 1.0


@dataclass(frozen=True)
class Saliency(Adversarial):
    """Adversarial, with a saliency map beside and a second discriminator for the salient part.

    Attributes:
        verdict: as in ``Adversarial``.
        saliency: weight of the mean absolute error of the saliency map.
        attention: weight of the mean absolute error of colours multiplied by their saliency.
        perceptual: weight of the distance between features of predicted and true pictures.
        perceptual_encoder: arrays of that encoder, relative to the data directory.
    """

    verdict: Verdict = "least_squares"
    saliency: float = 1.0
    attention: float = 50.0
    perceptual: float = 0.0
    perceptual_encoder: str | None = None


@dataclass(frozen=True)
class Cycle:
    """Unpaired greys and colours: two generators, two discriminators, domains.

    Attributes:
        discriminator_width: channels of the discriminators' first layer.
        discriminator_rate: their learning rate at the highest.
        verdict: "bce", "least_squares" or "hinge".
        adversarial: weight of the generators' adversarial losses.
        cycle: weight of the mean absolute error after going there and back.
        domain: weight of the cross-entropy of the domain, for both sides.
        identity: weight of "what is grey already stays as it is", for the way to grey.
        without_domain: how often a picture is coloured for the mean of all domains, as it is later
            when nobody names one.
    """

    discriminator_width: int = 64
    discriminator_rate: float = 2e-4
    verdict: Verdict = "least_squares"
    adversarial: float = 1.0
    cycle: float = 10.0
    domain: float = 1.0
    identity: float = 5.0
    without_domain: float = 0.25


Objective = Supervised | Guided | Adversarial | Saliency | Cycle

OBJECTIVES: dict[str, type[Objective]] = {
    "supervised": Supervised,
    "guided": Guided,
    "adversarial": Adversarial,
    "saliency": Saliency,
    "cycle": Cycle,
}
"""The kinds of training, as recipes name them."""
