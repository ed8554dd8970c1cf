/** An approval as policy sees it: in force now, for the user who asks. */
export type Approval = {
  id: string;
  /** Name of the data set that it is for. */
  dataset: string;
  purpose: string;
  /** The tags that the data set had when access was asked for. */
  labels: string[];
  /** ISO 8601 */
  until: string;
};
