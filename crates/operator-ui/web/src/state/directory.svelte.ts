// Names that pickers offer: queues and operators. Small, asked for once per session and again when the tab comes back.
import { directory as api, type Operator, type Queue } from "../api";

let queues = $state.raw<readonly Queue[]>([]);
let operators = $state.raw<readonly Operator[]>([]);

export const directory = {
  get queues(): readonly Queue[] {
    return queues.filter(({ active }) => active);
  },
  get operators(): readonly Operator[] {
    return operators.filter(({ active }) => active);
  },
  async load(): Promise<void> {
    const [allQueues, page] = await Promise.all([api.queues(), api.operators()]);
    queues = [...allQueues].sort((a, b) => a.position - b.position);
    operators = page.items;
  },
};
