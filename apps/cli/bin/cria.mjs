#!/usr/bin/env node
// Checks Node before anything newer than its syntax is loaded; the rest is launcher/launch.mjs.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `cria needs Node 20.19 or newer, this is ${process.versions.node}; install a newer one (https://nodejs.org)\n`,
  );
  process.exit(2);
}
import('../launcher/launch.mjs').then(({ launch }) => launch(process.argv.slice(2)));
