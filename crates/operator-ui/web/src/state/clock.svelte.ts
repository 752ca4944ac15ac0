// One clock for all ages on the screen.
let current = $state(Date.now());

setInterval(() => {
  current = Date.now();
}, 15_000);

export function now(): number {
  return current;
}
