// What changes something: the run's controls, acknowledging an alert, tags and notes. All need a token, looked at before anything
// else of the request.
import type { Context, Hono, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HttpProblem } from './http-problem.js';
import { notesOf, targetOf, workerOf } from './requests.js';
import type { FindRun } from './run-routes.js';
import { summaryOf } from './run-summary.js';
import type { LiveRun, RunCatalog, RunView } from './run-view.js';

const MAX_BODY_BYTES = 16 * 1024;
/** A note is longer than a control. */
const MAX_NOTES_BYTES = 64 * 1024;

export function addControls(routes: Hono, findRun: FindRun, catalog: RunCatalog): void {
  const limit = limited(MAX_BODY_BYTES);
  const find = async (c: Context): Promise<RunView> => {
    const view = await findRun(c);
    requireToken(c, (token) => view.authorised(token) || catalog.authorised(token));
    return view;
  };
  const control = (name: string, act: (run: LiveRun, c: Context) => Promise<void>): void => {
    routes.post(`/:id/${name}`, limit, async (c) => {
      await act(requireLive(await find(c)), c);
      return c.json({ accepted: name }, 202);
    });
  };
  control('scale', async (run, c) => run.scale(await targetOf(c)));
  control('drain', async (run, c) => run.drain(await workerOf(c)));
  control('pause', (run) => run.pause());
  control('resume', (run) => run.resume());
  control('stop', (run) => run.stop());
  routes.post('/:id/alerts/:alert/acknowledge', limit, async (c) => {
    const run = requireLive(await find(c));
    return c.json(await run.acknowledge(c.req.param('alert')));
  });
  routes.patch('/:id', limited(MAX_NOTES_BYTES), async (c) => {
    const view = await find(c);
    await view.setNotes({ ...view.notes(), ...(await notesOf(c)) });
    return c.json(summaryOf(view));
  });
}

function limited(maxSize: number): MiddlewareHandler {
  const onError = (): never => {
    throw new HttpProblem(413, 'BODY_TOO_LARGE', `a body is at most ${maxSize} bytes`);
  };
  return bodyLimit({ maxSize, onError });
}

function requireLive(view: RunView): LiveRun {
  const live = view.live();
  if (live !== null) return live;
  throw new HttpProblem(409, 'NOT_LIVE', `"${view.facts().run}" is a run on disk: nobody here runs it now`);
}

function requireToken(c: Context, authorised: (token: string) => boolean): void {
  const token = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (token !== undefined && authorised(token)) return;
  c.header('WWW-Authenticate', 'Bearer');
  const message =
    token === undefined ? 'this needs "Authorization: Bearer <token>"' : 'this is not the token';
  throw new HttpProblem(401, 'UNAUTHORISED', `${message}; run.json in the run's directory holds it`);
}
