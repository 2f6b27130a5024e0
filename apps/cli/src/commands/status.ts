import type { MemberView, RunStatus } from '@cria/coordinator';
import type { Command } from 'commander';
import { act, describeCommand } from '../command.js';
import { addFindOptions, findRun, type FindFlags } from '../run/find-run.js';
import { fetchStatus } from '../run/run-client.js';

export function statusCommand(): Command {
  const command = describeCommand('status', 'What a run is doing.', 'cria status --out runs/quickstart');
  addFindOptions(command);
  return act<FindFlags>(command, async (terminal, flags) => {
    const status = await fetchStatus(findRun(flags));
    terminal.result(status, describeStatus(status));
  });
}

function describeStatus(status: RunStatus): string {
  const { run, phase, reason, step, steps, term, leader, members, coordinators, seats, mathHash } = status;
  const because = reason === '' ? '' : `: ${reason}`;
  return [
    `${run}  ${phase}${because}`,
    `step ${step} of ${steps}, term ${term}, leader ${leader}`,
    `seats: ${seats.target} wanted, ${seats.waiting} open; coordinators: ${coordinators.map(({ address }) => address).join(', ')}`,
    `mathHash ${mathHash}`,
    ...members.map(describeMember),
  ].join('\n');
}

function describeMember(member: MemberView): string {
  const { id, pid, host, device, role, slots, tokensPerSecond, lastContactMs } = member;
  const speed = `${Math.round(tokensPerSecond)} tok/s`;
  return `  ${role} ${id}  pid ${pid} on ${host}  ${device}  slots ${slots.join(',') || 'none'}  ${speed}  heard ${Math.round(lastContactMs)} ms ago`;
}
