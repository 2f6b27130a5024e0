// The calls that the directory store makes, so that tests can let any one of them fail.
import { link, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';

export const nodeFileSystem = { link, mkdir, open, readdir, readFile, rename, rm, stat, writeFile };

export type FileSystem = typeof nodeFileSystem;
