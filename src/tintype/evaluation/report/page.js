"use strict";
// The lightbox: all versions of a picture lie on each other, and one of them is visible.

const dialog = document.getElementById("lightbox");
const stage = dialog.querySelector(".stage");
const versions = dialog.querySelector(".versions");
const title = document.getElementById("lightbox-title");
const said = dialog.querySelector(".said");

const shots = Array.from(document.querySelectorAll(".shot"), (figure) => ({
  name: figure.querySelector("figcaption b").textContent,
  caption: figure.querySelector("figcaption > span")?.textContent ?? "",
  buttons: Array.from(figure.querySelectorAll(".views button")),
}));
const labelOf = (button) => button.querySelector("span").textContent;

let shot = 0;
let view = 0;
let before = 0;

function truthOf(index) {
  return Math.max(0, shots[index].buttons.findIndex((button) => labelOf(button) === "truth"));
}

function fill() {
  const { name, caption, buttons } = shots[shot];
  title.replaceChildren(Object.assign(document.createElement("bdi"), { textContent: name }));
  const place = document.createElement("span");
  place.textContent = `${shot + 1} of ${shots.length}${caption ? " · " + caption : ""}`;
  title.append(place);
  stage.replaceChildren(...buttons.map((button) => {
    const image = button.querySelector("img").cloneNode();
    image.decoding = "sync";
    image.draggable = false;
    return image;
  }));
  versions.replaceChildren(...buttons.map((button, index) => {
    const choice = document.createElement("button");
    choice.type = "button";
    choice.textContent = labelOf(button);
    choice.addEventListener("click", () => show(index));
    return choice;
  }));
}

function show(index, quietly = false) {
  const count = shots[shot].buttons.length;
  view = (index + count) % count;
  Array.from(stage.children, (image, i) => image.classList.toggle("on", i === view));
  Array.from(versions.children, (choice, i) =>
    choice.setAttribute("aria-pressed", String(i === view)));
  if (!quietly) {
    said.textContent = labelOf(shots[shot].buttons[view]);
  }
}

function go(index) {
  const label = labelOf(shots[shot].buttons[view]);
  const focused = versions.contains(document.activeElement);
  shot = (index + shots.length) % shots.length;
  fill();
  const same = shots[shot].buttons.findIndex((button) => labelOf(button) === label);
  show(same < 0 ? 0 : same);
  if (focused) {
    versions.children[view].focus();
  }
}

shots.forEach(({ buttons }, which) => buttons.forEach((button, index) =>
  button.addEventListener("click", () => {
    shot = which;
    before = index;
    fill();
    dialog.showModal();
    show(index);
    versions.children[index].focus();
  })));

const keys = {
  ArrowLeft: () => show(view - 1),
  ArrowRight: () => show(view + 1),
  ArrowUp: () => go(shot - 1),
  ArrowDown: () => go(shot + 1),
  t: () => {
    const truth = truthOf(shot);
    if (view === truth) {
      show(before);
    } else {
      before = view;
      show(truth);
    }
  },
};

dialog.addEventListener("keydown", (event) => {
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act && !event.ctrlKey && !event.altKey && !event.metaKey) {
    event.preventDefault();
    act();
  }
});

let held = null;
stage.addEventListener("pointerdown", () => {
  held = view;
  show(truthOf(shot), true);
});
for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
  stage.addEventListener(end, () => {
    if (held !== null) {
      show(held, true);
      held = null;
    }
  });
}
stage.addEventListener("contextmenu", (event) => event.preventDefault());

dialog.querySelector(".previous").addEventListener("click", () => go(shot - 1));
dialog.querySelector(".next").addEventListener("click", () => go(shot + 1));
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) {
    dialog.close();
  }
});
dialog.addEventListener("close", () => {
  stage.replaceChildren();
  const opened = shots[shot].buttons[view];
  opened.focus();
  opened.scrollIntoView({ block: "nearest" });
});
