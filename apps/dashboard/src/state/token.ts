// The run's token: from the address's fragment (which browsers do not send anywhere), kept for this tab only.

const KEY = 'cria-token';

/** Takes `#token=...` out of the address and keeps it. */
export function adoptTokenFromFragment(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null || token === '') return;
  keepToken(token);
  history.replaceState(null, '', location.pathname + location.search);
}

export function storedToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token.trim());
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}
