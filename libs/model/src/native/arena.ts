// Memory for one purpose that is planned anew for every call and grows to the largest plan.
import type { NativeContext } from '@cria/kernels/native';
import { CriaError } from '@cria/runtime';

export class Arena {
  readonly #context: NativeContext;
  readonly #purpose: string;
  #address = 0;
  #sizeBytes = 0;

  constructor(context: NativeContext, purpose: string) {
    this.#context = context;
    this.#purpose = purpose;
  }

  /**
   * The plan in memory: `plan` is a pure function of the address that it starts from.
   *
   * @throws OUT_OF_MEMORY
   */
  place<Plan extends { readonly sizeBytes: number }>(plan: (base: number) => Plan): Plan {
    const { sizeBytes } = plan(0);
    if (sizeBytes > this.#sizeBytes) {
      if (this.#sizeBytes > 0) this.#context.release(this.#address);
      this.#sizeBytes = 0;
      this.#address = this.#allocate(sizeBytes);
      this.#sizeBytes = sizeBytes;
    }
    return plan(this.#address);
  }

  #allocate(sizeBytes: number): number {
    const address = this.#context.allocate(sizeBytes);
    if (address !== null) return address;
    throw new CriaError(
      'OUT_OF_MEMORY',
      `no memory for ${this.#purpose}: ${Math.ceil(sizeBytes / 2 ** 20)} MiB; use a smaller model or fewer sequences per slot`,
      { context: { sizeBytes } },
    );
  }
}
