/** Draws what was found over the video. */

/** @typedef {import("./ar-tracker.js").Seen} Seen */
/** @typedef {import("./ar-tracker.js").Joint} Joint */

const colour = "#7cffb2";
const bodyColour = "#ffd166";
/** Pairs of joints: ears and eyes are left out, the face has its own. */
const bones = [
  [5, 6], [5, 7], [7, 9], [6, 8], [8, 10], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16],
];

/**
 * @param {CanvasRenderingContext2D} context of a canvas as large as the frame
 * @param {Seen} seen
 * @param {{ mirrored: boolean, caption: string, frame?: CanvasImageSource }} options `frame` is drawn below, where the
 *   video has gone on too far meanwhile
 */
export function drawSeen(context, seen, { mirrored, caption, frame }) {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  if (frame) {
    context.save();
    if (mirrored) context.setTransform(-1, 0, 0, 1, width, 0);
    context.drawImage(frame, 0, 0);
    context.restore();
  }
  context.lineCap = "round";
  const at = (/** @type {number} */ x) => (mirrored ? width - x : x);
  drawBody(context, seen.pose ?? [], at);
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 2.5;
  for (const { x, y, width: wide, height: high } of seen.faces) {
    const [left, right] = [at(x), at(x + wide)].sort((a, b) => a - b);
    drawCorners(context, left, y, right, y + high);
  }
  if (seen.mesh) {
    context.beginPath();
    for (const { x, y } of seen.mesh) context.rect(at(x) - 0.7, y - 0.7, 1.4, 1.4);
    context.fill();
  }
  const [face] = seen.faces;
  if (face && caption) drawCaption(context, caption, at(face.x + face.width / 2), face.y);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} top
 * @param {number} right
 * @param {number} bottom
 */
function drawCorners(context, left, top, right, bottom) {
  const arm = (right - left) / 5;
  context.beginPath();
  for (const [x, y, dx, dy] of [[left, top, arm, arm], [right, top, -arm, arm], [left, bottom, arm, -arm], [right, bottom, -arm, -arm]]) {
    context.moveTo(x + dx, y);
    context.lineTo(x, y);
    context.lineTo(x, y + dy);
  }
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Joint[]} joints
 * @param {(x: number) => number} at
 */
function drawBody(context, joints, at) {
  context.strokeStyle = context.fillStyle = bodyColour;
  context.lineWidth = 4;
  context.beginPath();
  for (const [from, to] of bones) {
    const [a, b] = [joints[from], joints[to]];
    if (!a || !b || a.unsure || b.unsure) continue;
    context.moveTo(at(a.x), a.y);
    context.lineTo(at(b.x), b.y);
  }
  context.stroke();
  context.beginPath();
  for (const { x, y, unsure } of joints.slice(5)) {
    if (unsure) continue;
    context.moveTo(at(x) + 5, y);
    context.arc(at(x), y, 5, 0, 2 * Math.PI);
  }
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x its middle
 * @param {number} y its lower edge
 */
function drawCaption(context, text, x, y) {
  context.font = "600 20px system-ui, sans-serif";
  context.textAlign = "center";
  const half = context.measureText(text).width / 2 + 10;
  const bottom = Math.max(38, y - 8);
  context.fillStyle = "rgb(12 18 22 / 78%)";
  context.beginPath();
  context.roundRect(x - half, bottom - 30, 2 * half, 30, 8);
  context.fill();
  context.fillStyle = "#fff";
  context.fillText(text, x, bottom - 8);
}
