export function badInput(): void {}
