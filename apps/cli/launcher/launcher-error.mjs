/** A failure that ends the launcher with a sentence instead of a stack. */
export class LauncherError extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}
