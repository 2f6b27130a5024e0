// JSON.parse keeps the last of two equal keys without a word; the safetensors format forbids them.

/** The keys of a JSON object in order of appearance, doubles included. `text` must be valid JSON. */
export function topLevelKeys(text: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  let lastString = '';
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token !== ':') lastString = token;
    else if (depth === 1) keys.push(JSON.parse(lastString) as string);
  }
  return keys;
}
