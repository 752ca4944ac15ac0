import type { Problem, Ticket } from "./types";

/** The service answered and refused. `code` is stable; `sentence` is fit to be shown. */
export class Refused extends Error {
  readonly code: string;
  readonly status: number;
  readonly sentence: string;
  /** Seconds until trying again makes sense, where the service said so. */
  readonly wait: number | null;
  readonly fields: readonly { field: string; message: string }[];
  /** The ticket as it is now, where the refusal was a version conflict. */
  readonly current: Ticket | undefined;

  constructor(problem: Problem, wait: number | null = null) {
    super(problem.code);
    this.name = "Refused";
    this.code = problem.code;
    this.status = problem.status;
    this.sentence = problem.detail === "" ? problem.title : problem.detail;
    this.wait = wait;
    this.fields = problem.errors ?? [];
    this.current = problem.current ?? undefined;
  }
}

/** The service was not reached, or its answer did not arrive: trying again is right, with the same idempotency key. */
export class Unreachable extends Error {
  constructor(cause?: unknown) {
    super("unreachable", { cause });
    this.name = "Unreachable";
  }
}

/** A refusal read from an answer that may or may not carry problem details. */
export async function refusal(response: Response): Promise<Refused> {
  const wait = Number(response.headers.get("retry-after") ?? Number.NaN) || null;
  const fallback: Problem = {
    code: `http_${String(response.status)}`,
    title: response.statusText,
    detail: "",
    status: response.status,
  };
  if (!(response.headers.get("content-type") ?? "").includes("json")) return new Refused(fallback, wait);
  try {
    return new Refused({ ...fallback, ...((await response.json()) as Partial<Problem>) }, wait);
  } catch {
    return new Refused(fallback, wait);
  }
}

/** A gateway that has no service behind it is as good as no connection. */
export function isAway(status: number): boolean {
  return status === 502 || status === 504;
}
