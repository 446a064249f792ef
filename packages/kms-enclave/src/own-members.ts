/**
 * An object's own members, and nothing inherited: what something else in the process put into `Object.prototype` is no option
 * that anybody gave.
 *
 * @returns a copy, for reading alone
 */
export function ownMembers<T extends object>(given: T): T {
  return Object.assign(Object.create(null) as T, given)
}
