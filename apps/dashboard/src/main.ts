import { mount } from 'svelte';
import 'uplot/dist/uPlot.min.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/header.css';
import './styles/charts.css';
import './styles/tables.css';
import './styles/dialogs.css';
import './styles/pages.css';
import App from './App.svelte';
import { adoptTokenFromFragment } from './state/token';

adoptTokenFromFragment();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
