/** What is done to a database, what the report has to name, and what undoes it on the server, if it reaches beyond the database. */
export interface Manipulation {
  /** By a superuser who switched event triggers off. `%DB%` is the database. */
  readonly sql: string;
  readonly object: string;
  readonly problem: RegExp;
  readonly undo?: string;
}

export const to = (object: string, sql: string, problem: RegExp, undo?: string): Manipulation => ({
  sql,
  object,
  problem,
  ...(undo === undefined ? {} : { undo }),
});

/** By group; a name says what is manipulated. */
export type Manipulations = Readonly<Record<string, Readonly<Record<string, Manipulation>>>>;
