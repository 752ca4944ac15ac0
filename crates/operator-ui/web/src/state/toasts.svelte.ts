export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "wrong";
  /** What `z` and the button do. */
  undo?: () => void;
}

const SHOWN_MS = 7000;
let list = $state.raw<readonly Toast[]>([]);
let next = 1;

export const toasts = {
  get list(): readonly Toast[] {
    return list;
  },
  say(text: string, undo?: () => void): void {
    add({ text, tone: "plain", ...(undo && { undo }) });
  },
  wrong(text: string): void {
    add({ text, tone: "wrong" });
  },
  close(id: number): void {
    list = list.filter((toast) => toast.id !== id);
  },
  /** Undoes the latest thing that can be undone. */
  undo(): void {
    const toast = list.findLast(({ undo }) => undo !== undefined);
    if (toast === undefined) return;
    toasts.close(toast.id);
    toast.undo?.();
  },
};

function add(toast: Omit<Toast, "id">): void {
  const id = next++;
  list = [...list.slice(-2), { ...toast, id }];
  setTimeout(
    () => {
      toasts.close(id);
    },
    toast.tone === "wrong" ? SHOWN_MS * 1.6 : SHOWN_MS,
  );
}
