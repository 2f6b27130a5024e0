/** Raised whenever an older process could misunderstand a newer one; Describe and Hello carry it. */
export const PROTOCOL_VERSION = 2;

/** Why two processes cannot work together; null when they can. @param theirs what the other one says of itself */
export function versionConflict(theirs: number, whose: string): string | null {
  if (theirs === PROTOCOL_VERSION) return null;
  return (
    `this process speaks version ${PROTOCOL_VERSION} of the protocol, ${whose} version ${theirs}; ` +
    'start all processes of a run from one version of Cria'
  );
}
