import { describe, expect, it } from 'vitest';
import { lastWords } from './last-words.js';

describe('lastWords', () => {
  it('takes the last operating error with its code', () => {
    const text =
      '{"level":30}\ncria: [DATA_EMPTY] first\ncria: [PORT_IN_USE] port 80 is taken\n{"level":30}\n';
    expect(lastWords(text)).toEqual({ code: 'PORT_IN_USE', sentence: 'port 80 is taken' });
  });

  it('takes the line that names an error where it was none of ours', () => {
    const text = 'cria: ReferenceError: thing is not defined\n    at main (main.js:1:1)\n';
    expect(lastWords(text)).toEqual({ code: null, sentence: 'ReferenceError: thing is not defined' });
  });

  it('makes nothing of a code that is none of ours', () => {
    expect(lastWords('[WARNING] all is well\n')).toEqual({ code: null, sentence: '' });
  });
});
