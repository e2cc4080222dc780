"use strict";
// One trial: cross, first picture, blank, second picture, blank, question. The screens are the
// sections of the page; one is visible at a time.

const CROSS_MS = 900;
const BLANK_MS = 500;
const COUNT_MS = 700;
const CONFIDENCE_95 = 1.959964;

/** The Wilson score interval of a share of successes, [low, high] in [0, 1]. */
function wilson(successes, trials, z = CONFIDENCE_95) {
  if (trials === 0) {
    return [0, 1];
  }
  const share = successes / trials;
  const scale = 1 + (z * z) / trials;
  const middle = (share + (z * z) / (2 * trials)) / scale;
  const spread = share * (1 - share) / trials + (z * z) / (4 * trials * trials);
  const margin = z * Math.sqrt(spread) / scale;
  return [Math.max(0, middle - margin), Math.min(1, middle + margin)];
}

/** A whole number in [0, below), every one equally likely. */
function draw(below) {
  const limit = 2 ** 32 - (2 ** 32 % below);
  const cell = new Uint32Array(1);
  do {
    crypto.getRandomValues(cell);
  } while (cell[0] >= limit);
  return cell[0] % below;
}

/** 0, 1, ..., count - 1 in random order (Fisher and Yates). */
function shuffled(count) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = draw(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** A share in per cent, without decimals. */
function percent(share) {
  return `${Math.round(100 * share)}\u00a0%`;
}

/** What a score means, in a sentence. */
function meaning(fooled, trials) {
  const [low, high] = wilson(fooled, trials);
  const span = `95\u00a0% interval ${percent(low)} to ${percent(high)}`;
  if (high < 0.5) {
    return `${span}. You could tell them apart better than by guessing.`;
  }
  if (low > 0.5) {
    return `${span}. The coloured pictures looked more real to you than the real ones.`;
  }
  return `${span}. That is no different from guessing, which gives 50\u00a0%, or there were too ` +
    "few pictures to see a difference.";
}

function begin() {
  const { model, seconds, pairs } = JSON.parse(document.getElementById("trial").textContent);
  const at = (id) => document.getElementById(id);
  const screens = Array.from(document.querySelectorAll("main > section"));
  const view = at("view");
  let pictures = [];
  let order = [];
  let answers = [];
  let shown = null;
  let answer = null;

  function screen(id) {
    screens.forEach((each) => { each.hidden = each.id !== id; });
    document.body.dataset.screen = id;
  }

  /** Resolves at the first frame that is no earlier than so many milliseconds from now. */
  function pause(ms) {
    const from = performance.now();
    return new Promise((resolve) => {
      const look = (now) => {
        // Half a frame early is nearer than half a frame late.
        if (now - from >= ms - 8) {
          resolve(performance.now());
        } else {
          requestAnimationFrame(look);
        }
      };
      requestAnimationFrame(look);
    });
  }

  function put(...content) {
    view.replaceChildren(...content);
  }

  function sign(words, kind) {
    const node = document.createElement("span");
    node.className = kind;
    node.textContent = words;
    return node;
  }

  async function flash(image) {
    put(image);
    const from = await pause(0);
    const to = await pause(seconds * 1000);
    put();
    return Math.round(to - from);
  }

  function question() {
    screen("question");
    at("ask").focus({ preventScroll: true });
    const asked = performance.now();
    return new Promise((resolve) => {
      answer = (choice) => {
        answer = null;
        resolve({ choice, answered_ms: Math.round(performance.now() - asked) });
      };
    });
  }

  async function trial(picture) {
    const swap = draw(2);
    const [first, second] = [pictures[picture][swap], pictures[picture][1 - swap]];
    screen("stage");
    put(sign("+", "cross"));
    await pause(CROSS_MS);
    const times = [await flash(first)];
    await pause(BLANK_MS);
    times.push(await flash(second));
    await pause(BLANK_MS);
    const { choice, answered_ms } = await question();
    const coloured = 2 - swap;
    const fooled = choice !== coloured;
    answers.push({ picture: picture + 1, coloured, choice, fooled, shown_ms: times, answered_ms });
  }

  function progress() {
    at("bar").max = pairs.length;
    at("bar").value = answers.length;
    at("done").textContent = `${answers.length} of ${pairs.length}`;
  }

  async function run() {
    answers = [];
    order = shuffled(pairs.length);
    progress();
    at("progress").hidden = false;
    screen("stage");
    for (const words of ["3", "2", "1"]) {
      put(sign(words, "count"));
      await pause(COUNT_MS);
    }
    for (const picture of order) {
      await trial(picture);
      progress();
    }
    result();
  }

  function outcome() {
    const fooled = answers.filter((each) => each.fooled).length;
    const [low, high] = wilson(fooled, answers.length);
    return { model, seconds, trials: answers.length, fooled, share: fooled / answers.length,
      low, high, made: new Date().toISOString(), answers };
  }

  function listed(title, those) {
    if (!those.length) {
      return [];
    }
    const head = document.createElement("h3");
    head.textContent = `${title} (${those.length})`;
    const list = document.createElement("ul");
    for (const each of those) {
      const line = document.createElement("li");
      ["real", "coloured"].forEach((words, i) => {
        const figure = document.createElement("figure");
        const image = pictures[each.picture - 1][i].cloneNode();
        image.alt = `Picture ${each.picture}, ${words}`;
        const under = document.createElement("figcaption");
        under.textContent = words;
        figure.append(image, under);
        line.append(figure);
      });
      list.append(line);
    }
    return [head, list];
  }

  function result() {
    const { fooled, trials, share } = outcome();
    const score = `You were fooled ${fooled} of ${trials} times: ${percent(share)}`;
    at("progress").hidden = true;
    at("score").textContent = score;
    at("meaning").textContent = meaning(fooled, trials);
    at("pictures").replaceChildren(
      ...listed("These fooled you", answers.filter((each) => each.fooled)),
      ...listed("These you told apart", answers.filter((each) => !each.fooled)),
    );
    screen("result");
    window.scrollTo(0, 0);
    at("score").focus({ preventScroll: true });
    at("aloud").textContent = `${score}. ${meaning(fooled, trials)}`;
  }

  function save() {
    const content = JSON.stringify(outcome(), null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = "blind-test.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function load() {
    let ready = 0;
    pictures = await Promise.all(pairs.map((pair) => Promise.all(pair.map(async (address) => {
      const image = new Image();
      image.src = address;
      image.alt = "";
      image.draggable = false;
      await image.decode();
      ready += 1;
      at("loading").textContent = `Pictures are being made ready: ${ready} of ${2 * pairs.length}.`;
      return image;
    }))));
    at("loading").textContent = "";
    at("start").disabled = false;
  }

  const keys = { 1: 1, ArrowLeft: 1, 2: 2, ArrowRight: 2 };
  document.addEventListener("keydown", (event) => {
    const choice = keys[event.key];
    if (answer && choice && !event.repeat && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      answer(choice);
    }
  });
  at("first").addEventListener("click", () => answer?.(1));
  at("second").addEventListener("click", () => answer?.(2));
  at("start").addEventListener("click", run);
  at("again").addEventListener("click", run);
  at("save").addEventListener("click", save);
  load().catch(() => {
    at("loading").textContent = "A picture is broken, so the test cannot begin.";
  });
}

if (typeof document !== "undefined") {
  begin();
}
