// A camera's picture in colour: frames go through a WebSocket, the newest only, and come back as JPEG.

import { t } from "./strings.js";

const LONGEST = 640;
const QUALITY = 0.8;

/** Why there can be no live view here, or "" when there can. */
export function whyNot() {
  if (!window.isSecureContext) return t("needs https");
  return navigator.mediaDevices?.getUserMedia ? "" : t("no camera");
}

/** Show the camera in colour until `stop` is called; `told` gets what is to be said of it. */
export async function startCamera(canvas, strength, told) {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "environment", width: { ideal: 1280 } },
  });
  const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true });
  video.playsInline = true;
  await video.play();
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/v1/live`);
  socket.binaryType = "blob";
  const scratch = document.createElement("canvas");
  let [going, shown, since] = [true, 0, performance.now()];

  const send = () => {
    if (!going || socket.readyState !== WebSocket.OPEN) return;
    const factor = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
    scratch.width = Math.round(video.videoWidth * factor);
    scratch.height = Math.round(video.videoHeight * factor);
    scratch.getContext("2d").drawImage(video, 0, 0, scratch.width, scratch.height);
    scratch.toBlob((blob) => blob && going && socket.send(blob), "image/jpeg", QUALITY);
  };
  const stop = () => {
    going = false;
    socket.close();
    for (const track of stream.getTracks()) track.stop();
  };
  socket.onopen = () => {
    socket.send(JSON.stringify({ strength }));
    send();
    send();
  };
  socket.onmessage = async (event) => {
    if (typeof event.data === "string") return;
    send();
    const bitmap = await createImageBitmap(event.data);
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    shown += 1;
    const seconds = (performance.now() - since) / 1000;
    if (seconds > 1) {
      told(t("frames per second", (shown / seconds).toFixed(0)));
      [shown, since] = [0, performance.now()];
    }
  };
  socket.onclose = (event) => {
    if (going) told(event.reason || t("no connection"));
    stop();
  };
  return stop;
}
