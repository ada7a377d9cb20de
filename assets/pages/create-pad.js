/** A pad to draw on, by finger, pen, mouse or keys, and what a network gets of it. */

export const edge = 28;
const inner = 20;
const side = 280;
const ink = "#101820";
const paper = "#ffffff";
const width = 16;
const step = 14;
const ends = ["pointerup", "pointercancel", "lostpointercapture"];

export class Pad {
  /** Arrow keys move this; the space key lowers and lifts it. */
  #pen = { x: side / 2, y: side / 2, down: false };
  #empty = true;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} cursor shows where the pen of the keys is
   * @param {() => void} onStroke called at each stroke's end
   */
  constructor(canvas, cursor, onStroke) {
    Object.assign(canvas, { width: side, height: side });
    this.canvas = canvas;
    this.cursor = cursor;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    this.clear();
    let drawing = false;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      drawing = true;
      this.#draw(...this.#at(event), true);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drawing) return;
      for (const one of event.getCoalescedEvents?.() ?? [event]) this.#draw(...this.#at(one), false);
      this.#draw(...this.#at(event), false);
    });
    for (const end of ends) {
      canvas.addEventListener(end, () => {
        if (drawing) onStroke();
        drawing = false;
      });
    }
    canvas.addEventListener("keydown", (event) => {
      const moves = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
      const move = moves[event.key];
      if (event.key === " ") {
        this.#pen.down = !this.#pen.down;
        if (this.#pen.down) this.#draw(this.#pen.x, this.#pen.y, true);
        else onStroke();
      } else if (move) {
        this.#pen.x = Math.min(side, Math.max(0, this.#pen.x + step * move[0]));
        this.#pen.y = Math.min(side, Math.max(0, this.#pen.y + step * move[1]));
        if (this.#pen.down) this.#draw(this.#pen.x, this.#pen.y, false);
      } else return;
      event.preventDefault();
      this.#point();
    });
  }

  get empty() {
    return this.#empty;
  }

  clear() {
    this.context.fillStyle = paper;
    this.context.fillRect(0, 0, side, side);
    this.#empty = true;
    this.#pen.down = false;
    this.#point();
  }

  /**
   * Draws a line through points in 0..1.
   *
   * @param {[number, number][]} points
   */
  trace(points) {
    points.forEach(([x, y], i) => this.#draw(x * side, y * side, i === 0));
  }

  /** Gives the drawing, in the middle and as large as it may be, as 28 x 28 numbers in 0..1; undefined of nothing. */
  read() {
    const { data } = this.context.getImageData(0, 0, side, side);
    let [left, top, right, bottom] = [side, side, 0, 0];
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        if (data[4 * (y * side + x)] > 127) continue;
        [left, right] = [Math.min(left, x), Math.max(right, x)];
        [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      }
    }
    if (right < left) return undefined;
    const small = document.createElement("canvas");
    Object.assign(small, { width: edge, height: edge });
    const context = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d", { willReadFrequently: true }));
    context.fillStyle = paper;
    context.fillRect(0, 0, edge, edge);
    context.imageSmoothingQuality = "high";
    const [wide, high] = [right - left + 1, bottom - top + 1];
    const scale = inner / Math.max(wide, high);
    context.drawImage(this.canvas, left, top, wide, high, (edge - wide * scale) / 2, (edge - high * scale) / 2, wide * scale, high * scale);
    const pixels = context.getImageData(0, 0, edge, edge).data;
    const values = Float32Array.from({ length: edge * edge }, (_, i) => 1 - pixels[4 * i] / 255);
    return { values, picture: small };
  }

  /** @param {PointerEvent} event @returns {[number, number]} */
  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
  }

  /** @type {[number, number]} */
  #last = [0, 0];

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} anew
   */
  #draw(x, y, anew) {
    const [fromX, fromY] = anew ? [x, y] : this.#last;
    Object.assign(this.context, { strokeStyle: ink, lineWidth: width, lineCap: "round", lineJoin: "round" });
    this.context.beginPath();
    this.context.moveTo(fromX, fromY);
    this.context.lineTo(x, y);
    this.context.stroke();
    this.#last = [x, y];
    this.#empty = false;
  }

  #point() {
    this.cursor.style.setProperty("left", `${(100 * this.#pen.x) / side}%`);
    this.cursor.style.setProperty("top", `${(100 * this.#pen.y) / side}%`);
    this.cursor.dataset.down = String(this.#pen.down);
  }
}
