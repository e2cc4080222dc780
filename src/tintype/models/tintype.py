"""The default network: a ResNet-18 trunk, a context stage, a light decoder, two heads.

The trunk (He 2016, arXiv 1512.03385, to layer 3) comes from ImageNet; everything after it is
trained from the start. The regression head is safe and pale; the bins head (Zhang 2016,
arXiv 1603.08511, section 2) is vivid. ``predict_ab`` mixes both: (1 - bins_share) of the
regression, bins_share of the annealed mean. Dense 3×3 convolutions only, since these run at the
speed of the machine, and ab at a quarter of the input's size, which loses nothing that shows.

How sure it is comes from the bins, too: their mass near the mixed colour, and two numbers that
calibrate it. So do other plausible colourings: the bins' probabilities p(c) become p(c)·exp(lean·c)
(exponential tilting, Esscher 1932), which moves the mean colour where several are possible and
leaves it where one is certain. Colour hints are a part of its own, ``guide``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tintype.bins import annealed_mean, in_gamut_centres
from tintype.color import lightness_to_luminance, linear_to_srgb
from tintype.errors import UsageError
from tintype.models.blocks import GREY_CENTRE, ContextStage, ResNet18Trunk, UpBlock, conv_bn_relu
from tintype.models.guide import Guide
from tintype.models.heads import Palette, calibrated, mass_near
from tintype.models.network import Classes, GuidedNetwork, Prediction, Reading

Trunk = tuple[Tensor, Tensor, Tensor]
"""Features at strides 4, 8 and 16."""

AB_SCALE = 50.0
"""The regression head's unit in ab, so that its outputs are about 1."""


@dataclass(frozen=True)
class TintypeConfig:
    """Options of the network.

    Attributes:
        context_width: channels of the stage at stride 32.
        decoder_widths: channels at strides 16, 8 and 4.
        bins_share: part of the annealed mean in ``predict_ab``, 0 to 1.
        temperature: of the annealed mean.
        calm: how much of the rebalancing the annealed mean takes back, 0 to 1. Training on
            weights w teaches probabilities p·w; p·w^(1 - calm) is what is averaged. 0 is vivid
            beyond the truth, 1 pale.
        colours: 0 for the 313 bins; else the classes are so many RGB colours of a palette.
        top: of such colours, how many of the most probable are averaged.
        confidence_slope: of the logistic that makes the bins' mass near the colour the share of
            pixels within CIEDE2000 10 of the truth; benchmarks/confidence.py finds both numbers.
        confidence_offset: of that logistic; 1 and 0 leave the mass as it is.
        whole_lab: predict L beside ab, to be trained on; it is not used.
        guide: channels of the part that follows colour hints; 0 for a network that takes none.
    """

    context_width: int = 384
    decoder_widths: tuple[int, int, int] = (256, 192, 128)
    bins_share: float = 0.5
    temperature: float = 0.38
    calm: float = 0.5
    colours: int = 0
    top: int = 3
    confidence_slope: float = 1.0
    confidence_offset: float = 0.0
    whole_lab: bool = False
    guide: int = 0


class Tintype(GuidedNetwork):
    """L (N,1,H,W), with a guide also hints, to ab (N,2,H/4,W/4); H and W multiples of 32.

    Raises:
        UsageError: a guide for a network that is trained on L, too.
    """

    ab_stride = 4
    size_multiple = 32

    def __init__(self, config: TintypeConfig) -> None:
        super().__init__()
        self.config: TintypeConfig = config
        at4, at8, at16 = ResNet18Trunk.WIDTHS[1:]
        wide, middle, narrow = config.decoder_widths
        self.trunk = ResNet18Trunk()
        self.context = ContextStage(at16, config.context_width)
        self.up16 = UpBlock(config.context_width, at16, wide)
        self.up8 = UpBlock(wide, at8, middle)
        self.up4 = UpBlock(middle, at4, narrow)
        self.last = conv_bn_relu(narrow, narrow)
        self.regression = nn.Conv2d(narrow, 3 if config.whole_lab else 2, 1)
        self.colours = Palette(config.colours, config.top) if config.colours else None
        bins = torch.from_numpy(in_gamut_centres().copy())
        self.centres: Tensor
        self.register_buffer("centres", bins, persistent=False)
        classes = config.colours or len(bins)
        self.classes = nn.Conv2d(narrow, classes, 1)
        # Of the rebalancing that the classes are trained with; training sets it.
        self.log_weights: Tensor
        self.register_buffer("log_weights", torch.zeros(classes))
        if config.guide and config.whole_lab:
            raise UsageError("A network with whole_lab takes no hints: set its guide to 0.")
        self.guided = bool(config.guide)
        self.leans = self.colours is None and config.bins_share > 0
        if self.guided:
            self.guide = Guide((at4, at8, at16), config.guide)

    def forward(
        self, L: Tensor, hint_ab: Tensor | None = None, hint_mask: Tensor | None = None
    ) -> Prediction:
        """Colour (N,2,H/4,W/4) in ab units and logits (N,313,H/4,W/4) for L (N,1,H,W).

        Without hints the colour is the regression's, with hints what ``predict_ab`` says.
        """
        trunk, x = self.features(L)
        colour, logits = self.regression(x) * AB_SCALE, self.classes(x)
        if hint_ab is None or hint_mask is None:
            return Prediction(colour, logits)
        ab = self.mix(colour, logits)
        return Prediction(ab + self.guide(trunk, ab, hint_ab, hint_mask), logits)

    def features(self, L: Tensor) -> tuple[Trunk, Tensor]:
        """The trunk's features at strides 4, 8 and 16, and the decoder's at stride 4."""
        grey = linear_to_srgb(lightness_to_luminance(L))
        _, at4, at8, at16 = self.trunk(grey - GREY_CENTRE)
        x = self.up16(self.context(at16), at16)
        return (at4, at8, at16), self.last(self.up4(self.up8(x, at8), at4))

    def predict_ab(
        self, L: Tensor, hint_ab: Tensor | None = None, hint_mask: Tensor | None = None
    ) -> Tensor:
        """The contract: ab (N,2,H/4,W/4) of L (N,1,H,W) in [0,100] and, if guided, of hints."""
        if self.guided and hint_ab is not None and hint_mask is not None:
            ab: Tensor = self(L, hint_ab, hint_mask).colour
            return ab
        colour, logits, _, _ = self(L)
        return self.mix(colour, logits)

    def read(
        self,
        L: Tensor,
        lean: Tensor | None = None,
        hint_ab: Tensor | None = None,
        hint_mask: Tensor | None = None,
    ) -> Reading:
        """Also other colourings, hints, and how likely each colour is nearly right.

        The confidence is that of the colours chosen without lean and hints, from the 313 bins.
        """
        trunk, x = self.features(L)
        logits = self.classes(x)
        ab = self.mix(self.regression(x) * AB_SCALE, logits)
        variation = correction = confidence = None
        if lean is not None and self.leans:
            variation = self.vivid(logits + (self.centres @ lean)[:, None, None])
            variation = variation - self.vivid(logits)
        if self.guided and hint_ab is not None and hint_mask is not None:
            chosen = ab if variation is None else ab + variation
            correction = self.guide(trunk, chosen, hint_ab, hint_mask)
        if self.leans:
            mass = mass_near(self.calmed(logits).softmax(1), self.centres, ab)
            options = self.config
            confidence = calibrated(mass, options.confidence_slope, options.confidence_offset)
        return Reading(ab, variation, correction, confidence)

    def mix(self, colour: Tensor, logits: Tensor) -> Tensor:
        """One ab (N,2,h,w) of both heads, as the options say."""
        share, regression = self.config.bins_share, colour[:, -2:]
        # A head that has no share stays out of the exported graph.
        if share == 0:
            return regression
        if share == 1:
            return self.vivid(logits)
        return (1 - share) * regression + share * self.vivid(logits)

    def heads_ab(self, L: Tensor) -> dict[str, Tensor]:
        """ab of the mixture, of the regression and of the classes."""
        colour, logits = (head.float() for head in self(L)[:2])
        ab, vivid = self.mix(colour, logits), self.vivid(logits)
        return {"ab": ab, "regression": colour[:, -2:], "classes": vivid}

    def vivid(self, logits: Tensor) -> Tensor:
        """ab (N,2,h,w) of the classes' logits (N,Q,h,w), as the options say."""
        calmed = self.calmed(logits)
        if self.colours is not None:
            return self.colours.mean(calmed)
        return annealed_mean(calmed, self.centres, self.config.temperature)

    def calmed(self, logits: Tensor) -> Tensor:
        """Logits with ``calm`` of the rebalancing taken back."""
        return logits - self.config.calm * self.log_weights[:, None, None]

    def classes_of(self) -> Classes:
        """The 313 bins, or the palette."""
        if self.colours is not None:
            return Classes(self.colours.centres, self.colours.rgb, self.log_weights)
        return Classes(self.centres, None, self.log_weights)

    def ab_of(self, colour: Tensor, L: Tensor) -> Tensor:
        """The ab, without the L that ``whole_lab`` has before it."""
        return colour[:, -2:]

    def target(self, lab: Tensor) -> Tensor:
        """The true ab, or with ``whole_lab`` all of Lab (N,3,h,w)."""
        return lab if self.config.whole_lab else lab[:, 1:]
