// Branded ids: a WorkerId cannot be passed where a RunId is wanted.

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type RunId = Branded<'RunId'>;
export type WorkerId = Branded<'WorkerId'>;
export type CoordinatorId = Branded<'CoordinatorId'>;

export const runId = (text: string): RunId => text as RunId;
export const workerId = (text: string): WorkerId => text as WorkerId;
export const coordinatorId = (text: string): CoordinatorId => text as CoordinatorId;
