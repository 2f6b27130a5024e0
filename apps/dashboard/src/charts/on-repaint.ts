// Canvases do not follow the style sheet: they are drawn again when the colours are others.
import { forgetColours } from './palette';

/**
 * Calls back at once, and whenever the system turns light or dark.
 *
 * @returns how to stop
 */
export function onRepaint(draw: () => void): () => void {
  const repaint = (): void => {
    forgetColours();
    draw();
  };
  repaint();
  const query = matchMedia('(prefers-color-scheme: dark)');
  query.addEventListener('change', repaint);
  return () => query.removeEventListener('change', repaint);
}
