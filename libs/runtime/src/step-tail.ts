/** The newest items of consecutive steps, without a gap. */
export class StepTail<Item> {
  #first = 0;
  #items: Item[] = [];

  get first(): number {
    return this.#first;
  }

  get end(): number {
    return this.#first + this.#items.length;
  }

  /** One that does not follow those before begins anew. */
  append(step: number, item: Item): void {
    if (step !== this.end) {
      this.#first = step;
      this.#items = [];
    }
    this.#items.push(item);
  }

  dropBefore(step: number): void {
    const dropped = Math.min(this.#items.length, Math.max(0, step - this.#first));
    this.#items.splice(0, dropped);
    this.#first += dropped;
  }

  /** The items of `step` and later ones; null when they begin after it. */
  from(step: number): readonly Item[] | null {
    return step < this.#first ? null : this.#items.slice(step - this.#first);
  }
}
