"use strict";
// The slider: it puts the strips of a time into the sets, and the rows below move it too.

const slider = document.getElementById("moment");

if (slider) {
  const { said, frames } = JSON.parse(document.getElementById("moments").textContent);
  const words = document.getElementById("said");
  const rows = Array.from(document.querySelectorAll("button.row"));
  const sets = Array.from(document.querySelectorAll(".set"), (set) =>
    Array.from(set.querySelectorAll(".predicted image")));
  const loaded = new Map();

  function load(address) {
    if (!loaded.has(address)) {
      const image = new Image();
      image.src = address;
      loaded.set(address, image.decode().catch(() => {}));
    }
    return loaded.get(address);
  }

  function show(chosen) {
    const index = Math.min(Math.max(chosen, 0), said.length - 1);
    slider.value = index;
    slider.setAttribute("aria-valuetext", said[index]);
    words.textContent = said[index];
    rows.forEach((row) => row.setAttribute("aria-current", String(Number(row.value) === index)));
    sets.forEach(async (images, set) => {
      const address = frames[set][index];
      await load(address); // no blank between two pictures
      if (Number(slider.value) === index) {
        images.forEach((image) => image.setAttribute("href", address));
      }
    });
  }

  slider.addEventListener("input", () => show(Number(slider.value)));
  for (const [key, step] of [["before", -1], ["after", 1]]) {
    const move = () => show(Number(slider.value) + step);
    document.getElementById(key).addEventListener("click", move);
  }
  rows.forEach((row) => row.addEventListener("click", () => show(Number(row.value))));
  for (const sign of ["pointerenter", "focus"]) {
    slider.addEventListener(sign, () => frames.flat().forEach(load), { once: true });
  }
  show(said.length - 1);
}
