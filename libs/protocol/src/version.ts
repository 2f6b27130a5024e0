/** Raised whenever an older process could misunderstand a newer one; Describe and Hello carry it. */
export const PROTOCOL_VERSION = 1;
