/** For the trace. */
export function describeMessage(message: { $case: string; value: unknown }): string {
  return `${message.$case} ${JSON.stringify(message.value, (key, value: unknown) =>
    key === 'tokens' ||
    key === 'report' ||
    key === 'digests' ||
    key === 'stats' ||
    key === 'entry' ||
    key === 'address'
      ? undefined
      : value,
  )}`;
}
