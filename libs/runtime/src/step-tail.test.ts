import { expect, it } from 'vitest';
import { StepTail } from './step-tail.js';

it('begins anew with an item that leaves a gap', () => {
  const tail = new StepTail<string>();
  for (const step of [2, 5, 6]) tail.append(step, `of ${step}`);
  expect([tail.first, tail.end]).toEqual([5, 7]);
  expect(tail.from(5)).toEqual(['of 5', 'of 6']);
  expect(tail.from(4)).toBeNull();
  expect(tail.from(7)).toEqual([]);
});

it('drops what is before a step, and no more than it has', () => {
  const tail = new StepTail<string>();
  for (const step of [5, 6, 7]) tail.append(step, `of ${step}`);
  tail.dropBefore(3);
  expect(tail.first).toBe(5);
  tail.dropBefore(7);
  expect(tail.from(7)).toEqual(['of 7']);
  tail.dropBefore(20);
  expect([tail.first, tail.end]).toEqual([8, 8]);
});
