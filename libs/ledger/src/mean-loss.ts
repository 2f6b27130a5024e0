import { present } from '@cria/runtime';

/**
 * The loss of a step: its slots' losses added in slot order, in f64, over their number.
 *
 * @param lossBits bits of the f32 losses, in slot order
 */
export function meanLoss(lossBits: readonly number[]): number {
  const losses = new Float32Array(Uint32Array.from(lossBits).buffer);
  let sum = 0;
  for (let slot = 0; slot < losses.length; slot++) sum += present(losses[slot], 'loss');
  return sum / losses.length;
}
