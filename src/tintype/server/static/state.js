// What the parts of the page share: the pictures of this visit, and how things are said.

export const $ = (id) => document.getElementById(id);

/** Everything that is open, in order. */
export const items = [];

/** What there is but one of; `hinting` says whether a tap gives a colour. */
export const now = { current: null, viewer: null, hints: null, hinting: false, dragging: null, stopCamera: null };

let silence = 0;

export function say(text) {
  clearTimeout(silence);
  $("said").textContent = text;
  silence = setTimeout(() => ($("said").textContent = ""), 9000);
}

export function busy(text) {
  $("busy").textContent = text;
  $("busy").hidden = !text;
}

/** What was chosen for this browser; with a value, choose it; with null, forget it. */
export const setting = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name);
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // without storage the choice holds for this visit
  }
  return value;
};
