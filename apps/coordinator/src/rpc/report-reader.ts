import { ReportPart } from '@cria/collective';
import { digestText, type ReportReader } from '../decide/message-event.js';

/** Reads a report when somebody asks: a large run's has thousands of digests. */
export function reportReader({ slots, numParts }: { slots: number; numParts: number }): ReportReader {
  return (bytes) => {
    let report: ReportPart | null = null;
    return (slot) => {
      report ??= ReportPart.decode(bytes, slots, numParts);
      const { flagged, digests } = report.slot(slot);
      return {
        flagged,
        get digest() {
          return digestText(new Uint8Array(digests.buffer, digests.byteOffset, digests.byteLength));
        },
      };
    };
  };
}
