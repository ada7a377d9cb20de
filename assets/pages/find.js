/** The page that draws boxes around faces. */
import { live } from "./live.js";
import { find, texts } from "./page.js";

const words = texts({ en: { found: "Faces: {count}" }, zh: { found: "人脸：{count} 张" } });

live("faces", ({ answer: boxes }, over) => {
  over.clearRect(0, 0, over.canvas.width, over.canvas.height);
  over.strokeStyle = over.fillStyle = "#8df0b8";
  over.lineWidth = 3;
  for (const { x, y, width, height, points } of boxes) {
    over.strokeRect(x, y, width, height);
    for (const point of points) over.fillRect(point.x - 3, point.y - 3, 6, 6);
  }
  words.put(find("#found"), "found", { count: boxes.length });
});
