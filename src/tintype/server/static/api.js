// What the page asks of the server. Every failure is an Error whose message can be shown.

import { t } from "./strings.js";

/** Raised for an answer that is a problem (RFC 9457); `status` is that of HTTP, 0 without one. */
export class Failure extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

// What the page says in its own language; all else in the server's words, which say more.
const TOLD = { 507: "disk full", 413: "too large", 503: "busy", 429: "busy" };

/** The failure that an answer is, in the page's language where that has words for it. */
function failure(status, problem) {
  const unreadable = /unreadable-(image|film)$/.test(problem?.type ?? "");
  const key = unreadable ? "unreadable" : TOLD[status];
  return new Failure(key ? t(key) : problem?.detail || t("went wrong"), status);
}

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Failure(t("no connection"));
  }
  if (answer.ok) return answer;
  if (answer.status === 401) throw new Failure(t("key needed"), 401);
  throw failure(answer.status, await answer.json().catch(() => ({})));
}

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** The colours of a view: {width, height, ab, sure, covered, guided, variants, model}. */
export async function predict(view, model, hints = [], variant = 0, signal = undefined) {
  const query = new URLSearchParams({ height: view.height, width: view.width });
  if (model) query.set("model", model);
  if (variant) query.set("variant", variant);
  for (const hint of hints) query.append("hint", hint);
  const headers = { "Content-Type": "application/octet-stream" };
  const answer = await asked(`/v1/predict?${query}`, { method: "POST", headers, body: view.L, signal });
  const told = await answer.json();
  const codes = new Int16Array(bytes(told.ab).buffer);
  const count = told.width * told.height;
  const ab = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) [ab[2 * i], ab[2 * i + 1]] = [codes[i] / 100, codes[count + i] / 100];
  return {
    width: told.width,
    height: told.height,
    covered: [view.width / told.stride, view.height / told.stride],
    ab,
    sure: told.confidence ? bytes(told.confidence) : null,
    guided: told.guided,
    variants: told.variants,
    model: told.model,
  };
}

/** The form of a picture or film with its options. */
export function form(file, name, options) {
  const data = new FormData();
  data.append("file", file, name);
  for (const [key, value] of Object.entries(options))
    for (const each of [value].flat()) if (each !== null && each !== "") data.append(key, each);
  return data;
}

/** The whole picture in colour, as a Blob. */
export async function colorize(file, name, options, signal = undefined) {
  const body = form(file, name, options);
  const answer = await asked("/v1/colorize", { method: "POST", body, signal });
  return answer.blob();
}

/** A picture as it is, small and as JPEG, for browsers that cannot open it. */
export async function preview(file, name) {
  return (await asked("/v1/preview", { method: "POST", body: form(file, name, {}) })).blob();
}

/** Submit a job; tells how much of the file has been sent. */
export function submit(file, name, options, sent = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/jobs");
    request.responseType = "json";
    request.upload.onprogress = (event) => sent(event.total ? event.loaded / event.total : 0);
    request.onload = () =>
      request.status === 202
        ? resolve(request.response)
        : reject(failure(request.status, request.response));
    request.onerror = () => reject(new Failure(t("no connection")));
    request.send(form(file, name, options));
  });
}

/** Follow a job until it ends; `told` gets it at every change. Goes on after a lost connection. */
export function follow(job, told) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(job.links.events);
    events.addEventListener("job", (event) => {
      const now = JSON.parse(event.data);
      told(now);
      if (["done", "failed", "cancelled"].includes(now.state)) {
        events.close();
        resolve(now);
      }
    });
    events.onerror = async () => {
      if (events.readyState !== EventSource.CLOSED) return; // it tries again by itself
      events.close();
      try {
        await asked(job.links.self);
        setTimeout(() => follow(job, told).then(resolve, reject), 2000);
      } catch (failure) {
        reject(failure.status === 404 ? new Failure(t("job expired"), 404) : failure);
      }
    };
  });
}

export const resultOf = async (job) => (await asked(job.links.result)).blob();
export const cancel = (job) => asked(job.links.cancel, { method: "POST" });
export const models = async () => (await asked("/v1/models")).json();
export const jobs = async () => (await asked("/v1/jobs")).json();
export const jobOf = async (id) => (await asked(`/v1/jobs/${id}`)).json();
