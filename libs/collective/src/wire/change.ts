/** Something that others wait for: `next()` resolves at the next `notify()`. */
export class Change {
  #waiting: Array<() => void> = [];

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  notify(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
