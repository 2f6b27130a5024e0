// Debiased exponential moving average, as TensorBoard draws it: without the division the first values would be
// drawn towards zero. Applied to every step before anything is thinned out, so that zooming does not change it.

export class DebiasedAverage {
  /** Weight of the past per step: 1 - 1/windowSteps. */
  readonly weight: number;
  #sum = 0;
  #debias = 0;

  /** @param windowSteps about how many steps the average looks back; at least 1, which smooths nothing */
  constructor(windowSteps: number) {
    this.weight = 1 - 1 / Math.max(1, windowSteps);
  }

  /** Takes one more value and returns the average; values that are not finite are left out. */
  push(value: number): number | null {
    if (Number.isFinite(value)) {
      this.#sum = this.#sum * this.weight + (1 - this.weight) * value;
      this.#debias = this.#debias * this.weight + (1 - this.weight);
    }
    return this.value();
  }

  value(): number | null {
    return this.#debias === 0 ? null : this.#sum / this.#debias;
  }

  /** Enough to go on elsewhere (a browser that receives the steps one by one). */
  state(): { weight: number; sum: number; debias: number } {
    return { weight: this.weight, sum: this.#sum, debias: this.#debias };
  }
}
