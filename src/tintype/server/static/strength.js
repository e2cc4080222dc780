// How strong the colours are: the slider, its marks, and what is known of these.

import { remember } from "./colouring.js";
import { offerAgain } from "./showing.js";
import { $, now } from "./state.js";
import { t } from "./strings.js";
import { offerVariants } from "./variants.js";

// On everyday photographs the network's own colours are half as colourful as the truth and nearest
// to it on average; vivid ones are two thirds as colourful.
const MARKS = { cautious: 0.75, usual: 1, vivid: 1.3 };
const NEAR = 0.025;

/** Show a picture's strength, and say what it means where that is known. */
export function showStrength({ strength }) {
  $("strength").value = strength;
  $("strength-value").textContent = `${Math.round(100 * strength)} %`;
  const [mark] = Object.keys(MARKS).filter((name) => Math.abs(MARKS[name] - strength) < NEAR);
  for (const name of Object.keys(MARKS)) $(name).setAttribute("aria-pressed", String(name === mark));
  $("strength-told").textContent = mark ? t(`${mark} how`) : "";
}

function become(strength) {
  now.current.strength = strength;
  showStrength(now.current);
  if (!now.viewer) return;
  now.viewer.strength = strength;
  now.viewer.draw();
}

function settle() {
  remember(now.current);
  offerAgain(now.current);
  offerVariants(now.current);
}

export function chooseStrength() {
  $("strength").addEventListener("input", (event) => become(Number(event.target.value)));
  $("strength").addEventListener("change", settle);
  for (const [name, strength] of Object.entries(MARKS))
    $(name).addEventListener("click", () => {
      become(strength);
      settle();
    });
}
