/** A heap of numbers, the lowest on top. @param {number} length about how many */
export function makeHeap(length) {
  let items = new Float64Array(length + 1);
  let size = 0;
  return {
    /** @param {number} item */
    push(item) {
      if (size === items.length) {
        const wider = new Float64Array(2 * size);
        wider.set(items);
        items = wider;
      }
      let at = size++;
      for (let up; at && items[(up = (at - 1) >> 1)] > item; at = up) items[at] = items[up];
      items[at] = item;
    },
    /** @returns {number | undefined} */
    pop() {
      if (!size) return undefined;
      const top = items[0];
      const item = items[--size];
      let at = 0;
      for (let down; (down = 2 * at + 1) < size; at = down) {
        if (down + 1 < size && items[down + 1] < items[down]) down++;
        if (items[down] >= item) break;
        items[at] = items[down];
      }
      items[at] = item;
      return top;
    },
  };
}
