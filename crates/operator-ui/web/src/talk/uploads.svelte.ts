// Files on their way up for one composer. A finished one becomes part of the draft.
import { attachments as api, type Attachment } from "../api";
import { said } from "../i18n/said";

export interface Upload {
  id: number;
  file: File;
  part: number;
  wrong: string | null;
  abort: AbortController;
}

export class Uploads {
  list = $state.raw<readonly Upload[]>([]);
  #next = 1;
  readonly #done: (attachment: Attachment) => void;

  constructor(done: (attachment: Attachment) => void) {
    this.#done = done;
  }

  get busy(): boolean {
    return this.list.some(({ wrong }) => wrong === null);
  }

  add(files: Iterable<File>): void {
    for (const file of files) {
      const upload = { id: this.#next++, file, part: 0, wrong: null, abort: new AbortController() };
      this.list = [...this.list, upload];
      void this.#send(upload);
    }
  }

  again(id: number): void {
    const upload = this.list.find((item) => item.id === id);
    if (upload === undefined) return;
    this.#set(id, { wrong: null, part: 0 });
    void this.#send(upload);
  }

  remove(id: number): void {
    this.list.find((item) => item.id === id)?.abort.abort();
    this.list = this.list.filter((item) => item.id !== id);
  }

  #set(id: number, change: Partial<Upload>): void {
    this.list = this.list.map((item) => (item.id === id ? { ...item, ...change } : item));
  }

  async #send({ id, file, abort }: Upload): Promise<void> {
    try {
      const attachment = await api.upload(
        file,
        (part) => {
          this.#set(id, { part });
        },
        abort.signal,
      );
      this.remove(id);
      this.#done(attachment);
    } catch (error) {
      if (abort.signal.aborted) return;
      this.#set(id, { wrong: said(error, "upload.unreachable") });
    }
  }
}
