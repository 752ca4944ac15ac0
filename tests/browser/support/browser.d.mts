export const PROGRAM: string;
export const FLAGS: string[];
