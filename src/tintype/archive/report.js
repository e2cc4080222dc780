"use strict";
// The sheets: one or all of them, a scan enlarged, and a list of those that were flagged.

const cards = Array.from(document.querySelectorAll(".card"));

if (cards.length) {
  const scans = JSON.parse(document.getElementById("scans").textContent);
  const choosing = document.querySelector(".choosing");
  const choices = Array.from(choosing.querySelectorAll(".choices button"));
  const sheets = Array.from(document.querySelectorAll(".sheet"));
  const save = document.getElementById("save");
  const dialog = document.getElementById("enlarged");
  const title = document.getElementById("enlarged-title");
  const views = dialog.querySelector(".views");
  const dialogFlag = dialog.querySelector(".flag");
  const place = `tintype ${document.title} ${scans.length} ${scans[0][0]}`;
  const flagged = new Set(remembered());
  let chosen = "all";
  let open = null;

  function remembered() {
    try {
      return JSON.parse(localStorage.getItem(place) ?? "[]").filter((at) => at in scans);
    } catch {
      return [];
    }
  }

  function remember() {
    try {
      localStorage.setItem(place, JSON.stringify([...flagged]));
    } catch {
      // No memory: the list is there until the page is closed.
    }
  }

  const scanOf = (card) => Number(card.dataset.scan);
  const shown = () => cards.filter((card) => card.querySelector(".pair") && visible(card));
  const visible = (card) => !card.hidden && !card.closest(".sheet").hidden;

  function draw() {
    const seen = new Set();
    for (const card of cards) {
      const at = scanOf(card);
      card.querySelector(".flag").setAttribute("aria-pressed", String(flagged.has(at)));
      // A scan may be on several sheets; among those flagged it stands once.
      card.hidden = chosen === "flagged" && (!flagged.has(at) || seen.has(at));
      seen.add(at);
    }
    for (const sheet of sheets) {
      const empty = chosen === "flagged" && !sheet.querySelector(".card:not([hidden])");
      sheet.hidden = empty || !(["all", "flagged"].includes(chosen)
        || sheet.id === `sheet-${chosen}`);
    }
    document.querySelector(".none").classList.toggle(
      "shown", chosen === "flagged" && !flagged.size);
    choices.forEach((choice) =>
      choice.setAttribute("aria-pressed", String(choice.value === chosen)));
    choices.at(-1).querySelector("span").textContent = flagged.size.toLocaleString("en");
    save.disabled = !flagged.size;
    if (open) {
      dialogFlag.setAttribute("aria-pressed", String(flagged.has(scanOf(open))));
    }
  }

  function flip(card) {
    const at = scanOf(card);
    if (!flagged.delete(at)) {
      flagged.add(at);
    }
    remember();
    draw();
  }

  function enlarge(card) {
    open = card;
    title.replaceChildren(...card.querySelector(".words").cloneNode(true).childNodes);
    views.replaceChildren(...Array.from(card.querySelectorAll(".pair img"), (image) => {
      const copy = image.cloneNode();
      copy.loading = "eager";
      return copy;
    }));
    draw();
  }

  function go(step) {
    const all = shown();
    const at = all.indexOf(open);
    enlarge(all[(at + step + all.length) % all.length] ?? open);
  }

  for (const card of cards) {
    const flag = card.querySelector(".flag");
    flag.hidden = false;
    flag.addEventListener("click", () => flip(card));
    card.querySelector(".pair")?.addEventListener("click", () => {
      enlarge(card);
      dialog.showModal();
      dialog.querySelector(".next").focus();
    });
  }
  choices.forEach((choice) => choice.addEventListener("click", () => {
    chosen = choice.value;
    draw();
  }));
  dialogFlag.addEventListener("click", () => flip(open));
  dialog.querySelector(".previous").addEventListener("click", () => go(-1));
  dialog.querySelector(".next").addEventListener("click", () => go(1));
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    const button = open.querySelector(".pair");
    open = null;
    views.replaceChildren();
    button.focus();
    button.scrollIntoView({ block: "nearest" });
  });

  const keys = { ArrowLeft: () => go(-1), ArrowRight: () => go(1), f: () => flip(open) };
  dialog.addEventListener("keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      act();
    }
  });

  save.addEventListener("click", () => {
    const lines = [...flagged].sort((a, b) => a - b).map((at) =>
      JSON.stringify({ id: scans[at][0], path: scans[at][1] }) + "\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
    link.download = "flagged.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });

  choosing.hidden = false;
  draw();
}
