import { describe, expect, it } from 'vitest';
import { sleep } from './clock.js';
import { withDeadline } from './deadline.js';
import { FakeClock } from './fake-clock.js';
import { ResourceStack } from './lifecycle.js';

describe('FakeClock', () => {
  it('fires timers in order of time, then of creation', () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.timer(20, () => fired.push('late'));
    clock.timer(10, () => fired.push('first'));
    clock.timer(10, () => fired.push('second'));
    clock.timer(5, () => fired.push('cancelled')).cancel();
    clock.advance(15);
    expect(fired).toEqual(['first', 'second']);
    expect(clock.nextDueMs()).toBe(20);
  });
});

describe('sleep', () => {
  it('ends at its time, or with the reason of the signal', async () => {
    const clock = new FakeClock();
    const slept = sleep(clock, 10);
    clock.advance(10);
    await slept;
    const controller = new AbortController();
    const aborted = sleep(clock, 10, controller.signal);
    controller.abort('enough');
    await expect(aborted).rejects.toBe('enough');
  });
});

describe('withDeadline', () => {
  it('passes the outcome on, or names what took too long', async () => {
    const clock = new FakeClock();
    await expect(withDeadline(clock, Promise.resolve(1), { timeoutMs: 5, what: 'it' })).resolves.toBe(1);
    const late = withDeadline(clock, new Promise(() => undefined), {
      timeoutMs: 5,
      what: 'reading the lease',
    });
    clock.advance(5);
    await expect(late).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: 'reading the lease took longer than 5 ms',
    });
  });
});

describe('ResourceStack', () => {
  it('releases in reverse order, once, and keeps every error', async () => {
    const stack = new ResourceStack();
    const released: string[] = [];
    stack.defer('a', () => void released.push('a'));
    stack.defer('b', () => {
      throw new Error('b failed');
    });
    stack.defer('c', () => void released.push('c'));
    await expect(stack.close()).rejects.toThrow('stopping b failed');
    await expect(stack.close()).rejects.toThrow('stopping b failed');
    expect(released).toEqual(['c', 'a']);
  });
});
