// Rows of text in columns that are as wide as they need to be; when the terminal is too narrow, the columns of the highest
// rank go, and at last the first one is cut.
import { cellsOf, fitLeft, fitRight } from '@cria/metrics';

export interface TableColumn<Row> {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** The lower, the longer it stays. */
  readonly rank: number;
  /** Printable text. */
  readonly cell: (row: Row) => string;
}

const GAP = '  ';

/** The header, then a line per row, none wider than `width`. */
export function formatTable<Row>(
  columns: ReadonlyArray<TableColumn<Row>>,
  rows: readonly Row[],
  options: { width: number; ellipsis: string },
): string[] {
  const { width, ellipsis } = options;
  let shown = columns.map((column) => {
    const texts = [column.title, ...rows.map((row) => column.cell(row))];
    return { column, texts, cells: Math.max(...texts.map(cellsOf)) };
  });
  const total = (): number => shown.reduce((sum, { cells }) => sum + cells + GAP.length, -GAP.length);
  while (shown.length > 1 && total() > width) {
    const highest = Math.max(...shown.map(({ column }) => column.rank));
    shown = shown.filter(({ column }) => column.rank !== highest);
  }
  return Array.from({ length: rows.length + 1 }, (_, index) =>
    shown
      .map(({ column, texts, cells }) => {
        const fit = column.align === 'left' ? fitLeft : fitRight;
        return fit(texts[index] ?? '', Math.min(cells, width), ellipsis);
      })
      .join(GAP)
      .trimEnd(),
  );
}
