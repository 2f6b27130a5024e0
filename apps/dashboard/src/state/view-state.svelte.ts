// The view's settings, the same in memory and in the address.
import { DEFAULT_VIEW, formatView, parseView } from './view-settings';
import type { ViewSettings } from './view-settings';

export class ViewState {
  settings = $state.raw<ViewSettings>(DEFAULT_VIEW);

  constructor() {
    this.#read();
    addEventListener('popstate', () => this.#read());
  }

  /** Changes some settings; `replaceState`, so that a drag does not fill the history. */
  change(fields: Partial<ViewSettings>): void {
    // A window is in units of its axis.
    const window = fields.axis !== undefined && fields.axis !== this.settings.axis ? { window: null } : {};
    this.settings = { ...this.settings, ...window, ...fields };
    history.replaceState(null, '', location.pathname + formatView(this.settings));
    this.#applyTheme();
  }

  #read(): void {
    this.settings = parseView(location.search);
    this.#applyTheme();
  }

  #applyTheme(): void {
    const { theme } = this.settings;
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
}
