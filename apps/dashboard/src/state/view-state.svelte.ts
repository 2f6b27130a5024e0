// The view's settings, the same in memory and in the address.
import { pageOf, pathOf } from './pages';
import type { PageName } from './pages';
import { DEFAULT_VIEW, formatView, parseView } from './view-settings';
import type { Detail, DetailName, ViewSettings } from './view-settings';

export class ViewState {
  page = $state.raw<PageName>('run');
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
    history.replaceState(null, '', pathOf(this.page) + formatView(this.settings));
    this.#applyTheme();
  }

  /** Changes what belongs to the page that is shown; null takes a detail out of the address. */
  changeDetail(fields: Readonly<Partial<Record<DetailName, string | null>>>): void {
    const merged = { ...this.settings.detail, ...fields };
    const given = Object.entries(merged).filter(([, value]) => value !== null && value !== '');
    this.change({ detail: Object.fromEntries(given) as Detail });
  }

  /** Where a link to a page goes: the same run and view, without the details of the page that is left. */
  href(page: PageName, fields: Partial<ViewSettings> = {}): string {
    return pathOf(page) + formatView({ ...this.settings, detail: {}, ...fields });
  }

  /** Opens another page; the browser's back button returns. */
  go(page: PageName, fields: Partial<ViewSettings> = {}): void {
    history.pushState(null, '', this.href(page, fields));
    this.#read();
    scrollTo(0, 0);
  }

  #read(): void {
    this.page = pageOf(location.pathname);
    this.settings = parseView(location.search);
    this.#applyTheme();
  }

  #applyTheme(): void {
    const { theme } = this.settings;
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
}
