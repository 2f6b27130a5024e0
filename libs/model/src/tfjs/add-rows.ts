/**
 * target[rowIndices[i]] += rows[i] for i ascending: the gradient of an embedding lookup. A fixed order, so a token that
 * occurs twice gives the same bits each time (scatter on a device promises no order, and wasm has none).
 *
 * @param target row-major, at least as many rows as the largest index; changed in place, each sum rounded to f32
 * @param rows [rowIndices.length, width], row-major
 */
export function addRows(target: Float32Array, rowIndices: Int32Array, rows: Float32Array): void {
  const width = rows.length / rowIndices.length;
  for (let i = 0; i < rowIndices.length; i++) {
    const to = rowIndices[i] * width;
    const from = i * width;
    for (let column = 0; column < width; column++) target[to + column] += rows[from + column];
  }
}
