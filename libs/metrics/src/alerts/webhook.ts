// What an alert looks like to whoever is told of it over HTTP.
import type { Alert } from './alert.js';

export const WEBHOOK_FORMATS = ['generic', 'slack', 'discord'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** Discord refuses longer ones. */
const MAX_TEXT = 1900;

/** Which shape an address wants, by its host. */
export function webhookFormat(url: string): WebhookFormat {
  const { hostname } = new URL(url);
  if (hostname === 'hooks.slack.com') return 'slack';
  if (hostname === 'discord.com' || hostname === 'discordapp.com') return 'discord';
  return 'generic';
}

/** The JSON body for an alert that was raised or has ended. */
export function webhookBody(
  format: WebhookFormat,
  run: { run: string; runId: string },
  alert: Alert,
): unknown {
  const word = alert.state === 'resolved' ? 'over' : alert.severity;
  const text = `[${run.run}] ${word}: ${alert.text} (${alert.rule}, step ${alert.step})`;
  switch (format) {
    case 'slack':
      // Slack reads <...> as links and mentions.
      return { text: text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
    case 'discord':
      return { content: text.slice(0, MAX_TEXT), allowed_mentions: { parse: [] } };
    case 'generic':
      return { ...run, text, alert };
  }
}
