// Ledger lines as they travel. Every worker parses every line; the parse is the real one, done once.
import { formatLine, parseLine, type LedgerEntry } from '@cria/ledger';

const LINES_KEPT = 512;
const parsed = new Map<string, LedgerEntry>();

export function entryLine(entry: LedgerEntry): string {
  return formatLine(entry);
}

export function parseEntry(line: string): LedgerEntry {
  const known = parsed.get(line);
  if (known !== undefined) return known;
  const entry = parseLine(line, 'Commit');
  parsed.set(line, entry);
  if (parsed.size > LINES_KEPT) parsed.delete(parsed.keys().next().value as string);
  return entry;
}
